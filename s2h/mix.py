"""Mixing files of pairs: flat (everything shuffled) or curriculum (level by level, shuffled inside), weighted, capped and
split. The order is the product: the trainer takes it as it stands.

Records wait in one temporary file while their order is decided; memory holds some 40 bytes for each, whatever its size. A
record's place follows from (seed, id), so the same records come out in the same order whatever files they came in.

    s2h-gen search -n 20 | s2h-mix --flat --quiet
"""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s2h import jsonl
from s2h.record import Record, RecordError, fail
from s2h.seeds import seed_of

LEVELS = (1, 2, 3)


class Spool:
    """Records on disk with a compact index: where each lies, its level, its file, its key, and what binds it to others.

    A context manager; the temporary file goes with it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.file = tempfile.TemporaryFile(prefix="s2h-mix-")  # noqa: SIM115 - closed by __exit__
        self.starts, self.lengths = array("q"), array("i")
        self.keys = array("Q")  # the place in the order: 64 bits of (seed, id)
        self.levels, self.sources = array("b"), array("i")
        self.bases: list[str] = []  # by source: the folder that its relative references start at
        self.places: list[str] = []  # by source: its name, for messages
        self.seen: dict[int, int] = {}  # 64 bits of the id -> row
        self.groups = Groups()
        self.tasks: Counter = Counter()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __len__(self) -> int:
        return len(self.starts)

    def add(
        self,
        records: Iterable[Record],
        source: int,
        *,
        split: bool,
        on_error: Callable[[Exception], None] = fail,
    ) -> None:
        """Take in the records of one input. split: note what keeps records on one side of a split."""
        for record in records:
            identity = seed_of("id", record["id"])
            if identity in self.seen:
                other = self.places[self.sources[self.seen[identity]]]
                on_error(RecordError(
                    f"duplicate id: {record['id']!r} came before, from {other}", field="id", where=record.where,
                    remedy="ids are unique over all files of a mixture",
                ))  # fmt: skip
                continue
            row = len(self)
            self.seen[identity] = row
            while len(self.bases) <= source:
                self.bases.append(record.base)
                self.places.append(record.where.rpartition(":")[0] or "an earlier record")
            self.bases[source], self.places[source] = record.base, record.where.rpartition(":")[0]
            line = jsonl.dump(record)
            self.starts.append(self.file.tell())
            self.lengths.append(len(line))
            self.file.write(line)
            self.keys.append(seed_of(self.seed, "order", record["id"]))
            self.levels.append(record["level"])
            self.sources.append(source)
            if split:
                self.groups.join(row, bindings(record))

    def read(self, row: int) -> Record:
        import orjson

        self.file.seek(self.starts[row])
        line = self.file.read(self.lengths[row])
        return Record(orjson.loads(line), base=self.bases[self.sources[row]])


class Groups:
    """Records that belong together, by what they share: a union-find over rows."""

    def __init__(self) -> None:
        self.parent = array("q")
        self.owner: dict[int, int] = {}  # hash of a shared thing -> a row that has it

    def join(self, row: int, things: Iterable[int]) -> None:
        self.parent.append(row)
        for thing in things:
            first = self.owner.setdefault(thing, row)
            a, b = self.root(first), self.root(row)
            if a != b:
                self.parent[max(a, b)] = min(a, b)

    def root(self, row: int) -> int:
        while self.parent[row] != row:
            self.parent[row] = self.parent[self.parent[row]]
            row = self.parent[row]
        return row


def bindings(record: Record) -> Iterator[int]:
    """64-bit hashes of what a record must not share across a split: twin, families, images."""
    facts = record["facts"]
    if facts.get("twin") is not None:
        yield seed_of("twin", facts["twin"])
    for family in facts.get("families") or ():
        yield seed_of("family", family)
    for image in record["images"]:
        yield seed_of("image", record.base if not image.startswith(("/", "data:", "tar:/")) else "", image)


def choose(spool: Spool, *, weights: list[float] | None, per_level: int | None) -> list[int]:
    """The rows that go into the mixture, in the order of their keys.

    weights: one a file; the files' records stand in this proportion to what they hold: the largest weight keeps all of its
    file's, a weight half as large a seeded half. per_level: at most so many of each level.
    """
    rows = sorted(range(len(spool)), key=lambda row: (spool.keys[row], row))
    if weights:
        top = max(weights)
        left = Counter(spool.sources)
        left = {source: round(count * weights[source] / top) for source, count in left.items()}
        rows = _first(rows, lambda row: spool.sources[row], left)
    if per_level is not None:
        rows = _first(rows, lambda row: spool.levels[row], dict.fromkeys(LEVELS, per_level))
    return rows


def _first(rows: list[int], kind: Callable[[int], int], most: dict[int, int]) -> list[int]:
    """The first rows of each kind, at most so many; as keys are random, a random sample."""
    left, kept = dict(most), []
    for row in rows:
        if left.get(kind(row), 0) > 0:
            left[kind(row)] -= 1
            kept.append(row)
    return kept


def split(spool: Spool, rows: list[int], fraction: float) -> tuple[list[int], list[int]]:
    """(training, held-out) rows: whole groups go to the held-out side, in random order, while they bring it no farther than
    `fraction` of the rows."""
    members: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        members[spool.groups.root(row)].append(row)
    wanted = round(fraction * len(rows))
    held: set[int] = set()
    for root in sorted(members, key=lambda root: seed_of(spool.seed, "split", spool.keys[members[root][0]])):
        if len(held) + len(members[root]) <= wanted:
            held.update(members[root])
    return [row for row in rows if row not in held], [row for row in rows if row in held]


def arrange(spool: Spool, rows: list[int], *, curriculum: bool) -> Iterator[Record]:
    """The records in their final order; a curriculum goes up the levels and marks each record with its `stage`."""
    if not curriculum:
        yield from map(spool.read, rows)
        return
    for level in LEVELS:
        for row in rows:
            if spool.levels[row] == level:
                record = spool.read(row)
                record.setdefault("stage", level)
                yield record


def tally(records: Iterable[dict], into: Counter) -> Iterator[Any]:
    """Pass records on and count them by level and task."""
    for record in records:
        into[record["level"], record["task"]] += 1
        yield record
