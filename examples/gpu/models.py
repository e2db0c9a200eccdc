"""Models with random weights for the check of a GPU: in the shapes of models that people train, or tiny ones of the same
kinds. Their tokenizers are small; their embeddings and heads have the real models' rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tests.support.architectures import ARCHITECTURES
from tests.support.hybrid_architectures import RELATIVES

REAL: dict[str, dict[str, Any]] = {
    "llava-1.5-7b": {
        "kind": "llava",
        "vision": {
            "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
            "projection_dim": 768,
        },
        "text": {
            "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "intermediate_size": 11008, "vocab_size": 32064,
        },
    },
    "qwen2.5-vl-7b": {
        "kind": "qwen2.5-vl",
        "vision": {
            "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "window_size": 112,
            "fullatt_block_indexes": [7, 15, 23, 31], "initializer_range": 0.02,
        },
        "text": {
            "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
            "intermediate_size": 18944, "vocab_size": 152064,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        },
    },
    "qwen3-vl-2b": {
        "kind": "qwen3-vl",
        "vision": {
            "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
            "num_position_embeddings": 2304, "deepstack_visual_indexes": [5, 11, 17], "initializer_range": 0.02,
        },
        "text": {
            "hidden_size": 2048, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
            "intermediate_size": 6144, "vocab_size": 151936, "head_dim": 128,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True,
            },
        },
    },
    "qwen3.5-9b": {
        "kind": "qwen3.5",
        "vision": {
            "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "num_position_embeddings": 2304,
            "initializer_range": 0.02,
        },
        "text": {
            "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 16, "num_key_value_heads": 4,
            "intermediate_size": 12288, "vocab_size": 248320, "head_dim": 256,
            "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_num_key_heads": 16,
            "linear_num_value_heads": 32, "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 8,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e7, "mrope_section": [11, 11, 10], "mrope_interleaved": True,
                "partial_rotary_factor": 0.25,
            },
        },
    },
}  # fmt: skip
TOKENS = 576  # of an image, as LLaVA-1.5 has at 336 pixels


def build(name: str, folder: Path | None, tiny: bool = False) -> Any:
    """Make a model of REAL. Save it in the folder and return the folder; without one, return the model and its processor.
    The weights of a real shape are made on the GPU, in bfloat16."""
    shape = REAL[name]
    make = (ARCHITECTURES | RELATIVES)[shape["kind"]]
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    with _on_the_gpu(torch.float32 if tiny and not torch.cuda.is_available() else torch.bfloat16):
        if tiny:
            return make(folder)
        text = {**shape["text"], "initializer_range": 0.02}
        if shape["kind"] == "llava":
            side = 14 * int(TOKENS**0.5)
            return make(folder, side=side, patch=14, vision=shape["vision"], text=text)
        return make(folder, tokens=(TOKENS, TOKENS), vision=shape["vision"], text=text)


@contextmanager
def _on_the_gpu(dtype: torch.dtype) -> Iterator[None]:
    """Create tensors on the GPU, if there is one, and in this dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            yield
    finally:
        torch.set_default_dtype(before)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def build_clip(folder: Path) -> Path:
    """Save a CLIP with random weights in the shape of ViT-B/32, in open_clip's layout, and return the folder."""
    import json

    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    model = open_clip.create_model("ViT-B-32", pretrained=None)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    config = {
        "model_cfg": open_clip.get_model_config("ViT-B-32"),
        "preprocess_cfg": model.visual.preprocess_cfg,
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, default=list))
    return folder
