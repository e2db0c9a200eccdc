"""One training file from several: everything shuffled, or level after level, with a part held out. The trainer consumes
file order, so the order made here is the product. It is drawn from (seed, id): the same records come out the same way
whatever the order of the files. Records wait in one temporary file; memory holds 29 bytes of each (and 16 or more while
they are sorted), whatever their size.

    s2h-mix --flat l1 l2 l3 --val 0.05 -o mix.jsonl
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

from s2h import jsonl, seeds
from s2h.record import Record, RecordError, fail

if TYPE_CHECKING:
    import numpy

LEVELS = (1, 2, 3)
WEIGHED, PER_LEVEL, HELD_OUT = 1, 2, 3  # independent draws from one order key, see `_drawn`


class Index:
    """Where each record stands in the spool, in columns; a row is a position in them.

    offset, length: of its line in the spool. line: in its input, 0 where unknown. order: the 64-bit key by which it is
    shuffled. level. source: which input it is from, a position in `sources`, which holds each input's (name, base).
    keys, ends: with `grouped`, the 64-bit names of what it shares with others, and where they end.
    """

    def __init__(self, spool: BinaryIO, grouped: bool = False) -> None:
        self.spool, self.grouped = spool, grouped
        self.offset, self.length, self.line = array("q"), array("I"), array("I")
        self.order, self.level, self.source = array("Q"), array("b"), array("I")
        self.keys, self.ends = array("Q"), array("q")
        self.sources: list[tuple[str, str]] = []
        self.dropped: set[int] = set()

    def __len__(self) -> int:
        return len(self.offset)

    def rows(self) -> numpy.ndarray:
        """Every row but the dropped ones, int64, as they were read."""
        import numpy as np

        rows = np.arange(len(self), dtype=np.int64)
        return np.delete(rows, sorted(self.dropped)) if self.dropped else rows

    def column(self, name: str) -> numpy.ndarray:
        """A column as a numpy array, without a copy."""
        import numpy as np

        column = getattr(self, name)
        return np.frombuffer(column, column.typecode) if column else np.empty(0, column.typecode)

    def where(self, row: int) -> str:
        """FILE:LINE of a row, "" for a record that was made here."""
        name = self.sources[self.source[row]][0]
        return f"{name}:{self.line[row]}" if name else ""

    def record(self, row: int) -> Record:
        """The record of a row, with its place and its base. Raises OSError."""
        import orjson

        line = os.pread(self.spool.fileno(), self.length[row], self.offset[row])
        return Record(orjson.loads(line), where=self.where(row), base=self.sources[self.source[row]][1])


def load(
    streams: Iterable[Iterable[Record]],
    spool: BinaryIO,
    *,
    seed: int = 0,
    grouped: bool = False,
    on_error: Callable[[RecordError], None] = fail,
) -> Index:
    """Reads checked records, one stream a file, into the spool, an empty binary file that can be read and written.

    grouped: note what the records share, for `split`. An id that was there before goes to on_error as a RecordError that
    names both places; the later record is dropped where that returns. Raises OSError where the spool's disk is full.
    """
    index, end = Index(spool, grouped), 0
    for number, stream in enumerate(streams):
        index.sources.append(("", ""))
        for i, record in enumerate(stream):
            name, _, line = getattr(record, "where", "").rpartition(":")
            base = getattr(record, "base", "")
            if i == 0:
                index.sources[number] = (name, base)
            assert base == index.sources[number][1], (
                "the records of one input start their references at one folder"
            )
            data = jsonl.dump(record)
            spool.write(data)
            index.offset.append(end)
            index.length.append(len(data))
            index.line.append(int(line) if line.isdigit() else 0)
            index.order.append(seeds.seed_of("mix", seed, record["id"]))
            index.level.append(record["level"])
            index.source.append(number)
            end += len(data)
            if grouped:
                index.keys.extend(shared(record, base))
                index.ends.append(len(index.keys))
    spool.flush()
    _drop_twice(index, on_error)
    return index


def shared(record: dict, base: str = "") -> list[int]:
    """What would leak from one side of a split to the other, as 64-bit hashes: facts.twin, every name in facts.families,
    every image (a relative reference starts at base)."""
    facts = record["facts"]
    names = [f"image {_place(reference, base)}" for reference in record["images"]]
    if (twin := facts.get("twin")) is not None:
        names.append(f"twin {twin}")
    families = facts.get("families")
    if isinstance(families, list | tuple):
        names += [f"family {family}" for family in families]
    return sorted({int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") for name in names})


def flat(index: Index, rows: numpy.ndarray) -> numpy.ndarray:
    """The rows, all shuffled."""
    import numpy as np

    return rows[np.argsort(index.column("order")[rows], kind="stable")]


def curriculum(index: Index, rows: numpy.ndarray) -> numpy.ndarray:
    """The rows by level ascending, shuffled inside a level."""
    import numpy as np

    return rows[np.lexsort((index.column("order")[rows], index.column("level")[rows]))]


def staged(record: Record) -> Record:
    """The record with its level as `stage`, unless it has a stage already."""
    record.setdefault("stage", record["level"])
    return record


def weigh(index: Index, rows: numpy.ndarray, weights: Sequence[float]) -> numpy.ndarray:
    """The rows with each input cut to its share: those of the largest weight stay whole, of the others a drawn part in
    proportion stays, round(count * weight / largest). Weights are one an input, not negative, not all 0 (ValueError).
    A smaller weight's records are among a larger one's."""
    import numpy as np

    if len(weights) != len(index.sources) or not max(weights, default=0) > 0 or min(weights) < 0:
        raise ValueError(
            f"{len(index.sources)} inputs need as many weights, not negative, not all 0: {weights}"
        )
    source, parts = index.column("source")[rows], []
    for number, weight in enumerate(weights):
        part = rows[source == number]
        parts.append(_sample(index, part, round(len(part) * weight / max(weights)), WEIGHED))
    return np.sort(np.concatenate(parts))


def per_level(index: Index, rows: numpy.ndarray, count: int) -> tuple[numpy.ndarray, dict[int, int]]:
    """At most `count` drawn rows of each level; and the levels that have some but fewer, with how many."""
    import numpy as np

    level = index.column("level")[rows]
    kept, short = [], {}
    for number in LEVELS:  # one at a time: a part takes 24 bytes a row while it is drawn from
        part = rows[level == number]
        if 0 < len(part) < count:
            short[number] = len(part)
        kept.append(_sample(index, part, count, PER_LEVEL))
        del part
    return np.sort(np.concatenate(kept)), short


def split(index: Index, rows: numpy.ndarray, fraction: float) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(training rows, held-out rows): no twin, family or image is on both sides.

    Rows that share one, directly or through others, are a group. Whole groups are held out, in drawn order, until
    `fraction` of the rows is reached, so never more than one group beyond it. A group of more than half of the rows is
    never held out: with one, or where everything hangs together, fewer are held out than asked for. The index must have
    been loaded with grouped=True.
    """
    import numpy as np

    if not len(rows):
        return rows, rows
    group, n_groups = _groups(index, rows)
    sizes = np.bincount(group, minlength=n_groups)
    # A group is drawn by the least key in it, mixed anew: the least key itself would be smaller for a large group.
    least = np.full(n_groups, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, group, index.column("order")[rows])
    held, count, quota = np.zeros(n_groups, bool), 0, fraction * len(rows)
    for number in np.argsort(_drawn(least, HELD_OUT), kind="stable"):
        if count >= quota:
            break
        if 2 * sizes[number] <= len(rows):
            held[number] = True
            count += int(sizes[number])
    return rows[~held[group]], rows[held[group]]


def _groups(index: Index, rows: numpy.ndarray) -> tuple[numpy.ndarray, int]:
    """The group of each row, counted from 0, and how many there are: a union-find over the keys that rows share."""
    import numpy as np

    if not index.grouped:
        raise ValueError("load the index with grouped=True to split it")
    names, node = np.unique(index.column("keys"), return_inverse=True)
    parent, ends = array("q", range(len(names))), index.ends

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    first = np.empty(len(rows), np.int64)
    for i, row in enumerate(rows.tolist()):
        begin = ends[row - 1] if row else 0
        mine = first[i] = root(int(node[begin]))
        for at in node[begin + 1 : ends[row]].tolist():
            if (other := root(at)) != mine:
                parent[other] = mine
    roots = np.fromiter((root(int(at)) for at in first), np.int64, len(rows))
    found, group = np.unique(roots, return_inverse=True)
    return group, len(found)


def _drop_twice(index: Index, on_error: Callable[[RecordError], None]) -> None:
    """Drops the later of two records with one id. Only rows with equal keys are looked at again."""
    import numpy as np

    by_key = flat(index, index.rows())
    keys = index.column("order")[by_key]
    known: dict[str, int] = {}
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    # As they were read: a stable sort keeps this order between equal keys.
    for row in np.unique(np.concatenate([by_key[twice], by_key[twice + 1]])).tolist():
        name = index.record(row)["id"]
        if name not in known:
            known[name] = row
            continue
        index.dropped.add(row)
        there = index.where(known[name])
        on_error(
            RecordError(
                f"is there twice: {name}" + (f", first in {there}" if there else ""), "id", index.where(row)
            )
        )


def _sample(index: Index, rows: numpy.ndarray, count: int, purpose: int) -> numpy.ndarray:
    """`count` of the rows, or all where there are fewer."""
    import numpy as np

    if count >= len(rows):
        return rows
    return rows[
        np.argsort(_drawn(index.column("order")[rows], purpose), kind="stable")[:count]
    ]  # a copy: no view holds the rest


def _drawn(keys: numpy.ndarray, purpose: int) -> numpy.ndarray:
    """Keys for another draw, uint64: a sample by the order key itself would be a run at the head of the shuffled whole.

    The finalizer of SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators, figure 17,
    in Vigna's constants) on key + purpose * golden gamma; arithmetic modulo 2**64.
    """
    import numpy as np

    z = keys + np.uint64(purpose * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _place(reference: str, base: str) -> str:
    """An image reference that two files spell alike."""
    if reference.startswith("data:") or "://" in reference[:16]:
        return reference
    kind, path = ("tar:", reference[4:]) if reference.startswith("tar:") else ("", reference)
    return kind + os.path.abspath(os.path.join(base, path))
