"""Choose the records of a mix: shares of inputs, caps, the hardest, and copies. A random choice is drawn from each record's
key, so it depends neither on the order of the inputs nor on other records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from s2h.errors import counted, plural
from s2h.mix.index import Index
from s2h.mix.inputs import drop_twice
from s2h.record import RecordError, fail

if TYPE_CHECKING:
    import numpy

OnError = Callable[[RecordError], None]
WEIGHED, PER_LEVEL, HELD_OUT, PER_TASK, PER_SOURCE, AGAIN = 1, 2, 3, 4, 5, 6  # independent draws, see `drawn`
PURPOSES = {"level": PER_LEVEL, "task": PER_TASK, "source": PER_SOURCE}


def weigh(index: Index, rows: numpy.ndarray, weights: Sequence[float]) -> numpy.ndarray:
    """Cut each input to its share. Inputs of the largest weight stay whole; of every other, a random part of round(count *
    weight / largest) rows stays. The records that a smaller weight keeps are among those that a larger one keeps. Raises
    ValueError unless there is one weight for each input, none negative and not all 0."""
    import numpy as np

    if len(weights) != len(index.inputs) or not max(weights, default=0) > 0 or min(weights) < 0:
        raise ValueError(
            f"{len(index.inputs)} inputs need as many weights, not negative, not all 0: {weights}"
        )
    parts = []
    for part, weight in zip(by_input(index, rows), weights, strict=True):
        parts.append(_sample(index, part, round(len(part) * weight / max(weights)), WEIGHED))
    return np.concatenate(parts)


def by_input(index: Index, rows: numpy.ndarray) -> list[numpy.ndarray]:
    """Split rows, which are in ascending order and hold no copy, by their input."""
    import numpy as np

    return np.split(rows, np.searchsorted(rows, [one.first for one in index.inputs[1:]]))


def cap(index: Index, rows: numpy.ndarray, by: str, count: int) -> tuple[numpy.ndarray, dict[str | int, int]]:
    """Return at most `count` random rows of each level, task or source, and the number of rows of each that has fewer."""
    import numpy as np

    if not len(rows):
        return rows, {}
    group = index.numbers_of(by)[index.column("kind")[rows]]
    order = np.lexsort((drawn(index.column("order")[rows], PURPOSES[by]), group))
    group = group[order]
    changes = np.flatnonzero(group[1:] != group[:-1]) + 1
    starts, ends = np.append(0, changes), np.append(changes, len(group))
    kinds = list(index.kinds)
    short = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start < count:
            kind = kinds[index.kind[rows[order[start]]]]
            short[getattr(kind, by)] = end - start
    kept = [order[start : min(start + count, end)] for start, end in zip(starts, ends, strict=True)]
    return np.sort(rows[np.concatenate(kept)]), short


def margin(index: Index, rows: numpy.ndarray, on_error: OnError = fail) -> tuple[numpy.ndarray, str]:
    """Return (the rows that have a margin, the name of its score). The score is `ref` if at least as many records have it as
    have `clip`, else `clip`. The two have different units and are not mixed. A row without the score goes to on_error as a
    RecordError."""
    import numpy as np

    has = {name: ~np.isnan(index.column(name)[rows]) for name in ("ref", "clip")}
    name = "ref" if has["ref"].sum() >= has["clip"].sum() else "clip"
    if not has[name].any():
        name, remedy = "ref", "measure it first: s2h-filter --ref MODEL, or --clip"
    else:
        some = int(has[name].sum())
        remedy = f"of {len(rows)} records {counted(some, 'has', 'have')} it: measure all"
    for row in rows[~has[name]].tolist():
        fault = "has no margin: chosen and rejected must be numbers"
        on_error(RecordError(fault, f"scores.{name}", index.where(row), remedy))
    return rows[has[name]], name


def having(
    index: Index, rows: numpy.ndarray, field: str, option: str, on_error: OnError = fail
) -> numpy.ndarray:
    """Return the rows that have a level, task or source, which an option needs. The others go to on_error as
    RecordErrors."""
    import numpy as np

    lacks = np.array([getattr(kind, field) is None for kind in index.kinds], bool)[index.column("kind")[rows]]
    without = rows[lacks]
    for row in without.tolist():
        have = plural(len(without), "has", "have")
        words = f"is missing: {len(without):,} of {len(rows):,} {plural(len(rows), 'pair')} {have} none"
        on_error(RecordError(words, field, index.where(row), f"{option} needs it"))
    return rows[~lacks]


def hardest(index: Index, rows: numpy.ndarray, name: str, count: int) -> numpy.ndarray:
    """Return the `count` rows with the smallest margin of the score `name`."""
    import numpy as np

    order = np.lexsort((index.column("order")[rows], index.column(name)[rows]))
    return np.sort(rows[order[:count]])


def repeat(
    index: Index, rows: numpy.ndarray, times: Sequence[float], on_error: OnError = fail
) -> numpy.ndarray:
    """Add copies, so that the rows of each input come `times` times: 3 adds two copies of each row, 1.5 one of a random
    half. Copies have the ids ID~2, ID~3 and so on; a copy whose id already exists goes to on_error as a RecordError."""
    import numpy as np

    new = []
    for part, often in zip(by_input(index, rows), times, strict=True):
        whole = int(often)
        some = _sample(index, part, round((often - whole) * len(part)), AGAIN)
        for number in range(2, whole + 2):
            for row in (part if number <= whole else some).tolist():
                new.append(index.copy(row, number))
    if not new:
        return rows
    drop_twice(index, on_error)
    made = np.array([row for row in new if row not in index.dropped], np.uint32)
    return np.concatenate([rows, made])


def drawn(keys: numpy.ndarray, purpose: int) -> numpy.ndarray:
    """Return keys for another draw, uint64. A sample drawn by the order key itself would be the first rows of the shuffled
    mix.

    The finalizer of SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators, figure 17,
    in Vigna's constants) on key + purpose * golden gamma; arithmetic modulo 2**64.
    """
    import numpy as np

    z = keys + np.uint64(purpose * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _sample(index: Index, rows: numpy.ndarray, count: int, purpose: int) -> numpy.ndarray:
    """Return `count` random rows in their order, or all of them if there are fewer."""
    import numpy as np

    if count >= len(rows):
        return rows
    order = np.argsort(drawn(index.column("order")[rows], purpose), kind="stable")
    return np.sort(rows[order[:count]])
