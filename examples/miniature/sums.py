"""Lessons about digits: sums, differences, the largest, the smallest and counts, over digits that are shown or told.
Questions and answers are those of the task arithmetic."""

from __future__ import annotations

from random import Random

from s2h.sources import Item
from s2h.tasks.arithmetic import OF_SEVERAL, OPERATIONS, Problem, solve
from s2h.tasks.arithmetic_words import BRIEF, SHOW
from s2h.tasks.item_pair import name_images

READ = ("Read the digits in {}.", "Which digits do {} show?", "What do you see in {}?")
WORKING = 0.35  # share of the questions that ask for the working


class Digits:
    """The pool's pictures of digits. digits: their labels."""

    def __init__(self, digits: list[dict]) -> None:
        self.labels = digits
        self.of_value = [[at for at, one in enumerate(digits) if one["value"] == v] for v in range(10)]

    def item(self, rng: Random, value: int) -> Item:
        at = rng.choice(self.of_value[value])
        return Item(f"digit {at}", self.labels[at])


def reckon(
    rng: Random,
    digits: Digits,
    told: float,
    operations: tuple[str, ...] = OPERATIONS,
    most: int = 5,
    turns: int = 3,
    all_shown: bool = False,
    working: float = WORKING,
) -> tuple[list[Item], list]:
    """One to three questions about two digits or more. Unless `all_shown`, one of the digits that a question is about is
    told."""
    n = rng.randint(2, most)
    values = [rng.randrange(10) for _ in range(n)]
    if rng.random() < 0.4:  # as in questions that count
        values = [values[0] if rng.random() < 0.5 else v for v in values]
    in_words = [rng.random() < told for _ in values]
    if not all_shown and not any(in_words):
        in_words[rng.randrange(n)] = True
    said: list = []
    for _ in range(20):
        if len(said) == turns:
            break
        operation = rng.choice(operations)
        operands = list(range(n))
        digit = None
        if operation == "count-equal":
            digit = rng.choice(values) if rng.random() < 0.85 else rng.randrange(10)
        else:
            operands = sorted(rng.sample(operands, rng.randint(2, n)))
            if len(operands) > 2:
                operation = OF_SEVERAL.get(operation, operation)
        if not all_shown and not any(in_words[p] for p in operands):
            continue
        read: list[int | None] = [values[p] for p in operands]
        right = solve(operation, [values[p] for p in operands], digit)
        if right is None:
            continue
        ending = rng.choice(SHOW if rng.random() < working else BRIEF)
        problem = Problem(operation, operands, digit, ending)
        said.append((problem.ask(rng), problem.say(read, right)))
    if not said:
        return reckon(rng, digits, told, operations, most, turns, all_shown, working)
    return in_digits(rng, digits, values, in_words, said)


def read(rng: Random, digits: Digits, told: float, most: int = 5, turns: int = 3) -> tuple[list[Item], list]:
    """The digits in some of the images, as an answer that shows its working begins."""
    n = rng.randint(2, most)
    values = [rng.randrange(10) for _ in range(n)]
    said = []
    for _ in range(turns):
        places = sorted(rng.sample(range(n), rng.randint(2, n)))
        answer = ", ".join(f"Image {p + 1} shows {values[p]}" for p in places) + "."
        said.append((rng.choice(READ).format(name_images(places)), answer))
    return in_digits(rng, digits, values, [rng.random() < told for _ in values], said)


def in_digits(
    rng: Random, digits: Digits, values: list[int], in_words: list[bool], said: list
) -> tuple[list[Item], list]:
    """Return the lesson in which the digits are shown, or told where `in_words` says so."""
    parts: list = []
    items = []
    for i, value in enumerate(values):
        parts += [f"{'' if i == 0 else chr(10)}Image {i + 1}: ", str(value) if in_words[i] else None]
        if not in_words[i]:
            items.append(digits.item(rng, value))
    (first, answer), *rest = said
    return items, [([*parts, "\n" + first], answer), *(([ask], say) for ask, say in rest)]
