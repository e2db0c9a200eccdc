"""Prompts ready for a model: text and images of one question as tensors, prepared once and put together in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from s2h.errors import counted
from s2h.models import ModelError, encode

# Models whose processors put an image's tokens where its mark stands in the text and the images' tensors one after the
# other: their prompts can be prepared one by one and joined later, with the tensors that the processor makes of a batch.
PLAIN = frozenset({"llava", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"})
KEPT = 512 << 20  # bytes of prepared images that are kept for the questions to come


@dataclass
class Prompt:
    """One question as a model takes it. shared: names the images, where others may ask about the same."""

    text: str
    ids: Any  # [L], the images' tokens in their places
    images: list[Any]  # of a plain model the tensors of each image, of others PIL images
    shared: Hashable | None = None
    head: int = 0  # tokens up to the end of the last image


@dataclass
class Images:
    """What a model's processor makes of each distinct image, by a name for its bytes; the newest 512 MiB are kept."""

    vlm: Any
    kept: OrderedDict = field(default_factory=OrderedDict)
    size: int = 0
    made: int = 0  # images that were prepared, for who wants to know

    def get(self, wanted: list[tuple[str, Callable[[], Any]]]) -> list[Any]:
        """The prepared images of one prompt by their names, each with what loads the PIL image where it must be made."""
        new = dict(one for one in wanted if one[0] not in self.kept)
        made = dict(zip(new, prepare_images(self.vlm, [load() for load in new.values()]), strict=True))
        found = [made[name] if name in made else self.kept[name] for name, _ in wanted]
        self.kept |= made
        self.made += len(made)
        self.size += sum(map(_bytes, made.values()))
        for name, _ in wanted:
            self.kept.move_to_end(name)
        while self.size > KEPT and len(self.kept) > 1:
            self.size -= _bytes(self.kept.popitem(last=False)[1])
        return found


def is_plain(vlm: Any) -> bool:
    return vlm.model.config.model_type in PLAIN


def prepare_images(vlm: Any, images: list[Any]) -> list[Any]:
    """Each PIL image as the model takes it: its tensors, and under `tokens` how many tokens it has in a prompt."""
    if not is_plain(vlm) or not images:
        return list(images)
    processor = vlm.processor
    made = encode.encode_prompts(
        processor, [processor.image_token] * len(images), [[image] for image in images]
    )
    counts = (made["input_ids"] == _image_token(processor)).sum(1).tolist()
    typed, ones = "mm_token_type_ids" in made, [1] * len(images)
    patches = made["image_grid_thw"].prod(-1).tolist() if "image_grid_thw" in made else ones
    parts = {
        key: value.split(patches if key == "pixel_values" else ones)
        for key, value in made.items()
        if key not in encode.TEXT_KEYS
    }
    return [
        {"tokens": count, "typed": typed, "tensors": {key: some[at].clone() for key, some in parts.items()}}
        for at, count in enumerate(counts)
    ]


def prepare(
    vlm: Any,
    messages: list[dict],
    images: list[Any],
    *,
    shared: Hashable | None = None,
    text: str | None = None,
) -> Prompt:
    """The prompt of some messages; images: of `prepare_images`. text: what the template writes, where that is known.
    Raises ModelError where the text says an image's mark by itself."""
    processor = vlm.processor
    text = encode.prompt_text(processor, messages) if text is None else text
    if not is_plain(vlm):
        ids = encode.encode_prompts(processor, [text], [list(images)])["input_ids"][0]
        return Prompt(text, ids, images)
    import torch

    parts = text.split(processor.image_token)
    if len(parts) != len(images) + 1:
        raise ModelError(
            f"{counted(len(images), 'image')}, but the prompt holds the model's image mark "
            f"{processor.image_token} {counted(len(parts) - 1, 'time')} (take it out of the text)"
        )
    marks = [processor.image_token * image["tokens"] for image in images]
    whole = parts[0] + "".join(mark + part for mark, part in zip(marks, parts[1:], strict=True))
    ids = torch.tensor(processor.tokenizer(whole, add_special_tokens=False)["input_ids"])
    at = (ids == _image_token(processor)).nonzero()
    if len(at) != sum(image["tokens"] for image in images):
        raise ModelError(
            "the tokenizer doesn't keep the images' marks apart from the text (take them out of it)"
        )
    return Prompt(text, ids, images, shared, int(at[-1]) + 1 if len(at) else 0)


def stack(vlm: Any, prompts: list[Prompt]) -> dict[str, Any]:
    """A batch as the processor would make it, padded on the left, on the model's device and in its dtype."""
    if is_plain(vlm):
        batch = join([prompt.ids for prompt in prompts], encode.padding(vlm.processor.tokenizer))
        shown = [image for prompt in prompts for image in prompt.images]
        batch |= pictures(vlm, batch["input_ids"], shown)
    else:
        texts, images = [prompt.text for prompt in prompts], [prompt.images for prompt in prompts]
        batch = encode.encode_prompts(vlm.processor, texts, images)
    return on_device(vlm, batch)


def join(rows: list[Any], pad: int, side: str = "left") -> dict[str, Any]:
    """Rows of tokens as input_ids and attention_mask, padded on one side."""
    import torch

    fill = torch.nn.utils.rnn.pad_sequence
    ones = [torch.ones_like(row) for row in rows]
    return {
        "input_ids": fill(rows, batch_first=True, padding_value=pad, padding_side=side),
        "attention_mask": fill(ones, batch_first=True, padding_value=0, padding_side=side),
    }


def pictures(vlm: Any, ids: Any, images: list[dict]) -> dict[str, Any]:
    """The images' tensors of a batch, and which tokens are theirs where the model wants to be told."""
    import torch

    made = {}
    if images:
        made = {key: torch.cat([image["tensors"][key] for image in images]) for key in images[0]["tensors"]}
        if images[0]["typed"]:
            made["mm_token_type_ids"] = (ids == _image_token(vlm.processor)).long()
    return made


def on_device(vlm: Any, batch: dict[str, Any]) -> dict[str, Any]:
    dtype = vlm.model.dtype
    return {k: v.to(vlm.model.device, dtype if v.is_floating_point() else None) for k, v in batch.items()}


def images_first(processor: Any) -> bool:
    """Whether the chat template shows all images before the text, wherever the messages have them."""
    probe = [{"type": "text", "text": "s2h-before"}, {"type": "image"}, {"type": "text", "text": "s2h-after"}]
    try:
        text = processor.apply_chat_template([{"role": "user", "content": probe}], tokenize=False)
    except Exception:  # a template that wants more than this says what when it is given a question
        return False
    mark = getattr(processor, "image_token", None) or "<image>"
    return mark in text and text.index(mark) < text.index("s2h-before")


def _image_token(processor: Any) -> int:
    return processor.tokenizer.convert_tokens_to_ids(processor.image_token)


def _bytes(image: Any) -> int:
    if isinstance(image, dict):
        return sum(tensor.nbytes for tensor in image["tensors"].values())
    return 3 * image.width * image.height
