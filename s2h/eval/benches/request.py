"""What questions are asked for, in words (`blink`, `blink=PATH`, `FILE.jsonl`), where they lie, and then one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from s2h.eval import benches
from s2h.eval.benches import builtin, names, questions, rows
from s2h.images.store import Store
from s2h.record import Record, RecordError, fail
from s2h.streams import jsonl

Wish = tuple[
    str, str | None
]  # a benchmark and its path, or a name of one's own ("" for the file's) and a file of lines


def understood(text: str) -> Wish:
    """What a --bench means. Raises RecordError for an unknown benchmark, with the names that are like it."""
    name, sign, path = text.partition("=")
    if not sign and text.endswith(jsonl.SUFFIXES):
        return "", text
    plain = names.plain(name)
    if plain in names.NAMES and not (plain == "builtin" and path):
        return plain, path or None
    if sign and path.endswith(jsonl.SUFFIXES):
        return name, path
    close = names.closest(name)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names.NAMES)}."
    if plain == "builtin":
        hint = "it is drawn and has no path."
    raise RecordError(f"unknown benchmark {text[:60]!r}: {hint} --list tells more.")


def located(wishes: Iterable[Wish], data: str | None, split: str | None) -> list[tuple[str, Any]]:
    """(name, where it lies) of each, before anything is read. Raises RecordError for what can't be had."""
    made: list[tuple[str, Any]] = []
    for name, path in wishes:
        if name in names.NAMES and name in dict(made):
            raise RecordError(
                f"{name} is asked for twice", remedy="one --bench each: two copies can't be told apart"
            )
        if name == "builtin":
            made.append((name, None))
        elif name in names.NAMES:
            made.append((name, benches.locate(name, path, data, split)))
        else:
            made.append((name, jsonl.find(path or "")))
    return made


def questions_of(
    located: list[tuple[str, Any]],
    lines: Iterable[Record] | None,
    *,
    n: int,
    seed: int,
    store: Store,
    style: str = "llava",
    place: str = "interleaved",
    tell: Callable[[str], None] = lambda words: None,
    on_error: Callable[[Exception], None] = fail,
) -> benches.Questions:
    """The questions of lines, then of what was located; of the built-in world, n of each kind, where neither is given."""
    how = {"store": store, "style": style, "place": place, "on_error": on_error}
    if lines is not None:
        yield from questions.read(lines, **how)
    for name, where in located or ([] if lines is not None else [("builtin", None)]):
        if name == "builtin":
            yield from builtin.questions(n=n, seed=seed, store=store)
        elif name in names.NAMES:
            yield from benches.read(name, where, tell=tell, **how)
        else:
            read = (row for _, row in rows.read([where], on_error=on_error))
            yield from questions.read(read, bench=name, **how)
