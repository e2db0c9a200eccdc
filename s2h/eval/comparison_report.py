"""Show comparisons of models: as a table for a terminal, as Markdown, as JSON, as a plot, and as the list of changed
answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2h.escape import markdown as escaped
from s2h.escape import plot, terminal
from s2h.eval import cosine, matching
from s2h.eval.benches import Line
from s2h.eval.comparison import FEWEST, MARGIN, MCNEMAR, SIGN_FLIP
from s2h.record import Record


def rows_table(rows: list[dict], margin: float = MARGIN) -> str:
    """Return the rows as text for a terminal, in percent and percentage points; rows about single images come last."""
    titles = {row["name"]: terminal(row["name"]) for row in rows}
    width = max(22, *(len(title) + 2 for title in titles.values()))
    head = ("", "n", "clusters", "before", "after", "gain", "95% interval", "p", "chance")
    lines = ["{:{w}s}{:>6s}{:>10s}{:>8s}{:>8s}{:>8s}{:>18s}{:>10s}{:>8s}".format(*head, w=width)]
    for row in [row for row in rows if not row["single"]] + [row for row in rows if row["single"]]:
        guess = "-" if row["chance"] is None else f"{100 * row['chance']:.1f}"
        kept = f"  {row['verdict']}" if row["single"] else ""
        lines.append(
            f"{titles[row['name']]:{width}s}{row['n']:6d}{row['clusters']:10d}{100 * row['before']:8.1f}"
            f"{100 * row['after']:8.1f}{100 * row['gain']:+8.1f}{interval(row):>18s}{row['p']:10.2g}{guess:>8s}{kept}"
        )
    return "\n".join([*lines, *explained(rows, margin)])


def explained(rows: list[dict], margin: float = MARGIN) -> list[str]:
    """Return sentences that tell how the numbers of the rows were computed."""
    made = ["gain in points, with its paired bootstrap interval"]
    clustered = [row["name"] for row in rows if row["test"] == SIGN_FLIP]
    if not clustered:
        made.append(f"p: {MCNEMAR} on the same questions")
    else:
        others = f"; in the other rows {MCNEMAR}" if len(clustered) < len(rows) else ""
        made.append(
            "clusters: questions that share an image, a sentence, a group or a twin are resampled together; "
            f"p: {SIGN_FLIP} in {terminal(', '.join(clustered))}{others}"
        )
    if any(row["single"] for row in rows):
        made.append(
            f"single images: kept if the interval of the change is above -{margin:g} points, lost if it is below 0, else "
            f"not shown; also not shown with fewer than {FEWEST} clusters"
        )
    return made


def interval(row: dict) -> str:
    return f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"


def rows_markdown(
    rows: list[dict], names: tuple[str, str], margin: float = MARGIN, notes: Iterable[str] = ()
) -> str:
    """Return the rows as Markdown, single images in a table of their own. notes: sentences that qualify the numbers."""
    made = [f"Before: {escaped(names[0])}, after: {escaped(names[1])}.", ""]
    for alone, title in ((False, "several images"), (True, "one image: kept or lost")):
        some = [row for row in rows if row["single"] is alone]
        if not some:
            continue
        made += [
            f"| {title} | n | before | after | gain | 95% interval | gained | lost | p | clusters |{' |' if alone else ''}",
            "|---" * (10 + alone) + "|",
        ]
        for row in some:
            made.append(
                f"| {escaped(row['name'])} | {row['n']} | {100 * row['before']:.1f} | {100 * row['after']:.1f} "
                f"| {100 * row['gain']:+.1f} | {interval(row)} | {row['gained']} | {row['lost']} | {row['p']:.2g} "
                f"| {row['clusters']} |" + (f" {row['verdict']} |" if alone else "")
            )
        made.append("")
    made += [f"- {escaped(note)}" for note in (*explained(rows, margin), *notes)]
    return "\n".join([*made, ""])


def side_by_side(compared: list[dict]) -> list[dict]:
    """Return the rows of several comparisons in one list for a plot. Rows of one name follow each other, each with its
    model's name."""
    names = dict.fromkeys(row["name"] for one in compared for row in one["rows"])
    return [
        row | {"name": f"{name} ({one['after']})"}
        for name in names
        for one in compared
        for row in one["rows"]
        if row["name"] == name
    ]


def draw_rows(rows: list[dict], path: str, names: tuple[str, str], scoring: str | None = None) -> None:
    """Draw before and after with intervals and chance, as PNG."""
    from matplotlib.figure import Figure

    from s2h.streams.files import save_figure

    figure = Figure(figsize=(8.4, 0.62 * len(rows) + 1.3), layout="constrained")
    axes = figure.subplots()
    for at, row in enumerate(reversed(rows)):
        for key, colour, offset in (("before", "#9aa5b1", 0.13), ("after", "#2a6fb0", -0.13)):
            low, high = row[f"{key}_interval"]
            axes.plot(
                [100 * low, 100 * high],
                [at + offset] * 2,
                color=colour,
                lw=5,
                alpha=0.35,
                solid_capstyle="round",
            )
            axes.plot(100 * row[key], at + offset, "o", color=colour, ms=7)
        if row["chance"] is not None:
            axes.plot(
                [100 * row["chance"]] * 2, [at - 0.3, at + 0.3], color="#c05a3a", lw=1.4, ls=(0, (2, 2))
            )
        axes.text(101.5, at, f"{100 * row['gain']:+.1f}", va="center", fontsize=10, color="#222222")
    axes.set_yticks(range(len(rows)), [plot(row["name"]) for row in reversed(rows)])
    axes.set_xlim(0, 100)
    counted = (
        "chosen answer likelier than rejected" if scoring == "likelihood" else "questions answered right"
    )
    axes.set_xlabel(f"{counted}, percent (95% intervals)")
    axes.grid(axis="x", alpha=0.25, lw=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    marks = [
        axes.plot([], [], "o", color=c, ms=7, label=plot(n))[0]
        for c, n in zip(("#9aa5b1", "#2a6fb0"), names, strict=True)
    ]
    marks.append(axes.plot([], [], color="#c05a3a", lw=1.4, ls=(0, (2, 2)), label="chance")[0])
    figure.legend(handles=marks, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    save_figure(figure, path, dpi=150)


def table(one: dict[str, Any], title: str = "") -> str:
    """Return a comparison as text for a terminal. title: the files, if there are several comparisons."""
    lines = [terminal(title)] if title else []
    lines += [rows_table(one["rows"], one["margin"])] if one["rows"] else []
    lines += [cosine.compared_table(one["cosine"])] if "cosine" in one else []
    return "\n".join([*lines, *(f"note: {terminal(note)}" for note in one["notes"])])


def markdown(made: list[dict[str, Any]]) -> str:
    """Return all comparisons as Markdown."""
    return "\n".join(
        rows_markdown(one["rows"], (one["before"], one["after"]), one["margin"], one["notes"])
        + (cosine.compared_markdown(one["cosine"]) if "cosine" in one else "")
        for one in made
    )


def report(made: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Return all comparisons for JSON: the first one's fields, and all of them as `compared` if there are several."""
    return {**made[0], "seed": seed, **({"compared": made} if len(made) > 1 else {})}


def draw(made: list[dict[str, Any]], path: str, scoring: str | None) -> None:
    """Draw all comparisons in one plot, as PNG."""
    rows = made[0]["rows"] if len(made) == 1 else side_by_side(made)
    titles = f"before: {made[0]['before']}", f"after: {', '.join(one['after'] for one in made)}"
    draw_rows(rows, path, titles, scoring)


def changed(sides: list[list[Line]], files: tuple[str, ...]) -> list[Record]:
    """Return the questions gained and lost in each comparison."""
    return [
        line
        for side, name in zip(sides[1:], files[1:], strict=True)
        for line in matching.changed(sides[0], side, (files[0], name))
    ]
