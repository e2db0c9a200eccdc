"""Odd JSON values, and mutations of values and of bytes that a user's files may have: wrong types, missing fields,
deep nesting, numbers that no float holds, control characters, halves of surrogate pairs, bytes that are not UTF-8, cuts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st


class Raw(str):
    """A piece of JSON text that is written as it stands."""


def nested(depth: int, opens: str = "[", ends: str = "]", core: str = "") -> Raw:
    return Raw(opens * depth + core + ends * depth)


NUMBERS = (
    0, -1, 3, 1.5, -0.0, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, Raw("1" * 400), Raw("1" * 5000),
    Raw("1e999"), Raw("-1e999"), Raw("1e-999"), Raw("1e308"), Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("01"),
)  # fmt: skip
TEXTS = (
    "", " ", "a", "\x00", "\x1b[31mred\x07", "\u2028\u2029\x85", "\ufeff", "\ud800", Raw('"\\ud800"'),
    Raw('"\\udc00\\ud800"'),
    Raw('"\\u0000"'), "\U0001f642", "e\u0301", "\u202eabc", "<image>", "</script><b>", "a|b\n# c", "x" * 3000, "None", "nan",
    "yes", "A", "(B)", "7", "-", "²", "٣", "1e999", "%s{}%(x)s", "{0..9}", "*",
)  # fmt: skip
REFERENCES = (
    "../secret.png", "@ROOT@/secret.png", "/dev/zero", "/dev/stdin", "/proc/self/mem", ".", "/", "in", "a/../../b.png",
    "one.png/x",
    "tar:in/x.tar!a.png", "tar:!", "tar:one.png!one.png", "http://localhost/a.png", "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "data:image/png;base64,@", "data:text/html,x", "n" * 300 + ".png", "one.png\x00", "con\udce9.png", "pipe",
)  # fmt: skip
SHAPES = (
    None, True, False, [], {}, [[]], [None], [{}], {"": None}, {"type": "image"}, [1, "a"], ["a", "a"], nested(100),
    nested(127),
    nested(128), nested(300), nested(5000), nested(300, '{"a":', "}", "0"), nested(2000, '[{"a":', "}]", "null"),
)  # fmt: skip


def odd() -> st.SearchStrategy:
    """A value that some field doesn't expect."""
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6))
    small = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    )
    return st.one_of(*map(st.sampled_from, (SHAPES, NUMBERS, TEXTS, REFERENCES)), small)


def spelled(value: Any) -> bytes:
    """JSON text of a value; Raw as it stands, halves of surrogate pairs as the bytes that some programs write for them."""
    if isinstance(value, Raw):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict):
        return (
            b"{" + b", ".join(spelled(str(key)) + b": " + spelled(item) for key, item in value.items()) + b"}"
        )
    if isinstance(value, list | tuple):
        return b"[" + b", ".join(map(spelled, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key or index) of everything inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places(item)


@st.composite
def mutated(draw: Callable, value: Any, least: int = 0, most: int = 3) -> Any:
    """A JSON value with some changes anywhere in it."""
    held = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(least, most))):
        if not held:
            break
        there = list(places(held))
        container, key = there[draw(st.integers(0, len(there) - 1))]
        change = draw(st.sampled_from(CHANGES))
        change(draw, container, key, there)
    return held[0] if held else None


def _replace(draw: Callable, container: Any, key: Any, there: list) -> None:
    container[key] = copy.deepcopy(draw(odd()))


def _drop(draw: Callable, container: Any, key: Any, there: list) -> None:
    del container[key]


def _wrap(draw: Callable, container: Any, key: Any, there: list) -> None:
    container[key] = [container[key]] if draw(st.booleans()) else {"a": container[key]}


def _turn(draw: Callable, container: Any, key: Any, there: list) -> None:
    """Give a value the type that another program gives it."""
    value = container[key]
    container[key] = {str: _number, int: str, float: str, list: _keyed, dict: list}.get(type(value), bool)(
        value
    )


def _copy(draw: Callable, container: Any, key: Any, there: list) -> None:
    other, at = there[draw(st.integers(0, len(there) - 1))]
    container[key] = copy.deepcopy(other[at])


def _double(draw: Callable, container: Any, key: Any, there: list) -> None:
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    else:
        container[str(key) + "2"] = copy.deepcopy(container[key])


def _add(draw: Callable, container: Any, key: Any, there: list) -> None:
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(draw(odd())))
    else:
        container[draw(st.sampled_from(("note", "", "scores", "dropped", "stage", "before", "\x1b[1m")))] = (
            copy.deepcopy(draw(odd()))
        )


def _lengthen(draw: Callable, container: Any, key: Any, there: list) -> None:
    value, times = container[key], draw(st.sampled_from((2, 30, 300)))
    container[key] = value * times if isinstance(value, str | list) and not isinstance(value, Raw) else value


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 100 else len(text)


def _keyed(items: list) -> dict:
    return {str(at): item for at, item in enumerate(items)}


CHANGES = (_replace, _replace, _replace, _drop, _wrap, _turn, _copy, _double, _add, _lengthen)

BYTES = (
    b"\xff", b"\x00", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\x0c", b'"', b"{", b"\n", b"\n\n", b"\x1b[31m", b",",
    b"\xc3",
    b"[" * 300, b"1e999", b"\x80" * 40,
)  # fmt: skip


@st.composite
def damaged(draw: Callable, data: bytes) -> bytes:
    """Bytes that were cut, overwritten, doubled or converted."""
    at = draw(st.integers(0, len(data)))
    until = min(len(data), at + draw(st.sampled_from((1, 4, 40, 512))))
    made = (
        lambda: data[:at] + draw(st.sampled_from(BYTES)) + data[at:],
        lambda: data[:at],
        lambda: data[:at] + data[until:],
        lambda: data[:at] + draw(st.binary(max_size=6)) + data[until:],
        lambda: data[:at] + bytes(byte ^ 0xFF for byte in data[at:until]) + data[until:],
        lambda: data[:until] + data[at:],
        lambda: data[:at] + bytes(until - at) + data[until:],
        lambda: b"",
        lambda: data.decode("latin-1").encode("utf-16"),
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data + data,
    )
    return draw(st.sampled_from(made))()
