"""The shorter forms of a pair that files of other tools hold, above all TRL's, brought to the one form that every stage
works with: texts in place of messages and of their parts, images as objects, a prompt that both answers repeat, no id.

    {"images": ["a.jpg"], "prompt": "What colour is the car?", "chosen": "Red.", "rejected": "Blue."}
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from s2h.images import decoding, references, store
from s2h.record import IMAGE, NEEDED, RecordError, assistant, check, interleave, unfit
from s2h.streams import parse

# How the base64 of an image begins, by the file's first bytes.
_KINDS = {"iVBOR": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp", "Qk": "bmp"}


def accept(record: dict) -> None:
    """Check a record as a file may hold it, its short forms completed in place. Raises RecordError."""
    acceptor()(record)


@lru_cache(maxsize=1)
def acceptor() -> Callable[[dict], None]:
    """Return `accept` as a function that looks nothing up, since it is called for every record."""
    from msgspec import ValidationError, convert

    from s2h.pair import Pair

    def accept(record: dict) -> None:
        try:
            if not unfit(convert(record, Pair)):
                return
        except ValidationError:
            pass
        complete(record)
        check(record)

    return accept


def complete(record: dict) -> None:
    """Bring the short forms of a record to the full one, in place. What is no short form stays, for `check` to name.

    images: {"bytes": base64, "path"} becomes a data URI that a Writer puts into a store (references.Held), or without bytes
    the path. prompt: a text comes after all images, as TRL has it; so does the text of a message without parts where no
    message shows an image. id: a hash of the four fields. Raises RecordError for bytes that are no base64 or no image.
    """
    if record.get("prompt") is None:
        _part_prompt(record)
    shown = record.get("images")
    if isinstance(shown, list):
        record["images"] = [_reference(image, at) for at, image in enumerate(shown)]
    if "prompt" in record:
        record["prompt"] = _prompt(record["prompt"], len(shown) if isinstance(shown, list) else 0)
    for side in ("chosen", "rejected"):
        if isinstance(said := record.get(side), str):
            record[side] = assistant(said)
        elif isinstance(said, list):
            record[side] = [_parted(message) for message in said]
    if record.get("id") is None:
        record.pop("id", None)
        if all(name in record for name in NEEDED):
            record["id"] = name_of(record)


def name_of(record: dict) -> str:
    """The id of a record that has none, from what it says: the same pair has the same id."""
    from hashlib import blake2b

    said = parse.dumps([record[name] for name in NEEDED])
    return f"pair-{blake2b(said, digest_size=8).hexdigest()}"


def _part_prompt(record: dict) -> None:
    """Make a prompt of the messages with which both answers begin (TRL's implicit prompt)."""
    sides = record.get("chosen"), record.get("rejected")
    if not all(isinstance(side, list) and len(side) > 1 for side in sides):
        return
    one, other = sides
    if one[:-1] == other[:-1]:
        record["prompt"], record["chosen"], record["rejected"] = one[:-1], one[-1:], other[-1:]


def _reference(image: Any, at: int) -> Any:
    if not isinstance(image, dict):
        return image
    data, path = image.get("bytes"), image.get("path")
    if isinstance(data, str) and data:
        kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), "png")
        held = references.Held(f"data:image/{kind};base64,{data}")
        try:
            store.stored_name(decoding.read_bytes(held))
        except RecordError as error:
            error.field = f"images[{at}].bytes"
            raise
        return held
    return references.of_file(path) if isinstance(path, str) and path else image


def _prompt(prompt: Any, images: int) -> Any:
    if isinstance(prompt, str):
        return interleave([*[IMAGE] * images, prompt])
    if not isinstance(prompt, list):
        return prompt
    messages = [_parted(message) for message in prompt]
    contents = [message["content"] for message in messages if _has_parts(message)]
    if not any(
        isinstance(part, dict) and part.get("type") == "image" for parts in contents for part in parts
    ):
        for short, message in zip(prompt, messages, strict=True):
            if message is not short and message.get("role") == "user":
                message["content"] = [*({"type": "image"} for _ in range(images)), *message["content"]]
                break
    return messages


def _parted(message: Any) -> Any:
    """A message whose content is a text, with the text as its only part."""
    if isinstance(message, dict) and isinstance(said := message.get("content"), str):
        return {**message, "content": [{"type": "text", "text": said}]}
    return message


def _has_parts(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(message.get("content"), list)
