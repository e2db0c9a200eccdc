"""Complete rows that are not full pairs, so that every stage sees one form. `s2h.formats` reads the layouts of other tools.
This module completes the short forms that they share: texts in place of messages or of parts, images as objects, a prompt
that both answers repeat, a missing id. A complete pair passes unchanged.

    {"images": ["a.jpg"], "prompt": "What colour is the car?", "chosen": "Red.", "rejected": "Blue."}
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from s2h.errors import LeftOut
from s2h.images import decoding, references, store
from s2h.record import IMAGE, IMAGE_FIELDS, NEEDED, RecordError, assistant, check, interleave, typed, unfit
from s2h.streams import parse

# The beginning of an image's base64, which follows from the first bytes of its format.
_KINDS = {"iVBOR": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp", "Qk": "bmp"}
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{100,}={0,2}\s*")  # no image file is shorter


def accept(record: dict, layout: str = "") -> str:
    """Complete a record in place and check it. Return the layout that it was in, "" for a complete pair.

    layout: the name of the format of rows that are not complete pairs; "" recognizes it from their fields. Raises
    RecordError, and LeftOut for a row that holds no pair.
    """
    return acceptor(layout)(record)


@lru_cache(maxsize=8)
def acceptor(layout: str = "") -> Callable[[dict], str]:
    """Return `accept` for one layout. Its imports are done here, once, since it is called for every record."""
    from msgspec import ValidationError
    from msgspec import convert as decode

    from s2h.pair_fields import Pair

    def accept(record: dict) -> str:
        try:
            if not unfit(decode(record, Pair)):
                return ""
        except ValidationError:
            pass
        name = complete(record, layout)
        check(record)
        return name

    return accept


def convert(record: dict) -> str:
    """Bring a row in the layout of another tool to a pair, in place, and return the layout; leave any other line as it is.
    For readers of lines that may also be predictions or questions; `accept` completes the pair later. Raises RecordError."""
    return "" if typed(record) is not None else _convert(record, "")


def complete(record: dict, layout: str = "") -> str:
    """Bring a row to the full form of a pair, in place, and return the layout that it was in (see `accept`). A field that
    can't be completed stays as it is, and `check` reports it.

    images: base64 text and {"bytes": base64, "path"} become a data URI that a Writer puts into a store (references.Held), or
    the path if there are no bytes. prompt: in a text, images stand at its marks (`<image>`); without marks all images come
    first, as in TRL. The same holds for messages with texts in place of parts, if none of them shows an image. id: a hash of
    the four fields. Raises RecordError for bytes that are no base64 or no image.
    """
    if record.get("prompt") is None:
        _part_prompt(record)
    name = _convert(record, layout)
    for field in IMAGE_FIELDS:
        if isinstance(shown := record.get(field), list):
            record[field] = [_reference(image, f"{field}[{at}]") for at, image in enumerate(shown)]
    shown = record.get("images")
    if "prompt" in record:
        record["prompt"] = _prompt(record["prompt"], len(shown) if isinstance(shown, list) else 0)
    for side in ("chosen", "rejected"):
        if isinstance(answer := record.get(side), str):
            record[side] = assistant(answer)
        elif isinstance(answer, list):
            record[side] = [_parted(message) for message in answer]
    if record.get("id") is None:
        record.pop("id", None)
        if all(name in record for name in NEEDED):
            record["id"] = name_of(record)
    return name


def name_of(record: dict) -> str:
    """Make an id for a record from its content, so that the same pair has the same id."""
    from hashlib import blake2b

    content = parse.dumps([record[name] for name in (*NEEDED, "rejected_images") if name in record])
    return f"pair-{blake2b(content, digest_size=8).hexdigest()}"


def _convert(record: dict, layout: str) -> str:
    """Let the format read the row, in place, and return its name. Raises RecordError, LeftOut."""
    from s2h import formats  # few runs have such rows

    name = layout or formats.layout_of(record)
    if not name:
        return ""
    form = formats.readable()[name]
    if missing := form.lacks(record):
        remedy = f"--from {name} was given: is the row in another layout?"
        raise RecordError(f"is missing in a row of {name}", ", ".join(missing), remedy=remedy)
    if form.read is not None:
        made = form.read(dict(record))
        record.clear()
        record.update(made)
    if (
        (layout or form.read is not None)
        and not record.get("images")
        and not _shows_image(record.get("prompt"))
    ):
        raise LeftOut("shows no image", "images")
    return name


def _shows_image(prompt: Any) -> bool:
    """Return whether a prompt has a part or a mark for an image."""
    if isinstance(prompt, str):
        return not isinstance(_split(prompt), str)
    return isinstance(prompt, list) and any(
        isinstance(part, dict) and part.get("type") == "image"
        for message in prompt if _has_parts(message)
        for part in message["content"]
    )  # fmt: skip


def _part_prompt(record: dict) -> None:
    """Make a prompt of the messages that both answers begin with (TRL's implicit prompt)."""
    one, other = record.get("chosen"), record.get("rejected")
    if not (isinstance(one, list) and isinstance(other, list) and len(one) > 1 and len(other) > 1):
        return
    if one[:-1] == other[:-1]:
        record["prompt"], record["chosen"], record["rejected"] = one[:-1], one[-1:], other[-1:]


def _reference(image: Any, field: str) -> Any:
    if isinstance(image, str) and image.startswith(tuple(_KINDS)) and _BASE64.fullmatch(image):
        return image if os.path.isfile(image) else _held(image, field)
    if not isinstance(image, dict):
        return image
    data, path = image.get("bytes"), image.get("path")
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    if isinstance(data, str) and data:
        return _held(data, f"{field}.bytes")
    return references.of_file(path) if isinstance(path, str) and path else image


def _held(data: str, field: str) -> references.Held:
    """Return base64 as a data URI. Raises RecordError if it holds no image."""
    kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), "png")
    held = references.Held(f"data:image/{kind};base64,{data}")
    try:
        store.stored_name(decoding.read_bytes(held))
    except RecordError as error:
        error.field = field
        raise
    return held


def _prompt(prompt: Any, images: int) -> Any:
    if isinstance(prompt, str):
        parts = _split(prompt)
        return (
            interleave([*[IMAGE] * images, prompt])
            if isinstance(parts, str)
            else [{"role": "user", "content": parts}]
        )
    if not isinstance(prompt, list):
        return prompt
    messages = [_marked(message) for message in prompt]
    messages = [_parted(message) for message in messages]
    contents = [message["content"] for message in messages if _has_parts(message)]
    if not any(
        isinstance(part, dict) and part.get("type") == "image" for parts in contents for part in parts
    ):
        for short, message in zip(prompt, messages, strict=True):
            if message is not short and message.get("role") == "user":
                message["content"] = [*({"type": "image"} for _ in range(images)), *message["content"]]
                break
    return messages


def _marked(message: Any) -> Any:
    """Replace each mark in the text of a user message by an image part."""
    if (
        isinstance(message, dict)
        and message.get("role") == "user"
        and isinstance(message.get("content"), str)
    ):
        parts = _split(message["content"])
        return message if isinstance(parts, str) else {**message, "content": parts}
    return message


def _parted(message: Any) -> Any:
    """Make the text of a message its only part."""
    if isinstance(message, dict) and isinstance(text := message.get("content"), str):
        return {**message, "content": [{"type": "text", "text": text}]}
    return message


def _split(text: str) -> str | list[dict]:
    """Split a text at its marks for images (see `s2h.formats.chat.content`)."""
    from s2h.formats import chat

    return chat.content(text)


def _has_parts(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(message.get("content"), list)
