"""More of the real architectures that training knows, as `architectures.py` has them; only their own tests build them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.support.architectures import (
    CHATML_TEMPLATE,
    CHATML_TOKENS,
    HEADS,
    HIDDEN,
    LLAVA_TEMPLATE,
    chatml_ends,
    chatml_marks,
    grow,
    language,
    save,
    train_chatml_tokenizer,
    train_llava_tokenizer,
    train_tokenizer,
)


def build_llava_next(folder: str | Path, seed: int = 0) -> Path:
    """LLaVA-NeXT: as LLaVA-1.5, but an image is seen whole and in tiles, with a learned vector at the end of each line;
    28 to 84 tokens an image, by its shape; Mistral without a window."""
    from transformers import (
        CLIPVisionConfig,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
        MistralConfig,
    )

    tokenizer = train_llava_tokenizer()
    side, patch = 32, 8
    grids = [[side, 2 * side], [2 * side, side], [2 * side, 2 * side]]
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessor(
            size={"shortest_edge": side},
            crop_size={"height": side, "width": side},
            image_grid_pinpoints=grids,
        ),
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=side,
            patch_size=patch, projection_dim=32,
        ),
        text_config=MistralConfig(
            **language(tokenizer), sliding_window=None, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=grids,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
    )  # fmt: skip
    model = grow(LlavaNextForConditionalGeneration, config, tokenizer, seed)
    return save(folder, model, processor)


def build_llava_onevision(folder: str | Path, seed: int = 0) -> Path:
    """LLaVA-OneVision: SigLIP, tiles only where a prompt has one image, Qwen2; 17 tokens an image of several."""
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
        Qwen2Config,
        SiglipVisionConfig,
    )

    tokenizer = train_chatml_tokenizer()
    side, patch = 32, 8
    grids, size = [[side, 2 * side], [2 * side, side], [2 * side, 2 * side]], {"height": side, "width": side}
    processor = LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=grids),
        tokenizer=tokenizer,
        video_processor=LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=(side // patch) ** 2,
        vision_feature_select_strategy="full",
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        chat_template=CHATML_TEMPLATE,
    )
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=side,
            patch_size=patch, vision_use_head=False,
        ),
        text_config=Qwen2Config(**language(tokenizer), **chatml_ends(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        image_grid_pinpoints=grids,
    )  # fmt: skip
    model = grow(LlavaOnevisionForConditionalGeneration, config, tokenizer, seed)
    return save(folder, model, processor)


def build_qwen2vl(folder: str | Path, seed: int = 0) -> Path:
    """Qwen2-VL: as Qwen2.5-VL, with full attention in a vision tower of another make."""
    from transformers import (
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = train_chatml_tokenizer()
    pixels = {"min_pixels": 4 * 28 * 28, "max_pixels": 9 * 28 * 28}
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=14, merge_size=2, **pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(patch_size=14, merge_size=2, **pixels),
        chat_template=CHATML_TEMPLATE,
    )
    rotary = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = Qwen2VLConfig(
        vision_config={
            "depth": 3, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "hidden_size": HIDDEN, "patch_size": 14,
            "spatial_merge_size": 2, "initializer_range": 0.1,
        },
        text_config={**language(tokenizer), "rope_parameters": rotary, **chatml_ends(tokenizer)},
        **chatml_marks(tokenizer),
    )  # fmt: skip
    model = grow(Qwen2VLForConditionalGeneration, config, tokenizer, seed)
    return save(folder, model, processor)


def build_internvl(
    folder: str | Path,
    seed: int = 0,
    side: int = 32,
    tiles: int = 3,
    vision: dict | None = None,
    text: dict | None = None,
) -> Path:
    """InternVL3.5: up to `tiles` tiles and a thumbnail of an image, a pixel shuffle before the projector, Qwen3. A tile of
    32 px in patches of 8 takes 4 tokens."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
        InternVLVisionConfig,
        Qwen3Config,
    )

    marks = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = train_tokenizer(
        (*CHATML_TOKENS, *marks.values()),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=marks,
    )
    size, tokens = {"height": side, "width": side}, (side // PATCH // 2) ** 2
    looks = GotOcr2ImageProcessor(size=size, crop_to_patches=tiles > 1, min_patches=1, max_patches=tiles)
    processor = InternVLProcessor(
        image_processor=looks,
        tokenizer=tokenizer,
        video_processor=InternVLVideoProcessor(size=size),
        image_seq_length=tokens,
        chat_template=CHATML_TEMPLATE.replace(
            "<|vision_start|><|image_pad|><|vision_end|>", marks["context_image_token"]
        ),
    )
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(**{**tower(side), **(vision or {})}),
        text_config=Qwen3Config(
            **{**language(tokenizer), **chatml_ends(tokenizer), "head_dim": HIDDEN // HEADS, **(text or {})}
        ),
        image_token_id=tokenizer.convert_tokens_to_ids(marks["context_image_token"]),
        image_seq_length=tokens,
        tie_word_embeddings=False,
    )
    model = grow(InternVLForConditionalGeneration, config, tokenizer, seed)
    return save(folder, model, processor)


def build_smolvlm(
    folder: str | Path,
    seed: int = 0,
    side: int = 32,
    tiles: int = 2,
    vision: dict | None = None,
    text: dict | None = None,
) -> Path:
    """SmolVLM2: up to `tiles` x `tiles` tiles of an image, and the whole image; rows of a batch are padded to one number of
    tiles; Llama under `text_model`. A tile of 32 px in patches of 8 takes 4 tokens."""
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    tokenizer = _train_idefics_tokenizer()
    processor = SmolVLMProcessor(
        image_processor=SmolVLMImageProcessor(**_tiles(side, tiles), do_image_splitting=tiles > 1),
        tokenizer=tokenizer,
        video_processor=SmolVLMVideoProcessor(**_tiles(side, 1)),
        image_seq_len=(side // PATCH // 2) ** 2,
        chat_template=IDEFICS_TEMPLATE,
    )
    config = _idefics_config(SmolVLMConfig, tokenizer, {**tower(side), **(vision or {})}, text or {})
    return save(folder, grow(SmolVLMForConditionalGeneration, config, tokenizer, seed), processor)


def build_idefics3(folder: str | Path, seed: int = 0) -> Path:
    """Idefics3: the model from which SmolVLM2 was made."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    tokenizer = _train_idefics_tokenizer()
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessor(**_tiles(32, 2)),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=IDEFICS_TEMPLATE,
    )
    config = _idefics_config(Idefics3Config, tokenizer, tower(32), {})
    return save(folder, grow(Idefics3ForConditionalGeneration, config, tokenizer, seed), processor)


PATCH = 8  # pixels, of the towers above and below
IDEFICS_TEMPLATE = LLAVA_TEMPLATE.replace("USER: ", "User: ").replace("ASSISTANT:", "Assistant:")


def tower(side: int) -> dict:
    return {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": side,
        "patch_size": PATCH, "initializer_range": 0.1,
    }  # fmt: skip


def _tiles(side: int, across: int) -> dict:
    return {"size": {"longest_edge": across * side}, "max_image_size": {"longest_edge": side}}


def _train_idefics_tokenizer():
    marks = (
        "<|im_start|>", "<end_of_utterance>", "<pad>", "<image>", "<fake_token_around_image>", "<global-img>",
        *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)),
    )  # fmt: skip
    return train_tokenizer(marks, bos_token="<|im_start|>", eos_token="<end_of_utterance>", pad_token="<pad>")


def ends(tokenizer) -> dict:
    return {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}


def _idefics_config(kind: type, tokenizer, vision: dict, text: dict):
    return kind(
        vision_config=vision,
        text_config={"model_type": "llama", **language(tokenizer), **ends(tokenizer), **text},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )


def build_mistral3(folder: str | Path, seed: int = 0) -> Path:
    """Mistral Small 3: Pixtral's tower at an image's own shape, patches merged 2x2, a mark at the end of each line."""
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    return _save_pixtral(folder, seed, Mistral3Config, Mistral3ForConditionalGeneration, spatial_merge_size=2)


def build_pixtral(folder: str | Path, seed: int = 0) -> Path:
    """Pixtral as transformers has it: a LLaVA with Pixtral's tower."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    return _save_pixtral(
        folder, seed, LlavaConfig, LlavaForConditionalGeneration, vision_feature_select_strategy="full"
    )


def _save_pixtral(folder: str | Path, seed: int, config_of: type, kind: type, **more) -> Path:
    from transformers import PixtralImageProcessor, PixtralProcessor

    tokenizer = train_tokenizer(
        ("<unk>", "<s>", "</s>", "<pad>", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
        bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
    )  # fmt: skip
    side = 6 * PATCH
    processor = PixtralProcessor(
        image_processor=PixtralImageProcessor(
            patch_size={"height": PATCH, "width": PATCH}, size={"longest_edge": side}
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        spatial_merge_size=more.get("spatial_merge_size", 1),
        chat_template=LLAVA_TEMPLATE.replace("<image>", "[IMG]"),
    )
    text = {"model_type": "mistral", **language(tokenizer), **ends(tokenizer)}
    config = config_of(
        vision_config={"model_type": "pixtral", **tower(side)},
        text_config={**text, "sliding_window": None, "head_dim": HIDDEN // HEADS},
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1,
        tie_word_embeddings=False,
        **more,
    )
    return save(folder, grow(kind, config, tokenizer, seed), processor)


def build_glm4v(folder: str | Path, seed: int = 0, experts: bool = False) -> Path:
    """GLM-4.1V: positions in three parts, interleaved by pairs; gate and up projection in one; four norms a layer. experts:
    GLM-4.5V, whose second layer has a mixture of four experts beside one that all tokens pass."""
    from transformers import (
        Glm4vConfig,
        Glm4vForConditionalGeneration,
        Glm4vImageProcessor,
        Glm4vMoeConfig,
        Glm4vMoeForConditionalGeneration,
        Glm4vProcessor,
        Glm4vVideoProcessor,
    )

    marks = {
        "image": "<|image|>",
        "video": "<|video|>",
        "image_start": "<|begin_of_image|>",
        "image_end": "<|end_of_image|>",
        "video_start": "<|begin_of_video|>",
        "video_end": "<|end_of_video|>",
    }
    tokenizer = train_tokenizer(
        (*CHATML_TOKENS, *marks.values()),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": marks["image"], "video_token": marks["video"]},
    )
    size = {"shortest_edge": 4 * 28 * 28, "longest_edge": 9 * 28 * 28}
    processor = Glm4vProcessor(
        image_processor=Glm4vImageProcessor(size=size, patch_size=14, merge_size=2),
        tokenizer=tokenizer,
        video_processor=Glm4vVideoProcessor(size=size, patch_size=14, merge_size=2),
        chat_template=CHATML_TEMPLATE.replace(
            "<|vision_start|><|image_pad|><|vision_end|>", "<|begin_of_image|><|image|><|end_of_image|>"
        ),
    )
    rotary = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config_of, kind, text = Glm4vConfig, Glm4vForConditionalGeneration, {}
    if experts:
        config_of, kind = Glm4vMoeConfig, Glm4vMoeForConditionalGeneration
        text = {"num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_routed_experts": 4}
        rotary["mrope_section"] = [1, 1, 2]  # of half a head
    config = config_of(
        vision_config={
            "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": HIDDEN,
            "patch_size": 14, "image_size": 84, "spatial_merge_size": 2, "initializer_range": 0.1,
        },
        text_config={**language(tokenizer), "rope_parameters": rotary, **chatml_ends(tokenizer), **text},
        **{f"{name}_token_id": tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()},
    )  # fmt: skip
    return save(folder, grow(kind, config, tokenizer, seed), processor)


RELATIVES = {
    "llava-next": build_llava_next,
    "llava-onevision": build_llava_onevision,
    "qwen2-vl": build_qwen2vl,
    "internvl": build_internvl,
    "smolvlm": build_smolvlm,
    "idefics3": build_idefics3,
    "mistral3": build_mistral3,
    "pixtral": build_pixtral,
    "glm4v": build_glm4v,
    "glm4v-moe": partial(build_glm4v, experts=True),
}
