"""Make a report of scores, and show it as a table for a terminal, as JSON or as Markdown. `latex` and `report_page` show it
in other forms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from s2h import registry
from s2h.errors import counted, plural
from s2h.escape import markdown as escaped
from s2h.escape import terminal
from s2h.eval import accuracy, benches, bootstrap, published, revisions
from s2h.eval.benches import Line, Metric, exact, plain
from s2h.seeds import seed_of

WIDTH = 22
EXPLAINED = (
    "chance: the score of a blind guesser, who gives the most frequent answer of the kind or picks a possible one at random",
    "clusters: questions that share an image, a sentence, a group or a twin form one; intervals are computed over clusters",
)


def make(predictions: list[Line], *, seed: int = 0, **about: Any) -> dict[str, Any]:
    """Return the report of slim predictions (`accuracy.slim`). about: facts of the run (model, scoring, parser, …).

    The report has rows (see `accuracy.row`); benchmarks: all numbers by benchmark; metrics, with their intervals; by_images,
    by_position: the accuracy by the number of images and by the target's position; published: papers' numbers beside the
    measured ones; labels: the version of the answers, for a benchmark whose answers were corrected; notes: sentences that
    qualify the scores (see `notes`). All scores are shares of 1.
    """
    groups = accuracy.groups(predictions)
    rows = [accuracy.row(name, some) for name, some in groups.items()]
    by_bench = of_benches(predictions)
    found = {bench: metrics(bench, some, seed) for bench, some in by_bench.items()}
    for row in rows:
        known = [p for p in groups[row["name"]] if p.get("correct") is not None]
        row["bootstrap"] = bootstrap.accuracy(known, seed)[1:] if known else None
    labels = [used for bench, some in by_bench.items() if (used := revisions.used(bench, some))]
    as_json = [_as_json(bench, metric) for bench, some in found.items() for metric in some]
    return {
        **about, "seed": seed, "rows": rows,
        "benchmarks": {bench: _of_bench(bench, some, found[bench]) for bench, some in by_bench.items()},
        "metrics": as_json,
        "by_images": accuracy.by_images(predictions), "by_position": accuracy.by_position(predictions),
        "published": published.beside(rows, as_json), "labels": labels[0] if labels else None,
        "notes": notes(by_bench),
    }  # fmt: skip


def of_benches(predictions: list[Line]) -> dict[str, list[Line]]:
    """Return the predictions of each benchmark by its plain name."""
    by_bench: dict[str, list[Line]] = {}
    for p in predictions:
        by_bench.setdefault(plain(p["bench"]), []).append(p)
    return by_bench


def metrics(bench: str, predictions: list[Line], seed: int = 0) -> list[Metric]:
    """Return the benchmark's metrics of predictions, without the accuracy; an empty list if no answer is known."""
    known = [p for p in predictions if p.get("correct") is not None]
    found = benches.named(bench)
    return found.metrics(known, seed_of(seed, bench)) if found and known else []


def _as_json(bench: str, metric: Metric) -> dict[str, Any]:
    made = {
        "bench": bench, "name": metric.name, "score": metric.score, "low": metric.low, "high": metric.high, "n": metric.n,
    }  # fmt: skip
    return made if metric.chance is None else made | {"chance": metric.chance}


def notes(by_bench: dict[str, list[Line]]) -> list[str]:
    """Return sentences that qualify the scores: more or fewer questions than a benchmark has were asked; lines don't name
    their images, so questions about one image count as independent; the version of corrected answers."""
    made = []
    for name, some in by_bench.items():
        bench = exact(name)
        if bench and bench.rows:
            # A line may stand for a question in several categories.
            found = sum(len(bench.categories(p)) or 1 for p in some)
            split, whole = next(iter(bench.rows.items()))
            if found not in bench.rows.values():
                made.append(f"{name}: {found:,} of the {whole:,} questions of its {split} split")
        without = sum(not p.get("images") for p in some)
        if without:
            which = "the lines don't name their images"
            if without < len(some):
                named = plural(without, "doesn't name its images", "don't name their images")
                which = f"{without:,} of {len(some):,} lines {named}"
            made.append(f"{name}: {which}, so questions about one image count as independent")
    for name, some in by_bench.items():
        if used := revisions.used(name, some):
            made.append(revisions.sentence(name, used))
    return made


def _of_bench(name: str, some: list[Line], found: list[Metric]) -> dict[str, Any]:
    """Return a benchmark's numbers by name: n, accuracy, unparsed, by_category and its metrics. The metrics of a grid are
    nested, by row and then by column."""
    row = accuracy.row("", some)
    made: dict[str, Any] = {"n": row["n"], "accuracy": row["score"], "unparsed": row["unparsed"]}
    made["by_category"] = {
        category: accuracy.row("", lines)["score"] for category, lines in accuracy.by_category(some).items()
    }
    shown = [_as_json(name, metric) for metric in found]
    return made | (_grid(shown) if _has_grid(name) else {metric.name: metric.score for metric in found})


def _has_grid(name: str) -> bool:
    bench = exact(name)
    return bench is not None and bench.grid


def _grid(found: list[dict]) -> dict[str, dict[str, float]]:
    """Return metrics that are named "ROW COLUMN", by row and column."""
    made: dict[str, dict[str, float]] = {}
    for metric in found:
        row, _, column = metric["name"].rpartition(" ")
        made.setdefault(row, {})[column] = metric["score"]
    return made


def _split_grids(found: list[dict]) -> tuple[list[dict], dict[str, dict[str, dict[str, float]]]]:
    """Return the metrics that have a line each, and the grids of the others by benchmark."""
    grids = [name for name in registry.names("bench") if _has_grid(name)]
    alone = [metric for metric in found if metric["bench"] not in grids]
    by_bench = {name: _grid([metric for metric in found if metric["bench"] == name]) for name in grids}
    return alone, {name: grid for name, grid in by_bench.items() if grid}


def table(report: dict[str, Any]) -> str:
    """Return the report as text for a terminal, in percent."""
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
            f"{title:{width}s}{row['n']:6d}{percent(row['score']):>8s}{interval(row):>16s}"
            f"{percent(row['chance']):>8s}{percent(row['unparsed']):>8s}{row['clusters']:10d}{hidden}"
        )
    alone, grids = _split_grids(report["metrics"])
    for metric in alone:
        guess = f"{percent(metric['chance']):>8s}" if "chance" in metric else ""
        lines.append(
            f"{_named(metric):{width}s}{metric['n']:6d}{percent(metric['score']):>8s}{interval(metric):>16s}{guess}"
        )
    for name, grid in grids.items():
        lines.append(f"{'':{width}s}" + "".join(f"{column:>11s}" for column in next(iter(grid.values()))))
        lines += [
            f"{terminal(f'{name}, {row}'):{width}s}" + "".join(f"{percent(v):>11s}" for v in values.values())
            for row, values in grid.items()
        ]
    lines += EXPLAINED
    for some in published.tables(report["published"]):
        lines += ["", *_published(some, width)]
    lines += [f"note: {terminal(note)}" for note in report["notes"]]
    return "\n".join(lines)


def unscored(row: dict[str, Any]) -> str:
    """Return the reasons for which questions of a row have no score."""
    unchecked = row["unchecked"]
    captions = f"{counted(unchecked, 'caption')} without an exact check (--scoring likelihood or cosine)"
    hidden = row["unscored"] - unchecked
    if not hidden:
        return captions
    answers = f"{counted(hidden, 'answer')} hidden"
    return f"{captions}, {answers}" if unchecked else answers


def _published(rows: list[dict], width: int) -> list[str]:
    head = list(rows[0]["scores"])
    lines = [f"{'':{width}s}" + "".join(f"{name:>9s}" for name in head)]
    for row in rows:
        mark = "" if not row["published"] else " *"
        values = "".join(f"{percent(row['scores'].get(name)):>9s}" for name in head)
        lines.append(f"{row['name'] + mark:{width}s}{values}")
    footnote = f"* published, not measured here: {rows[-1]['model']}, {rows[-1]['source']}"
    return [*lines, footnote, *published.warnings(rows)]


def markdown(report: dict[str, Any]) -> str:
    """Return the report as Markdown, in percent."""
    run = [f"{key}: {escaped(value)}" for key, value in facts(report).items()]
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
                percent(row["score"]),
                interval(row),
                percent(row["chance"]),
                percent(row["unparsed"]),
                row["clusters"],
            )
            more = f" (no score: {unscored(row)})" if row["unscored"] else ""
            lines.append(f"| {escaped(row['name'] + more)} | " + " | ".join(map(str, cells)) + " |")
    alone, grids = _split_grids(report["metrics"])
    if alone:
        chances = any("chance" in metric for metric in alone)
        lines += ["", f"| metric | n | score | 95% interval (bootstrap) |{' chance |' if chances else ''}"]
        lines += ["|---" * (4 + chances) + "|"]
        for metric in alone:
            guess = f" {percent(metric.get('chance'))} |" if chances else ""
            lines.append(
                f"| {escaped(_named(metric))} | {metric['n']} | {percent(metric['score'])} | {interval(metric)} |{guess}"
            )
    for name, grid in grids.items():
        head = list(next(iter(grid.values())))
        lines += ["", f"| {name} | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
        lines += [
            f"| {escaped(row)} | " + " | ".join(map(percent, values.values())) + " |"
            for row, values in grid.items()
        ]
    if report["by_images"]:
        lines += ["", "| images in the prompt | n | score | 95% interval |", "|---|---|---|---|"]
        for cell in report["by_images"]:
            lines.append(f"| {cell['images']} | {cell['n']} | {percent(cell['score'])} | {interval(cell)} |")
    for some in published.tables(report["published"]):
        head = list(some[0]["scores"])
        model, source = some[-1]["model"], some[-1]["source"]
        lines += ["", f"| {model} | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
        for row in some:
            name = f"{row['name']} (published)" if row["published"] else f"**{row['name']}**"
            lines.append(f"| {name} | " + " | ".join(percent(row["scores"].get(one)) for one in head) + " |")
        lines += ["", f"Published numbers: {source}.", *published.warnings(some)]
    lines += ["", *(f"- {escaped(note)}" for note in (*EXPLAINED, *report["notes"]))]
    return "\n".join(lines) + "\n"


def _named(metric: dict) -> str:
    return terminal(f"{metric['bench']}, {metric['name']}")


def facts(report: dict[str, Any]) -> dict[str, str | int]:
    """Return the facts of the run that a report names (see `make`)."""
    return {key: value for key, value in report.items() if isinstance(value, str | int) and key != "seed"}


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def interval(row: dict) -> str:
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"


def save(path: str, report: dict[str, Any], forms: Mapping[str, Callable[[], Iterable[bytes]]]) -> None:
    """Write a report whole or not at all. forms: functions that return the file's bytes, by the ending of its name; with
    another ending, the report is written as JSON."""
    import json

    from s2h.streams.files import Whole

    form = forms.get(os.path.splitext(path)[1])
    with Whole(path) as out:
        for piece in form() if form else [(json.dumps(report, indent=1) + "\n").encode()]:
            out.write(piece)


def heat_map(cells: Iterable[dict], path: str) -> None:
    """Draw the accuracy by the number of images and by the position of the target image, as PNG."""
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
    axes.set_xlabel("position of the image that the answer rests on")
    axes.set_ylabel("images in the prompt")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(shown, ax=axes, label="answered right, percent")
    save_figure(figure, path, dpi=150)
