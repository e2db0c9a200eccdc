"""Find clusters of questions that are not independent: questions about the same image, twins, and questions that a benchmark
relates (`Bench.related`). Their answers tend to be right or wrong together, so intervals and tests must not count them as
independent (see `s2h.eval.statistics`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from s2h.eval.benches import Line, by_group, named, plain
from s2h.images.references import spelled
from s2h.record import base_of

_STORED = re.compile(r"[0-9a-f]{32}(?=\.[a-z0-9]+$)")  # an image store's name for some bytes


def identity(reference: str, base: str = "") -> str:
    """Return the same name for an image, however a line refers to it: the digest of its bytes if the reference has it (a
    file of a store, a data URI), else the full path."""
    stored = _STORED.match(os.path.basename(reference))
    if stored:
        return stored[0]
    if reference.startswith("data:"):
        from s2h.images.decoding import ImageError, read_bytes
        from s2h.images.store import digest

        try:
            return digest(read_bytes(reference))
        except ImageError:
            return reference
    return os.path.normpath(spelled(reference, base))


def keys(line: Line) -> list[int]:
    """Return the keys of a prediction's cluster as 64-bit hashes: of its images, its twin and its related names. Two lines
    with a common key are in one cluster. A slim line has its keys in `shared`."""
    if "shared" in line:
        return line["shared"]
    base = base_of(line)
    bench, known = plain(line.get("bench")), named(line.get("bench"))
    found: list[tuple] = [
        ("image", identity(one, base)) for one in line.get("images") or () if isinstance(one, str)
    ]
    facts = line.get("facts")
    twin = line.get("twin") or (facts.get("twin") if isinstance(facts, dict) else None)
    if twin is not None:
        found.append(("twin", bench, twin))
    related = known.related if known else by_group
    found += [("related", bench, name) for name in related(line)]
    return [_hashed(key) for key in dict.fromkeys(found)]


def _hashed(key: tuple) -> int:
    return int.from_bytes(
        blake2b("\x1f".join(map(str, key)).encode("utf-8", "replace"), digest_size=8).digest(), "big"
    )


def labels(lines: Iterable[Line]) -> list[int]:
    """Return the number of each line's cluster, from 0 in the order of the lines. Lines that common keys link in a chain are
    one cluster; a line without keys is a cluster of its own."""
    return joined([keys(line) for line in lines])


def joined(shared: Sequence[Iterable[int]]) -> list[int]:
    """Return the number of each line's cluster, as `labels` does. shared: the keys of each line."""
    parent = list(range(len(shared)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    first: dict[int, int] = {}
    for at, some in enumerate(shared):
        for key in some:
            parent[root(at)] = root(first.setdefault(key, at))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(at), len(numbers)) for at in range(len(shared))]
