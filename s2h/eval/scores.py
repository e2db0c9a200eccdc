"""Scores of predictions: accuracy with a 95% interval by benchmark and category, the share that could not be read, and
what a blind guesser gets; accuracy by the number of images and by the target's position. Intervals are wider where
questions share images, sentences or twins."""

from __future__ import annotations

from collections import defaultdict

from s2h.eval import clusters, gold, statistics
from s2h.eval.benches import names
from s2h.eval.chance import chance
from s2h.eval.statistics import wilson  # noqa: F401  (the interval of independent questions)

# The order of tables and plots: level 1, the two tasks of level 2 and both together, level 3, single images.
ROWS = (
    ("level 1 (vqa)", lambda p: p.get("level") == 1),
    ("level 2 kinship", lambda p: p.get("category") == "kinship"),
    ("level 2 arithmetic", lambda p: p.get("category") == "arithmetic"),
    ("level 2", lambda p: p.get("level") == 2),
    ("level 3 (search)", lambda p: p.get("level") == 3),
    ("single image", lambda p: p.get("level") == "single"),
)
LEVELLED = ("builtin", "pairs")
# What the scores need of a prediction, so that memory does not grow with prompts.
KEPT = (
    "id", "bench", "category", "level", "about", "answer", "answer_type", "choices", "candidates", "parsed", "correct",
    "scoring", "target", "l2_category", "group", "question_type", "sentence", "parser", "model", "label_version",
)  # fmt: skip


def slim(line: dict) -> dict:
    """A prediction without its texts and images, its answer in the one form (`gold`); what it can have in common with others
    stays as `shared`, and the number of images."""
    kept = {key: line[key] for key in KEPT if key in line}
    if line.get("choices"):
        kept["choices"] = gold.options(line)
    if line.get("scoring") != "likelihood":
        kept["answer"] = gold.read(line)
    kept["shared"] = clusters.keys(line)
    kept["images"] = [0] * len(line.get("images") or ())
    if names.plain(line.get("bench")) == "nlvr2" and "sentence" not in kept:
        from s2h.eval.benches.nlvr2 import sentence

        kept["sentence"] = sentence(line)
    return kept


def groups(predictions: list[dict]) -> dict[str, list[dict]]:
    """Row name -> its predictions: the levels of the built-in world and of pairs, then every benchmark and its categories
    where it has several."""
    levelled, rest = [], defaultdict(list)
    for p in predictions:
        if "level" in p and (names.plain(p["bench"]) in LEVELLED or not p.get("bench")):
            levelled.append(p)
        else:
            rest[names.plain(p["bench"])].append(p)
    made = {name: [p for p in levelled if belongs(p)] for name, belongs in ROWS}
    made["other"] = [p for p in levelled if not any(belongs(p) for _, belongs in ROWS)]
    for bench, some in rest.items():
        made[bench] = some
        by_category = defaultdict(list)
        for p in some:
            for category in categories(p):
                by_category[category].append(p)
        if len(by_category) > 1:
            made |= {f"{bench} {category}": by_category[category] for category in sorted(by_category)}
    return {name: some for name, some in made.items() if some}


def categories(prediction: dict) -> list[str]:
    """The categories of a question; POPE's TSV has one question in several splits."""
    category = str(prediction.get("category") or "")
    if names.plain(prediction.get("bench")) == "pope":
        return [part.strip().lower() for part in category.split(",") if part.strip()]
    return [category] if category else []


def unread(prediction: dict) -> bool:
    """Whether nothing valid was read: nothing at all, or a letter that is none of the choices'."""
    parsed = prediction.get("parsed")
    return parsed is None or (
        prediction.get("scoring") != "likelihood"
        and isinstance(prediction.get("choices"), dict)
        and parsed not in prediction["choices"]
    )


def unchecked(prediction: dict) -> bool:
    """Whether a prediction is a caption whose answer is known but has no exact check."""
    caption = prediction.get("answer_type") == "caption" and prediction.get("correct") is None
    return caption and not gold.hidden(prediction.get("answer"))


def summarise(predictions: list[dict]) -> list[dict]:
    """One row for each group: see `row`."""
    return [row(name, some) for name, some in groups(predictions).items()]


def row(name: str, some: list[dict]) -> dict:
    """A group's name, n, correct (count), score, its interval (low, high), standard error (se) and number of clusters,
    chance and unparsed; all but the counts are shares of 1. Lines without a verdict count as unscored and are left out of
    the score: their answer is hidden, or they are captions over photographs, which have no exact check (unchecked)."""
    known = [p for p in some if p.get("correct") is not None]
    share = _share(known)
    return {
        "name": name, "n": len(known), "correct": sum(bool(p["correct"]) for p in known), **share,
        "chance": chance(known), "unscored": len(some) - len(known),
        "unchecked": sum(map(unchecked, some)),
        "unparsed": sum(map(unread, some)) / len(some),
    }  # fmt: skip


def by_images(predictions: list[dict]) -> list[dict]:
    """Accuracy by the number of images in the prompt: images, n, score, low, high, se, clusters."""
    counted: dict[int, list[dict]] = defaultdict(list)
    for p in predictions:
        if p.get("correct") is not None and p.get("images"):
            counted[len(p["images"])].append(p)
    return [{"images": images} | _share(counted[images]) for images in sorted(counted)]


def by_position(predictions: list[dict]) -> list[dict]:
    """Accuracy by the number of images and by the place of an image that the answer rests on: images, position (from 0), n,
    score, low, high, se, clusters. A question with several targets counts at each of them."""
    counted: dict[tuple[int, int], list[dict]] = defaultdict(list)
    for p in predictions:
        for position in p.get("target") or () if p.get("correct") is not None else ():
            if len(p.get("images") or ()) > position:
                counted[len(p["images"]), position].append(p)
    return [
        {"images": images, "position": at} | _share(counted[images, at]) for images, at in sorted(counted)
    ]


def _share(known: list[dict]) -> dict:
    right, groups = [bool(p["correct"]) for p in known], clusters.labels(known)
    low, high = statistics.interval(right, groups)
    return {
        "n": len(right), "score": sum(right) / len(right) if right else None, "low": low, "high": high,
        "se": statistics.standard_error(right, groups), "clusters": len(set(groups)),
    }  # fmt: skip
