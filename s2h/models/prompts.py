"""Prompts ready for a model: the text and the images of one question as tensors, prepared once and stacked to batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2h.errors import counted
from s2h.models import ModelError, encode

if TYPE_CHECKING:
    from s2h.models.vlm import VLM

# Models whose processors replace the mark of an image in the text by the image's tokens, and concatenate the images'
# tensors. Their prompts can be prepared one by one and stacked later to the tensors that the processor makes of a batch.
PLAIN = frozenset({"llava", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"})
KEPT = 512 << 20  # bytes of prepared images that are kept for later questions


@dataclass
class Prompt:
    """One question, ready for a model. shared: a key for the images, if other questions may be about the same ones."""

    text: str
    ids: Any  # tokens [L], with those of the images
    images: list[Any]  # tensors of each image for a plain model (`PLAIN`), PIL images for others
    shared: Hashable | None = None
    head: int = 0  # number of tokens up to the end of the last image


@dataclass
class Images:
    """A cache of prepared images, by a name for their bytes. It keeps the 512 MiB that were used last."""

    vlm: VLM
    kept: OrderedDict = field(default_factory=OrderedDict)
    size: int = 0
    made: int = 0  # number of images that were prepared

    def get(self, wanted: list[tuple[str, Callable[[], Any]]]) -> list[Any]:
        """Return the prepared images of one prompt. wanted: the name of each, and a function that opens the PIL image if it
        has to be prepared."""
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


def is_plain(model_type: str, processor: Any) -> bool:
    """Return whether the prompts of a model can be prepared one by one (`PLAIN`). model_type: as in its configuration."""
    # Pixtral is a "llava" whose processor ends each row of an image's tokens with a mark, and pads images in a batch.
    return model_type in PLAIN and not hasattr(processor, "image_break_token")


def takes_plain(vlm: VLM) -> bool:
    """Return `is_plain` of a loaded model."""
    return is_plain(vlm.model.config.model_type, vlm.processor)


def prepare_images(vlm: VLM, images: list[Any]) -> list[Any]:
    """Prepare PIL images one by one. Return for each a dictionary with its `tensors`, its number of `tokens` in a prompt,
    and whether the model takes token types (`typed`). Models that are not plain keep the PIL images."""
    if not takes_plain(vlm) or not images:
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
    vlm: VLM,
    messages: list[dict],
    images: list[Any],
    *,
    shared: Hashable | None = None,
    text: str | None = None,
) -> Prompt:
    """Prepare the prompt of some messages. images: from `prepare_images`. text: the prompt as the template writes it, if
    known. Raises ModelError if the text contains an image mark itself."""
    processor = vlm.processor
    text = encode.prompt_text(processor, messages) if text is None else text
    if not takes_plain(vlm):
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


def stack(vlm: VLM, prompts: list[Prompt]) -> dict[str, Any]:
    """Stack prompts to a batch as the processor would make it, padded on the left, on the model's device and in its
    dtype."""
    if takes_plain(vlm):
        batch = join([prompt.ids for prompt in prompts], encode.padding(vlm.processor.tokenizer))
        shown = [image for prompt in prompts for image in prompt.images]
        batch |= pictures(vlm, batch["input_ids"], shown)
    else:
        texts, images = [prompt.text for prompt in prompts], [prompt.images for prompt in prompts]
        batch = encode.encode_prompts(vlm.processor, texts, images)
    return on_device(vlm, batch)


def join(rows: list[Any], pad: int, side: str = "left") -> dict[str, Any]:
    """Stack rows of tokens to input_ids and attention_mask [B, L], padded on one side."""
    import torch

    fill = torch.nn.utils.rnn.pad_sequence
    ones = [torch.ones_like(row) for row in rows]
    return {
        "input_ids": fill(rows, batch_first=True, padding_value=pad, padding_side=side),
        "attention_mask": fill(ones, batch_first=True, padding_value=0, padding_side=side),
    }


def pictures(vlm: VLM, ids: Any, images: list[dict]) -> dict[str, Any]:
    """Return the tensors of a batch's images, and mm_token_type_ids [B, L] if the model takes them."""
    import torch

    made = {}
    if images:
        made = {key: torch.cat([image["tensors"][key] for image in images]) for key in images[0]["tensors"]}
        if images[0]["typed"]:
            made["mm_token_type_ids"] = (ids == _image_token(vlm.processor)).long()
    return made


def on_device(vlm: VLM, batch: dict[str, Any]) -> dict[str, Any]:
    """Move a batch to the model's device, and its images to the model's dtype."""
    dtype = vlm.model.dtype
    return {k: v.to(vlm.model.device, dtype if v.is_floating_point() else None) for k, v in batch.items()}


def images_first(processor: Any) -> bool:
    """Return whether the chat template puts all images before the text, wherever they are in the messages."""
    probe = [{"type": "text", "text": "s2h-before"}, {"type": "image"}, {"type": "text", "text": "s2h-after"}]
    try:
        text = processor.apply_chat_template([{"role": "user", "content": probe}], tokenize=False)
    except Exception:  # the template needs a real question, and reports any error then
        return False
    mark = getattr(processor, "image_token", None) or "<image>"
    return mark in text and text.index(mark) < text.index("s2h-before")


def _image_token(processor: Any) -> int:
    return processor.tokenizer.convert_tokens_to_ids(processor.image_token)


def _bytes(image: Any) -> int:
    if isinstance(image, dict):
        return sum(tensor.nbytes for tensor in image["tensors"].values())
    return 3 * image.width * image.height
