"""Plot an audit: a row for each task, with the blind tests of words and of form, the lengths, the places of the
targets, and the answers of both sides."""

from __future__ import annotations

from s2h.errors import counted, plural
from s2h.escape import plot

CHOSEN, REJECTED, PLAIN = "#2a7f62", "#b5483a", "#5b6b7a"


def draw(report: dict, path: str, most: float | None = None) -> None:
    """Write the plots as PNG. report: that of `s2h.filters.audit.Audit`. most: the bound of --audit-fail, drawn as a
    line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from s2h.streams.files import save_figure

    tasks = list(report.items()) or [("no pairs", None)]
    figure, axes = pyplot.subplots(
        len(tasks), 4, figsize=(16, 3.4 * len(tasks)), squeeze=False, layout="constrained"
    )
    for row, (task, found) in zip(axes, tasks, strict=True):
        if found is None:
            for panel in row:
                panel.axis("off")
            row[0].set_title("no pairs came in")
            continue
        _blind(row[0], task, found, most)
        _lengths(row[1], found["lengths"])
        _places(row[2], found["places"])
        _answers(row[3], found["answers"])
    save_figure(figure, path, dpi=110)
    pyplot.close(figure)


def _blind(panel, task: str, found: dict, most: float | None) -> None:
    panel.set_title(
        f"{plot(task)}: {found['pairs']:,} {plural(found['pairs'], 'pair')}", loc="left", fontweight="bold"
    )
    rows = [
        (name, tested and tested["auc"], tested and tested["interval"])
        for name, tested in (("words alone", found["blind"]), ("form alone", found["form"]))
    ]
    if photo := found.get("same_photograph"):
        rows.append(("same photograph", photo["auc"], None))
    for at, (name, auc, interval) in enumerate(rows):
        if auc is None:
            panel.text(0.5, at, f"{name}: too few pairs", ha="center", va="center")
            continue
        panel.barh(at, auc - 0.5, left=0.5, color=PLAIN, height=0.5)
        if interval:
            panel.plot(interval, [at, at], color="black", lw=1.5)
        panel.text(0.985, at, f"{auc:.3f}", ha="right", va="center")
    panel.axvline(0.5, color="black", lw=0.8)
    if most is not None:
        panel.axvline(most, color=REJECTED, lw=1, ls="--")
    panel.set(
        xlim=(0.3, 1),
        yticks=range(len(rows)),
        yticklabels=[name for name, *_ in rows],
        xlabel="AUC (0.5: chance)",
    )


def _lengths(panel, lengths: dict) -> None:
    for name, colour in (("chosen", CHOSEN), ("rejected", REJECTED)):
        panel.plot(lengths["quantiles"], lengths[name], "o-", color=colour, label=name)
    panel.set(
        title=f"lengths (sign test p {lengths['p']:.2g})",
        xlabel="quantile",
        ylabel="characters",
        ylim=(0, None),
    )
    panel.legend(frameon=False)


def _places(panel, places: dict) -> None:
    for at, (n, found) in enumerate(places.items()):
        total = sum(found["counts"]) or 1
        heights = [count / total * len(found["counts"]) for count in found["counts"]]
        panel.plot(
            range(1, len(heights) + 1),
            heights,
            "o-",
            label=f"{counted(n, 'image')}, p {found['p']:.2g}",
            color=f"C{at}",
        )
    panel.axhline(1, color="black", lw=0.8)
    panel.set(title="places of the targets", xlabel="image", ylabel="times the even share", ylim=(0.5, 1.5))
    if places:
        panel.legend(frameon=False, fontsize="small")
    else:
        panel.text(0.5, 0.5, "every answer rests on all images", ha="center", transform=panel.transAxes)


def _answers(panel, answers: dict) -> None:
    common = list(answers["common"].items())[:12]
    for at, (_, (chosen, rejected)) in enumerate(common):
        panel.barh(at - 0.2, chosen, height=0.4, color=CHOSEN)
        panel.barh(at + 0.2, rejected, height=0.4, color=REJECTED)
    names = [plot(answer if len(answer) < 34 else answer[:32] + "…") for answer, _ in common]
    panel.set(
        title=f"conclusions (χ² p {answers['p']:.2g})",
        yticks=range(len(names)),
        yticklabels=names,
        xlabel="pairs",
    )
    panel.tick_params(axis="y", labelsize="small")
    panel.invert_yaxis()
