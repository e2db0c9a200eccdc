"""Compute the accuracy of predictions with a 95% interval: by benchmark and category, by the number of images, and by the
target's position. Each row also has the share of replies that could not be read and the score of a blind guesser. Intervals
are wider if questions share images, sentences or twins (see `clusters`)."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from s2h import registry
from s2h.eval import benches, clusters, gold, statistics
from s2h.eval.benches import Line
from s2h.eval.chance import chance
from s2h.eval.questions import pairs

# The fields that scores need. Only these are kept, so that memory use does not grow with the prompts.
KEPT = (
    "id", "bench", "category", "level", "about", "answer", "answer_type", "choices", "candidates", "parsed", "correct",
    "scoring", "target", "l2_category", "group", "question_type", "sentence", "parser", "model", "label_version",
)  # fmt: skip


def slim(line: Line) -> Line:
    """Return a prediction without its texts and images. `answer` is as `gold.read` returns it, `shared` has the keys of its
    cluster (`clusters.keys`), and `images` has a 0 for each image."""
    kept = {key: line[key] for key in KEPT if key in line}
    if line.get("choices"):
        kept["choices"] = gold.options(line)
    if line.get("scoring") != "likelihood":
        kept["answer"] = gold.read(line)
    kept["shared"] = clusters.keys(line)
    kept["images"] = [0] * len(line.get("images") or ())
    bench = benches.named(line.get("bench"))
    return kept | bench.keep(line) if bench else kept


def groups(predictions: list[Line]) -> dict[str, list[Line]]:
    """Return the predictions of each row of the table by the row's name: the levels of built-in tasks and of pairs, then
    each benchmark, followed by its categories if it has several."""
    with_level, by_bench = [], defaultdict(list)
    for p in predictions:
        if _has_level(p):
            with_level.append(p)
        else:
            by_bench[benches.plain(p["bench"])].append(p)
    levels = _rows_of_levels()
    rows = {row: [p for p in with_level if p.get(field) == value] for row, (field, value) in levels.items()}
    rows["other"] = [
        p for p in with_level if not any(p.get(field) == value for field, value in levels.values())
    ]
    for bench, lines in by_bench.items():
        rows[bench] = lines
        if len(found := by_category(lines)) > 1:
            rows |= {f"{bench} {category}": some for category, some in found.items()}
    return {name: lines for name, lines in rows.items() if lines}


def by_category(predictions: list[Line]) -> dict[str, list[Line]]:
    """Return the predictions of each category, in alphabetical order. A prediction may count in several categories."""
    found: dict[str, list[Line]] = defaultdict(list)
    for p in predictions:
        for category in categories(p):
            found[category].append(p)
    return {category: found[category] for category in sorted(found)}


@cache
def _rows_of_levels() -> dict[str, tuple[str, object]]:
    """Return the rows for levels, each with a field and the value that this field has in the row's predictions. A level with
    several categories has a row for each, and then one for all of it. The rows are in the order of the benchmark that has
    levels."""
    levels = next(bench.levels for bench in registry.values("bench").values() if bench.levels)
    rows: dict[str, tuple[str, object]] = {}
    for level in dict.fromkeys(levels.values()):
        named = [category for category, its in levels.items() if its == level]
        if level == pairs.SINGLE:
            rows["single image"] = "level", level
        elif len(named) == 1:
            rows[f"level {level} ({named[0]})"] = "level", level
        else:
            rows |= {f"level {level} {category}": ("category", category) for category in named}
            rows[f"level {level}"] = "level", level
    return rows


def _has_level(p: Line) -> bool:
    """Return whether a prediction counts in the row of its level, not in one of a benchmark."""
    name = p.get("bench")
    known = benches.named(name)
    return "level" in p and (not name or name == pairs.NAME or (known is not None and bool(known.levels)))


def categories(prediction: Line) -> list[str]:
    """Return the categories in which a question counts."""
    bench = benches.named(prediction.get("bench"))
    return (bench.categories if bench else benches.one_category)(prediction)


def unread(prediction: Line) -> bool:
    """Return whether no answer was read from a reply, or a letter that is not among the options."""
    parsed = prediction.get("parsed")
    return parsed is None or (
        prediction.get("scoring") != "likelihood"
        and isinstance(prediction.get("choices"), dict)
        and parsed not in prediction["choices"]
    )


def unchecked(prediction: Line) -> bool:
    """Return whether a prediction is a caption with a known answer, against which it can't be checked exactly."""
    caption = prediction.get("answer_type") == "caption" and prediction.get("correct") is None
    return caption and not gold.hidden(prediction.get("answer"))


def row(name: str, some: list[Line]) -> dict:
    """Return a group's name, n, correct (a count), score, its interval (low, high) and standard error (se), the number of
    clusters, chance, unscored, unchecked and unparsed; all but the counts are shares of 1. Lines without a verdict count as
    unscored and are left out of the score: their answer is hidden, or they are captions of photographs, which have no exact
    check (unchecked)."""
    known = [p for p in some if p.get("correct") is not None]
    return {
        "name": name, "n": len(known), "correct": sum(bool(p["correct"]) for p in known), **_share(known),
        "chance": chance(known), "unscored": len(some) - len(known),
        "unchecked": sum(map(unchecked, some)),
        "unparsed": sum(map(unread, some)) / len(some),
    }  # fmt: skip


def by_images(predictions: list[Line]) -> list[dict]:
    """Return the accuracy by the number of images in the prompt: images, n, score, low, high, se, clusters."""
    counted: dict[int, list[Line]] = defaultdict(list)
    for p in predictions:
        if p.get("correct") is not None and p.get("images"):
            counted[len(p["images"])].append(p)
    return [{"images": images} | _share(counted[images]) for images in sorted(counted)]


def by_position(predictions: list[Line]) -> list[dict]:
    """Return the accuracy by the number of images and the position of the target, the image that the answer rests on:
    images, position (from 0), n, score, low, high, se, clusters. A question with several targets counts at each position."""
    counted: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for p in predictions:
        for position in p.get("target") or () if p.get("correct") is not None else ():
            if len(p.get("images") or ()) > position:
                counted[len(p["images"]), position].append(p)
    return [
        {"images": images, "position": at} | _share(counted[images, at]) for images, at in sorted(counted)
    ]


def _share(known: list[Line]) -> dict:
    """Return n, score, low, high, se and clusters of predictions with a verdict."""
    right, groups = [bool(p["correct"]) for p in known], clusters.labels(known)
    low, high = statistics.interval(right, groups)
    return {
        "n": len(right), "score": sum(right) / len(right) if right else None, "low": low, "high": high,
        "se": statistics.standard_error(right, groups), "clusters": len(set(groups)),
    }  # fmt: skip
