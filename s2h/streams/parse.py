"""Parse one line of JSON, within limits for nesting and for the number of values that hold in every command. Numbers keep
their digits: integers of any size, and numbers beyond the range of a float.

    parse.loads(b'{"phash": 1180591620717411303424, "weight": 1e999}')
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MAX_LINE = 64 << 20  # bytes of a line
MAX_DEPTH = 128  # Python's own readers and writers end at a few hundred levels
MAX_VALUES = 1_000_000  # of a line; an empty list takes 2 bytes in a file and 64 in memory
LARGE = 1 << 20  # bytes of a line that may have more values than that


class LimitError(ValueError):
    """A line beyond a limit, which the message names."""


class Digits(float):
    """A number that no float can hold, such as 1e999. Its value is infinite; it is written as it was read."""

    text = ""


def loads(line: bytes, most: int = MAX_VALUES) -> Any:
    """Return the value of a line of JSON. Raises ValueError for a line that is not JSON, LimitError for one beyond a limit.
    most: largest number of values."""
    if len(line) > LARGE and line.count(b",") + line.count(b"[") + line.count(b"{") > most:
        raise LimitError(f"has too many values: more than {most:,}")
    try:
        value = _decoder()(line)
    except ValueError as error:
        if type(error).__name__ != "ValidationError":  # msgspec's for a number that is out of range
            raise
        value = _spelled(line)
    except RecursionError:
        raise _too_deep() from None
    # To delete the brackets and compare lengths takes a third of the time of bytes.count.
    brackets = len(line) - len(line.replace(b"{", b"").replace(b"[", b""))
    if brackets > MAX_DEPTH and _is_deep(value):
        raise _too_deep()
    return value


def has_digits(value: Any) -> bool:
    """Return whether a value holds a number that needs `dumps`: one that no float or no 64-bit integer can hold."""
    if isinstance(value, dict):
        return any(map(has_digits, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_digits, value))
    return isinstance(value, Digits) or (type(value) is int and not -(1 << 63) <= value < 1 << 64)


def dumps(value: Any) -> bytes:
    """Return JSON of any value that `loads` gives. Raises TypeError for values that JSON can't hold; NaN and infinities are
    null."""
    from msgspec import Raw
    from msgspec.json import encode

    try:
        return encode(_raw(value, Raw))
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise TypeError(str(error)) from None


def _raw(value: Any, raw: type) -> Any:
    if isinstance(value, Digits):
        return raw(value.text.encode())
    if isinstance(value, dict):
        return {key: _raw(item, raw) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_raw(item, raw) for item in value]
    return str(value) if isinstance(value, str) else value  # msgspec takes no subclass of str


@lru_cache(maxsize=1)
def _decoder() -> Any:
    from msgspec.json import Decoder

    return Decoder().decode


def _spelled(line: bytes) -> Any:
    """Return the value of a line with numbers that no float can hold, by a slower parser."""
    import json

    def number(text: str) -> float:
        value = float(text)
        if value - value == 0:
            return value
        found = Digits(value)
        found.text = text
        return found

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON number")

    try:
        value = json.loads(
            line.decode(), parse_float=number, parse_int=_integer(number), parse_constant=refuse
        )
        if b"\\u" in line:  # half of a pair of surrogates, which UTF-8 can't hold and msgspec refuses
            json.dumps(_raw(value, str), ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    return value


def _integer(number: Any) -> Any:
    """Return a function that reads an integer: as an int up to Python's limit of 4,300 digits, else as `number` does."""

    def read(text: str) -> Any:
        return int(text) if len(text) <= 4300 else number(text)

    return read


def _is_deep(value: Any) -> bool:
    """Return whether a value is nested deeper than MAX_DEPTH levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        items = [each.values() if type(each) is dict else each for each in level]
        level = [item for each in items for item in each if type(item) is dict or type(item) is list]
        if not level:
            return False
    return True


def _too_deep() -> LimitError:
    return LimitError(f"is nested too deeply: more than {MAX_DEPTH} levels")
