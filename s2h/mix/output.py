"""Write a mix. A line in which nothing changes is copied byte by byte; any other is parsed and written again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from s2h.mix.index import Index
from s2h.mix.scan import read_whole
from s2h.record import Record, RecordError, fail
from s2h.streams import jsonl

if TYPE_CHECKING:
    import numpy

IMAGES = re.compile(rb'"images"\s*:\s*(\[[^\]\\]*\])')  # of references without escapes and brackets
LIST = re.compile(rb'\[(?:\s*"[^"]+"\s*,?)+\s*\]')
REFERENCE = re.compile(rb'"([^"]+)"')
BATCH = 1 << 12  # rows whose positions are read from the index together
PIECE = 1 << 20  # bytes that are written at a time


class Sink(Protocol):
    """The output of a mix: a jsonl.Writer or an export."""

    def write(self, record: Record) -> None: ...


def staged(record: Record) -> Record:
    """Add the level as `stage`, unless the record has a stage already."""
    record.setdefault("stage", record["level"])
    return record


def write(
    index: Index,
    rows: numpy.ndarray,
    out: Sink,
    *,
    stages: bool = False,
    on_error: Callable[[RecordError], None] = fail,
    progress: Callable[[int], object] = bool,
) -> dict[tuple[int | None, str | None], int]:
    """Write the rows and return how many there are of each (level, task). stages: add a `stage` (see `staged`). A line in
    which nothing changes is copied byte by byte into a jsonl.Writer. A record that can't be written goes to on_error and is
    left out."""
    import numpy as np

    kinds = list(index.kinds)
    counts = np.zeros(len(kinds), np.int64)
    for begin in range(0, len(rows), BATCH):
        some = rows[begin : begin + BATCH]
        kind = index.column("kind")[some]
        counts += np.bincount(kind, minlength=len(kinds))
        if isinstance(out, jsonl.Writer):
            for piece, count in lines(index, some, out, stages):
                out.put(piece, count)
        else:
            for row, of in zip(some.tolist(), kind.tolist(), strict=True):
                record = index.record(row)
                try:
                    out.write(staged(record) if stages else record)
                except RecordError as error:
                    error.where = error.where or index.where(row)
                    on_error(error)
                    counts[of] -= 1
        progress(len(some))
    tally: dict[tuple[int | None, str | None], int] = {}
    for kind, count in zip(kinds, counts.tolist(), strict=True):
        if count:
            tally[kind.level, kind.task] = tally.get((kind.level, kind.task), 0) + count
    return tally


def lines(index: Index, rows: numpy.ndarray, out: jsonl.Writer, stages: bool) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of the rows in pieces, with the number of lines in each, as `out` writes them."""
    import numpy as np

    kinds = list(index.kinds)
    kind = index.column("kind")[rows]
    elsewhere = [os.path.abspath(one.base) != os.path.abspath(out.base) for one in index.inputs]
    number = index.inputs_of(index.originals(rows))
    relative = np.array([one.relative for one in kinds])[kind]
    short = np.array([one.layout is not None for one in kinds])[kind]
    moves = relative & np.array(elsewhere)[number]
    prefixes = [
        prefix_of(one.base, out) if away else b"" for one, away in zip(index.inputs, elsewhere, strict=True)
    ]
    ends = [  # rows without a level are no part of a curriculum, but their kinds stay in the list
        b',"stage":%d}\n' % one.level if stages and not one.staged and one.level is not None else b"\n"
        for one in kinds
    ]
    file_of = [one.file for one in index.inputs]
    piece, size, count = [], 0, 0
    for row, at, of, offset, length, moved, anew in zip(
        rows.tolist(), number.tolist(), kind.tolist(), index.column("offset")[rows].tolist(),
        index.column("length")[rows].tolist(), moves.tolist(), short.tolist(), strict=True,
    ):  # fmt: skip
        line = None
        if row < index.copied and not anew:
            line = read_whole(file_of[at], offset, length)
            if moved:
                line = rebased(line, prefixes[at])
        if line is None:
            record = index.record(row)
            piece.append(line := out.line(staged(record) if stages else record))
        else:
            end = ends[of]
            piece += (line, end) if len(end) == 1 else (line[:-1], end)
        size += len(line)
        count += 1
        if size > PIECE:
            yield b"".join(piece), count
            piece, size, count = [], 0, 0
    if piece:
        yield b"".join(piece), count


def prefix_of(base: str, out: jsonl.Writer) -> bytes:
    """Return the prefix, as JSON, that `out` puts before a reference that starts at `base`; b"" for none."""
    return out.line(Record({"images": ["x"]}, base=base))[len(b'{"images":["') : -len(b'x"]}\n')]


def rebased(line: bytes, prefix: bytes) -> bytes | None:
    """Put the prefix before the relative references of a record's line and leave the rest untouched. Return None for a line
    that must be read to find them."""
    found = IMAGES.search(line)
    # Behind a second brace it may be another object's, and of two the last would count.
    if found is None or line.count(b"{", 0, found.start()) > 1 or line.find(b'"images"', found.end()) >= 0:
        return None
    references = found[1]
    if (
        b"tar:" in references
        or b"://" in references
        or b'"rejected_images"' in line
        or not LIST.fullmatch(references)
    ):
        return None

    def move(reference: re.Match) -> bytes:
        whole = reference[1].startswith((b"/", b"data:"))
        return reference[0] if whole else b'"' + prefix + reference[1] + b'"'

    return line[: found.start(1)] + REFERENCE.sub(move, references) + line[found.end(1) :]
