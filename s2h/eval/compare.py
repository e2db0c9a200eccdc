"""Two or more models on the same questions: what was gained and lost, and whether that could be luck."""

from __future__ import annotations

from s2h.eval import scores
from s2h.record import RecordError
from s2h.seeds import seed_of

ROUNDS = 2000


def join(before: list[dict], after: list[dict], names: tuple[str, str]) -> list[tuple[dict, dict]]:
    """The two models' lines of each question. Raises RecordError where the questions are not the same ones."""
    tables = []
    for lines, name in zip((before, after), names, strict=True):
        by_id = {line["id"]: line for line in lines}
        if len(by_id) < len(lines):
            raise RecordError(
                "a question stands twice", field="id", where=name, remedy="compare one model's run a file"
            )
        tables.append(by_id)
    first, second = tables
    if first.keys() != second.keys():
        only = sorted(first.keys() ^ second.keys())
        raise RecordError(
            f"different questions: {len(only)} of {len(first | second)} stand in one file only, such as {only[0]!r}",
            where=f"{names[0]} and {names[1]}",
            remedy="ask both models with the same --bench, -n and --seed",
        )
    for key, line in first.items():
        if line.get("answer") != second[key].get("answer") or line.get("scoring") != second[key].get(
            "scoring"
        ):
            raise RecordError(
                f"question {key!r} has another answer or scoring in the two files", field="answer"
            )
    return [(line, second[key]) for key, line in first.items() if line.get("correct") is not None]


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p of McNemar (1947): without a difference, a changed answer is as often gained as lost."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def bootstrap(differences: list[int], seed: int) -> tuple[float, float]:
    """The paired percentile-bootstrap 95% interval of the mean difference over questions."""
    import numpy as np

    rng = np.random.default_rng(seed)
    values = np.asarray(differences, dtype=np.float64)
    means = values[rng.integers(0, len(values), (ROUNDS, len(values)))].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def compare(before: list[dict], after: list[dict], names: tuple[str, str], seed: int = 0) -> list[dict]:
    """A row for each group of questions: name, n, before, after, gain (shares of 1), low, high, gained, lost, p, chance,
    and each side's own interval."""
    pairs = join(before, after, names)
    later = {line["id"]: line for _, line in pairs}
    rows = []
    for name, some in scores.groups([line for line, _ in pairs]).items():
        both = [(bool(p["correct"]), bool(later[p["id"]]["correct"])) for p in some]
        gained, lost = sum(b and not a for a, b in both), sum(a and not b for a, b in both)
        n, first, second = len(both), sum(a for a, _ in both), sum(b for _, b in both)
        low, high = bootstrap([b - a for a, b in both], seed_of(seed, name))
        rows.append(
            {
                "name": name,
                "n": n,
                "before": first / n,
                "after": second / n,
                "gain": (second - first) / n,
                "low": low,
                "high": high,
                "gained": gained,
                "lost": lost,
                "p": mcnemar(gained, lost),
                "chance": scores.chance(some),
                "before_interval": scores.wilson(first, n),
                "after_interval": scores.wilson(second, n),
            }
        )
    return rows


def table(rows: list[dict]) -> str:
    """The rows as text for a terminal, in percent and percentage points."""
    head = ("", "n", "before", "after", "gain", "95% interval", "p", "chance")
    lines = ["{:22s}{:>6s}{:>8s}{:>8s}{:>8s}{:>18s}{:>10s}{:>8s}".format(*head)]
    for row in rows:
        interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        guess = "-" if row["chance"] is None else f"{100 * row['chance']:.1f}"
        lines.append(
            f"{row['name']:22s}{row['n']:6d}{100 * row['before']:8.1f}{100 * row['after']:8.1f}{100 * row['gain']:+8.1f}"
            f"{interval:>18s}{row['p']:10.2g}{guess:>8s}"
        )
    lines.append(
        "gain in points, with its paired bootstrap interval; p: McNemar's exact test on the same questions"
    )
    return "\n".join(lines)


def draw(rows: list[dict], path: str, names: tuple[str, str], scoring: str = "generate") -> None:
    """Before and after as a plot with intervals and chance, PNG."""
    from matplotlib.figure import Figure

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
    axes.set_yticks(range(len(rows)), [row["name"] for row in reversed(rows)])
    axes.set_xlim(0, 100)
    counted = (
        "chosen answer likelier than rejected" if scoring == "likelihood" else "questions answered right"
    )
    axes.set_xlabel(f"{counted}, percent (95% intervals)")
    axes.grid(axis="x", alpha=0.25, lw=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    marks = [
        axes.plot([], [], "o", color=c, ms=7, label=n)[0]
        for c, n in zip(("#9aa5b1", "#2a6fb0"), names, strict=True)
    ]
    marks.append(axes.plot([], [], color="#c05a3a", lw=1.4, ls=(0, (2, 2)), label="chance")[0])
    figure.legend(handles=marks, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=150, format="png")
