"""The picture of a run: loss and reward margin over the steps, with the held-out share where there is one."""

from __future__ import annotations

from pathlib import Path


def draw(metrics: list[dict], path: Path, title: str) -> None:
    """Write the plot as PNG. metrics: the lines of metrics.jsonl."""
    from matplotlib.figure import Figure

    train = [line for line in metrics if "loss" in line]
    held = [line for line in metrics if "eval_loss" in line]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, (name, label) in zip(
        panels,
        (("loss", "loss"), ("margin", "reward margin"), ("accuracy", "chosen above rejected")),
        strict=True,
    ):
        axes.plot(
            [m["step"] for m in train], [m[name] for m in train], color="#3b6fb6", lw=1.6, label="training"
        )
        if held:
            marks = [(m["step"], m[f"eval_{name}"]) for m in held]
            axes.plot(*zip(*marks, strict=True), "o-", color="#d9772b", lw=1.6, ms=4, label="held out")
        axes.set_title(label, fontsize=10, loc="left")
        axes.set_xlabel("step", fontsize=9)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    panels[0].axhline(0.6931, color="#999999", lw=0.8, ls=":")
    panels[2].axhline(0.5, color="#999999", lw=0.8, ls=":")
    panels[0].legend(fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.savefig(path, dpi=150)
