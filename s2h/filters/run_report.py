"""Report the result of a run: a table of the pairs of each task that were kept, or dropped for which reason, and histograms
of the scores around their thresholds. `s2h.view.score_plots` draws the histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from s2h.errors import plural
from s2h.escape import brief
from s2h.filters import Judge, Measure
from s2h.record import Record

SHOWN_TASKS = 20  # in the table; the rest are one row
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 50


class Counts:
    """Numbers of pairs by task and first reason to drop them. annotate: whether they were kept all the same."""

    def __init__(self, annotate: bool) -> None:
        self.annotate = annotate
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, task: str, reasons: list[str]) -> None:
        self.counts[task, reasons[0] if reasons else ""] += 1

    def noted(self) -> list[list]:
        """Return the counts as JSON can hold them, for `recall` in a later run."""
        return [[*key, n] for key, n in self.counts.items()]

    def recall(self, noted: list[list]) -> None:
        """Add the counts that an earlier run noted."""
        self.counts.update({(task, reason): n for task, reason, n in noted})

    def by_shown_name(self) -> Counter[tuple[str, str]]:
        """Return the counts with names of tasks that a terminal can show."""
        shown: Counter[tuple[str, str]] = Counter()
        for (task, reason), n in self.counts.items():
            shown[brief(task), reason] += n
        return shown

    def lines(self, judged: bool, skipped: bool) -> list[str]:
        """Return one line and, if pairs were dropped, the lines of a table."""
        total = sum(self.counts.values())
        kept = sum(n for (_, reason), n in self.counts.items() if not reason)
        pairs = f"{total:,} {plural(total, 'pair')}"
        if not total:
            return ["no pairs came out" if skipped else "no pairs came in"]
        if not judged:
            return [f"{pairs} checked and passed on (no judgement was asked for: see --help)"]
        if self.annotate:
            would = f"; the thresholds would keep {kept:,}" if kept < total else ""
            head = f"{pairs} annotated, none dropped{would}"
        else:
            head = f"kept {kept:,} of {pairs} ({kept / total:.0%})"
        reasons = sorted({reason for _, reason in self.counts if reason})
        return [head, *(self._table(reasons) if reasons else [])]

    def _table(self, reasons: list[str]) -> list[str]:
        counts = self.by_shown_name()

        def total(reason: str, tasks: Iterable[str]) -> str:
            return f"{sum(counts[task, reason] for task in tasks):,}"

        of_task: Counter[str] = Counter()
        for (task, _), n in counts.items():
            of_task[task] += n
        tasks = [task for task, _ in of_task.most_common(SHOWN_TASKS)]
        rows = [
            ["task", "would stay" if self.annotate else "kept", *reasons],
            *([task, *(total(r, [task]) for r in ("", *reasons))] for task in sorted(tasks)),
        ]
        if len(of_task) > SHOWN_TASKS:
            others = set(of_task).difference(tasks)
            rows.append(
                [
                    f"{len(others)} other {plural(len(others), 'task')}",
                    *(total(r, others) for r in ("", *reasons)),
                ]
            )
        if len(tasks) > 1:
            rows.append(["all", *(total(r, of_task) for r in ("", *reasons))])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return [
            "  "
            + "   ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        ]


class Histograms:
    """The distribution of the numbers that judges decide by, among kept and dropped pairs. Numbers are counted by
    their first three digits, so that memory doesn't grow with the pairs."""

    def __init__(self, judges: list[Judge]) -> None:
        self.measures: list[Measure] = [measure for judge in judges for measure in judge.measures]
        self.counts: list[dict[bool, Counter[float]]] = [
            {True: Counter(), False: Counter()} for _ in self.measures
        ]

    def add(self, record: Record, kept: bool) -> None:
        for measure, counts in zip(self.measures, self.counts, strict=True):
            value = measure.read(record)
            if value is not None:
                counts[kept][float(f"{value:.3g}")] += 1

    def report(self, counts: Counts) -> dict[str, Any]:
        """Return the counts by task and reason, and for each measure its thresholds, its spread and its histogram."""
        tasks: dict[str, dict[str, int]] = {}
        for (task, reason), n in sorted(counts.by_shown_name().items()):
            tasks.setdefault(task, {})[reason or "kept"] = n
        measures = {
            measure.name: _summary(measure, values)
            for measure, values in zip(self.measures, self.counts, strict=True)
            if values[True] or values[False]
        }
        return {"annotated": counts.annotate, "tasks": tasks, "measures": measures}


def _summary(measure: Measure, counts: dict[bool, Counter[float]]) -> dict[str, Any]:
    import numpy as np

    both = counts[True] + counts[False]
    values = np.array(sorted(both))
    weights = np.array([both[value] for value in values.tolist()])
    total = int(weights.sum())
    ranks = np.cumsum(weights)
    mean = float((values * weights).sum() / total)
    # The bins span the middle 99.8%; numbers beyond them count in the outermost bins.
    low, high = (float(values[np.searchsorted(ranks, share * total)]) for share in (0.001, 0.999))
    ends = [
        e
        for e in (measure.least, measure.most)
        if e is not None and np.isfinite(e) and values[0] <= e <= values[-1]
    ]
    low, high = min([low, *ends]), max([high, *ends])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    shown = {}
    for kept, name in ((True, "kept"), (False, "dropped")):
        found = np.array(sorted(counts[kept])) if counts[kept] else np.array([])
        times = [counts[kept][value] for value in found.tolist()]
        shown[name] = (
            np.histogram(found.clip(edges[0], edges[-1]), edges, weights=times)[0].astype(int).tolist()
        )
    bounds = {"least": measure.least, "most": measure.most}
    return {
        "pairs": total,
        **{k: v for k, v in bounds.items() if v is not None and np.isfinite(v)},
        "mean": round(mean, 4),
        "sd": round(float(np.sqrt(((values - mean) ** 2 * weights).sum() / total)), 4),
        "least_seen": float(values[0]),
        "most_seen": float(values[-1]),
        "quantiles": {
            f"{share:g}": float(values[np.searchsorted(ranks, share * total)]) for share in QUANTILES
        },
        "edges": [round(float(edge), 4) for edge in edges],
        **shown,
    }
