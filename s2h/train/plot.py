"""The plot of a run: loss, reward margin and accuracy over the steps, for training and held-out pairs, and in a second row
by level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s2h import escape

PANELS = (("loss", "loss"), ("margin", "reward margin"), ("accuracy", "chosen above rejected"))
COLOURS = {"1": "#3b6fb6", "2": "#d9772b", "3": "#4d9a57"}
CHANCE = {"loss": 0.6931, "accuracy": 0.5}  # loss: ln 2, of a model that equals its reference


def draw(metrics: list[dict], path: Path, title: str) -> None:
    """Write the plot as PNG. metrics: the lines of metrics.jsonl."""
    from matplotlib.figure import Figure

    from s2h.streams.files import save_figure

    train = [line for line in metrics if "loss" in line]
    held = [line for line in metrics if "eval_loss" in line]
    levels = sorted({level for line in train for level in line.get("levels", {})})
    rows = 2 if len(levels) > 1 else 1
    figure = Figure(figsize=(9, 3.4 * rows), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False)
    for axes, (name, label) in zip(panels[0], PANELS, strict=True):
        axes.plot(
            [m["step"] for m in train], [m[name] for m in train], color="#3b6fb6", lw=1.6, label="training"
        )
        if held:
            marks = [(m["step"], m[f"eval_{name}"]) for m in held]
            axes.plot(*zip(*marks, strict=True), "o-", color="#d9772b", lw=1.6, ms=4, label="held out")
        _dress(axes, name, label)
    for axes, (name, label) in zip(panels[-1] if rows > 1 else (), PANELS, strict=rows > 1):
        for level in levels:
            marks = [(m["step"], m["levels"][level][name]) for m in train if level in m.get("levels", {})]
            axes.plot(*zip(*marks, strict=True), color=COLOURS[level], lw=1.4, label=f"level {level}")
        _dress(axes, name, f"{label}, by level")
    for line in panels:
        line[0].legend(fontsize=8, frameon=False)
    figure.suptitle(escape.plot(title), fontsize=10, x=0.01, ha="left")
    save_figure(figure, path, dpi=150)


def _dress(axes: Any, name: str, label: str) -> None:
    axes.set_title(label, fontsize=10, loc="left")
    axes.set_xlabel("step", fontsize=9)
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if name in CHANCE:
        axes.axhline(CHANCE[name], color="#999999", lw=0.8, ls=":")
