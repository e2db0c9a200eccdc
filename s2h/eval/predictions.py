"""Lines of predictions as --score and --compare read them: their fields have the types of contract.md, ids are text and
stand once. A line of another evaluator may lack fields, and an integer as its id is read as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from string import ascii_letters, ascii_uppercase
from typing import Any

from s2h.record import Record, RecordError, fail

TYPES = ("number", "yes/no", "image", "order", "word", "caption", "choice")  # what answer_type may be
_NAMES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
_REMEDIES = {"id": "a prediction has id, bench, answer and response"}


def lines(
    names: Iterable[str],
    read: Callable[[str], Iterator[Record]],
    on_error: Callable[[Exception], None],
    skipped: Callable[[], int] = lambda: 0,
) -> Iterator[Record]:
    """The lines of the named files, "-" for standard input, as `read` gives them. A file without lines goes to on_error.
    skipped: how many lines were skipped so far."""
    for name in names:
        found, before = False, skipped()
        for line in read(name):
            found = True
            yield line
        if not found and skipped() == before and name != "-":
            on_error(
                RecordError(
                    "holds no lines", where=name, remedy="a failed download, or a run that ended early?"
                )
            )


def checked(
    lines: Iterable[dict],
    needed: Iterable[str] = (),
    *,
    name: str = "",
    twice: str = "is here twice",
    on_error: Callable[[Exception], None] = fail,
) -> Iterator[Record]:
    """The lines whose fields can be read, with ids as text and without options that are null. A field in `needed` that a
    line lacks, a field of another type and a second line with an id go to on_error as a RecordError; the line is left
    out. name: the file, for lines that don't know theirs; twice: the words for a second line."""
    seen: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        where = getattr(line, "where", "") or name
        try:
            for field in needed:
                if field not in line:
                    remedy = "compare what s2h-eval has written; --score completes others"
                    raise RecordError("is missing", field, remedy=remedy)
            made = read(line)
            if "id" in made:
                if made["id"] in seen:
                    raise RecordError(f"{twice}: {made['id'][:60]!r}, first in {seen[made['id']]}", "id")
                seen[made["id"]] = getattr(line, "where", "") or f"line {number}"
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
        else:
            yield made


def read(line: dict) -> Record:
    """The line with its id as text and without options that are null. Raises RecordError for a field of another type."""
    made = Record(line, where=getattr(line, "where", ""), base=getattr(line, "base", ""))
    if type(made.get("id")) is int:
        made["id"] = str(made["id"])
    for field, (fits, words) in _FIELDS.items():
        if field in made and not fits(made[field]):
            raise RecordError(
                f"must be {words}: it is {_kind(made[field], words)}", field, remedy=_REMEDIES.get(field, "")
            )
    answer, kind = made.get("answer"), made.get("answer_type")
    if kind and kind not in TYPES:
        raise RecordError(f"unknown: {kind!r:.60}", "answer_type", remedy=f"one of {', '.join(TYPES)}")
    if isinstance(answer, list) and not (kind in ("word", "order") and answer and all(map(_scalar, answer))):
        raise RecordError(
            "must be a text or a number: it is a list",
            "answer",
            remedy="several right answers need answer_type word",
        )
    choices = made.get("choices")
    if choices:
        made["choices"] = _choices(choices)
        if not made["choices"]:
            del made["choices"]
    return made


def _kind(value: Any, words: str) -> str:
    """What a value is instead."""
    name = _NAMES.get(type(value), "null")
    if name != words.partition(" of ")[0]:
        return name
    return "one of something else" if value else "empty"


def _choices(choices: dict | list) -> dict | list:
    """The options as they stand, or where some are null or empty, the others under their letters. Where all are empty texts
    the letters are what is known of them: their texts stand in the question."""
    if isinstance(choices, list) and len(choices) > len(ascii_uppercase):
        raise RecordError(f"must be at most 26: they are {len(choices)}", "choices")
    lettered = choices if isinstance(choices, dict) else dict(zip(ascii_uppercase, choices, strict=False))
    for letter, option in lettered.items():
        if len(letter) != 1 or letter not in ascii_letters:
            raise RecordError(
                f"must have letters as labels: {letter[:60]!r}",
                "choices",
                remedy="label the options A, B, C …",
            )
        if not absent(option) and not _scalar(option):
            raise RecordError(f"must be a text or a number: it is {_kind(option, '')}", f"choices[{letter}]")
    kept = {letter: option for letter, option in lettered.items() if not absent(option)}
    return (
        choices if len(kept) == len(lettered) or all(option == "" for option in lettered.values()) else kept
    )


def absent(option: Any) -> bool:
    """Whether an option is none: null, not a number, or a text without a sign. The word None is one."""
    if isinstance(option, float):
        return math.isnan(option)
    return option is None or (isinstance(option, str) and not option.strip())


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _name(value: Any) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _images(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, str | dict) for one in value))


def _places(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(type(one) is int and one >= 0 for one in value))


# field -> (whether a value fits, what it must be)
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": (lambda value: isinstance(value, str) and bool(value), "a text"),
    "bench": (_text, "a text"),
    "answer": (
        lambda value: value is None or _scalar(value) or isinstance(value, list),
        "a text or a number",
    ),
    "answer_type": (_text_or_null, "a text"),
    "response": (_text_or_null, "a text"),
    "correct": (lambda value: value is None or isinstance(value, bool), "true, false or null"),
    "choices": (
        lambda value: value is None or isinstance(value, dict | list),
        "an object of letters or a list",
    ),
    "candidates": (lambda value: value is None or _texts(value), "a list of texts"),
    "images": (_images, "a list of image references"),
    "target": (_places, "a list of image positions from 0"),
    "question": (_text_or_null, "a text"),
    **dict.fromkeys(
        ("category", "level", "l2_category", "group", "twin", "sentence", "about"), (_name, "a text")
    ),
    **dict.fromkeys(
        ("model", "scoring", "parser", "question_type", "label_version"), (_text_or_null, "a text")
    ),
}
