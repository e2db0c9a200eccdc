"""The pair: one preference record, how it is made and how it is checked. A record is a plain dict, so that unknown fields
pass through every stage in their order; it also remembers the line that it came from and the folder that its relative
image references start at.

    s2h-gen kinship -n 3 | jq -c '{id, target, negative}'
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FIELDS = (
    "id", "level", "task", "images", "prompt", "chosen", "rejected",
    "target", "facts", "grounding", "negative", "source",
)  # fmt: skip
_CLAIM = '{"image": 0, "text": "a photo of a dog"}'
OPTIONAL = frozenset({"grounding"})  # without it CLIP judges the answer's text against the target images
ROLES = frozenset({"system", "user", "assistant"})
IMAGE = object()  # stands for an image in the parts given to `interleave`


class RecordError(ValueError):
    """What is wrong with a record, where, and what would mend it; `str()` is one line.

    message says the kind of fault first and the particulars after a colon, so that `reason`, by which skipped records
    are counted, can be told from it.
    """

    def __init__(self, message: str, field: str = "", where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.field, self.where, self.remedy = message, field, where, remedy

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.where, self.field, self.message) if part)
        text = f"{text} ({self.remedy})" if self.remedy else text
        return re.sub(
            r"[\s\x00-\x1f\x7f-\x9f]+", " ", text
        )  # names come from data: no line breaks, no escape codes

    @property
    def reason(self) -> str:
        """The fault without its particulars: 'images[]: no such file'."""
        field = re.sub(r"\[\d+\]", "[]", self.field)
        return ": ".join(part for part in (field, self.message.split(":")[0].strip()) if part)


class Record(dict):
    """A record with where it came from.

    where: "FILE:LINE" or "" for one that was made here. base: the folder that relative image references start at, ""
    for the working directory. repeats: the origin of the pair that this one repeats, once s2h-filter has found it.
    """

    __slots__ = ("base", "repeats", "where")

    def __init__(self, *fields, where: str = "", base: str = "", **more) -> None:
        dict.__init__(self, *fields, **more)
        self.where, self.base = where, base

    def copy(self) -> Record:
        return Record(self, where=self.where, base=self.base)


def fail(error: Exception) -> None:
    """The default `on_error` of every stage: the first bad record ends the work."""
    raise error


def make(
    *, id: str, level: int, task: str, images: list[str], prompt: list[dict], chosen: list[dict], rejected: list[dict],
    target: list[int], facts: dict, grounding: dict | None, negative: str, source: str, base: str = "", **more: object,
) -> Record:  # fmt: skip
    """A checked record with its fields in the contract's order; `more` follows them. Raises RecordError."""
    made = Record(
        {
            "id": id, "level": level, "task": task, "images": images, "prompt": prompt, "chosen": chosen,
            "rejected": rejected, "target": target, "facts": facts,
        },
        base=base,
    )  # fmt: skip
    if grounding is not None:
        made["grounding"] = grounding
    made["negative"] = negative
    made["source"] = source
    made.update(more)
    check(made)
    return made


def interleave(parts: Iterable[object]) -> list[dict]:
    """One user message from strings and IMAGE marks: `interleave(["Image 1:", IMAGE, "What colour is the car?"])`."""
    content = [{"type": "image"} if part is IMAGE else {"type": "text", "text": part} for part in parts]
    return [{"role": "user", "content": content}]


def claim(image: int, text: str) -> dict:
    """One claim of `grounding`: what an answer says of the image at a position."""
    return {"image": image, "text": text}


def claims_of(record: dict, side: str) -> list[tuple[int, str]]:
    """What the answer claims of which image, (position, text), where the record's grounding says so. Claims are objects, or
    in the older form lists [position, text]."""
    return [
        (one["image"], one["text"]) if isinstance(one, dict) else (one[0], one[1])
        for one in (record.get("grounding") or {}).get(side) or ()
    ]


def assistant(text: str) -> list[dict]:
    """One assistant message, as `chosen` and `rejected` hold it."""
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]


def text_of(messages: list[dict]) -> str:
    """The text parts of the messages, joined as they stand (no separator)."""
    if len(messages) == 1 and len(content := messages[0]["content"]) == 1 and content[0]["type"] == "text":
        return content[0]["text"]
    return "".join(
        part["text"] for message in messages for part in message["content"] if part["type"] == "text"
    )


def check(record: dict) -> None:
    """Every rule of the record's table. Raises RecordError that names the field; returns nothing when all is well.

    Looks at the record alone: whether an image can be opened is found out by the stage that opens it.
    """
    if _sound(record):
        return
    try:
        _check(record)
    except RecordError as error:
        error.where = error.where or getattr(record, "where", "")
        raise


def _sound(record: dict) -> bool:
    """Whether a record keeps the rules of `_check`, told in a third of its time; False also where in doubt."""
    try:
        name, task, negative, source = record["id"], record["task"], record["negative"], record["source"]
        if not (type(name) is type(task) is type(negative) is type(source) is str):
            return False
        level, images, prompt, target = record["level"], record["images"], record["prompt"], record["target"]
        if (
            not (name and task and negative and source and images and target)
            or type(record["facts"]) is not dict
        ):
            return False
        if not (
            type(level) is int and 1 <= level <= 3 and type(images) is type(prompt) is type(target) is list
        ):
            return False
        for reference in images:
            if type(reference) is not str or not reference:
                return False
        count = shown = len(images)
        role = ""
        for message in prompt:
            role, content = message["role"], message["content"]
            if type(content) is not list or role not in ROLES:
                return False
            for part in content:
                kind = part["type"]
                if kind == "text":
                    if type(part["text"]) is not str:
                        return False
                elif kind == "image" and role == "user":
                    shown -= 1
                else:
                    return False
        if shown or role != "user":
            return False
        for answer in (record["chosen"], record["rejected"]):
            (message,) = answer
            content = message["content"]
            (part,) = content
            if (
                message["role"] != "assistant"
                or part["type"] != "text"
                or not (type(content) is type(answer) is list)
            ):
                return False
            text = part["text"]
            if type(text) is not str or not text or text.isspace():
                return False
        for position in target:
            if type(position) is not int or not 0 <= position < count:
                return False
        if len(target) > 1 and len(set(target)) != len(target):
            return False
        if "grounding" in record:
            grounding = record["grounding"]
            for claims in (grounding["chosen"], grounding["rejected"]):
                if type(claims) is not list:
                    return False
                for claim in claims:
                    position, text = (claim["image"], claim["text"]) if type(claim) is dict else claim
                    if not (type(position) is int and 0 <= position < count and type(text) is str and text):
                        return False
                    if not (type(claim) is dict or type(claim) is list):
                        return False
        if "scores" in record and type(record["scores"]) is not dict:
            return False
        return "stage" not in record or (type(record["stage"]) is int and abs(record["stage"]) < 1 << 63)
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def _check(record: dict) -> None:
    for field in FIELDS:
        if field not in record and field not in OPTIONAL:
            raise RecordError("is missing", field)
    for field in ("id", "task", "negative", "source"):
        value = record[field]
        if type(value) is not str:
            raise RecordError(f"must be a string: it is {_kind(value)}", field)
        if not value:
            raise RecordError("must not be empty", field)
    level = record["level"]
    if type(level) is not int or not 1 <= level <= 3:
        raise RecordError(f"must be 1, 2 or 3: it is {_show(level)}", "level")

    images = record["images"]
    if type(images) is not list:
        raise RecordError(f"must be a list of image references: it is {_kind(images)}", "images")
    if not images:
        raise RecordError("must not be empty", "images", remedy="a pair shows at least one image")
    for i, reference in enumerate(images):
        if type(reference) is not str:
            raise RecordError(f"must be an image reference: it is {_kind(reference)}", f"images[{i}]")
        if not reference:
            raise RecordError("must not be empty", f"images[{i}]")
    count = len(images)

    _check_prompt(record["prompt"], count)
    _check_answer(record["chosen"], "chosen")
    _check_answer(record["rejected"], "rejected")

    target = record["target"]
    if type(target) is not list:
        raise RecordError(f"must be a list of 0-based image positions: it is {_kind(target)}", "target")
    if not target:
        raise RecordError("must not be empty", "target", remedy="name the images that the answer rests on")
    for i, position in enumerate(target):
        _check_position(position, count, "target", i)
    if len(set(target)) != len(target):
        raise RecordError(f"names an image twice: {target}", "target")

    if not isinstance(record["facts"], dict):
        raise RecordError(f"must be an object: it is {_kind(record['facts'])}", "facts")
    if "grounding" in record:
        _check_grounding(record["grounding"], count)
    if "scores" in record and not isinstance(record["scores"], dict):
        raise RecordError(f"must be an object: it is {_kind(record['scores'])}", "scores")
    if "stage" in record and (type(record["stage"]) is not int or abs(record["stage"]) >= 1 << 63):
        raise RecordError(f"must be an integer: it is {_show(record['stage'])}", "stage")


def _check_prompt(messages: object, count: int) -> None:
    if type(messages) is not list or not messages:
        raise RecordError("must be a non-empty list of messages", "prompt")
    shown = 0
    for i, message in enumerate(messages):
        content = _content(message, "prompt", i)
        role = message.get("role")
        if type(role) is not str or role not in ROLES:
            raise RecordError(f"role must be user, system or assistant: it is {_show(role)}", f"prompt[{i}]")
        for j, part in enumerate(content):
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "image":
                if role != "user":
                    raise RecordError(
                        f"an image in a message that is not the user's: {role}", f"prompt[{i}].content[{j}]"
                    )
                shown += 1
            elif kind != "text" or type(part.get("text")) is not str:
                raise RecordError(
                    "must be an image or text part", f"prompt[{i}].content[{j}]",
                    remedy='{"type": "image"} or {"type": "text", "text": "..."}',
                )  # fmt: skip
    if messages[-1]["role"] != "user":
        raise RecordError("must end with a user message", f"prompt[{len(messages) - 1}]")
    if shown != count:
        raise RecordError(
            f"image parts do not match images: {shown} in the prompt, {count} in images", "prompt"
        )


def _check_answer(messages: object, field: str) -> None:
    if type(messages) is not list or len(messages) != 1:
        raise RecordError("must be a list of one assistant message", field)
    content = _content(messages[0], field, 0)
    if messages[0].get("role") != "assistant":
        raise RecordError(f"role must be assistant: it is {_show(messages[0].get('role'))}", f"{field}[0]")
    said = False
    for j, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text" or type(part.get("text")) is not str:
            raise RecordError(
                "must be a text part", f"{field}[0].content[{j}]", remedy='{"type": "text", "text": "..."}'
            )
        said = said or part["text"].strip() != ""
    if not said:
        raise RecordError("says nothing", field)


def _content(message: object, field: str, i: int) -> list:
    if not isinstance(message, dict):
        raise RecordError(f"must be a message: it is {_kind(message)}", f"{field}[{i}]")
    content = message.get("content")
    if type(content) is not list:
        raise RecordError(
            f"must be a list of parts: it is {_kind(content)}", f"{field}[{i}].content",
            remedy='[{"type": "text", "text": "..."}]',
        )  # fmt: skip
    return content


def _check_grounding(grounding: object, count: int) -> None:
    if not isinstance(grounding, dict):
        raise RecordError(f"must be an object: it is {_kind(grounding)}", "grounding")
    for side in ("chosen", "rejected"):
        claims = grounding.get(side)
        if type(claims) is not list:
            raise RecordError("must be a list of claims", f"grounding.{side}", remedy=_CLAIM)
        for i, claim in enumerate(claims):
            listed = type(claim) is list and len(claim) == 2
            if not listed and not (type(claim) is dict and claim.keys() >= {"image", "text"}):
                raise RecordError("must be a claim", f"grounding.{side}[{i}]", remedy=_CLAIM)
            position, text = claim if listed else (claim["image"], claim["text"])
            if type(text) is not str or not text:
                raise RecordError("must be a claim with a text", f"grounding.{side}[{i}]", remedy=_CLAIM)
            _check_position(position, count, f"grounding.{side}", i)


def _check_position(position: object, count: int, field: str, i: int) -> None:
    if type(position) is not int:
        raise RecordError(f"must be a 0-based image position: it is {_show(position)}", f"{field}[{i}]")
    if not 0 <= position < count:
        raise RecordError(
            f"is out of range: {position} with {count} image(s), counted from 0", f"{field}[{i}]"
        )


def _kind(value: object) -> str:
    """A JSON word for a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value)) or ("a number" if isinstance(value, int | float) else type(value).__name__)


def _show(value: object) -> str:
    """A value short enough for one line."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
