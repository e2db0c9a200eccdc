"""Read the marks that a person made on a page of `s2h-view`, and choose records by them. A file of marks holds JSON lines
such as {"id": "vqa-7", "mark": "bad"}; the last mark of an id counts.

    s2h-mix --flat mix.jsonl --drop marks.jsonl -o clean.jsonl
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from s2h.mix.index import Index
from s2h.mix.scan import order_key
from s2h.record import Record, RecordError
from s2h.streams import jsonl

if TYPE_CHECKING:
    import numpy

GOOD, BAD = "good", "bad"


class Marks:
    """The marks of one file. Ids are counted as the records pass.

    drop: leave out the records that are marked bad; otherwise keep only those that are marked good. missing: the marked ids
    that no record had so far, in the order of the file. total, kept: the numbers of records that came and that stayed.
    """

    def __init__(self, path: str, *, drop: bool) -> None:
        """Read the file. Raises RecordError with file and line for a line that is not a mark, OSError."""
        self.drop = drop
        self.total = self.kept = 0
        self._marks = read(path)
        self._seen: set[str] = set()

    @property
    def missing(self) -> list[str]:
        return [name for name in self._marks if name not in self._seen]

    def of_rows(self, index: Index, rows: numpy.ndarray) -> numpy.ndarray:
        """Return the rows of an index that stay. Only records whose key is that of a marked id are read again."""
        import numpy as np

        keys = np.array([order_key(index.wanted.seed, name) for name in self._marks], np.uint64)
        # By sorting: the table that isin would make of 64-bit keys overflows in numpy 2.0.
        marked = np.isin(index.column("order")[rows], keys, kind="sort")
        stays = np.full(len(rows), self.drop)
        for at in np.flatnonzero(marked).tolist():
            stays[at] = self._stays(index.record(int(rows[at]))["id"])
        left = rows[stays]
        self.total += len(rows)
        self.kept += len(left)
        return left

    def of_stream(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records of a stream that stay."""
        for record in records:
            self.total += 1
            if self._stays(record["id"]):
                self.kept += 1
                yield record

    def _stays(self, name: str) -> bool:
        mark = self._marks.get(name)
        if mark is not None:
            self._seen.add(name)
        return mark != BAD if self.drop else mark == GOOD


def read(path: str) -> dict[str, str]:
    """Return the marks of a file by id. Raises RecordError with file and line for a line that is not a mark, OSError."""
    return {_text(line, "id"): _mark(line) for line in jsonl.read(path, check=None)}


def _text(line: Record, field: str) -> str:
    value = line.get(field)
    if not isinstance(value, str) or not value:
        fault = "must be a string" if field in line else "is missing"
        raise RecordError(fault, field, line.where, 'a line of marks is {"id": "...", "mark": "bad"}')
    return value


def _mark(line: Record) -> str:
    mark = _text(line, "mark")
    if mark not in (GOOD, BAD):
        raise RecordError(f"is {mark[:40]!r}", "mark", line.where, f"must be {GOOD} or {BAD}")
    return mark
