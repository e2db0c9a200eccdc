"""The real vision-language architectures at a size that a test can afford: a few hundred thousand random weights each, with
their own processors, tokenizers and chat templates, saved as a folder that the Auto classes load. The shapes keep what
makes each one hard: LLaVA's CLIP tower, whose last layer and class token are dropped; Qwen2.5-VL's windowed vision
attention and three-part positions; Qwen3-VL's features added inside the language model. `vision` and `text` replace parts of
a configuration, for who wants other shapes. Without a folder, nothing is saved: model and processor are returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from s2h import record, seeds

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PALETTE = {
    "red": (214, 40, 40), "orange": (240, 140, 30), "yellow": (245, 215, 60), "green": (50, 150, 70),
    "blue": (40, 90, 200), "purple": (125, 60, 160), "pink": (240, 150, 190), "brown": (120, 80, 50),
}  # fmt: skip
SENTENCES = (
    "Image 1: Image 2: Image 3: Image 4: Image 5:",
    "What colour is image 2? Image 2 is red, not orange, yellow or green.",
    "Which image is blue? It is image 3. The others are purple, pink and brown.",
    "How many groups of shapes do the images show? They show three large circles and two small stars.",
    "Name the colours of the first and the last image, in this order. They are green and yellow.",
    "The sum of the handwritten digits in both pictures is 7, and their product is 12.",
    "Who is the mother of the child with the curly hair and the freckles? The woman in image 4 is her mother.",
)
HIDDEN, HEADS, LAYERS = 64, 4, 2  # of every language model below

# One turn is "USER: ..." or "ASSISTANT: ...</s>"; the template writes <s>, the tokenizer adds nothing of its own. Images
# stay where the content has them.
LLAVA_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {%- if message.role == 'user' -%}{{ 'USER: ' }}
    {%- elif message.role == 'assistant' -%}{{ 'ASSISTANT: ' }}
    {%- endif -%}
    {%- if message.content is string -%}{{ message.content }}
    {%- else -%}
        {%- for part in message.content -%}
            {%- if part.type == 'image' -%}{{ '<image>' }}
            {%- elif part.type == 'text' -%}{{ part.text }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- eos_token if message.role == 'assistant' else ' ' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'ASSISTANT:' }}{%- endif -%}
"""
CHATML_TEMPLATE = """\
{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.content is string -%}{{ message.content }}
    {%- else -%}
        {%- for part in message.content -%}
            {%- if part.type == 'image' -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif part.type == 'text' -%}{{ part.text }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
CHATML_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip


def build_llava(
    folder: str | Path | None,
    seed: int = 0,
    side: int = 32,
    patch: int = 8,
    vision: dict | None = None,
    text: dict | None = None,
) -> Path:
    """LLaVA-1.5: CLIP tower at 32 px in patches of 8 (16 tokens an image), two-layer projector, Llama. Returns folder."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = train_llava_tokenizer()
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**{
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
            "image_size": side, "patch_size": patch, "projection_dim": 32, **(vision or {}),
        }),
        text_config=LlamaConfig(
            **{**language(tokenizer), **(text or {})}, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(side // patch) ** 2,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
    )  # fmt: skip
    model = grow(LlavaForConditionalGeneration, config, tokenizer, seed)
    return save(folder, model, processor)


def build_qwen25vl(
    folder: str | Path | None,
    seed: int = 0,
    tokens: tuple[int, int] = (4, 9),
    vision: dict | None = None,
    text: dict | None = None,
) -> Path:
    """Qwen2.5-VL: patches of 14 merged 2x2, 4 to 9 tokens an image, windows of 2x2 tokens in two of three vision layers."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = train_chatml_tokenizer()
    pixels = {"min_pixels": tokens[0] * 28 * 28, "max_pixels": tokens[1] * 28 * 28}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=14, merge_size=2, **pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(patch_size=14, merge_size=2, **pixels),
        chat_template=CHATML_TEMPLATE,
    )
    rotary = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
            "out_hidden_size": (text or {}).get("hidden_size", HIDDEN),
            "patch_size": 14, "spatial_merge_size": 2, "window_size": 56, "fullatt_block_indexes": [1],
            "initializer_range": 0.1, **(vision or {}),
        },
        text_config={
            **language(tokenizer), "rope_parameters": rotary, **chatml_ends(tokenizer), **(text or {}),
        },
        **chatml_marks(tokenizer),
    )  # fmt: skip
    model = grow(Qwen2_5_VLForConditionalGeneration, config, tokenizer, seed)
    return save(folder, model, processor)


def build_qwen3vl(
    folder: str | Path | None,
    seed: int = 0,
    tokens: tuple[int, int] = (4, 9),
    vision: dict | None = None,
    text: dict | None = None,
) -> Path:
    """Qwen3-VL: patches of 16 merged 2x2, 4 to 9 tokens an image, two deep-stacked feature maps, interleaved positions."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    rotary, vision = {"mrope_section": [4, 2, 2]}, {"deepstack_visual_indexes": [0, 1], **(vision or {})}
    return save_qwen3(
        folder, seed, Qwen3VLConfig, Qwen3VLForConditionalGeneration, rotary, text or {}, vision, tokens
    )


def save_qwen3(
    folder: str | Path | None,
    seed: int,
    config_of: type,
    kind: type,
    rotary: dict,
    text: dict,
    vision: dict | None = None,
    tokens: tuple[int, int] = (4, 9),
) -> Path:
    """Qwen3-VL's processor, tower and positions, with the language model of a configuration."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    tokenizer = train_chatml_tokenizer()
    looks = {"patch_size": 16, "merge_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    looks["size"] = {"shortest_edge": tokens[0] * 32 * 32, "longest_edge": tokens[1] * 32 * 32}
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(**looks),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(**looks),
        chat_template=CHATML_TEMPLATE,
    )
    rotary = {"rope_type": "default", "rope_theta": 10000.0, "mrope_interleaved": True, **rotary}
    config = config_of(
        vision_config={
            "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
            "out_hidden_size": text.get("hidden_size", HIDDEN), "patch_size": 16, "spatial_merge_size": 2,
            "num_position_embeddings": 64, "initializer_range": 0.1, **(vision or {}),
        },
        text_config={
            **language(tokenizer), **chatml_ends(tokenizer), "head_dim": HIDDEN // HEADS, "rope_parameters": rotary, **text,
        },
        **chatml_marks(tokenizer),
    )  # fmt: skip
    return save(folder, grow(kind, config, tokenizer, seed), processor)


ARCHITECTURES = {"llava": build_llava, "qwen2.5-vl": build_qwen25vl, "qwen3-vl": build_qwen3vl}


def make_pairs(folder: str | Path, n: int, seed: int = 0) -> list[record.Record]:
    """n pairs of levels 1, 2, 3 in turn, each on 2 to 5 pictures of different colours that are drawn into folder.

    Image references are absolute. Sizes and shapes of pictures and lengths of answers differ, so that no two rows of a
    batch line up by chance.
    """
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return [_make_pair(folder, f"colours-{seed}-{i}", 1 + i % 3, 2 + (i + i // 4) % 4) for i in range(n)]


def _make_pair(folder: Path, name: str, level: int, count: int) -> record.Record:
    rng = seeds.rng(name)
    colours = rng.sample(sorted(PALETTE), count)
    images = [_paint(folder / f"{name}-{k}.png", colour, rng) for k, colour in enumerate(colours)]
    one, other = rng.sample(range(count), 2)
    wrong = rng.choice([colour for colour in PALETTE if colour not in colours])
    ending = rng.choice(("", " The others are not.", " The picture shows a patch of another colour as well."))
    if level == 1:
        task, negative, target, answer = "vqa", "hallucination", [one], colours[one]
        question = f"What colour is image {one + 1}?"
        chosen, rejected = f"Image {one + 1} is {colours[one]}.{ending}", f"It is {wrong}."
        truth, claim = [(one, colours[one])], [(one, wrong)]
    elif level == 2:
        task, negative, target = "compare", "swapped-roles", [one, other]
        answer = f"{colours[one]} and {colours[other]}"
        question = f"Name the colours of images {one + 1} and {other + 1}, in this order."
        chosen, rejected = f"They are {answer}.", f"They are {colours[other]} and {colours[one]}.{ending}"
        truth = [(one, colours[one]), (other, colours[other])]
        claim = [(one, colours[other]), (other, colours[one])]
    else:
        task, negative, target, answer = "search", "other-image", [one], str(one + 1)
        question = f"Which image is {colours[one]}?"
        chosen, rejected = f"It is image {one + 1}.{ending}", f"It is image {other + 1}."
        truth, claim = [(one, colours[one])], [(other, colours[one])]
    shown = [part for k in range(count) for part in (f"Image {k + 1}:", record.IMAGE)]
    return record.make(
        id=name,
        level=level,
        task=task,
        images=images,
        prompt=record.interleave([*shown, question]),
        chosen=record.assistant(chosen),
        rejected=record.assistant(rejected),
        target=target,
        facts={"answer": answer, "answer_type": "image" if level == 3 else "word", "colours": colours},
        grounding={
            "chosen": [[k, f"a {colour} picture"] for k, colour in truth],
            "rejected": [[k, f"a {colour} picture"] for k, colour in claim],
        },
        negative=negative,
        source="colours",
    )


def _paint(path: Path, colour: str, rng) -> str:
    """A picture of one colour with a patch of any other in it; returns its path."""
    from PIL import Image

    width, height = rng.randint(28, 96), rng.randint(28, 96)
    image = Image.new("RGB", (width, height), PALETTE[colour])
    left, top = rng.randrange(width // 2), rng.randrange(height // 2)
    image.paste(
        tuple(rng.randrange(256) for _ in range(3)), (left, top, left + width // 3, top + height // 3)
    )
    image.save(path)
    return str(path)


def train_tokenizer(marks: tuple[str, ...], **named) -> PreTrainedTokenizerFast:
    """A byte-level BPE of 512 pieces on SENTENCES; marks are its special tokens, numbered after the pieces."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, padding_side="left", model_max_length=4096, **named
    )


def train_llava_tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        ("<unk>", "<s>", "</s>", "<image>", "<pad>"),
        bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip


def train_chatml_tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(CHATML_TOKENS, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def language(tokenizer: PreTrainedTokenizerFast) -> dict:
    """What the three language models have in common; as in the real ones, more rows than the tokenizer has pieces."""
    return {
        "vocab_size": -(-(len(tokenizer) + 1) // 64) * 64, "hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS // 2,
        "max_position_embeddings": 4096, "initializer_range": 0.1,
    }  # fmt: skip


def chatml_ends(tokenizer: PreTrainedTokenizerFast) -> dict:
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    return {"bos_token_id": pad, "eos_token_id": end, "pad_token_id": pad}


def chatml_marks(tokenizer: PreTrainedTokenizerFast) -> dict:
    marks = {
        "image": "image_pad",
        "video": "video_pad",
        "vision_start": "vision_start",
        "vision_end": "vision_end",
    }
    return {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{mark}|>") for name, mark in marks.items()
    }


def grow(kind: type, config, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """A model with random weights of this seed; the caller's random state stays as it was.

    The head's rows of special tokens (but the end) and of rows without a piece are zero: a trained model does not say
    them either, and an image token in an answer would break generation.
    """
    import torch
    from transformers import GenerationConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config).eval()
    with torch.no_grad():
        unsaid = {
            *tokenizer.get_added_vocab().values(),
            *range(len(tokenizer), config.text_config.vocab_size),
        }
        model.lm_head.weight[sorted(unsaid - {tokenizer.eos_token_id})] = 0
    model.generation_config = GenerationConfig(
        bos_token_id=config.text_config.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def save(folder: str | Path | None, model: PreTrainedModel, processor):
    """The folder, after both were written there; without one, both."""
    if folder is None:
        return model, processor
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)
