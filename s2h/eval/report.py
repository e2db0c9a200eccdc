"""A report of scores: as a table for a terminal, as JSON, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2h.errors import counted, plural
from s2h.eval import metrics, published, scores
from s2h.eval.benches import labels, module, names
from s2h.eval.escape import markdown as escaped
from s2h.eval.escape import terminal

WIDTH = 22
EXPLAINED = (
    "chance: a blind guess, the answer most frequent among the other questions of the kind or one of the possible ones",
    "clusters: questions that share an image, a sentence, a group or a twin are one; intervals are of clusters",
)


def make(predictions: list[dict], *, seed: int = 0, **told: Any) -> dict[str, Any]:
    """A report of slim predictions: what is told of the run (model, scoring, parser, …), the rows of the table, all numbers
    by benchmark, its metrics with their intervals, accuracy by the number of images and by the target's position,
    published numbers beside the measured ones, which of BLINK's labels were used, and notes: what a reader of the scores
    must know. All are shares of 1."""
    groups = scores.groups(predictions)
    rows = [scores.row(name, some) for name, some in groups.items()]
    by_bench: dict[str, list[dict]] = {}
    for p in predictions:
        by_bench.setdefault(names.plain(p["bench"]), []).append(p)
    found = [metric for bench, some in by_bench.items() for metric in metrics.of_bench(bench, some, seed)]
    for row in rows:
        known = [p for p in groups[row["name"]] if p.get("correct") is not None]
        row["bootstrap"] = metrics.accuracy(known, seed)[1:] if known else None
    nested = {
        b: _of_bench(some, [m for m in found if names.plain(m["bench"]) == b]) for b, some in by_bench.items()
    }
    used = labels.told(predictions)
    return {
        **told, "seed": seed, "rows": rows, "benchmarks": nested, "metrics": found,
        "by_images": scores.by_images(predictions), "by_position": scores.by_position(predictions),
        "published": published.beside(rows), "labels": used, "notes": notes(by_bench, used),
    }  # fmt: skip


def notes(by_bench: dict[str, list[dict]], used: dict[str, Any] | None = None) -> list[str]:
    """What a reader of the scores must know: benchmarks with another number of questions than they have, lines that don't
    name their images, so that questions about one image count as independent, and which labels were used."""
    made = []
    for bench, some in by_bench.items():
        if bench in names.NAMES[1:]:
            expected, found = module(bench).ABOUT["rows"], _count(bench, some)
            split, whole = next(iter(expected.items()))
            if found not in expected.values():
                made.append(f"{bench}: {found:,} of the {whole:,} questions of its {split} split")
        without = sum(not p.get("images") for p in some)
        if without:
            named = plural(without, "doesn't name its images", "don't name their images")
            which = "the lines don't name their images"
            if without < len(some):
                which = f"{without:,} of {len(some):,} lines {named}"
            made.append(f"{bench}: {which}, so questions about one image count as independent")
    return made + ([labels.sentence(used)] if used else [])


def _count(bench: str, some: list[dict]) -> int:
    """The number of questions; POPE's TSV has one line for a question of several splits."""
    return sum(len(scores.categories(p)) or 1 for p in some) if bench == "pope" else len(some)


def _of_bench(some: list[dict], found: list[dict]) -> dict[str, Any]:
    """A benchmark's numbers by name: n, accuracy, unparsed, by_category, and its metrics; POPE's by split."""
    row = scores.row("", some)
    made: dict[str, Any] = {"n": row["n"], "accuracy": row["score"], "unparsed": row["unparsed"]}
    by_category: dict[str, list[dict]] = {}
    for p in some:
        for category in scores.categories(p):
            by_category.setdefault(category, []).append(p)
    made["by_category"] = {name: scores.row("", by_category[name])["score"] for name in sorted(by_category)}
    made |= {metric["name"]: metric["score"] for metric in found if metric["bench"] != "pope"}
    return made | _pope_splits(found)


def table(report: dict[str, Any]) -> str:
    """The report as text for a terminal, in percent."""
    rows = report["rows"]
    titles = [terminal(row["name"]) for row in rows]
    width = max([WIDTH, *(len(one) + 2 for one in titles), *(len(_named(m)) + 2 for m in report["metrics"])])
    lines = [
        f"{'':{width}s}{'n':>6s}{'score':>8s}{'95% interval':>16s}{'chance':>8s}{'unread':>8s}{'clusters':>10s}"
    ]
    for row, title in zip(rows, titles, strict=True):
        if row["score"] is None:
            lines.append(f"{title:{width}s}{row['unscored']:6d}  no score: {unscored(row)}")
            continue
        hidden = f"  (no score: {unscored(row)})" if row["unscored"] else ""
        lines.append(
            f"{title:{width}s}{row['n']:6d}{_percent(row['score']):>8s}{_interval(row):>16s}"
            f"{_percent(row['chance']):>8s}{_percent(row['unparsed']):>8s}{row['clusters']:10d}{hidden}"
        )
    for metric in report["metrics"]:
        if metric["bench"] != "pope":
            lines.append(
                f"{_named(metric):{width}s}{metric['n']:6d}{_percent(metric['score']):>8s}{_interval(metric):>16s}"
            )
    lines += _pope(report["metrics"], width)
    lines += EXPLAINED
    if report["published"]:
        lines += ["", *_published(report["published"], width)]
    lines += [f"note: {terminal(note)}" for note in report["notes"]]
    return "\n".join(lines)


def unscored(row: dict[str, Any]) -> str:
    """Why the questions of a row that have no score have none."""
    unchecked = row["unchecked"]
    captions = f"{counted(unchecked, 'caption')} without an exact check (--scoring likelihood or cosine)"
    hidden = row["unscored"] - unchecked
    if not hidden:
        return captions
    answers = f"{counted(hidden, 'answer')} hidden"
    return f"{captions}, {answers}" if unchecked else answers


def _pope_splits(found: list[dict]) -> dict[str, dict[str, float]]:
    """POPE's metrics by split and name."""
    splits: dict[str, dict[str, float]] = {}
    for metric in found:
        if metric["bench"] == "pope":
            split, _, name = metric["name"].rpartition(" ")
            splits.setdefault(split, {})[name] = metric["score"]
    return splits


def _pope(found: list[dict], width: int) -> list[str]:
    """The same as text, a line a split."""
    splits = _pope_splits(found)
    if not splits:
        return []
    lines = [f"{'':{width}s}" + "".join(f"{name:>11s}" for name in next(iter(splits.values())))]
    for split, values in splits.items():
        lines.append(
            f"{terminal('pope, ' + split):{width}s}" + "".join(f"{_percent(v):>11s}" for v in values.values())
        )
    return lines


def _published(rows: list[dict], width: int) -> list[str]:
    head = list(rows[0]["scores"])
    lines = [f"{'':{width}s}" + "".join(f"{name:>9s}" for name in head)]
    for row in rows:
        mark = "" if not row["published"] else " *"
        values = "".join(f"{_percent(row['scores'][name]):>9s}" for name in head)
        lines.append(f"{row['name'] + mark:{width}s}{values}")
    told = [f"* published, not measured here: {published.MODEL}, {published.PAPER}"]
    return [*lines, *told, *([published.LABELS] if "blink" in head else [])]


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown, in percent."""
    run = [
        f"{key}: {escaped(report[key])}"
        for key in report
        if isinstance(report[key], str | int) and key != "seed"
    ]
    lines = [
        "# Evaluation",
        "",
        ", ".join(run),
        "",
        "| questions | n | score | 95% interval | chance | unread | clusters |",
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for row in report["rows"]:
        if row["score"] is None:
            lines.append(f"| {escaped(row['name'])} | {row['unscored']} | {unscored(row)} | | | | |")
        else:
            cells = (
                row["n"],
                _percent(row["score"]),
                _interval(row),
                _percent(row["chance"]),
                _percent(row["unparsed"]),
                row["clusters"],
            )
            more = f" (no score: {unscored(row)})" if row["unscored"] else ""
            lines.append(f"| {escaped(row['name'] + more)} | " + " | ".join(map(str, cells)) + " |")
    if any(metric["bench"] != "pope" for metric in report["metrics"]):
        lines += ["", "| metric | n | score | 95% interval (bootstrap) |", "|---|---|---|---|"]
        for metric in report["metrics"]:
            if metric["bench"] != "pope":
                lines.append(
                    f"| {escaped(_named(metric))} | {metric['n']} | {_percent(metric['score'])} | {_interval(metric)} |"
                )
    splits = _pope_splits(report["metrics"])
    if splits:
        head = list(next(iter(splits.values())))
        lines += ["", "| pope | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
        lines += [
            f"| {escaped(split)} | " + " | ".join(map(_percent, row.values())) + " |"
            for split, row in splits.items()
        ]
    if report["by_images"]:
        lines += ["", "| images in the prompt | n | score | 95% interval |", "|---|---|---|---|"]
        for cell in report["by_images"]:
            lines.append(
                f"| {cell['images']} | {cell['n']} | {_percent(cell['score'])} | {_interval(cell)} |"
            )
    if report["published"]:
        head = list(report["published"][0]["scores"])
        lines += ["", f"| {published.MODEL} | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
        for row in report["published"]:
            name = f"{row['name']} (published)" if row["published"] else f"**{row['name']}**"
            lines.append(f"| {name} | " + " | ".join(_percent(row["scores"][one]) for one in head) + " |")
        lines += ["", f"Published numbers: {published.PAPER}."]
        lines += [published.LABELS] if "blink" in head else []
    lines += ["", *(f"- {escaped(told)}" for told in (*EXPLAINED, *report["notes"]))]
    return "\n".join(lines) + "\n"


def _named(metric: dict) -> str:
    return terminal(f"{metric['bench']}, {metric['name']}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _interval(row: dict) -> str:
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"


def save(path: str, told: dict[str, Any], text: str) -> None:
    """Write a report whole or not at all: its text where the name ends in .md, else JSON."""
    import json

    from s2h.streams.files import Whole

    with Whole(path) as out:
        out.write((text if path.endswith(".md") else json.dumps(told, indent=1) + "\n").encode())


def heat_map(cells: Iterable[dict], path: str) -> None:
    """Accuracy by the number of images and the place of the image that the answer rests on, PNG: where in the prompt does
    the model look?"""
    import numpy as np
    from matplotlib.figure import Figure

    from s2h.streams.files import save_figure

    cells = list(cells)
    rows = sorted({cell["images"] for cell in cells})
    places = max(cell["position"] for cell in cells) + 1
    grid = np.full((len(rows), places), np.nan)
    figure = Figure(figsize=(1.1 * places + 2.2, 0.62 * len(rows) + 1.6), layout="constrained")
    axes = figure.subplots()
    for cell in cells:
        at = rows.index(cell["images"])
        grid[at, cell["position"]] = 100 * cell["score"]
        dark = "white" if cell["score"] < 0.55 else "black"
        axes.text(
            cell["position"], at, f"{100 * cell['score']:.0f}\nn={cell['n']}", ha="center", va="center", fontsize=8,
            color=dark,
        )  # fmt: skip
    shown = axes.imshow(grid, cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(places), [str(place + 1) for place in range(places)])
    axes.set_yticks(range(len(rows)), [str(images) for images in rows])
    axes.set_xlabel("the image that the answer rests on")
    axes.set_ylabel("images in the prompt")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(shown, ax=axes, label="answered right, percent")
    save_figure(figure, path, dpi=150)
