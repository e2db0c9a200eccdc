"""One training file from several: everything shuffled, or level after level, with a part held out. The trainer consumes
file order, so the order made here is the product. It is drawn from (seed, id): the same records come out the same way
whatever the order of the files. Records wait in one temporary file, and what they share in another; memory holds 29 bytes
of each, whatever its size, and about 70 at most while they are sorted or split.

    s2h-mix --flat l1 l2 l3 --val 0.05 -o mix.jsonl
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

from s2h import jsonl, seeds
from s2h.record import Record, RecordError, fail

if TYPE_CHECKING:
    import numpy

LEVELS = (1, 2, 3)
LINK = [("name", "<u8"), ("row", "<u4")]  # a 64-bit name of something shared, and the row that has it
AT_ONCE = 1 << 16  # links in memory, at least
STORED = re.compile(r"[0-9a-f]{32}\.\w+")  # what images.Store calls an image
WEIGHED, PER_LEVEL, HELD_OUT = 1, 2, 3  # independent draws from one order key, see `_drawn`


class Index:
    """Where each record stands in the spool, in columns; a row is a position in them.

    offset, length: of its line in the spool. line: in its input, 0 where unknown. order: the 64-bit key by which it is
    shuffled. level. source: which input it is from, a position in `sources`, which holds each input's (name, base).
    links: a file of `linked` entries (LINK), one for everything by which a row may hang together with others; or None.
    """

    def __init__(self, spool: BinaryIO, links: BinaryIO | None = None) -> None:
        self.spool, self.links, self.linked = spool, links, 0
        self.offset, self.length, self.line = array("q"), array("I"), array("I")
        self.order, self.level, self.source = array("Q"), array("b"), array("I")
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
    links: BinaryIO | None = None,
    on_error: Callable[[RecordError], None] = fail,
) -> Index:
    """Reads checked records, one stream a file, into the spool, an empty binary file that can be read and written.

    links: another such file, in which to note what the records share, for `split`. An id that was there before goes to
    on_error as a RecordError that names both places; the later record is dropped where that returns. Raises OSError where
    the disk of the two files is full.
    """
    index, end = Index(spool, links), 0
    names, members = array("Q"), array("I")  # links on their way to the file
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
            if links is not None:
                found = shared(record, base)
                names.extend(found)
                members.extend([len(index) - 1] * len(found))
                if len(names) >= AT_ONCE:
                    _note(index, names, members)
    if links is not None:
        _note(index, names, members)
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


def _note(index: Index, names: array, members: array) -> None:
    """Writes links to their file, and forgets them here."""
    import numpy as np

    noted = np.empty(len(names), LINK)
    noted["name"], noted["row"] = names, members
    index.links.write(noted.tobytes())
    index.linked += len(names)
    del names[:], members[:]


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
    been loaded with `links`.
    """
    import numpy as np

    if not len(rows):
        return rows, rows
    root, order = _roots(index, rows), index.column("order")
    # A group is drawn by the least key in it, mixed anew: the least key itself would be smaller for a large group.
    least = np.full(len(index), np.iinfo(np.uint64).max, np.uint64)
    sizes = np.zeros(len(index), np.uint32)
    for begin in range(
        0, len(rows), AT_ONCE
    ):  # in parts, or what lies between would take more than the index
        some = rows[begin : begin + AT_ONCE]
        np.minimum.at(least, root[some], order[some])
        np.add.at(sizes, root[some], 1)
    groups = np.flatnonzero(sizes).astype(np.uint32)
    least = least[groups]
    for begin in range(0, len(groups), AT_ONCE):
        least[begin : begin + AT_ONCE] = _drawn(least[begin : begin + AT_ONCE], HELD_OUT)
    held, count, quota = np.zeros(len(index), bool), 0, fraction * len(rows)
    for at in np.argsort(least):
        if count >= quota:
            break
        size = int(sizes[groups[at]])
        if 2 * size <= len(rows):
            held[groups[at]] = True
            count += size
    out = held[root[rows]]
    return rows[~out], rows[out]


def _roots(index: Index, rows: numpy.ndarray) -> numpy.ndarray:
    """For each row of the index the row that stands for its group, uint32: a union-find over what `rows` share.

    The links are read in passes, each with a part of the names, so that memory stays at a few bytes a row however many
    images each has.
    """
    import numpy as np

    if index.links is None:
        raise ValueError("load the index with links to split it")
    chosen = np.zeros(len(index), bool)
    chosen[rows] = True
    parent = array("I", range(len(index)))
    passes = -(-index.linked // max(AT_ONCE, len(index) // 4)) or 1
    for number in range(passes):
        index.links.seek(0)
        names, members = [], []
        while data := index.links.read(AT_ONCE * np.dtype(LINK).itemsize):
            links = np.frombuffer(data, LINK)
            links = links[(links["name"] % np.uint64(passes) == number) & chosen[links["row"]]]
            # Joined by the chunk already, so that a name that is everywhere does not pile up.
            name, row = _join(parent, links["name"], links["row"])
            names.append(name)
            members.append(row)
        if names:
            _join(parent, np.concatenate(names), np.concatenate(members))
    root = np.frombuffer(parent, np.uint32).copy()
    while not np.array_equal(above := root[root], root):
        root = above
    return root


def _join(parent: array, names: numpy.ndarray, rows: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Joins the rows that have a name in common; gives each name once, with one of its rows."""
    import numpy as np

    def top(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    order = np.argsort(names, kind="stable")
    names, rows = names[order], rows[order]
    new = np.ones(len(names), bool)
    new[1:] = names[1:] != names[:-1]
    again = np.flatnonzero(~new)
    for begin in range(0, len(again), 4096):  # as few Python numbers at a time
        some = again[begin : begin + 4096]
        for one, other in zip(rows[some - 1].tolist(), rows[some].tolist(), strict=True):
            one, other = top(one), top(other)
            if one != other:
                parent[max(one, other)] = min(one, other)
    return names[new], rows[new]


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
    """An image reference that two files spell alike. An image of a store is known by its name, the hash of its bytes: two
    stores may hold the same one."""
    if reference.startswith("data:") or "://" in reference[:16]:
        return reference
    if STORED.fullmatch(name := os.path.basename(reference)):
        return name
    kind, path = ("tar:", reference[4:]) if reference.startswith("tar:") else ("", reference)
    return kind + os.path.abspath(os.path.join(base, path))
