"""Metrics with bootstrap intervals, from which the benchmarks in `s2h.eval.benches` build theirs: accuracy, means over
categories, accuracy of a part of the questions, and the share of groups in which every answer is right. All are shares of 1.

A bootstrap draws questions with replacement, or clusters of questions that share images, sentences or twins. A metric
depends only on the number of questions in each of a few cells (right and wrong by category). So the counts of the cells are
drawn instead, which gives the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from s2h.eval import clusters, statistics
from s2h.eval.benches import Line, Metric
from s2h.eval.statistics import ROUNDS
from s2h.seeds import within

Interval = tuple[float, float, float]  # score, low, high


def accuracy(known: list[Line], seed: int) -> Interval:
    """Return the share of questions that are answered right."""
    return macro(known, lambda p: "", seed)


def macro(known: list[Line], cell: Callable[[Line], str], seed: int) -> Interval:
    """Return the mean of the accuracies of cells. cell: returns the cell of a question. The bootstrap draws questions within
    each cell. If questions share clusters, it draws clusters from those that have questions in the same cells."""
    return _mean([(cell(p), p, float(bool(p["correct"]))) for p in known], seed)


def _mean(scored: list[tuple[str, Line, float]], seed: int) -> Interval:
    """Return the mean of the cells' mean scores. scored: (cell, question, score from 0 to 1)."""
    import numpy as np

    cells = sorted({cell for cell, _, _ in scored})
    at = {name: i for i, name in enumerate(cells)}
    groups = clusters.labels([p for _, p, _ in scored])
    counts: Any = np.zeros((max(groups) + 1, 2, len(cells)))
    for (cell, _, value), group in zip(scored, groups, strict=True):
        counts[group, :, at[cell]] += (value, 1)
    right, total = counts.sum(0)
    score = float((right / total).mean())
    if statistics.single(groups) and all(value in (0, 1) for _, _, value in scored):
        rng = np.random.default_rng(within(seed, 64))
        drawn = rng.binomial(total.astype(np.int64), right / total, (ROUNDS, len(total))) / total
    elif len(counts) == 1:
        return score, 0.0, 1.0
    else:
        strata = [tuple(np.flatnonzero(one[1])) for one in counts]
        sums = statistics.draw(counts.reshape(len(counts), -1), strata, seed).reshape(ROUNDS, 2, len(cells))
        drawn = _over(sums[:, 0], sums[:, 1])
    low, high = statistics.percentiles(np.nanmean(drawn, 1))
    return score, low, high


@dataclass(frozen=True)
class Unit:
    """A question, or a group of questions that a benchmark scores as one. line: has the keys of its cluster. value: its
    score, from 0 to 1."""

    line: Line
    value: float


def mean_of(name: str, cells: list[tuple[str, list[Unit]]], seed: int, chance: float | None = None) -> Metric:
    """Return the mean score of the units of one cell, or the mean of the means of several named cells. n counts the units or
    the cells."""
    scored = [(cell, unit.line, unit.value) for cell, units in cells for unit in units]
    return Metric(name, *_mean(scored, seed), len(scored) if len(cells) == 1 else len(cells), chance)


def whole_groups(placed: Iterable[tuple[str, Line]], size: int) -> list[Unit]:
    """Return the groups that have `size` questions as units (see `_unit`). placed: each question with the name of its
    group."""
    return [_unit(some) for some in _grouped(placed) if len(some) == size]


def _grouped(placed: Iterable[tuple[str, Line]]) -> list[list[Line]]:
    """Return the questions of each group, in the order in which the groups come."""
    groups: dict[str, list[Line]] = {}
    for group, p in placed:
        groups.setdefault(group, []).append(p)
    return list(groups.values())


def _unit(group: list[Line]) -> Unit:
    """Return a group as a unit with the keys of all its questions. Its value is 1 if all are answered right, else 0."""
    keys = [key for p in group for key in clusters.keys(p)]
    return Unit({"shared": keys}, float(all(p["correct"] for p in group)))


def by_category(name: str, known: list[Line], seed: int) -> Metric:
    """Return the mean of the categories' accuracies. n counts the categories."""
    count = len({_category(p) for p in known})
    return Metric(name, *macro(known, _category, seed), count)


def subset(name: str, some: list[Line], seed: int) -> list[Metric]:
    """Return the accuracy of some questions; an empty list if there are none."""
    return [Metric(name, *accuracy(some, seed), len(some))] if some else []


def all_right(
    name: str, placed: list[tuple[str, Line]], seed: int, guess: float | None = None
) -> list[Metric]:
    """Return the share of groups in which every question is answered right; an empty list if each question is a group of its
    own. n counts the groups.

    placed: each question with the name of its group. guess: the share of questions that a blind guesser answers right, from
    which the chance of a group follows.
    """
    groups = _grouped(placed)
    if len(groups) == len(placed):
        return []
    chance = None if guess is None else sum(guess ** len(some) for some in groups) / len(groups)
    return [mean_of(name, [("", [_unit(some) for some in groups])], seed, chance)]


def _category(p: Line) -> str:
    return str(p.get("category") or "")


def _over(part: Any, whole: Any) -> Any:
    """Return part / whole, NaN where whole is 0."""
    import numpy as np

    whole = np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
