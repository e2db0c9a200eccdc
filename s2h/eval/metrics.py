"""What each benchmark reports beside the accuracy of its questions, with bootstrap intervals: macro means over sub-tasks,
NLVR2's consistency, POPE's precision, recall, F1 and yes-ratio, MuirBench's unanswerable questions. All are shares of 1.

A bootstrap draws questions with replacement; where questions share images, sentences or twins it draws these clusters. As a
metric depends only on how many questions fall into each of a few cells (right and wrong by sub-task, yes and no by truth),
the cells' counts are drawn, which is the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.eval import clusters, gold, scores, statistics
from s2h.eval.benches import labels, names
from s2h.eval.statistics import ROUNDS
from s2h.seeds import seed_of, within

Metric = dict[str, Any]  # name, score, low, high, n


def of_bench(bench: str, predictions: list[dict], seed: int = 0) -> list[Metric]:
    """The metrics of a benchmark's predictions beside their accuracy; none where no answer is known."""
    known = [p for p in predictions if p.get("correct") is not None]
    reader = READERS.get(names.plain(bench))
    if not reader or not known:
        return []
    return [{"bench": bench} | metric for metric in reader(known, seed_of(seed, bench))]


def accuracy(known: list[dict], seed: int) -> tuple[float, float, float]:
    """(score, low, high) with the bootstrap interval."""
    return macro(known, lambda p: "", seed)


def macro(known: list[dict], cell: Callable[[dict], str], seed: int) -> tuple[float, float, float]:
    """The mean of the accuracies of cells, with its interval; each cell's questions are drawn anew, or the clusters of
    questions among those that touch the same cells."""
    import numpy as np

    cells = sorted({cell(p) for p in known})
    at = {name: i for i, name in enumerate(cells)}
    groups = clusters.labels(known)
    counts = np.zeros((max(groups) + 1, 2, len(cells)), dtype=np.int64)
    for p, group in zip(known, groups, strict=True):
        counts[group, :, at[cell(p)]] += (bool(p["correct"]), 1)
    right, total = counts.sum(0)
    score = float((right / total).mean())
    if statistics.single(groups):
        drawn = (
            np.random.default_rng(within(seed, 64)).binomial(total, right / total, (ROUNDS, len(total)))
            / total
        )
    elif len(counts) == 1:
        return score, 0.0, 1.0
    else:
        strata = [tuple(np.flatnonzero(one[1])) for one in counts]
        sums = statistics.draw(counts.reshape(len(counts), -1), strata, seed).reshape(ROUNDS, 2, len(cells))
        drawn = _over(sums[:, 0], sums[:, 1])
    return score, *statistics.percentiles(np.nanmean(drawn, 1))


def _over(part: Any, whole: Any) -> Any:
    """part / whole, nan where there is nothing to divide by."""
    import numpy as np

    whole = np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _metric(name: str, values: tuple[float, float, float], n: int, **more: Any) -> Metric:
    score, low, high = values
    return {"name": name, "score": score, "low": low, "high": high, "n": n, **more}


def _subset(name: str, known: list[dict], wanted: Callable[[dict], bool], seed: int) -> list[Metric]:
    some = [p for p in known if wanted(p)]
    return [_metric(name, accuracy(some, seed), len(some))] if some else []


def _blink(known: list[dict], seed: int) -> list[Metric]:
    """The mean over sub-tasks (its own script, lmms-eval); the accuracy over questions is VLMEvalKit's. Both also without
    the sub-task whose labels have two versions."""
    made = [_metric("mean of sub-tasks", macro(known, _category, seed), len({_category(p) for p in known}))]
    rest = [p for p in known if not labels.concerned(p)]
    if rest and len(rest) < len(known):
        tasks = len({_category(p) for p in rest})
        made += [
            _metric(f"without {labels.TASK}", accuracy(rest, seed), len(rest)),
            _metric(f"mean of sub-tasks without {labels.TASK}", macro(rest, _category, seed), tasks),
        ]
    return made


def _mmstar(known: list[dict], seed: int) -> list[Metric]:
    if not all(p.get("l2_category") for p in known):
        return [
            _metric("mean of categories", macro(known, _category, seed), len({_category(p) for p in known}))
        ]
    fine = {p["l2_category"] for p in known}
    return [_metric("mean of l2 categories", macro(known, lambda p: p["l2_category"], seed), len(fine))]


def _mantis(known: list[dict], seed: int) -> list[Metric]:
    def kind(p: dict) -> str:
        return p.get("question_type") or ("multi-choice" if p.get("choices") else "short-answer")

    return [
        metric
        for one in ("multi-choice", "short-answer")
        for metric in _subset(one, known, lambda p, one=one: kind(p) == one, seed)
    ]


def _nlvr2(known: list[dict], seed: int) -> list[Metric]:
    by_sentence: dict[str, dict] = {}
    for p in known:
        sentence = p.get("sentence") or scores.slim(p)["sentence"]
        one = by_sentence.setdefault(sentence, {"correct": True, "shared": []})
        one["correct"] = one["correct"] and bool(p["correct"])
        one["shared"] = [*one["shared"], *clusters.keys(p)]
    if len(by_sentence) == len(known):  # lines that don't say whose sentence theirs is
        return []
    sentences = list(by_sentence.values())
    return [_metric("consistency", accuracy(sentences, seed), len(sentences))]


def _muirbench(known: list[dict], seed: int) -> list[Metric]:
    from s2h.eval.benches.muirbench import unanswerable

    return [
        *_subset("answerable", known, lambda p: unanswerable(p) is False, seed),
        *_subset("unanswerable", known, lambda p: unanswerable(p) is True, seed),
        _metric("mean of tasks", macro(known, _category, seed), len({_category(p) for p in known})),
    ]


def _mirb(known: list[dict], seed: int) -> list[Metric]:
    from s2h.eval.benches.mirb import GROUPS

    made = []
    for group, tasks in GROUPS.items():
        some = [p for p in known if _category(p) in tasks]
        if some:
            made.append(_metric(f"{group} (mean of tasks)", macro(some, _category, seed), len(some)))
    return [
        *made,
        _metric("mean of tasks", macro(known, _category, seed), len({_category(p) for p in known})),
    ]


def _category(p: dict) -> str:
    return str(p.get("category") or "")


CELLS = [(truth, said) for truth in ("yes", "no") for said in ("yes", "no", None)]


def _pope(known: list[dict], seed: int) -> list[Metric]:
    """By split, their mean, and pooled."""
    import numpy as np

    found = [scores.categories(p) or ["all"] for p in known]
    splits = sorted({split for some in found for split in some})
    groups = clusters.labels(known)
    counts = np.zeros((max(groups) + 1, len(splits), len(CELLS)), dtype=np.int64)
    for p, group, some in zip(known, groups, found, strict=True):
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
    for prefix, which in _sums(splits):
        some = [tables[list(at)].sum(0) for at in which]
        if drawn is None:
            again = [_drawn(table, seed_of(seed, i)) for i, table in enumerate(some)]
        else:
            again = [drawn[:, list(at)].sum(1) for at in which]
        made += _pope_rows(prefix, some, again, unread_is_no)
    return made


def _sums(splits: list[str]) -> list[tuple[str, list[tuple[int, ...]]]]:
    """(name, the splits that are added up to a table, for each table whose metrics are averaged)."""
    every = tuple(range(len(splits)))
    made = [(f"{split} ", [(at,)]) for at, split in enumerate(splits)]
    return [*made, ("mean ", [(at,) for at in every]), ("pooled ", [every])] if len(splits) > 1 else made


def _cell(p: dict) -> tuple[str, str | None]:
    """(truth, reply); what is neither yes nor no is None."""
    parsed = p.get("parsed")
    return gold.read(p, "yes/no"), parsed if parsed in ("yes", "no") else None


def pope_values(table: Any, unread_is_no: bool = True) -> dict[str, Any]:
    """Accuracy, precision, recall, F1 and yes-ratio of counts by cell (numbers or arrays; see CELLS). An unread reply is
    wrong in the accuracy and no yes in the yes-ratio, which is the share of replies that are yes. In the recall it is a
    missed yes (`vlmevalkit`, `robust`, `official`), or where unread_is_no is False it is left out (`lmms`). Nothing over
    nothing is 0."""
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
    import numpy as np

    return np.random.default_rng(within(seed, 64)).multinomial(counts.sum(), counts / counts.sum(), ROUNDS)


def _pope_rows(prefix: str, tables: list, drawn: list, unread_is_no: bool) -> list[Metric]:
    """The metrics of one table of counts by cell, or their means over several. drawn: for each table an array (ROUNDS,
    cells) of bootstrap counts."""
    import numpy as np

    def by_cell(counts: Any) -> dict:
        return dict(zip(CELLS, counts.T, strict=True))

    exact = [pope_values(by_cell(table), unread_is_no) for table in tables]
    again = [pope_values(by_cell(counts), unread_is_no) for counts in drawn]
    made = []
    for key in exact[0]:
        low, high = statistics.percentiles(np.mean([one[key] for one in again], axis=0))
        score = float(np.mean([one[key] for one in exact]))
        made.append(_metric(prefix + key, (score, low, high), int(sum(table.sum() for table in tables))))
    return made


READERS = {
    "blink": _blink, "mmstar": _mmstar, "mantis": _mantis, "nlvr2": _nlvr2, "muirbench": _muirbench, "mirb": _mirb,
    "pope": _pope,
}  # fmt: skip
