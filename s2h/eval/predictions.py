"""Read and check predictions for --score and --compare: the types of their fields, and whether ids are unique. Lines from
other evaluators may lack fields, and an integer id becomes a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from string import ascii_letters, ascii_uppercase
from typing import Any

from s2h import schema
from s2h.errors import first_of
from s2h.eval import answer_types
from s2h.record import Record, RecordError, base_of, fail, where_of
from s2h.schema import Rule


def lines(
    names: Iterable[str],
    read: Callable[[str], Iterator[Record]],
    on_error: Callable[[RecordError], None],
    skipped: Callable[[], int] = lambda: 0,
) -> Iterator[Record]:
    """Yield the lines of files ("-" is standard input), which `read` opens. A file without lines is an error for on_error,
    unless all its lines were skipped. skipped: returns how many lines were skipped so far."""
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
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[Record]:
    """Yield the lines whose fields can be read, with ids as texts and without options that are null. A line that lacks a
    needed field, has a field of a wrong type or a duplicate id goes to on_error as a RecordError and is left out. name: the
    file of lines that have no place of their own."""
    seen: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        where = where_of(line) or name
        try:
            for field in needed:
                if field not in line:
                    remedy = "compare lines that s2h-eval has written; --score completes others"
                    raise RecordError("is missing", field, remedy=remedy)
            made = read(line)
            if "id" in made:
                if made["id"] in seen:
                    raise RecordError(f"duplicate: {made['id'][:60]!r}, first in {seen[made['id']]}", "id")
                seen[made["id"]] = where_of(line) or f"line {number}"
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
        else:
            yield made


def read(line: dict) -> Record:
    """Return the line with its id as a text and without options that are null. Raises RecordError for a field of a wrong
    type."""
    made = Record(line, where=where_of(line), base=base_of(line))
    if type(made.get("id")) is int:
        made["id"] = str(made["id"])
    if faults := schema.faults(made, _types(), _RULES):
        raise first_of(faults)
    answer, kind = made.get("answer"), made.get("answer_type")
    if kind:
        answer_types.check(kind)
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


def _choices(choices: dict | list) -> dict | list:
    """Return the options by letter, without those that are null or empty. Options that are all empty texts are kept: then
    the question contains their texts, and only the letters are known."""
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
            raise RecordError(
                f"must be a text or a number: it is {schema.kind_of(option)}", f"choices[{letter}]"
            )
    kept = {letter: option for letter, option in lettered.items() if not absent(option)}
    return (
        choices if len(kept) == len(lettered) or all(option == "" for option in lettered.values()) else kept
    )


def absent(option: Any) -> bool:
    """Return whether an option is missing: null, NaN, or blank. The word None is an option."""
    if isinstance(option, float):
        return math.isnan(option)
    return option is None or (isinstance(option, str) and not option.strip())


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


_NAMES = ("category", "level", "l2_category", "group", "twin", "sentence", "about")
_TEXTS = (
    "answer_type", "response", "question", "model", "scoring", "parser", "question_type", "label_version",
)  # fmt: skip


@lru_cache(maxsize=1)
def _types() -> type:
    """Return the fields of a prediction as a msgspec.Struct. All are optional, since lines of other evaluators lack some."""
    from typing import Annotated

    from msgspec import Meta, defstruct

    kinds = {
        "id": Annotated[str, Meta(min_length=1)],
        "bench": str,
        "answer": str | int | float | bool | list | None,
        "correct": bool | None,
        "choices": dict | list | None,
        "candidates": list[str] | None,
        "images": list[str | dict] | None,
        "target": list[Annotated[int, Meta(ge=0)]] | None,
        **dict.fromkeys(_NAMES, str | int | None),
        **dict.fromkeys(_TEXTS, str | None),
    }
    return defstruct("Prediction", [(name, kind, None) for name, kind in kinds.items()], gc=False)


_RULES = {
    **dict.fromkeys((*_NAMES, *_TEXTS, "bench", "candidates[]"), Rule("must be a text")),
    "id": Rule("must be a text", "a prediction has id, bench, answer and response"),
    "answer": Rule("must be a text or a number"),
    "correct": Rule("must be true, false or null"),
    "choices": Rule("must be an object of letters or a list"),
    "candidates": Rule("must be a list of texts"),
    "images": Rule("must be a list of image references"),
    "images[]": Rule("must be an image reference"),
    "target": Rule("must be a list of image positions from 0"),
    "target[]": Rule("must be an image position from 0"),
}
