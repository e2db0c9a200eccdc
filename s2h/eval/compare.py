"""Two or more models on the same questions: what was gained and lost, and whether that could be luck. Questions that share
an image, a sentence or a twin are resampled together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from s2h.errors import counted
from s2h.eval import clusters, gold, predictions, scores, statistics
from s2h.eval.benches import labels
from s2h.eval.benches.names import SINGLE_IMAGE, plain
from s2h.eval.escape import markdown as escaped
from s2h.eval.escape import plot, terminal
from s2h.record import RecordError, fail
from s2h.seeds import seed_of

MARGIN = 2.0  # points that a skill may have lost and still counts as kept
MCNEMAR, SIGN_FLIP = "McNemar's exact test", "exact sign-flip test over clusters"
FEWEST = 6  # clusters; with fewer no outcome has an exact p below 0.05, so that nothing is shown
NAMED = 3  # differing questions that an error names
_RESCORE = "--score reads both anew with one --parser"
_REMEDIES = {"answer": _RESCORE, "parser": _RESCORE, "scoring": "ask both models with the same --scoring"}


def join(
    before: Iterable[dict],
    after: Iterable[dict],
    names: tuple[str, str],
    on_error: Callable[[Exception], None] = fail,
) -> list[tuple[dict, dict]]:
    """The two models' lines of each question. Questions that stand in one file only, and those that
    have another question, choices, answer, scoring or parser in the two files go to on_error as a RecordError and are left
    out; of BLINK's task whose labels have two versions, all questions."""
    first, second = (
        {
            line["id"]: line
            for line in predictions.checked(
                lines,
                ("id", "bench", "correct"),
                name=name,
                twice="a question stands twice",
                on_error=on_error,
            )
        }
        for lines, name in zip((before, after), names, strict=True)
    )
    where = f"{names[0]} and {names[1]}"
    if first.keys() != second.keys():
        only = sorted(first.keys() ^ second.keys())
        lacking = [f"{len(only_in.keys() - other.keys())} only in {name}"
                   for only_in, other, name in ((first, second, names[0]), (second, first, names[1]))]  # fmt: skip
        on_error(
            RecordError(
                f"different questions: {len(only)} of {len(first | second)} stand in one file only, such as {only[0]!r} "
                f"({', '.join(lacking)})",
                where=where, remedy="ask both models with the same --bench, -n and --seed",
            )
        )  # fmt: skip
    pairs = {key: (line, second[key]) for key, line in first.items() if key in second}
    left_out = _relabelled(pairs, names, on_error)
    differing: dict[str, list[str]] = {}
    for key, (line, other) in pairs.items():
        if key not in left_out and (field := _difference(line, other)):
            differing.setdefault(field, []).append(key)
    for field, keys in differing.items():
        left_out |= set(keys)
        on_error(
            RecordError(
                f"another {field} under the same id: {len(keys)} of {counted(len(pairs), 'question')}: "
                f"{_named(pairs, keys, names)}",
                field, where, _REMEDIES.get(field, "compare answers to the same questions"),
            )
        )  # fmt: skip
    return [pair for key, pair in pairs.items() if key not in left_out]


def judged(pairs: list[tuple[dict, dict]]) -> list[tuple[dict, dict]]:
    """The pairs of which both sides are known to be right or wrong."""
    return [pair for pair in pairs if all(line["correct"] is not None for line in pair)]


def _relabelled(
    pairs: dict[str, tuple[dict, dict]], names: tuple[str, str], on_error: Callable[[Exception], None]
) -> set[str]:
    """The ids of BLINK's task whose labels have two versions, where the two files have different ones."""
    some = [key for key, (line, _) in pairs.items() if labels.concerned(line)]
    differing = [key for key in some if _answers_differ(*pairs[key])]
    if not differing:
        return set()
    found = [labels.fingerprint(pairs[key][side] for key in some) for side in (0, 1)]
    on_error(
        RecordError(
            f"blink has other labels of {labels.TASK} in the two files: fingerprints {found[0]} and {found[1]}, another "
            f"answer in {len(differing)} of {counted(len(some), 'question')}: {_named(pairs, differing, names)}",
            "answer", f"{names[0]} and {names[1]}",
            "ask both models from one copy of BLINK; with --on-error skip the task is left out",
        )
    )  # fmt: skip
    return set(some)


def _named(pairs: dict[str, tuple[dict, dict]], keys: list[str], names: tuple[str, str]) -> str:
    """The first of the questions, each with its line in both files."""

    def place(line: dict, name: str) -> str:
        return getattr(line, "where", "") or name

    told = [
        f"{key[:60]!r} ({place(pairs[key][0], names[0])} and {place(pairs[key][1], names[1])})"
        for key in keys[:NAMED]
    ]
    return ", ".join(told) + (", …" if len(keys) > NAMED else "")


def _difference(line: dict, other: dict) -> str:
    """The first field in which two lines under one id differ, so that they are no answers to one question; "" for none.
    What one of them does not tell is no difference."""
    for field, read in (("question", _question), ("choices", _choices)):
        if line.get(field) and other.get(field) and read(line) != read(other):
            return field
    if _answers_differ(line, other):
        return "answer"
    if line.get("scoring", "generate") != other.get("scoring", "generate"):
        return "scoring"
    return "parser" if line.get("parser", "robust") != other.get("parser", "robust") else ""


def _question(line: dict) -> str:
    return " ".join(line["question"].split())


def _choices(line: dict) -> dict[str, str]:
    return {letter: " ".join(option.split()) for letter, option in gold.options(line).items()}


def _answers_differ(line: dict, other: dict) -> bool:
    """Whether two lines have different right answers, however they write them. What says how an answer is meant may stand in
    one of them only."""
    if "answer" not in line or "answer" not in other:
        return False
    meant = {field: line.get(field) or other.get(field) for field in ("answer_type", "choices", "bench")}
    return _answer(line["answer"], meant) != _answer(other["answer"], meant)


def _answer(answer: Any, meant: dict) -> Any:
    try:
        return gold.read({"answer": answer, **meant})
    except RecordError:
        return answer


def compare(
    before: list[dict],
    after: list[dict],
    names: tuple[str, str],
    seed: int = 0,
    on_error: Callable[[Exception], None] = fail,
    margin: float = MARGIN,
) -> list[dict]:
    """The rows of two models' lines: see `join` and `rows_of`."""
    return rows_of(judged(join(before, after, names, on_error)), names, seed, margin)


def rows_of(
    pairs: list[tuple[dict, dict]], names: tuple[str, str], seed: int = 0, margin: float = MARGIN
) -> list[dict]:
    """A row for each group of questions: name, n, clusters, before, after, gain (shares of 1), its interval (low, high),
    gained, lost, p, the test that it is of, chance, single (whether its questions show one image), verdict (see `verdict`),
    and each side's own interval. BLINK has another row without its task whose labels have two versions; where there are
    several benchmarks a row "all" pools those with several images."""
    if not pairs:
        raise RecordError(
            "no question in common whose answer is known", where=f"{names[0]} and {names[1]}",
            remedy="ask both models the same questions",
        )  # fmt: skip
    later = {line["id"]: line for _, line in pairs}
    groups: dict[str, list[dict]] = {}
    for name, some in scores.groups([line for line, _ in pairs]).items():
        groups[name] = some
        rest = [line for line in some if not labels.concerned(line)]
        if name == "blink" and 0 < len(rest) < len(some):
            groups[f"blink without {labels.TASK}"] = rest
    many = [line for line, _ in pairs if not single(line)]
    if len({plain(line["bench"]) for line in many}) > 1:
        groups["all"] = many
    return [
        _row(name, [(line, later[line["id"]]) for line in some], seed, margin)
        for name, some in groups.items()
    ]


def single(line: dict) -> bool:
    """Whether a question shows one image only: whether it tells if what a model could before is kept."""
    return plain(line["bench"]) in SINGLE_IMAGE or len(line.get("images") or ()) == 1


def verdict(low: float, high: float, groups: int, margin: float = MARGIN) -> str:
    """What the interval of a change (shares of 1) over so many clusters shows: "gained" where it lies above 0, "kept" where
    it lies above -margin points, "lost" where it lies below 0, else "not shown"."""
    if groups < FEWEST:
        return "not shown"
    if low > 0:
        return "gained"
    if low > -margin / 100:
        return "kept"
    return "lost" if high < 0 else "not shown"


def _row(name: str, pairs: list[tuple[dict, dict]], seed: int, margin: float) -> dict:
    first, second = ([bool(pair[side]["correct"]) for pair in pairs] for side in (0, 1))
    changes = [b - a for a, b in zip(first, second, strict=True)]
    groups = clusters.joined([[*clusters.keys(line), *clusters.keys(other)] for line, other in pairs])
    gained, lost, n = changes.count(1), changes.count(-1), len(pairs)
    low, high = statistics.gain(changes, groups, seed_of(seed, name))
    if statistics.single(groups):
        test, p = MCNEMAR, statistics.mcnemar(gained, lost)
    else:
        test = SIGN_FLIP
        p = statistics.sign_flip([round(change) for change in statistics.sums(changes, groups)])
    some = [line for line, _ in pairs]
    return {
        "name": name, "n": n, "clusters": len(set(groups)), "before": sum(first) / n, "after": sum(second) / n,
        "gain": sum(changes) / n, "low": low, "high": high, "gained": gained, "lost": lost, "p": p, "test": test,
        "chance": scores.chance(some), "before_interval": statistics.interval(first, groups),
        "after_interval": statistics.interval(second, groups), "single": all(map(single, some)),
        "verdict": verdict(low, high, len(set(groups)), margin),
    }  # fmt: skip


def changed(before: list[dict], after: list[dict], names: tuple[str, str]) -> list[dict]:
    """The later lines of the questions gained and lost, gained ones first, with `change` and what was `before`."""
    made = []
    for line, other in judged(join(before, after, names, on_error=lambda error: None)):
        if bool(line["correct"]) != bool(other["correct"]):
            shown = other.copy()
            shown["change"] = "gained" if other["correct"] else "lost"
            shown["before"] = {"response": line.get("response"), "correct": line["correct"]}
            made.append(shown)
    return sorted(made, key=lambda one: one["change"] == "lost")


def table(rows: list[dict], margin: float = MARGIN) -> str:
    """The rows as text for a terminal, in percent and percentage points; those about single images stand apart."""
    titles = {row["name"]: terminal(row["name"]) for row in rows}
    width = max(22, *(len(title) + 2 for title in titles.values()))
    head = ("", "n", "clusters", "before", "after", "gain", "95% interval", "p", "chance")
    lines = ["{:{w}s}{:>6s}{:>10s}{:>8s}{:>8s}{:>8s}{:>18s}{:>10s}{:>8s}".format(*head, w=width)]
    for row in [row for row in rows if not row["single"]] + [row for row in rows if row["single"]]:
        guess = "-" if row["chance"] is None else f"{100 * row['chance']:.1f}"
        kept = f"  {row['verdict']}" if row["single"] else ""
        lines.append(
            f"{titles[row['name']]:{width}s}{row['n']:6d}{row['clusters']:10d}{100 * row['before']:8.1f}"
            f"{100 * row['after']:8.1f}{100 * row['gain']:+8.1f}{_interval(row):>18s}{row['p']:10.2g}{guess:>8s}{kept}"
        )
    return "\n".join([*lines, *explained(rows, margin)])


def explained(rows: list[dict], margin: float = MARGIN) -> list[str]:
    """How the numbers of the rows were made, a sentence each."""
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
            f"single images: kept unless the interval of the change reaches down to -{margin:g} points; then lost where "
            f"it lies below 0, else not shown, as with fewer than {FEWEST} clusters"
        )
    return made


def _interval(row: dict) -> str:
    return f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"


def markdown(
    rows: list[dict], names: tuple[str, str], margin: float = MARGIN, notes: Iterable[str] = ()
) -> str:
    """The rows as Markdown, single images in a table of their own. notes: what a reader must know, a sentence each."""
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
                f"| {100 * row['gain']:+.1f} | {_interval(row)} | {row['gained']} | {row['lost']} | {row['p']:.2g} "
                f"| {row['clusters']} |" + (f" {row['verdict']} |" if alone else "")
            )
        made.append("")
    made += [f"- {escaped(told)}" for told in (*explained(rows, margin), *notes)]
    return "\n".join([*made, ""])


def notes(pairs: list[tuple[dict, dict]]) -> list[str]:
    """What a reader of the comparison must know: see `report.notes`."""
    from s2h.eval import report

    by_bench: dict[str, list[dict]] = {}
    for line, other in pairs:
        # Either file's references to the images tell which questions share one.
        by_bench.setdefault(plain(line["bench"]), []).append(line if line.get("images") else other)
    return report.notes(by_bench, labels.told(line for some in by_bench.values() for line in some))


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
