"""What each benchmark reports beside the accuracy of its questions, with bootstrap intervals: macro means over sub-tasks,
NLVR2's consistency, POPE's precision, recall, F1 and yes-ratio, MuirBench's unanswerable questions. All are shares of 1.

A bootstrap draws questions with replacement. As a metric depends only on how many questions fall into each of a few cells
(right and wrong by sub-task, yes and no by truth), the cells' counts are drawn instead, which is the same thing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from s2h.eval import scores
from s2h.eval.benches import names
from s2h.seeds import seed_of

ROUNDS = 2000
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
    """The mean of the accuracies of cells, with its interval; each cell's questions are drawn anew."""
    import numpy as np

    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for p in known:
        counts[cell(p)][0] += bool(p["correct"])
        counts[cell(p)][1] += 1
    right, total = np.array([counts[name] for name in sorted(counts)]).T
    drawn = np.random.default_rng(seed).binomial(total, right / total, (ROUNDS, len(total))) / total
    low, high = np.percentile(drawn.mean(1), (2.5, 97.5))
    return float((right / total).mean()), float(low), float(high)


def _metric(name: str, values: tuple[float, float, float], n: int, **more: Any) -> Metric:
    score, low, high = values
    return {"name": name, "score": score, "low": low, "high": high, "n": n, **more}


def _subset(name: str, known: list[dict], wanted: Callable[[dict], bool], seed: int) -> list[Metric]:
    some = [p for p in known if wanted(p)]
    return [_metric(name, accuracy(some, seed), len(some))] if some else []


def _blink(known: list[dict], seed: int) -> list[Metric]:
    """The mean over sub-tasks (its own script, lmms-eval); the accuracy over questions is VLMEvalKit's."""
    return [_metric("mean of sub-tasks", macro(known, _category, seed), len({_category(p) for p in known}))]


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
    by_sentence: dict[str, bool] = {}
    for p in known:
        sentence = p.get("sentence") or scores.slim(p)["sentence"]
        by_sentence[sentence] = by_sentence.get(sentence, True) and bool(p["correct"])
    if len(by_sentence) == len(known):  # lines that don't say whose sentence theirs is
        return []
    sentences = [{"correct": right} for right in by_sentence.values()]
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
    splits: dict[str, list[dict]] = defaultdict(list)
    for p in known:
        for split in scores.categories(p) or ["all"]:
            splits[split].append(p)
    tables = {split: _table(splits[split]) for split in sorted(splits)}
    unread_is_no = known[0].get("parser") != "lmms"
    sums = {f"{split} ": [table] for split, table in tables.items()}
    if len(tables) > 1:
        sums |= {"mean ": list(tables.values()), "pooled ": [sum(tables.values(), Counter())]}
    return [m for prefix, some in sums.items() for m in _pope_rows(prefix, some, seed, unread_is_no)]


def _table(known: list[dict]) -> Counter:
    """How often each cell (truth, reply) occurs; what is neither yes nor no is None."""
    said = ((str(p["answer"]).strip().lower(), p.get("parsed")) for p in known)
    return Counter((truth, parsed if parsed in ("yes", "no") else None) for truth, parsed in said)


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


def _drawn(table: Counter, seed: int) -> dict:
    import numpy as np

    counts = np.array([table[cell] for cell in CELLS])
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), ROUNDS)
    return dict(zip(CELLS, drawn.T, strict=True))


def _pope_rows(prefix: str, tables: list[Counter], seed: int, unread_is_no: bool) -> list[Metric]:
    """The metrics of one table, or their means over several."""
    import numpy as np

    exact = [pope_values(table, unread_is_no) for table in tables]
    drawn = [pope_values(_drawn(table, seed_of(seed, i)), unread_is_no) for i, table in enumerate(tables)]
    made = []
    for key in exact[0]:
        low, high = np.percentile(np.mean([one[key] for one in drawn], axis=0), (2.5, 97.5))
        score = float(np.mean([one[key] for one in exact]))
        n = sum(sum(table.values()) for table in tables)
        made.append(_metric(prefix + key, (score, float(low), float(high)), n))
    return made


READERS = {
    "blink": _blink, "mmstar": _mmstar, "mantis": _mantis, "nlvr2": _nlvr2, "muirbench": _muirbench, "mirb": _mirb,
    "pope": _pope,
}  # fmt: skip
