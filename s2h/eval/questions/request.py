"""Parse the values of --bench (`blink`, `blink=PATH`, `FILE.jsonl`), find their files, and read the questions."""

from __future__ import annotations

from collections.abc import Iterable

from s2h import registry
from s2h.eval.benches import Questions, closest, plain
from s2h.eval.questions import Settings, any_lines, copies, tables
from s2h.record import Record, RecordError
from s2h.streams import jsonl

DEFAULT = "builtin"  # the benchmark that is asked by default
# A benchmark and its path, or a user's own name ("" for the file's) and a file of questions or pairs.
Request = tuple[str, str | None]
# A benchmark and its copy (None if its questions are drawn), or a user's own name and a file.
Place = tuple[str, copies.Located | str | None]


def parse(text: str) -> Request:
    """Parse one `--bench`. Raises RecordError for an unknown benchmark, with similar names."""
    name, sign, path = text.partition("=")
    if not sign and text.endswith(tables.FILES):
        return "", text
    known = registry.names("bench")
    bench = plain(name)
    drawn = bench in known and registry.load("bench", bench).draw is not None
    if bench in known and not (drawn and path):
        return bench, path or None
    if sign and path.endswith(tables.FILES):
        return name, path
    close = closest(name)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}."
    if drawn:
        hint = "its questions are drawn, so that it takes no path."
    raise RecordError(f"unknown benchmark {text[:60]!r}: {hint} --list shows them all.")


def locate(requested: Iterable[Request], data: str | None, split: str | None) -> list[Place]:
    """Find the files of every request before any is read. Raises RecordError if one is missing."""
    made: list[Place] = []
    for name, path in requested:
        known = name in registry.names("bench")
        if known and name in dict(made):
            raise RecordError(
                f"duplicate --bench: {name}", remedy="give each benchmark once: two copies have the same ids"
            )
        if not known:
            made.append((name, jsonl.find(path or "")))
        elif registry.load("bench", name).draw is not None:
            made.append((name, None))
        else:
            made.append((name, copies.locate(name, path, data, split)))
    return made


def questions_of(places: list[Place], lines: Iterable[Record] | None, settings: Settings) -> Questions:
    """Yield the questions of `lines`, then those of the places. If there are neither, yield those of DEFAULT."""
    if lines is not None:
        yield from any_lines.read(lines, settings)
    for name, where in places or ([] if lines is not None else [(DEFAULT, None)]):
        if isinstance(where, str):
            rows = (row for _, row in tables.read([where], own=True, on_error=settings.on_error))
            yield from any_lines.read(rows, settings, bench=name)
        elif where is not None:
            yield from copies.read(name, where, settings)
        else:
            yield from registry.load("bench", name).draw(settings.count, settings.seed, settings.store)
