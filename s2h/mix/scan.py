"""A span of a file of records as columns: what mixing has to know of each line, and what is wrong with those that are no
records. A line that msgspec can read as the types below, and that passes `fits`, is one that `record.check` passes; every
other goes through the careful reader, whose words tell what is wrong with it. No line is kept: it stays where it is.
"""

from __future__ import annotations

import math
import os
import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from s2h import jsonl, parse, references, seeds
from s2h import record as _record
from s2h.record import Record, RecordError

STORED = re.compile(r"[0-9a-f]{32}\.\w+")  # what images.Store calls an image
PIECE = 1 << 16  # bytes of a span that are looked at together
LINK = [("name", "<u8"), ("row", "<u4")]  # a 64-bit name of something shared, and the row that has it


class Wanted(NamedTuple):
    """What to look at beside the order. sources: each record's `source`. links: what it shares. margins: its scores."""

    seed: int = 0
    sources: bool = False
    links: bool = False
    margins: bool = False


class Kind(NamedTuple):
    """What records are told apart by. source: "" unless it was wanted. staged: it has a stage. relative: some reference of
    it starts at the folder of its file."""

    level: int
    task: str
    source: str
    staged: bool
    relative: bool


class Found(NamedTuple):
    """The columns of a span as numpy arrays, in the order of its lines: offset, length, order (a 64-bit key of seed and id),
    kind (a position in `kinds`), ref and clip (margins, NaN where there is none). links: LINK, its rows counted from the
    span's first. lines: how many there are, blank and broken ones too. faults: (line from 1, message, field, remedy)."""

    offset: Any
    length: Any
    order: Any
    kind: Any
    kinds: list[Kind]
    ref: Any
    clip: Any
    links: Any
    lines: int
    faults: list[tuple[int, str, str, str]]


def scan(file: int, begin: int, end: int, base: str, wanted: Wanted) -> Found:
    """The records of the whole lines between two offsets of an open file. Raises RecordError where the file has shrunk."""
    import numpy as np

    if end - begin > jsonl.MAX_LINE:  # a span beyond CHUNK is a single line
        columns = (np.empty(0, kind) for kind in ("<i8", "<u4", ">u8", "<u4"))
        error = jsonl.too_long()
        fault = (1, error.message, "", error.remedy)
        none = np.empty(0, "<f4")
        return Found(*columns, [], none, none, np.empty(0, LINK), 1, [fault])
    data = read_whole(file, begin, end - begin)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    crowded = _crowded(data, lines)
    ascii = data.isascii()
    decode, image, user = _form(wanted)
    start = _start(wanted.seed)
    offsets, lengths, kinds, keys = [], [], {}, bytearray()
    kind_of, faults, margins = [], [], ([], [])
    names, members = [], []
    at = begin
    for number, line in enumerate(lines, 1):
        here, at = at, at + len(line) + 1
        if line[-1:] != b"}":
            line = line.rstrip(b" \t\r")
            if jsonl.is_blank(line):
                continue
        try:
            if not ascii:
                line.decode()
            if number in crowded:
                parse.loads(line)  # msgspec does not count the levels of what it leaves out
            pair = decode(line)
            if not fits(pair, image, user):
                raise ValueError
        except (ValueError, RecursionError):
            if line.startswith(jsonl.BOM):  # some editors leave one; it is not copied
                here, line = here + len(jsonl.BOM), line[len(jsonl.BOM) :]
            try:
                pair = _careful(line)
            except RecordError as error:
                faults.append((number, error.message, error.field, error.remedy))
                continue
        images = pair.images
        relative = False
        for reference in images:
            if reference[0] != "/" and references.is_relative(reference):
                relative = True
                break
        kind = (
            pair.level, pair.task, pair.source if wanted.sources else "", pair.stage is not None, relative,
        )  # fmt: skip
        kind_of.append(kinds.setdefault(kind, len(kinds)))
        offsets.append(here)
        lengths.append(len(line))
        key = start.copy()
        key.update(pair.id.encode())
        keys += key.digest()
        if wanted.links:
            found = _shared(images, pair.facts.twin, pair.facts.families, base)
            names += found
            members += [len(offsets) - 1] * len(found)
        if wanted.margins:
            for name, margin in zip(("ref", "clip"), margins, strict=True):
                margin.append(_margin(pair.scores, name))
    links = np.empty(len(names), LINK)
    links["name"], links["row"] = names, members
    return Found(
        np.array(offsets, "<i8"), np.array(lengths, "<u4"), np.frombuffer(bytes(keys), ">u8"),
        np.array(kind_of, "<u4"), [Kind(*kind) for kind in kinds], *(np.array(m, "<f4") for m in margins), links,
        len(lines), faults,
    )  # fmt: skip


def _crowded(data: bytes, lines: list[bytes]) -> set[int]:
    """The numbers of the lines that have so many opening brackets that they may be nested too deeply, and some that have
    nearly as many: brackets are counted by blocks of 64 bytes, which takes a fifth of the time of counting by lines."""
    import numpy as np

    whole = len(data) // 64 * 64
    read, counts = np.frombuffer(data, np.uint8), np.empty(whole // 64 + 1, np.uint8)
    for at in range(0, whole, PIECE):  # small arrays stay in the processor's cache
        bits = np.packbits(
            (read[at : min(at + PIECE, whole)] | 32) == ord("{")
        )  # "[" is "{" without that bit
        np.bitwise_count(bits.view(np.uint64), out=counts[at // 64 : at // 64 + len(bits) // 8])
    counts[-1] = data[whole:].count(b"[") + data[whole:].count(b"{")
    before = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    ends = np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines)) + 1)
    starts = np.concatenate(([0], ends[:-1]))
    most = before[np.minimum((ends >> 6) + 1, len(counts))] - before[starts >> 6]
    return set((np.flatnonzero(most > parse.MAX_DEPTH) + 1).tolist())


def read_whole(file: int, offset: int, size: int) -> bytes:
    """So many bytes of an open file. Raises RecordError where it has fewer: it was changed meanwhile."""
    data = os.pread(file, size, offset)
    while len(data) < size:
        more = os.pread(file, size - len(data), offset + len(data))
        if not more:
            raise RecordError(
                "an input was cut short while it was mixed", remedy="run again when it is whole"
            )
        data += more
    return data


def order_key(seed: int, name: str) -> int:
    """The 64-bit key by which the record of this id is shuffled."""
    return seeds.seed_of("mix", seed, name)


@lru_cache(maxsize=4)
def _start(seed: int) -> Any:
    """The hash of `order_key` up to the id: it is the same for all."""
    text = f"str:mix\x1fint:{seed}\x1fstr:"  # as seeds.seed_of spells it
    return blake2b(text.encode(), digest_size=8)


def shared(record: dict, base: str = "") -> list[int]:
    """What would leak from one side of a split to the other, as 64-bit hashes: facts.twin, every name in facts.families,
    every image (a relative reference starts at base)."""
    facts = record["facts"]
    return _shared(record["images"], facts.get("twin"), facts.get("families"), base)


def _shared(images: list[str], twin: object, families: object, base: str) -> list[int]:
    names = [f"image {_place(reference, base)}" for reference in images]
    if twin is not None:
        names.append(f"twin {twin}")
    if isinstance(families, list | tuple):
        names += [f"family {family}" for family in families]
    return sorted({int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") for name in names})


def _place(reference: str, base: str) -> str:
    """An image reference that two files spell alike. An image of a store is known by its name, the hash of its bytes: two
    stores may hold the same one."""
    if not reference.startswith("data:") and STORED.fullmatch(name := os.path.basename(reference)):
        return name
    return references.spelled(reference, base)


def _margin(scores: dict | None, name: str) -> float:
    """chosen - rejected of a score, NaN where it holds none."""
    said = scores.get(name) if scores else None
    sides = [said.get(side) for side in ("chosen", "rejected")] if isinstance(said, dict) else [None]
    if any(isinstance(side, bool) or not isinstance(side, int | float) for side in sides):
        return math.nan
    return sides[0] - sides[1]


class _Careful(NamedTuple):
    """A record that the careful reader has passed, as `scan` looks at it."""

    id: str
    level: int
    task: str
    source: str
    images: list[str]
    stage: int | None
    facts: Any
    scores: dict | None


class _Bonds(NamedTuple):
    twin: object
    families: object


def _careful(line: bytes) -> _Careful:
    """A line as the reader of every other stage takes it. Raises RecordError, with its words."""
    import io

    (found,) = jsonl.read(
        io.BytesIO(line + b"\n"), check=None
    )  # a line of white space has been left out before
    _record.check(Record(found))
    facts = _Bonds(found["facts"].get("twin"), found["facts"].get("families"))
    return _Careful(
        *(found[name] for name in ("id", "level", "task", "source", "images")),
        found.get("stage"),
        facts,
        found.get("scores"),
    )


@lru_cache(maxsize=4)
def _form(wanted: Wanted) -> tuple[Any, type, type]:
    """msgspec's decoder of a pair, its image part and its user's message. What nobody wants to know of facts and scores is
    checked to be JSON and left out."""
    from typing import Annotated, Literal

    from msgspec import Meta, Struct, defstruct
    from msgspec.json import Decoder

    text = Annotated[str, Meta(min_length=1)]
    place = Annotated[int, Meta(ge=0)]
    image = defstruct("Image", [], tag_field="type", tag="image", gc=False)
    said = defstruct("Text", [("text", str)], tag_field="type", tag="text", gc=False)
    # msgspec asks for a tag only where there are several types to tell apart.
    only_said = defstruct("OnlyText", [("type", Literal["text"]), ("text", str)], gc=False)
    turns = [
        defstruct(role, [("content", list[parts])], tag_field="role", tag=role, gc=False)
        for role, parts in (("user", image | said), ("system", only_said), ("assistant", only_said))
    ]
    turn = turns[0] | turns[1] | turns[2]
    answer = defstruct("Answer", [("role", Literal["assistant"]), ("content", list[only_said])], gc=False)
    answer = Annotated[list[answer], Meta(min_length=1, max_length=1)]
    claim = defstruct("Claim", [("image", place), ("text", text)], gc=False)
    claims = list[claim | tuple[place, text]]  # objects, or in the older form lists
    grounding = defstruct("Grounding", [("chosen", claims), ("rejected", claims)], gc=False)
    bonds = [(name, Any, None) for name in ("twin", "families")] if wanted.links else []
    scores = dict[str, Any] if wanted.margins else defstruct("Scores", [])
    pair = defstruct(
        "Pair",
        [
            ("id", text), ("level", Annotated[int, Meta(ge=1, le=3)]), ("task", text),
            ("images", Annotated[list[text], Meta(min_length=1)]), ("prompt", Annotated[list[turn], Meta(min_length=1)]),
            ("chosen", answer), ("rejected", answer), ("target", Annotated[list[place], Meta(min_length=1)]),
            ("facts", defstruct("Facts", bonds)), ("negative", text), ("source", text), ("grounding", grounding, None),
            ("scores", scores, None), ("stage", Annotated[int, Meta(ge=1 - 2**63, le=2**63 - 1)], None),
        ],
        bases=(Struct,),
        gc=False,
    )  # fmt: skip
    return Decoder(pair).decode, image, turns[0]


def fits(pair: Any, image: type, user: type) -> bool:
    """What `record.check` asks for and types can't say: as many image parts as images, a user's message at the end, places
    below the number of images, answers that say something."""
    count, shown, last = len(pair.images), 0, None
    for last in pair.prompt:
        for part in last.content:
            if type(part) is image:
                shown += 1
    if shown != count or type(last) is not user:
        return False
    target = pair.target
    if max(target) >= count or len(set(target)) < len(target):
        return False
    for answer in (pair.chosen, pair.rejected):
        for part in answer[0].content:
            if part.text and not part.text.isspace():
                break
        else:
            return False
    if pair.grounding is not None:
        for claims in (pair.grounding.chosen, pair.grounding.rejected):
            for claim in claims:
                if (claim[0] if type(claim) is tuple else claim.image) >= count:
                    return False
    return True
