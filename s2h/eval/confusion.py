"""Accuracy, precision, recall, F1 and yes-ratio of yes/no questions by split, with bootstrap intervals, for benchmarks of
hallucination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.eval import clusters, gold, statistics
from s2h.eval.benches import Line, Metric
from s2h.eval.statistics import ROUNDS
from s2h.seeds import seed_of, within

CELLS = [(truth, reply) for truth in ("yes", "no") for reply in ("yes", "no", None)]


def by_split(known: list[Line], splits_of: Callable[[Line], list[str]], seed: int) -> list[Metric]:
    """Return the metrics of each split, their mean, and those of all questions pooled, named "SPLIT METRIC"."""
    import numpy as np

    of_each = [splits_of(p) or ["all"] for p in known]
    splits = sorted({split for some in of_each for split in some})
    groups = clusters.labels(known)
    counts: Any = np.zeros((max(groups) + 1, len(splits), len(CELLS)), dtype=np.int64)
    for p, group, some in zip(known, groups, of_each, strict=True):
        for split in some:
            counts[group, splits.index(split), CELLS.index(_cell(p))] += 1
    tables = counts.sum(0)
    drawn = None
    if not statistics.single(groups):
        strata = [tuple(np.flatnonzero(one.sum(1))) for one in counts]
        flat = statistics.draw(counts.reshape(len(counts), -1), strata, seed)
        drawn = flat.reshape(ROUNDS, *tables.shape)
    unread_is_no = known[0].get("parser") != "lmms"
    made = []
    for prefix, parts in _tables(splits):
        exact = [tables[list(at)].sum(0) for at in parts]
        if drawn is None:
            resampled = [_drawn(table, seed_of(seed, i)) for i, table in enumerate(exact)]
        else:
            resampled = [drawn[:, list(at)].sum(1) for at in parts]
        made += _metrics(prefix, exact, resampled, unread_is_no)
    return made


def _tables(splits: list[str]) -> list[tuple[str, list[tuple[int, ...]]]]:
    """Return (prefix of the metrics' names, the tables whose metrics are averaged). A table is a tuple with the positions of
    the splits whose counts are added up."""
    every = tuple(range(len(splits)))
    made: list[tuple[str, list[tuple[int, ...]]]] = [
        (f"{split} ", [(at,)]) for at, split in enumerate(splits)
    ]
    if len(splits) > 1:
        made += [("mean ", [(at,) for at in every]), ("pooled ", [every])]
    return made


def _cell(p: Line) -> tuple[str, str | None]:
    """Return (truth, reply); a reply that is neither yes nor no is None."""
    parsed = p.get("parsed")
    return gold.read(p, "yes/no"), parsed if parsed in ("yes", "no") else None


def values(table: Any, unread_is_no: bool = True) -> dict[str, Any]:
    """Return the metrics of counts by cell (numbers or arrays; see CELLS). The yes-ratio is the share of replies that are
    yes. An unread reply counts as wrong in the accuracy and as not yes in the yes-ratio. In the recall it counts as a missed
    yes (`vlmevalkit`, `robust`, `official`), or is left out if unread_is_no is False (`lmms`). 0 / 0 is 0."""
    import numpy as np

    total = sum(table[cell] for cell in CELLS)
    hit, false = table["yes", "yes"], table["no", "yes"]
    missed = table["yes", "no"] + (table["yes", None] if unread_is_no else 0)

    def over(part: Any, whole: Any) -> Any:
        whole = np.asarray(whole, dtype=float)
        return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)

    precision, recall = over(hit, hit + false), over(hit, hit + missed)
    return {
        "accuracy": over(hit + table["no", "no"], total), "precision": precision, "recall": recall,
        "f1": over(2 * precision * recall, precision + recall), "yes-ratio": over(hit + false, total),
    }  # fmt: skip


def _drawn(counts: Any, seed: int) -> Any:
    """Return bootstrap counts of a table whose questions are independent, an array (ROUNDS, cells)."""
    import numpy as np

    return np.random.default_rng(within(seed, 64)).multinomial(counts.sum(), counts / counts.sum(), ROUNDS)


def _metrics(prefix: str, tables: list, drawn: list, unread_is_no: bool) -> list[Metric]:
    """Return the metrics of one table of counts by cell, or their means over several. drawn: for each table an array
    (ROUNDS, cells) of bootstrap counts."""
    import numpy as np

    exact = [values(_by_cell(table), unread_is_no) for table in tables]
    resampled = [values(_by_cell(counts), unread_is_no) for counts in drawn]
    made = []
    for name in exact[0]:
        low, high = statistics.percentiles(np.mean([one[name] for one in resampled], axis=0))
        score = float(np.mean([one[name] for one in exact]))
        made.append(Metric(prefix + name, score, low, high, int(sum(table.sum() for table in tables))))
    return made


def _by_cell(counts: Any) -> dict:
    return dict(zip(CELLS, counts.T, strict=True))
