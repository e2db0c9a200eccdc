"""Compute chance: the accuracy of a guesser who does not see the images. It is at least one over the number of possible
answers, and None if that number is unknown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import factorial

from s2h.eval import answer_types, gold
from s2h.eval.benches import Line


def possible(line: Line) -> int | None:
    """Return how many answers a question can have: the number of its options, of its candidates or of the images in its
    prompt, 2 for yes and no, or the number that its task returns (`s2h.tasks.Task.answers`). None if the number is unknown
    (captions, free answers)."""
    choices, kind = line.get("choices"), gold.kind_of(line)
    if line.get("scoring") == "likelihood" and not choices:
        return 2
    if choices:
        return len(choices)
    if kind == "yes/no":
        return 2
    if kind == "word" and line.get("candidates"):
        return len(line["candidates"])
    images = len(line.get("images") or ())
    if not images:
        return None
    if (answer := answer_types.of_task(line, kind)) is not None:
        return answer.possible(images)
    if kind == "order":
        return factorial(images)
    return images + 1 if kind == "image" else None  # an image or "none"


def chance(predictions: Iterable[Line]) -> float | None:
    """Return the share of questions that a guesser answers right who knows the kind of each question and the number of its
    images, but does not see them. For each kind, the guesser gives the most frequent answer to the other questions of the
    kind, or a random one of the possible answers if that is better. None if the number of possible answers to a question is
    unknown."""
    right, total = 0.0, 0
    kinds: dict[tuple, list[tuple[str, int]]] = defaultdict(
        list
    )  # (right answer, number of possible answers)
    for p in predictions:
        count = possible(p)
        if count is None:
            return None
        total += 1
        if p.get("scoring") == "likelihood" and not p.get("choices"):
            right += 1 / count  # of two answers, neither is the frequent one
            continue
        kinds[_kind_of_question(p)].append((str(gold.read(p)), count))
    for questions in kinds.values():
        answers = Counter(answer for answer, _ in questions)
        # A question is left out of its own count, so that it can't make its own answer the most frequent one.
        frequent = sum(
            n for answer, n in answers.items() if n - 1 >= max(_most_of_others(answers, answer), 1)
        )
        right += max(float(frequent), sum(1 / count for _, count in questions))
    return right / total if total else None


def _kind_of_question(line: Line) -> tuple:
    """Return what a blind guesser knows of a question."""
    if line.get("choices"):
        return "choice", line.get("bench"), len(line["choices"])
    # The number of images bounds a count and an index. The value of an attribute does not depend on it.
    kind = gold.kind_of(line)
    images = 0 if kind == "word" else len(line.get("images") or ())
    return line.get("category"), kind, line.get("about"), images


def _most_of_others(answers: Counter, answer: str) -> int:
    """Return the number of questions with the most frequent other answer."""
    return max((n for other, n in answers.items() if other != answer), default=0)
