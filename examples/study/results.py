"""The results of a study: each arm's accuracy and its change from the base, with intervals over questions and seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import Study

from s2h.eval import accuracy, clusters, report, statistics
from s2h.seeds import seed_of, within

BASE = "base"
Lines = dict[str, dict]  # the predictions of one arm, seed and measure, by their questions


def collect(study: Study, folder: Path) -> dict[str, Any]:
    """Return what the finished steps in `folder` say: `rows`, one for each measure, group of questions and arm, and
    `positions`, the accuracy of each arm by the target's place. Only seeds of which the base has answered count."""
    rows, positions, used = [], {}, set()
    for measure in study.measures:
        said = {arm: _lines(study, folder, arm, measure) for arm in (BASE, *study.arms)}
        used |= said[BASE].keys()
        for arm, by_seed in said.items():
            if by_seed:
                rows += _rows(measure, arm, said[BASE], by_seed)
                if measure == "replies":
                    lines = [line for lines in by_seed.values() for line in lines.values()]
                    positions[arm] = accuracy.by_position([line for line in lines if len(line["images"]) > 1])
    titles = {BASE: "base", **{name: arm.title for name, arm in study.arms.items()}}
    return {
        "model": study.model, "pairs": study.pairs, "seeds": sorted(used), "arms": titles, "rows": rows,
        "positions": positions,
    }  # fmt: skip


def _lines(study: Study, folder: Path, arm: str, measure: str) -> dict[int, Lines]:
    """Return the predictions of an arm by seed, without their texts."""
    found = {}
    for seed in study.seeds:
        path = folder / f"seed-{seed}" / arm / f"{measure}.jsonl"
        if path.exists():
            with open(path, encoding="utf-8") as file:
                lines = [accuracy.slim(json.loads(line)) for line in file]
            found[seed] = {line["id"]: line for line in lines if line.get("correct") is not None}
    return found


def _rows(measure: str, arm: str, base: dict[int, Lines], own: dict[int, Lines]) -> list[dict]:
    """Return the rows of an arm in a measure, one for each group of questions."""
    seeds = sorted(base.keys() & own.keys())
    shared = {seed: [line for name, line in own[seed].items() if name in base[seed]] for seed in seeds}
    grouped = {seed: accuracy.groups(lines) for seed, lines in shared.items()}
    made = []
    for name in dict.fromkeys(name for groups in grouped.values() for name in groups):
        parts = {seed: grouped[seed][name] for seed in seeds if name in grouped[seed]}
        made.append(_row(measure, arm, name, parts, base))
    return made


def _row(measure: str, arm: str, name: str, parts: dict[int, list[dict]], base: dict[int, Lines]) -> dict:
    """Return one row: n, accuracy (score) and its change from the base (gain), each with an interval over questions and
    seeds, each seed's score, the chance of a blind guess and the share of replies that could not be read."""
    right, change = [], []
    for seed, lines in parts.items():
        groups = clusters.labels(lines)
        ones = [int(line["correct"]) for line in lines]
        before = [int(base[seed][line["id"]]["correct"]) for line in lines]
        sizes = np.bincount(groups)
        right.append(np.stack([statistics.sums(ones, groups), sizes], 1))
        differences = [one - other for one, other in zip(ones, before, strict=True)]
        change.append(np.stack([statistics.sums(differences, groups), sizes], 1))
    lines = [line for some in parts.values() for line in some]
    draw = seed_of(0, f"{measure}/{name}")
    return {
        "measure": measure, "arm": arm, "name": name, "n": len(lines),
        **dict(zip(("score", "low", "high"), _interval(right, draw), strict=True)),
        **dict(zip(("gain", "gain_low", "gain_high"), _interval(change, draw), strict=True)),
        "by_seed": {seed: float(one[:, 0].sum() / one[:, 1].sum()) for seed, one in zip(parts, right, strict=True)},
        "chance": accuracy.chance(lines),
        "unread": sum(map(accuracy.unread, lines)) / len(lines),
    }  # fmt: skip


def _interval(counts: list[np.ndarray], seed: int) -> tuple[float, float, float]:
    """Return a share and its 95% bootstrap interval: seeds are drawn, then clusters of questions within each.

    counts: for each seed an array [clusters, 2] of the sum and the number of a cluster's questions.
    """
    whole = sum(one.sum(0) for one in counts)
    rng = np.random.default_rng(within(seed, 64))
    total = np.zeros((statistics.ROUNDS, 2))
    for slot in range(len(counts)):
        drawn = [statistics.draw(one, [0] * len(one), seed + 31 * slot + at) for at, one in enumerate(counts)]
        which = rng.integers(len(counts), size=statistics.ROUNDS)
        total += np.stack(drawn)[which, np.arange(statistics.ROUNDS)]
    low, high = statistics.percentiles(total[:, 0] / total[:, 1])
    return float(whole[0] / whole[1]), low, high


def write(found: dict[str, Any], folder: Path) -> None:
    """Write results.json, the table results.md, the figure results.png, and a heat map of each arm's places."""
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "results.md").write_text(table(found))
    if found["rows"]:
        draw(found, str(folder / "results.png"))
    for arm in (BASE, "flat"):
        if found["positions"].get(arm):
            report.heat_map(found["positions"][arm], str(folder / f"positions-{arm}.png"))


def columns(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the measures and groups of the rows, in their order."""
    return list(dict.fromkeys((row["measure"], row["name"]) for row in found["rows"]))


def table(found: dict[str, Any]) -> str:
    """Return a Markdown table for each measure: an arm a row, and for each group of questions the score with its change from
    the base. A change whose interval excludes zero is bold. An arm with fewer seeds than the base says so."""
    cells = {(row["measure"], row["name"], row["arm"]): row for row in found["rows"]}
    seeds = ", ".join(map(str, found["seeds"]))
    lines = [
        f"{found['model']}, {found['pairs']:,} pairs an arm, seeds {seeds}. In percent: the share of right answers, and in "
        "brackets the change from the base, bold where its 95% interval over questions and seeds excludes zero.",
    ]
    for measure in dict.fromkeys(measure for measure, _ in columns(found)):
        names = [name for one, name in columns(found) if one == measure]
        lines += ["", f"| {measure} | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for arm, title in found["arms"].items():
            rows = [cells.get((measure, name, arm)) for name in names]
            if any(rows):
                count = min(len(row["by_seed"]) for row in rows if row)
                title += f", {count} of {len(found['seeds'])} seeds" if count < len(found["seeds"]) else ""
                lines.append(f"| {title} | " + " | ".join(_cell(row, arm) for row in rows) + " |")
        guesses = [cells[measure, name, BASE]["chance"] for name in names]
        shown = ["–" if guess is None else f"{100 * guess:.1f}" for guess in guesses]
        lines.append("| a blind guess | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: dict | None, arm: str) -> str:
    if row is None:
        return "–"
    if arm == BASE:
        return f"{100 * row['score']:.1f}"
    change = f"{100 * row['gain']:+.1f}".replace("-", "−")
    is_clear = row["gain_low"] > 0 or row["gain_high"] < 0
    return f"{100 * row['score']:.1f} (**{change}**)" if is_clear else f"{100 * row['score']:.1f} ({change})"


def draw(found: dict[str, Any], path: str) -> None:
    """Draw the score of each arm with its interval, a panel for each group of questions."""
    from matplotlib.figure import Figure

    from s2h.streams.files import save_figure

    heads, arms = columns(found), list(found["arms"])
    arms = [arm for arm in arms if any(row["arm"] == arm for row in found["rows"])]
    across = min(4, len(heads))
    down = -(-len(heads) // across)
    figure = Figure(figsize=(3.1 * across + 1.6, (0.27 * len(arms) + 0.9) * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in panels.flat[len(heads) :]:
        axes.set_visible(False)
    for axes, (measure, name) in zip(panels.flat, heads, strict=False):
        rows = {row["arm"]: row for row in found["rows"] if (row["measure"], row["name"]) == (measure, name)}
        for at, arm in enumerate(arms):
            if arm in rows:
                row = rows[arm]
                colour = "#555555" if arm == BASE else "#0072B2"
                axes.plot(
                    [100 * row["low"], 100 * row["high"]], [at, at], color=colour, lw=2, solid_capstyle="butt"
                )
                axes.plot(100 * row["score"], at, "o", color=colour, ms=5)
        if BASE in rows:
            axes.axvline(100 * rows[BASE]["score"], color="#555555", lw=0.8)
        guess = next((row["chance"] for row in rows.values()), None)
        if guess is not None:
            axes.axvline(100 * guess, color="#D55E00", lw=1, ls=":")
        axes.set_title(f"{measure}: {name}", fontsize=8.5)
        axes.set_yticks(range(len(arms)), [found["arms"][arm] for arm in arms], fontsize=8)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.grid(axis="x", alpha=0.25)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        "right answers in percent, with 95% intervals over questions and seeds; grey line: the base; dotted: a blind guess",
        fontsize=8.5,
    )
    save_figure(figure, path, dpi=130)
