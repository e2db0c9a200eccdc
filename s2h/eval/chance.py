"""Compute chance: the accuracy of a guesser who sees no image. It is at least one over the number of possible answers, and
None if that number is unknown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import factorial

from s2h.eval import answer_types, gold
from s2h.eval.benches import Line


def possible(line: Line) -> int | None:
    """Return how many answers a question can have: the number of its options, of its candidates or of the images in its
    prompt, 2 for yes and no, or the number that its task gives (`s2h.tasks.Task.answers`). None if it is unknown (captions,
    free answers)."""
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
    return images + 1 if kind == "image" else None  # a question may name an image that isn't there


def chance(predictions: Iterable[Line]) -> float | None:
    """Return the share of questions that a guesser answers right who knows the kind of a question and its number of images
    but sees no image. For each kind, the guess is the most frequent answer among its other questions, or one of the possible
    answers at random if that is better. None if the number of possible answers to a question is unknown."""
    right, total = 0.0, 0
    kinds: dict[tuple, list[tuple[str, int]]] = defaultdict(list)
    for p in predictions:
        answers = possible(p)
        if answers is None:
            return None
        total += 1
        if p.get("scoring") == "likelihood" and not p.get("choices"):
            right += 1 / answers  # which of two answers is likelier has no frequent answer
            continue
        kinds[_kind_of_question(p)].append((str(gold.read(p)), answers))
    for some in kinds.values():
        counted = Counter(answer for answer, _ in some)
        # A question is left out of its own count, so that it can't make its own answer the most frequent one.
        frequent = sum(n for answer, n in counted.items() if n - 1 >= max(_others(counted, answer), 1))
        right += max(float(frequent), sum(1 / answers for _, answers in some))
    return right / total if total else None


def _kind_of_question(line: Line) -> tuple:
    if line.get("choices"):
        return "choice", line.get("bench"), len(line["choices"])
    # The number of images bounds a count and an index; an attribute's value does not depend on it.
    kind = gold.kind_of(line)
    images = 0 if kind == "word" else len(line.get("images") or ())
    return line.get("category"), kind, line.get("about"), images


def _others(answers: Counter, answer: str) -> int:
    return max((n for other, n in answers.items() if other != answer), default=0)
