"""Scores of predictions: accuracy with a 95% interval by benchmark and category, the share that could not be read, and
what a blind guesser gets; accuracy by the number of images and by the target's position."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from s2h.eval.benches import names

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
    "scoring", "target", "l2_category", "group", "question_type", "sentence", "parser", "model",
)  # fmt: skip


def slim(line: dict) -> dict:
    """A prediction without its texts and images; the number of images stays."""
    kept = {key: line[key] for key in KEPT if key in line}
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


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def chance(predictions: Iterable[dict]) -> float | None:
    """What a blind guesser gets, who knows the kind of question and the number of images but sees nothing: for each such
    kind the answer that is most frequent among the other questions of the kind, or one of the candidates at random where
    that is better. None where an answer is a free caption or a short answer without candidates."""
    right = total = 0.0
    kinds: dict[tuple, list[dict]] = defaultdict(list)
    for p in predictions:
        if p.get("scoring") == "likelihood" and "choices" not in p:
            right, total = right + 0.5, total + 1
        elif p.get("answer_type") == "caption":
            return None
        elif p.get("choices"):
            kinds["choice", p.get("bench"), len(p["choices"])].append(p)
        else:
            # The number of images bounds a count and an index; an attribute's value does not depend on it.
            images = 0 if p.get("answer_type") == "word" else len(p.get("images") or ())
            kinds[p.get("category"), p.get("answer_type"), p.get("about"), images].append(p)
    for some in kinds.values():
        answers = Counter(str(p["answer"]) for p in some)
        # Left out of its own count, a question can't make its answer the frequent one.
        guessed = sum(n for answer, n in answers.items() if n - 1 >= max(_others(answers, answer), 1))
        options = [len(p.get("choices") or p.get("candidates") or ()) for p in some]
        uniform = sum(1 / n for n in options if n) if all(options) else 0.0
        right += max(float(guessed), uniform)
        total += len(some)
    return right / total if total else None


def _others(answers: Counter, answer: str) -> int:
    return max((n for other, n in answers.items() if other != answer), default=0)


def summarise(predictions: list[dict]) -> list[dict]:
    """One row for each group: name, n, correct (count), score, low, high, chance, unparsed (shares of 1). Lines whose answer
    is hidden count as unscored and are left out of the score."""
    return [row(name, some) for name, some in groups(predictions).items()]


def row(name: str, some: list[dict]) -> dict:
    known = [p for p in some if p.get("correct") is not None]
    right = sum(bool(p["correct"]) for p in known)
    low, high = wilson(right, len(known))
    return {
        "name": name, "n": len(known), "correct": right, "score": right / len(known) if known else None,
        "low": low, "high": high, "chance": chance(known), "unscored": len(some) - len(known),
        "unparsed": sum(map(unread, some)) / len(some),
    }  # fmt: skip


def by_images(predictions: list[dict]) -> list[dict]:
    """Accuracy by the number of images in the prompt: images, n, score, low, high."""
    counted: dict[int, list[bool]] = defaultdict(list)
    for p in predictions:
        if p.get("correct") is not None and p.get("images"):
            counted[len(p["images"])].append(bool(p["correct"]))
    return [{"images": images} | _share(counted[images]) for images in sorted(counted)]


def by_position(predictions: list[dict]) -> list[dict]:
    """Accuracy by the number of images and by the place of an image that the answer rests on: images, position (from 0), n,
    score, low, high. A question with several targets counts at each of them."""
    counted: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for p in predictions:
        for position in p.get("target") or () if p.get("correct") is not None else ():
            if len(p.get("images") or ()) > position:
                counted[len(p["images"]), position].append(bool(p["correct"]))
    return [
        {"images": images, "position": at} | _share(counted[images, at]) for images, at in sorted(counted)
    ]


def _share(right: list[bool]) -> dict:
    low, high = wilson(sum(right), len(right))
    return {"n": len(right), "score": sum(right) / len(right), "low": low, "high": high}
