"""Scan a span of a file of records into columns: the facts of each line that mixing needs, and the faults of lines that are
not records. A line that msgspec can read as a `pair_fields.Pair`, and in which `record.unfit` finds no fault, is a pair.
Every other line goes through the reader of all other stages, which completes short forms and names faults. Lines are not
kept in memory.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any, NamedTuple

from s2h import record, seeds
from s2h.images import references
from s2h.record import Record, RecordError, facts_of, references_of
from s2h.streams import jsonl, parse

STORED = re.compile(r"[0-9a-f]{32}\.\w+")  # the name of an image in an images.store.Store
CLOSING = ord("}")  # the last character of a record
PIECE = 1 << 16  # bytes of a span that are examined together
LINK = [("name", "<u8"), ("row", "<u4")]  # a 64-bit name of something shared, and the row that has it


class Wanted(NamedTuple):
    """The facts that a mix needs of each record beside its order. sources: its `source`. links: the images, families and
    twins that it shares. margins: the margins of its scores. layout: the format of rows that are no complete pair, "" to
    tell it from their fields."""

    seed: int = 0
    sources: bool = False
    links: bool = False
    margins: bool = False
    layout: str = ""


class Kind(NamedTuple):
    """The properties by which records are grouped. level, task: None if a record has none. source: None also if it is not
    wanted. staged: whether it has a stage. relative: whether one of its references starts at the folder of its file. layout:
    the format of a line that is not a complete pair and must be written again; None for a complete pair."""

    level: int | None
    task: str | None
    source: str | None
    staged: bool
    relative: bool
    layout: str | None


class Found(NamedTuple):
    """The columns of a span as numpy arrays, in the order of its lines: offset, length, order (a 64-bit key of seed and
    id), kind (a position in `kinds`), ref and clip (margins, NaN where there is none). links: LINK, its rows counted from
    the span's first. lines: how many there are, blank and broken ones too. faults: (line from 1, its error)."""

    offset: Any
    length: Any
    order: Any
    kind: Any
    kinds: list[Kind]
    ref: Any
    clip: Any
    links: Any
    lines: int
    faults: list[tuple[int, RecordError]]


def scan(file: int, begin: int, end: int, base: str, wanted: Wanted) -> Found:
    """Scan the records of the whole lines between two offsets of an open file. Raises RecordError where the file has
    shrunk."""
    import numpy as np

    if end - begin > jsonl.MAX_LINE:  # a span beyond CHUNK is a single line
        offset, length, order, kind_at = (np.empty(0, name) for name in ("<i8", "<u4", ">u8", "<u4"))
        none = np.empty(0, "<f4")
        fault = (1, jsonl.too_long())
        return Found(offset, length, order, kind_at, [], none, none, np.empty(0, LINK), 1, [fault])
    data = read_whole(file, begin, end - begin)
    if data[-1:] != b"\n":
        data += b"\n"
    lines = io.BytesIO(data).readlines()  # finds the ends of lines in a fifth of the time of data.split
    crowded = _crowded(data, lines)
    ascii = np.frombuffer(data, np.int8).min() >= 0  # a quarter of the time of data.isascii
    decode, unfit = _decoder(wanted), record.unfit
    start = _start(wanted.seed)
    offsets, lengths, keys = [], [], bytearray()
    kinds: dict[tuple, int] = {}
    kind_of, faults = [], []
    margins: tuple[list[float], list[float]] = ([], [])
    names, members = [], []
    at = begin
    for number, line in enumerate(lines, 1):
        here, size = at, len(line) - 1
        at += size + 1
        if line[size - 1] != CLOSING:
            line = line.rstrip(b" \t\r\n")
            size = len(line)
            if jsonl.is_blank(line):
                continue
        try:
            if not ascii:
                line.decode()
            if number in crowded:
                parse.loads(line)  # msgspec does not count the levels of what it leaves out
            pair = decode(line)
            if faults_of := unfit(pair):
                raise faults_of[0]
            layout = None
        except (ValueError, RecursionError):
            if line.startswith(jsonl.BOM):  # some editors write one; it is not copied
                here, size = here + len(jsonl.BOM), size - len(jsonl.BOM)
            try:
                pair, layout = _careful(lines[number - 1], wanted.layout)
            except RecordError as error:
                faults.append((number, error))
                continue
        images = pair.images if pair.rejected_images is None else pair.images + pair.rejected_images
        relative = False
        for reference in images:
            # Any other start of a reference that is not relative has a colon.
            if reference[0] != "/" and (":" not in reference or references.is_relative(reference)):
                relative = True
                break
        kind = (
            pair.level, pair.task, pair.source if wanted.sources else None, pair.stage is not None, relative, layout,
        )  # fmt: skip
        kind_of.append(kinds.setdefault(kind, len(kinds)))
        offsets.append(here)
        lengths.append(size)
        key = start.copy()
        key.update(pair.id.encode())
        keys += key.digest()
        if wanted.links:
            facts = pair.facts
            twin, families = (facts.twin, facts.families) if facts is not None else (None, None)
            found = _shared(images, twin, families, base)
            names += found
            members += [len(offsets) - 1] * len(found)
        if wanted.margins:
            for name, margin in zip(("ref", "clip"), margins, strict=True):
                margin.append(_margin(pair.scores, name))
    links = np.empty(len(names), LINK)
    links["name"], links["row"] = names, members
    with np.errstate(over="ignore"):  # a margin beyond 32 bits is as good as infinite
        ref, clip = (np.array(one, "<f4") for one in margins)
    return Found(
        np.array(offsets, "<i8"), np.array(lengths, "<u4"), np.frombuffer(bytes(keys), ">u8"),
        np.array(kind_of, "<u4"), [Kind(*kind) for kind in kinds], ref, clip, links,
        len(lines), faults,
    )  # fmt: skip


def _crowded(data: bytes, lines: list[bytes]) -> set[int]:
    """Find the numbers of the lines that have so many opening brackets that they may be nested too deeply, and some that
    have nearly as many: brackets are counted by blocks of 64 bytes, which takes a fifth of the time of counting by
    lines."""
    import numpy as np

    whole = len(data) // 64 * 64
    read, counts = np.frombuffer(data, np.uint8), np.empty(whole // 64 + 1, np.uint8)
    for at in range(0, whole, PIECE):  # small arrays stay in the processor's cache
        # "[" is "{" without the bit of 32.
        bits = np.packbits((read[at : min(at + PIECE, whole)] | 32) == ord("{"))
        np.bitwise_count(bits.view(np.uint64), out=counts[at // 64 : at // 64 + len(bits) // 8])
    counts[-1] = data[whole:].count(b"[") + data[whole:].count(b"{")
    before = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    ends = np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines)))
    starts = np.concatenate(([0], ends[:-1]))
    most = before[np.minimum((ends >> 6) + 1, len(counts))] - before[starts >> 6]
    return set((np.flatnonzero(most > parse.MAX_DEPTH) + 1).tolist())


def read_whole(file: int, offset: int, size: int) -> bytes:
    """Read so many bytes of an open file. Raises RecordError where it has fewer: it was changed meanwhile."""
    data = os.pread(file, size, offset)
    while len(data) < size:
        more = os.pread(file, size - len(data), offset + len(data))
        if not more:
            raise RecordError(
                "an input was cut short while it was mixed",
                remedy="run s2h-mix again when the file is complete",
            )
        data += more
    return data


def order_key(seed: int, name: str) -> int:
    """Return the 64-bit key by which the record of this id is shuffled."""
    return seeds.seed_of("mix", seed, name)


@lru_cache(maxsize=4)
def _start(seed: int) -> Any:
    """Return the hash of `order_key` up to the id, which is the same for all."""
    text = f"str:mix\x1fint:{seed}\x1fstr:"  # as seeds.seed_of spells it
    return blake2b(text.encode(), digest_size=8)


def shared(pair: dict, base: str = "") -> list[int]:
    """Return 64-bit hashes of everything that must not be on both sides of a split: facts.twin, every name in facts.families
    and every image (a relative reference starts at base)."""
    facts, images = facts_of(pair), [reference for _, _, reference in references_of(pair)]
    return _shared(images, facts.get("twin"), facts.get("families"), base)


def _shared(images: list[str], twin: object, families: object, base: str) -> list[int]:
    names = [f"image {_place(reference, base)}" for reference in images]
    if twin is not None:
        names.append(f"twin {twin}")
    if isinstance(families, list | tuple):
        names += [f"family {family}" for family in families]
    return sorted({int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") for name in names})


def _place(reference: str, base: str) -> str:
    """Return one name for an image, however two files refer to it. The name of an image in a store is the hash of its bytes,
    so that the same image in two stores has one name."""
    if not reference.startswith("data:") and STORED.fullmatch(name := os.path.basename(reference)):
        return name
    return references.spelled(reference, base)


def _margin(scores: dict | None, name: str) -> float:
    """Return chosen - rejected of a score, NaN if it holds none."""
    score = scores.get(name) if scores else None
    sides: list[Any] = (
        [score.get(side) for side in ("chosen", "rejected")] if isinstance(score, dict) else [None]
    )
    if any(isinstance(side, bool) or not isinstance(side, int | float) for side in sides):
        return math.nan
    try:
        return float(sides[0]) - float(sides[1])
    except OverflowError:  # an integer that no float can hold
        return math.nan


class _Bonds(NamedTuple):
    twin: object
    families: object


def _careful(line: bytes, layout: str) -> tuple[SimpleNamespace, str | None]:
    """Read a line as every other stage does. Return (the record as `scan` looks at it, its layout as a Kind has it). Raises
    RecordError."""
    from s2h import shorthand

    found = Record(jsonl.parsed(line))
    is_whole = record.typed(found) is not None
    layout = shorthand.accept(found, layout)
    facts = facts_of(found)
    bonds = _Bonds(facts.get("twin"), facts.get("families"))
    names = ("id", "level", "task", "source", "images", "rejected_images", "stage", "scores")
    return SimpleNamespace(
        **{name: found.get(name) for name in names}, facts=bonds
    ), None if is_whole else layout


@lru_cache(maxsize=4)
def _decoder(wanted: Wanted) -> Callable[[bytes], Any]:
    """Return msgspec's decoder of a pair. Parts of facts and scores that are not wanted are only checked to be JSON."""
    from msgspec import defstruct
    from msgspec.json import Decoder

    from s2h.pair_fields import Pair

    bonds = [(name, Any, None) for name in ("twin", "families")] if wanted.links else []
    facts: Any = defstruct("Facts", bonds)
    scores: Any = dict if wanted.margins else defstruct("Scores", [])
    columns = [("facts", facts | None, None), ("scores", scores | None, None)]
    return Decoder(defstruct("Pair", columns, bases=(Pair,), kw_only=True, gc=False)).decode
