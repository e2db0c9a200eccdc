"""Write and read a pair as most tools hold it: as a conversation in which a mark, `<image>`, stands for each image."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from s2h.record import FIELDS, IMAGE, Record, RecordError, interleave, text_of
from s2h.schema import kind_of

TAG = "<image>"
MARKS = (TAG, "<image-placeholder>")  # words that stand for an image
TAGS = (*MARKS, "<video>", "<audio>")  # words that the tools replace with media
ROLES = {"human": "user", "gpt": "assistant"}  # sharegpt's names
OURS = frozenset({*FIELDS, "scores", "stage", "rejected_images"})
_MARK = re.compile("|".join(MARKS))


# Writing


def turns(record: Record) -> list[tuple[str, str]]:
    """Return (role, text) of each message, with TAG where an image stands. Raises RecordError for a text that holds a
    tag."""
    made = []
    for i, message in enumerate(record["prompt"]):
        parts = []
        for part in message["content"]:
            if part["type"] == "text":
                refuse_tags(part["text"], f"prompt[{i}]")
            parts.append(TAG if part["type"] == "image" else part["text"])
        made.append((message["role"], "".join(parts)))
    return made


def single(record: Record) -> str:
    """Return the prompt as one text. Raises RecordError if it has several messages."""
    made = turns(record)
    if len(made) > 1:
        raise RecordError(f"has {len(made)} messages: the format has room for one", "prompt")
    return made[0][1]


def answer(record: Record, side: str) -> str:
    """Return the text of `chosen` or `rejected`. Raises RecordError for a text that holds a tag."""
    text = text_of(record[side])
    refuse_tags(text, side)
    return text


def refuse_tags(text: str, field: str) -> None:
    """Raise RecordError if a reader would take a word of the text for an image."""
    if "<" in text and (found := next((tag for tag in TAGS if tag in text), "")):
        raise RecordError(
            f"contains {found}, which readers of this format take for an image", field,
            remedy="reword it, or use --to parquet",
        )  # fmt: skip


# Reading


def pair(row: dict, used: Collection[str], **fields: object) -> dict:
    """Make a pair of these fields, the row's id and the row's other fields. used: fields of the row that `fields` were made
    of. A field of another tool that has one of our names is left out, since it may have another meaning."""
    name = row.get("id")
    made = {"id": str(name)} if isinstance(name, str | int) and name != "" else {}
    rest = {key: value for key, value in row.items() if key not in OURS and key not in used}
    return {**made, **fields, **rest}


def listed(images: Any) -> list:
    """Return the images of a row as a list: one reference or object becomes a list of one, null or "" an empty list."""
    if isinstance(images, list):
        return images
    return [] if images in (None, "") else [images]


def text(value: Any, field: str) -> str:
    """Return a value if it is a text. Raises RecordError for any other."""
    if not isinstance(value, str):
        raise RecordError(f"must be a text: it is {kind_of(value)}", field)
    return value


def content(value: str) -> str | list[dict]:
    """Split a text at its marks into the parts of a message, an image for each mark. Return a text without marks as it
    is."""
    if "<image" not in value or not _MARK.search(value):
        return value
    parts: list[object] = []
    for at, words in enumerate(_MARK.split(value)):
        parts += [IMAGE] * (at > 0) + [words] * (words != "")
    return interleave(parts)[0]["content"]


def prompt(value: Any, field: str) -> str | list[dict]:
    """Make a prompt of a question: one message with images where the marks stand, or the text if it has no marks."""
    found = content(text(value, field))
    return found if isinstance(found, str) else [{"role": "user", "content": found}]


def messages(value: Any, field: str) -> list[dict]:
    """Read a conversation of {"from", "value"}, as in sharegpt, or of {"role", "content"}. Raises RecordError."""
    if not isinstance(value, list) or not value:
        raise RecordError(f"must be a non-empty list of messages: it is {kind_of(value)}", field)
    return [message(one, f"{field}[{at}]") for at, one in enumerate(value)]


def message(value: Any, field: str) -> dict:
    """Read one message of a conversation. Raises RecordError."""
    if not isinstance(value, dict):
        raise RecordError(f"must be a message: it is {kind_of(value)}", field)
    keys = ("from", "value") if "from" in value else ("role", "content")
    role, words = (value.get(key) for key in keys)
    if not isinstance(role, str):
        raise RecordError("must be a message with from and value, or with role and content", field)
    role = ROLES.get(role, role)
    if isinstance(words, list):
        return {"role": role, "content": words}
    words = text(words, f"{field}.{keys[1]}")
    return {"role": role, "content": content(words) if role == "user" else words}


def answered(value: Any, field: str) -> tuple[list[dict], dict]:
    """Split a conversation that ends with an answer into (prompt, answer). Raises RecordError."""
    found = messages(value, field)
    if found[-1]["role"] != "assistant" or len(found) < 2:
        raise RecordError("must hold a question and end with the assistant's answer", field)
    return found[:-1], found[-1]
