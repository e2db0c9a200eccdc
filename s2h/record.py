"""The pair: one preference record, how it is made and how it is checked. A record is a plain dict, so that unknown fields
pass through every stage in their order. It also has the line that it came from and the folder of its relative image
references.

    s2h-gen kinship -n 3 | jq -c '{id, target, negative}'

Four fields make a pair: images, prompt, chosen and rejected. pair_fields.py defines all fields, `unfit` the rules that types
can't express; shorthand.py completes the shorter forms that other tools write.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType
from typing import Any

from s2h import schema
from s2h.errors import RecordError as RecordError
from s2h.errors import fail as fail
from s2h.errors import first_of
from s2h.schema import Rule

FIELDS = (
    "id", "level", "task", "images", "prompt", "chosen", "rejected",
    "target", "facts", "grounding", "negative", "source",
)  # fmt: skip
NEEDED = ("images", "prompt", "chosen", "rejected")
# Lists of image references. Under rejected_images, in the places of images, the chosen answer would be wrong.
REJECTED_IMAGES = "rejected_images"
IMAGE_FIELDS = ("images", REJECTED_IMAGES)
IMAGE = object()  # an image among the parts of `interleave`


class Record(dict):
    """A record and its origin.

    where: "FILE:LINE", or "" for a new record. base: the folder of its relative image references, "" for the working
    directory.
    """

    __slots__ = ("base", "where")

    def __init__(self, *fields, where: str = "", base: str = "", **more) -> None:
        dict.__init__(self, *fields, **more)
        self.where, self.base = where, base

    def copy(self) -> Record:
        return Record(self, where=self.where, base=self.base)


def where_of(record: dict) -> str:
    """Return "FILE:LINE" of a record, "" for a plain dict."""
    return record.where if isinstance(record, Record) else ""


def base_of(record: dict) -> str:
    """Return the folder that a record's relative references start at, "" for a plain dict."""
    return record.base if isinstance(record, Record) else ""


def make(
    *, id: str, level: int, task: str, images: list[str], prompt: list[dict], chosen: list[dict], rejected: list[dict],
    target: list[int], facts: dict, grounding: dict | None, negative: str, source: str, base: str = "", **more: object,
) -> Record:  # fmt: skip
    """Return a checked record with its fields in the contract's order; `more` follows them. Raises RecordError."""
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
    """Return one user message from strings and IMAGE marks: `interleave(["Image 1:", IMAGE, "What colour is the car?"])`."""
    content = [{"type": "image"} if part is IMAGE else {"type": "text", "text": part} for part in parts]
    return [{"role": "user", "content": content}]


def claim(image: int, text: str) -> dict:
    """Return one claim of `grounding`: a text about the image at a position."""
    return {"image": image, "text": text}


def claims_of(record: dict, side: str) -> list[tuple[int, str]]:
    """Return the claims of an answer as (position of the image, text); none if the record has no grounding. side: "chosen"
    or "rejected". Claims are objects, or in the older form lists [position, text]."""
    return [
        (one["image"], one["text"]) if isinstance(one, dict) else (one[0], one[1])
        for one in (record.get("grounding") or {}).get(side) or ()
    ]


def assistant(text: str) -> list[dict]:
    """Return one assistant message, as `chosen` and `rejected` hold it."""
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]


def text_of(messages: list[dict]) -> str:
    """Return the text parts of the messages, joined without a separator."""
    if len(messages) == 1 and len(content := messages[0]["content"]) == 1 and content[0]["type"] == "text":
        return content[0]["text"]
    return "".join(
        part["text"] for message in messages for part in message["content"] if part["type"] == "text"
    )


def target_of(record: dict) -> list[int]:
    """Return the positions of the images that the answer rests on, [] if they are unknown. A single image needs no
    `target`."""
    return record.get("target") or ([0] if len(record["images"]) == 1 else [])


def references_of(record: dict) -> list[tuple[str, int, str]]:
    """Return (field, position, reference) of every image of a record: those of its prompt, then its rejected images."""
    return [(field, at, one) for field in IMAGE_FIELDS for at, one in enumerate(record.get(field) or ())]


def facts_of(record: dict) -> dict:
    """Return the facts that the answers follow from; {} if the record has none."""
    return record.get("facts") or {}


def check(record: dict) -> None:
    """Raise RecordError, which names every field at fault, if a record is no valid pair. Images are not opened: the stage
    that opens one reports what is wrong with it."""
    pair = typed(record)
    found = faults(record) if pair is None else unfit(pair)
    if found:
        error = first_of(found)
        error.where = where_of(record)
        raise error


def faults(record: dict) -> list[RecordError]:
    """Return the faults of a record, at most one for each field or list item."""
    found = schema.faults(record, _pair().Pair, RULES, "a pair has images, prompt, chosen and rejected")
    wrong = {error.field.partition("[")[0].partition(".")[0] for error in found}
    if "images" not in wrong:
        # Valid stand-ins replace the fields of wrong type, so that `unfit` can check the others.
        harmless = {"id": "x", "prompt": interleave([]), "chosen": assistant("x"), "rejected": assistant("x")}
        rest = {name: record.get(name) for name in (*FIELDS, REJECTED_IMAGES)}
        rest |= {name: harmless.get(name) for name in wrong}
        found += [error for error in unfit(typed(rest)) if error.field.partition("[")[0] not in wrong]
    # A missing id is computed from the other fields, so it is still missing if they are wrong.
    return [error for error in found if (error.field, error.message) != ("id", "is missing")] or found


def unfit(pair: Any) -> list[RecordError]:
    """Return the faults of a `pair_fields.Pair` that types can't express. It needs as many image parts as images, a user
    message at the end, positions below the number of images, answers with text, and as many rejected images as images, not
    the same ones."""
    found: list[RecordError] = []
    image, count, shown, is_elsewhere = pair.IMAGE, len(pair.images), 0, False
    for message in pair.prompt:
        shown += message.content.count(image)
        if message.role != "user" and image in message.content:
            is_elsewhere = True
    if is_elsewhere:
        found += _elsewhere(pair)
    if message.role != "user":
        found.append(RecordError("must end with a user message", f"prompt[{len(pair.prompt) - 1}]"))
    if shown != count:
        words = f"image parts do not match images: {shown} in the prompt, {count} in images"
        found.append(RecordError(words, "prompt"))
    for part in pair.chosen[0].content:
        if part.text.strip():
            break
    else:
        found.append(RecordError("says nothing", "chosen"))
    for part in pair.rejected[0].content:
        if part.text.strip():
            break
    else:
        found.append(RecordError("says nothing", "rejected"))
    if (other := pair.rejected_images) is not None:
        if len(other) != count:
            found.append(
                RecordError(
                    f"must be as many as images: {len(other)}, and there are {count} images", REJECTED_IMAGES
                )
            )
        elif other == pair.images:
            found.append(RecordError("are the same as images", REJECTED_IMAGES, remedy="leave the field out"))
    if (target := pair.target) is not None:
        if max(target) >= count:
            found += [_beyond(at, count, f"target[{i}]") for i, at in enumerate(target) if at >= count]
        elif len(target) > 1 and len(set(target)) < len(target):
            found.append(RecordError(f"names an image twice: {target}", "target"))
    if (grounding := pair.grounding) is not None:
        for claim in grounding.chosen + grounding.rejected:
            if (claim[0] if type(claim) is tuple else claim.image) >= count:
                found += _unseen(grounding, count)
                break
    return found


def _elsewhere(pair: Any) -> list[RecordError]:
    """Return the faults of images in messages that are not the user's."""
    return [
        RecordError(
            f"an image in a message that is not the user's: {message.role}", f"prompt[{i}].content[{j}]"
        )
        for i, message in enumerate(pair.prompt)
        for j, part in enumerate(message.content)
        if message.role != "user" and part == pair.IMAGE
    ]


def _unseen(grounding: Any, count: int) -> list[RecordError]:
    """Return the faults of claims about images that the pair does not have."""
    places = [
        (claim[0] if type(claim) is tuple else claim.image, f"grounding.{side}[{i}]")
        for side, claims in (("chosen", grounding.chosen), ("rejected", grounding.rejected))
        for i, claim in enumerate(claims)
    ]
    return [_beyond(at, count, field) for at, field in places if at >= count]


def _beyond(at: int, count: int, field: str) -> RecordError:
    return RecordError(f"is out of range: {at} with {count} image(s), counted from 0", field)


def typed(record: dict) -> Any:
    """Return the record as a `pair_fields.Pair`, or None if a field has the wrong type."""
    return schema.typed(record, _pair().Pair)


@lru_cache(maxsize=1)
def _pair() -> ModuleType:
    """Return the module of the types, imported with the first record."""
    from s2h import pair_fields

    return pair_fields


_PART = Rule("must be an image or text part", '{"type": "image"} or {"type": "text", "text": "..."}')
_TEXT = Rule("must be a text part", '{"type": "text", "text": "..."}')
_MESSAGES = Rule("must be a list of parts", '[{"type": "text", "text": "..."}]')
_CLAIM = '{"image": 0, "text": "a photo of a dog"}'
RULES = {
    **{name: Rule("must be a string") for name in ("id", "task", "negative", "source")},
    "level": Rule("must be 1, 2 or 3"),
    "images": Rule("must be a list of image references", empty="a pair shows at least one image"),
    "images[]": Rule("must be an image reference"),
    "rejected_images": Rule("must be a list of image references", empty="leave the field out"),
    "rejected_images[]": Rule("must be an image reference"),
    "prompt": Rule("must be a non-empty list of messages"),
    "prompt[]": Rule("must be a message with role and content"),
    "prompt[].role": Rule("role must be user, system or assistant", above=True),
    "prompt[].content": _MESSAGES,
    "prompt[].content[]": _PART,
    "target": Rule("must be a list of 0-based image positions", empty="name the images that the answer rests on"),
    "target[]": Rule("must be a 0-based image position"),
    "facts": Rule("must be an object"),
    "grounding": Rule("must be an object with chosen and rejected"),
    "scores": Rule("must be an object"),
    "stage": Rule("must be an integer"),
}  # fmt: skip
for _side in ("chosen", "rejected"):
    RULES |= {
        _side: Rule("must be a list of one assistant message"),
        f"{_side}[]": Rule("must be a message with role and content"),
        f"{_side}[].role": Rule("role must be assistant", above=True),
        f"{_side}[].content": _MESSAGES,
        f"{_side}[].content[]": _TEXT,
        f"grounding.{_side}": Rule("must be a list of claims", _CLAIM),
        f"grounding.{_side}[]": Rule("must be a claim with a text and an image's position", _CLAIM),
    }
