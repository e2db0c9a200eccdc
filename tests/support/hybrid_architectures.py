"""Architectures whose layers differ from each other or from plain attention, as `architectures.py` has the others: windows
and blocks of image tokens, delta nets, mixtures of experts. `RELATIVES` has these and those of `more_architectures.py`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.support import more_architectures
from tests.support.architectures import (
    HEADS,
    HIDDEN,
    grow,
    language,
    save,
    save_qwen3,
    train_tokenizer,
)
from tests.support.more_architectures import PATCH, ends, tower

GEMMA_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {{- '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' -}}
    {%- if message.content is string -%}{{ message.content }}
    {%- else -%}
        {%- for part in message.content -%}
            {%- if part.type == 'image' -%}{{ '<IMAGE>' }}
            {%- elif part.type == 'text' -%}{{ part.text }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<end_of_turn>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}
"""
WINDOW = 24  # tokens, less than a prompt and more than an answer


def _train_gemma_tokenizer(**marks: str):
    return train_tokenizer(
        ("<pad>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", *marks.values()),
        bos_token="<bos>", eos_token="<end_of_turn>", pad_token="<pad>", unk_token="<unk>", extra_special_tokens=marks,
    )  # fmt: skip


def build_gemma3(folder: str | Path, seed: int = 0) -> Path:
    """Gemma 3: the 4 tokens of an image attend to each other, and a window slides in one of two layers; two rotary bases."""
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    tokenizer = _train_gemma_tokenizer(
        boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>"
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=GEMMA_TEMPLATE.replace("<IMAGE>", tokenizer.boi_token),
    )
    config = Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **tower(32)},
        text_config={
            **language(tokenizer), **ends(tokenizer), "head_dim": HIDDEN // HEADS, "query_pre_attn_scalar": HIDDEN // HEADS,
            "sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"],
        },
        mm_tokens_per_image=4,
        image_token_index=tokenizer.image_token_id,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = grow(Gemma3ForConditionalGeneration, config, tokenizer, seed)
    import torch

    with torch.no_grad():  # zero in a new model, so that it would see no image
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(
            0, 0.1, generator=torch.manual_seed(seed)
        )
    return save(folder, model, processor)


def build_gemma4(folder: str | Path, seed: int = 0) -> Path:
    """Gemma 4: a window slides in two of four layers, where the tokens of an image attend to each other; the last two layers
    reuse keys and values; each layer has an input of its own, and a mixture of experts beside its MLP; logits have a soft
    cap. Up to 70 tokens an image."""
    from transformers import (
        Gemma4AudioFeatureExtractor,
        Gemma4Config,
        Gemma4ForConditionalGeneration,
        Gemma4ImageProcessor,
        Gemma4Processor,
        Gemma4VideoProcessor,
    )

    tokenizer = _train_gemma_tokenizer(
        boi_token="<|image>", eoi_token="<image|>", image_token="<|image|>", boa_token="<|audio>", eoa_token="<audio|>",
        audio_token="<|audio|>",
    )  # fmt: skip
    cut = {"patch_size": PATCH, "max_soft_tokens": 70, "pooling_kernel_size": 2}
    processor = Gemma4Processor(
        feature_extractor=Gemma4AudioFeatureExtractor(),
        image_processor=Gemma4ImageProcessor(**cut),
        tokenizer=tokenizer,
        video_processor=Gemma4VideoProcessor(**cut),
        chat_template=GEMMA_TEMPLATE.replace("<IMAGE>", tokenizer.image_token),
    )
    config = Gemma4Config(
        vision_config={
            **tower(32), "num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 1, "pooling_kernel_size": 2,
            "position_embedding_size": 128,
        },
        text_config={
            **language(tokenizer), **ends(tokenizer), "num_hidden_layers": 4, "head_dim": HIDDEN // HEADS,
            "global_head_dim": 2 * HIDDEN // HEADS, "vocab_size_per_layer_input": language(tokenizer)["vocab_size"],
            "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 2, "sliding_window": WINDOW,
            "layer_types": ["sliding_attention", "full_attention"] * 2, "use_bidirectional_attention": "vision",
            "final_logit_softcapping": 30.0, "enable_moe_block": True, "num_experts": 4, "top_k_experts": 2,
            "moe_intermediate_size": 16,
        },
        **{
            f"{name}_token_id": tokenizer.convert_tokens_to_ids(getattr(tokenizer, f"{name}_token", "<|video|>"))
            for name in ("image", "boi", "eoi", "video", "audio", "boa")
        },
        eoa_token_index=tokenizer.eoa_token_id,
        tie_word_embeddings=False,
    )  # fmt: skip
    return save(folder, grow(Gemma4ForConditionalGeneration, config, tokenizer, seed), processor)


def build_qwen35(
    folder: str | Path | None,
    seed: int = 0,
    experts: bool = False,
    tokens: tuple[int, int] = (4, 9),
    vision: dict | None = None,
    text: dict | None = None,
) -> Path:
    """Qwen3.5: a gated delta net, whose two key heads serve four value heads, then attention with a gate on its output;
    Qwen3-VL's processor, and its tower without deepstack. experts: with a mixture of four."""
    from transformers import (
        Qwen3_5Config,
        Qwen3_5ForConditionalGeneration,
        Qwen3_5MoeConfig,
        Qwen3_5MoeForConditionalGeneration,
    )

    config_of, kind = Qwen3_5Config, Qwen3_5ForConditionalGeneration
    shape = {
        "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
        "layer_types": ["linear_attention", "full_attention"],
    }  # fmt: skip
    if experts:
        config_of, kind = Qwen3_5MoeConfig, Qwen3_5MoeForConditionalGeneration
        shape |= {**EXPERTS, "shared_expert_intermediate_size": 16}
    rotary = {"mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5}
    return save_qwen3(folder, seed, config_of, kind, rotary, shape | (text or {}), vision, tokens)


def build_qwen3vl_moe(folder: str | Path, seed: int = 0) -> Path:
    """Qwen3-VL with a mixture of four experts."""
    from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

    rotary = {"mrope_section": [4, 2, 2]}
    return save_qwen3(
        folder,
        seed,
        Qwen3VLMoeConfig,
        Qwen3VLMoeForConditionalGeneration,
        rotary,
        EXPERTS,
        {"deepstack_visual_indexes": [0, 1]},
    )


EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}


RELATIVES = {
    **more_architectures.RELATIVES,
    "gemma3": build_gemma3,
    "gemma4": build_gemma4,
    "qwen3.5": build_qwen35,
    "qwen3.5-moe": partial(build_qwen35, experts=True),
    "qwen3-vl-moe": build_qwen3vl_moe,
}
