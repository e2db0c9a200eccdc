"""Check the fields of a line against msgspec types. Each fault names its field, what the value must be, and the remedy. A
pair (record.py) and a prediction (eval/predictions.py) each define their types and words once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, get_args, get_origin

from s2h.errors import RecordError

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_SHOWN = 40  # characters of a value in a message
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class Rule(NamedTuple):
    """The words for a fault at one place. words: what the value must be. remedy: how to mend it. empty: the remedy for an
    empty value. above: report the fault at the place that holds this one, as for a message whose role is wrong."""

    words: str
    remedy: str = ""
    empty: str = ""
    above: bool = False


def faults(values: Mapping, types: type, rules: Mapping[str, Rule], missing: str = "") -> list[RecordError]:
    """Return every fault of `values`, at most one for each field or list item, in the order of the fields.

    types: a msgspec.Struct. rules: by place, list positions left out: {"target[]": Rule("must be an image position")}; a
    place without a rule is reported as the nearest one above it that has one. missing: remedy where a needed field is
    missing.
    """
    from msgspec.structs import fields

    found: list[RecordError] = []
    if typed(values, types) is not None:
        return found
    for field in fields(types):
        if field.name in values:
            found += _of(field.name, values[field.name], field.type, rules)
        elif field.required:
            found.append(RecordError("is missing", field.name, remedy=missing))
    return found


def typed(values: Mapping, types: type) -> Any:
    """Return the values as an object of the types; None if one has the wrong type."""
    convert, wrong = _msgspec()
    try:
        return convert(values, types)
    except wrong:
        return None


@lru_cache(maxsize=1)
def _msgspec() -> tuple[Callable, type[Exception]]:
    """Return msgspec's `convert` and its error, imported with the first record: `--help` needs neither."""
    from msgspec import ValidationError, convert

    return convert, ValidationError


def _of(name: str, value: Any, kind: Any, rules: Mapping[str, Rule]) -> Iterator[RecordError]:
    whole = _refused(value, kind)
    if whole is None:
        return
    item = _item_of(kind)
    if item is None or not isinstance(value, list) or not whole[0]:
        yield _fault(name, value, *whole, rules)
        return
    for at, one in enumerate(value):
        if refused := _refused(one, item):
            place, message = refused
            yield _fault(name, value, [at, *place], message, rules)


def _item_of(kind: Any) -> Any:
    """Return the type of a list's items; None if the type is no list."""
    for one in (kind, *get_args(kind)):
        if get_origin(one) is list:
            return get_args(one)[0]
    return None


def _refused(value: Any, kind: Any) -> tuple[list[str | int], str] | None:
    """Return (steps from the value to the fault, msgspec's words), or None if the value has the type."""
    convert, wrong = _msgspec()
    try:
        convert(value, kind)
    except wrong as error:
        message, _, path = str(error).partition(" - at `$")
        return [name or int(at) for name, at in _STEP.findall(path)], message
    return None


def _fault(
    name: str, value: Any, steps: list[str | int], message: str, rules: Mapping[str, Rule]
) -> RecordError:
    """Return the fault in the words of the deepest place on its path that has a rule. message: msgspec's."""
    places = [(name, name, value)]
    for step in steps:
        field, pattern, value = places[-1]
        if isinstance(step, int):
            places.append((f"{field}[{step}]", f"{pattern}[]", value[step]))
        else:
            value = value.get(step) if isinstance(value, dict) else None
            places.append((f"{field}.{step}", f"{pattern}.{step}", value))
    absent = re.fullmatch(r"Object missing required field `(\w+)`", message)
    if absent and (rule := rules.get(f"{places[-1][1]}.{absent[1]}")) and not rule.above:
        return RecordError("is missing", f"{places[-1][0]}.{absent[1]}", remedy=rule.remedy)
    deepest = len(places) - 1
    at = next(at for at in range(deepest, -1, -1) if places[at][1] in rules)
    field, pattern, value = places[at]
    rule = rules[pattern]
    field = places[at - 1][0] if rule.above else field
    if value in ("", [], {}):
        return RecordError(f"{rule.words}: it is empty", field, remedy=rule.empty or rule.remedy)
    is_other_type = at < deepest or ", got `" in message
    words = kind_of(value) if is_other_type else _shown(value)
    return RecordError(f"{rule.words}: it is {words}", field, remedy=rule.remedy)


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value, in words."""
    return _KINDS.get(type(value)) or ("a number" if isinstance(value, float) else type(value).__name__)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
