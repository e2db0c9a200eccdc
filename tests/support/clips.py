"""A tiny image-text model with random weights, on disk in open_clip's layout as the bundled one is, and scored pictures."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = [
    "a", "the", "two", "three", "red", "blue", "green", "star", "square", "digit", "is", "photo", "of", "on", "grass", "and",
]  # fmt: skip
CONTEXT = 12
MODEL = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32, "pool_type": "tok"},
    "text_cfg": {
        "context_length": CONTEXT, "vocab_size": 3 + len(WORDS) + 1, "width": 16, "heads": 2, "layers": 1,
        "pool_type": "eos", "eos_id": 2, "pad_id": 0, "hf_tokenizer_name": "in this folder",
    },
}  # fmt: skip
PREPROCESS = {
    "size": [32, 32], "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.3], "interpolation": "bicubic", "resize_mode": "squash",
}  # fmt: skip


def build(folder: Path, seed: int = 0) -> Path:
    """Writes the model; returns its folder."""
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    torch.manual_seed(seed)
    text = {key: value for key, value in MODEL["text_cfg"].items() if key != "hf_tokenizer_name"}
    model = CLIP(MODEL["embed_dim"], MODEL["vision_cfg"], text, quick_gelu=True)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<s>", "</s>", *WORDS, "<unk>"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        padding_side="right", model_max_length=CONTEXT,
    ).save_pretrained(folder)  # fmt: skip
    return folder
