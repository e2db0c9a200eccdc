"""Two or more models on the same questions: what was gained and lost, and whether that could be luck."""

from __future__ import annotations

from collections.abc import Callable

from s2h.eval import scores
from s2h.eval.benches.names import SINGLE_IMAGE, plain
from s2h.record import RecordError, fail
from s2h.seeds import seed_of

ROUNDS = 2000
ALPHA = 0.05


def join(
    before: list[dict],
    after: list[dict],
    names: tuple[str, str],
    on_error: Callable[[Exception], None] = fail,
) -> list[tuple[dict, dict]]:
    """The two models' lines of each question whose answer is known. Other questions in the two files, or another answer or
    scoring of one, go to on_error as a RecordError and are left out."""
    first, second = (
        {line["id"]: line for line in _checked(lines, name)}
        for lines, name in zip((before, after), names, strict=True)
    )
    if first.keys() != second.keys():
        only = sorted(first.keys() ^ second.keys())
        on_error(
            RecordError(
                f"different questions: {len(only)} of {len(first | second)} stand in one file only, such as {only[0]!r}",
                where=f"{names[0]} and {names[1]}",
                remedy="ask both models with the same --bench, -n and --seed",
            )
        )
    joined = []
    for key, line in first.items():
        other = second.get(key)
        if other is None:
            continue
        differing = [f for f in ("answer", "scoring") if line.get(f) != other.get(f)]
        if line.get("parser", "robust") != other.get("parser", "robust"):
            differing.append("parser")
        if differing:
            on_error(
                RecordError(
                    f"question {key!r} has another {differing[0]} in the two files",
                    differing[0],
                    f"{names[0]} and {names[1]}",
                    "--score reads both anew with one --parser",
                )
            )
        elif line.get("correct") is not None and other.get("correct") is not None:
            joined.append((line, other))
    return joined


def _checked(lines: list[dict], name: str) -> list[dict]:
    seen: set = set()
    for line in lines:
        missing = [field for field in ("id", "bench", "correct") if field not in line]
        if missing:
            where = getattr(line, "where", "") or name
            raise RecordError(
                "is missing", missing[0], where, "compare what s2h-eval has written; --score completes others"
            )
        if line["id"] in seen:
            raise RecordError("a question stands twice", "id", name, "compare one model's run a file")
        seen.add(line["id"])
    return lines


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p of McNemar (1947): without a difference, a changed answer is as often gained as lost."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def bootstrap(differences: list[int], seed: int) -> tuple[float, float]:
    """The paired percentile-bootstrap 95% interval of the mean difference over questions."""
    import numpy as np

    # A difference is -1, 0 or 1: drawing how often each occurs is drawing the questions.
    values, counts = np.unique(differences, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(differences), counts / len(differences), ROUNDS)
    means = drawn @ values / len(differences)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def compare(
    before: list[dict],
    after: list[dict],
    names: tuple[str, str],
    seed: int = 0,
    on_error: Callable[[Exception], None] = fail,
) -> list[dict]:
    """A row for each group of questions: name, n, before, after, gain (shares of 1), low, high, gained, lost, p, chance,
    single (whether its questions show one image), verdict ("gained", "lost", "kept", by p), and each side's own interval.
    Where there are several benchmarks a row "all" pools those with several images."""
    pairs = join(before, after, names, on_error)
    if not pairs:
        raise RecordError(
            "no question in common whose answer is known", where=f"{names[0]} and {names[1]}",
            remedy="ask both models the same questions",
        )  # fmt: skip
    later = {line["id"]: line for _, line in pairs}
    groups = scores.groups([line for line, _ in pairs])
    many = [line for line, _ in pairs if not single(line)]
    if len({plain(line["bench"]) for line in many}) > 1:
        groups["all"] = many
    return [_row(name, some, later, seed) for name, some in groups.items()]


def single(line: dict) -> bool:
    """Whether a question shows one image only: whether it tells if what a model could before is kept."""
    return plain(line["bench"]) in SINGLE_IMAGE or len(line.get("images") or ()) == 1


def _row(name: str, some: list[dict], later: dict[str, dict], seed: int) -> dict:
    both = [(bool(p["correct"]), bool(later[p["id"]]["correct"])) for p in some]
    gained, lost = sum(b and not a for a, b in both), sum(a and not b for a, b in both)
    n, first, second = len(both), sum(a for a, _ in both), sum(b for _, b in both)
    low, high = bootstrap([b - a for a, b in both], seed_of(seed, name))
    p = mcnemar(gained, lost)
    return {
        "name": name, "n": n, "before": first / n, "after": second / n, "gain": (second - first) / n, "low": low,
        "high": high, "gained": gained, "lost": lost, "p": p, "chance": scores.chance(some),
        "before_interval": scores.wilson(first, n), "after_interval": scores.wilson(second, n),
        "single": all(map(single, some)),
        "verdict": "kept" if p >= ALPHA else "gained" if gained > lost else "lost",
    }  # fmt: skip


def changed(before: list[dict], after: list[dict], names: tuple[str, str]) -> list[dict]:
    """The later lines of the questions gained and lost, gained ones first, with `change` and what was `before`."""
    made = []
    for line, other in join(before, after, names, on_error=lambda error: None):
        if bool(line["correct"]) != bool(other["correct"]):
            shown = other.copy()
            shown["change"] = "gained" if other["correct"] else "lost"
            shown["before"] = {"response": line.get("response"), "correct": line["correct"]}
            made.append(shown)
    return sorted(made, key=lambda one: one["change"] == "lost")


def table(rows: list[dict]) -> str:
    """The rows as text for a terminal, in percent and percentage points; those about single images stand apart."""
    width = max(22, *(len(row["name"]) + 2 for row in rows))
    head = ("", "n", "before", "after", "gain", "95% interval", "p", "chance")
    lines = ["{:{w}s}{:>6s}{:>8s}{:>8s}{:>8s}{:>18s}{:>10s}{:>8s}".format(*head, w=width)]
    for row in [row for row in rows if not row["single"]] + [row for row in rows if row["single"]]:
        interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        guess = "-" if row["chance"] is None else f"{100 * row['chance']:.1f}"
        kept = f"  {row['verdict']}" if row["single"] else ""
        lines.append(
            f"{row['name']:{width}s}{row['n']:6d}{100 * row['before']:8.1f}{100 * row['after']:8.1f}"
            f"{100 * row['gain']:+8.1f}{interval:>18s}{row['p']:10.2g}{guess:>8s}{kept}"
        )
    lines.append(
        "gain in points, with its paired bootstrap interval; p: McNemar's exact test on the same questions"
    )
    if any(row["single"] for row in rows):
        lines.append(f"single images: kept unless p < {ALPHA:g}")
    return "\n".join(lines)


def markdown(rows: list[dict], names: tuple[str, str]) -> str:
    """The rows as Markdown, single images in a table of their own."""
    made = [f"Before: `{names[0]}`, after: `{names[1]}`. Gain in points with its paired bootstrap interval; p by McNemar's "
            "exact test on the same questions.", ""]  # fmt: skip
    for alone, title in ((False, "several images"), (True, "one image: kept or lost")):
        some = [row for row in rows if row["single"] is alone]
        if not some:
            continue
        made += [
            f"| {title} | n | before | after | gain | 95% interval | gained | lost | p |{' |' if alone else ''}",
            "|---" * (9 + alone) + "|",
        ]
        for row in some:
            made.append(
                f"| {row['name']} | {row['n']} | {100 * row['before']:.1f} | {100 * row['after']:.1f} "
                f"| {100 * row['gain']:+.1f} | {100 * row['low']:+.1f} to {100 * row['high']:+.1f} | {row['gained']} "
                f"| {row['lost']} | {row['p']:.2g} |" + (f" {row['verdict']} |" if alone else "")
            )
        made.append("")
    return "\n".join(made)


def side_by_side(compared: list[dict]) -> list[dict]:
    """The rows of several comparisons in one list for a plot, each under its model's name."""
    return [
        row | {"name": f"{row['name']} ({one['after']})"}
        for rows in zip(*(one["rows"] for one in compared), strict=False)
        for row, one in zip(rows, compared, strict=True)
    ]


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
