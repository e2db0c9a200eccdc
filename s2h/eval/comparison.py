"""Compare two or more models on the same questions: the answers gained and lost, with intervals and tests. Questions that
share an image, a sentence or a twin are resampled together. `comparison_report` shows the results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.eval import accuracy, benches, clusters, cosine, matching, report, revisions, statistics
from s2h.eval.benches import Line
from s2h.eval.matching import Pair
from s2h.record import RecordError, fail
from s2h.seeds import seed_of

MARGIN = 2.0  # percentage points; a skill that loses fewer counts as kept
MCNEMAR, SIGN_FLIP = "McNemar's exact test", "exact sign-flip test over clusters"
FEWEST = 6  # clusters; with fewer, no outcome has an exact p below 0.05
SHOWN = 10  # reasons for lines that were left out, in a report


def make(
    sides: list[list[Line]],
    files: tuple[str, ...],
    seed: int,
    margin: float,
    on_error: Callable[[RecordError], None],
) -> list[dict[str, Any]]:
    """Return the comparison of each later file with the first one, as a dict: before and after (the models' names), margin,
    rows (see `rows_of`), cosine (see `cosine.compared`) if lines have cosines, and notes: what was left out, and what
    qualifies the rows.
    Raises RecordError for a file without predictions."""
    for name, side in zip(files, sides, strict=True):
        if not side:
            raise RecordError("no predictions", where=name, remedy="make them with --model")
    models = [str(side[0].get("model") or name) for side, name in zip(sides, files, strict=True)]
    made = []
    for at in range(1, len(files)):
        pair, errors = (files[0], files[at]), list[RecordError]()
        pairs = matching.join(sides[0], sides[at], pair, errors.append)
        for error in errors:
            on_error(error)
        left_out = [f"left out: {error}" for error in errors]
        known, cosines = matching.judged(pairs), cosine.compared(pairs, seed)
        if len(left_out) > SHOWN:
            left_out[SHOWN:] = [f"left out: {len(left_out) - SHOWN} more for such reasons"]
        made.append(
            {
                "before": models[0], "after": models[at], "margin": margin,
                "rows": rows_of(known, pair, seed, margin) if known or not cosines else [],
                "notes": [*left_out, *notes(pairs), *cosine.notes(pairs)],
                **({"cosine": cosines} if cosines else {}),
            }
        )  # fmt: skip
    return made


def compare(
    before: list[Line],
    after: list[Line],
    names: tuple[str, str],
    seed: int = 0,
    on_error: Callable[[RecordError], None] = fail,
    margin: float = MARGIN,
) -> list[dict]:
    """Match two models' lines (`matching.join`) and return their rows (`rows_of`)."""
    return rows_of(matching.judged(matching.join(before, after, names, on_error)), names, seed, margin)


def rows_of(pairs: list[Pair], names: tuple[str, str], seed: int = 0, margin: float = MARGIN) -> list[dict]:
    """Return a row for each group of questions: name, n, clusters, before, after, gain (shares of 1), its interval (low,
    high), gained, lost, p, its test, chance, single (whether its questions show one image), verdict (see `verdict`), and
    each side's own interval. A benchmark with a category whose answers were corrected has another row without it. If there
    are several benchmarks, a row "all" pools their questions about several images."""
    if not pairs:
        raise RecordError(
            "no question in common whose answer is known", where=f"{names[0]} and {names[1]}",
            remedy="ask both models the same questions",
        )  # fmt: skip
    by_id = {line["id"]: (line, other) for line, other in pairs}
    groups: dict[str, list[Line]] = {}
    for name, some in accuracy.groups([line for line, _ in pairs]).items():
        groups[name] = some
        bench = benches.exact(name)
        if bench and (revision := bench.revision):
            rest = [line for line in some if not revisions.concerns(revision, line.get("category"))]
            if 0 < len(rest) < len(some):
                groups[f"{name} without {revision.category}"] = rest
    many: list[Line] = [line for line, _ in pairs if not single(line)]
    if len({benches.plain(line["bench"]) for line in many}) > 1:
        groups["all"] = many
    return [_row(name, [by_id[line["id"]] for line in some], seed, margin) for name, some in groups.items()]


def single(line: Line) -> bool:
    """Return whether a question shows only one image. Such questions measure whether a model kept its earlier skills."""
    bench = benches.named(line["bench"])
    return (bench is not None and bench.single_image) or len(line.get("images") or ()) == 1


def verdict(low: float, high: float, groups: int, margin: float = MARGIN) -> str:
    """Return the verdict on a change by its interval, low to high (shares of 1), over `groups` clusters: "gained" if it is
    above 0, "kept" if it is above -margin points, "lost" if it is below 0, else "not shown"."""
    if groups < FEWEST:
        return "not shown"
    if low > 0:
        return "gained"
    if low > -margin / 100:
        return "kept"
    return "lost" if high < 0 else "not shown"


def _row(name: str, pairs: list[Pair], seed: int, margin: float) -> dict:
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
        "chance": accuracy.chance(some), "before_interval": statistics.interval(first, groups),
        "after_interval": statistics.interval(second, groups), "single": all(map(single, some)),
        "verdict": verdict(low, high, len(set(groups)), margin),
    }  # fmt: skip


def notes(pairs: list[Pair]) -> list[str]:
    """Return what a reader of the comparison must know: see `report.notes`."""
    # The references to images in either file show which questions share an image.
    return report.notes(report.of_benches([line if line.get("images") else other for line, other in pairs]))
