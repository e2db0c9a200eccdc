"""Level 2, visual arithmetic (symmetric aggregation): each image shows one digit, and the question takes several of them
together: sum, difference, the larger, the smallest, how many are equal. The rejected answer is a named mistake that is
wrong and never impossible: `off-by-one`, `left-out` operand, `wrong-operator`, `other-image` (a neighbour's digit)."""

from __future__ import annotations

from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, name_images, pick_kind
from s2h.sources import Item, NoPair

NEEDS = ("digit",)
NEGATIVES = {"off-by-one": 0.35, "other-image": 0.3, "left-out": 0.2, "wrong-operator": 0.15}
ASKS = {
    "sum": (
        "What is the sum of the digits in {}?",
        "Add up the digits in {}.",
        "What do the digits in {} add up to?",
        "Add the numbers shown in {}. What do you get?",
        "How much do the digits in {} make together?",
        "What is the total of the digits in {}?",
        "Calculate the sum of the numbers in {}.",
        "If you add the digits in {}, what is the result?",
        "Find the total of the numbers shown in {}.",
        "Take the digits in {} together: what is their sum?",
    ),
    "difference": (
        "What is the difference between the digits in {}?",
        "How far apart are the digits in {}?",
        "By how much do the digits in {} differ?",
        "Subtract the smaller from the larger of the digits in {}.",
        "What is the distance between the numbers in {}?",
        "How large is the difference of the numbers in {}?",
        "Find the difference between the numbers shown in {}.",
        "By how much is one of the digits in {} larger than the other?",
        "Calculate the difference of the digits in {}.",
        "The digits in {}: how much lies between them?",
    ),
    "larger": (
        "Which of {} shows the larger digit?",
        "Which image has the larger number: {}?",
        "Compare {}: which shows the larger digit?",
        "In which of {} is the number larger?",
        "Of {}, which has the larger digit?",
        "Look at {}. Which one shows more?",
        "Which digit is larger in {}? Name the image.",
        "Tell me which of {} shows the larger number.",
        "Take {} and name the one with the larger digit.",
        "Which one of {} has the bigger digit?",
    ),
    "smallest": (
        "Which of {} shows the smallest digit?",
        "Which image has the smallest number: {}?",
        "Compare {}: which shows the smallest digit?",
        "In which of {} is the number smallest?",
        "Of {}, which has the smallest digit?",
        "Look at {}. Which one shows the least?",
        "Which digit is the smallest in {}? Name the image.",
        "Tell me which of {} shows the smallest number.",
        "Take {} and name the one with the smallest digit.",
        "Which one of {} has the lowest digit?",
    ),
    "count-equal": (
        "How many of the images show the digit {}?",
        "In how many images do you see a {}?",
        "Count the images that show the digit {}.",
        "How often does the digit {} occur in these images?",
        "How many times is the number {} shown?",
        "How many images have a {} in them?",
        "What is the number of images with the digit {}?",
        "Count how many of the pictures show a {}.",
        "On how many pictures is the digit {}?",
        "Of all images, how many show {}?",
    ),
}
BRIEF = ("", "", " Answer with the result only.", " Give a short answer.")
SHOW = (
    " Say what you see in each image first.",
    " Read the digits aloud, then answer.",
    " Show how you got there.",
)


def possible_negatives(source: Any) -> list[str]:
    return list(NEGATIVES)


def solve(operation: str, values: list[int], digit: int | None = None) -> int | None:
    """The answer to an operation over the operands' values: a number, or for larger/smallest the place in `values`
    (None for a tie)."""
    if operation == "sum":
        return sum(values)
    if operation == "difference":
        return abs(values[0] - values[1])
    if operation == "count-equal":
        return sum(v == digit for v in values)
    best = max(values) if operation == "larger" else min(values)
    return values.index(best) if values.count(best) == 1 else None


def make(
    rng: Random, source: Any, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One arithmetic pair of `n_images` images of digits."""
    if n_images < 2:
        raise NoPair("arithmetic needs two images or more")
    operation = rng.choice(list(ASKS))
    digit = rng.randrange(10) if operation == "count-equal" else None
    # Half of the images show the digit to be counted, so that every count is about as frequent as the others.
    values = [
        digit if digit is not None and rng.random() < 0.5 else rng.randrange(10) for _ in range(n_images)
    ]
    operands = pick_operands(rng, operation, n_images)
    read = [values[p] for p in operands]
    answer = solve(operation, read, digit)
    if answer is None:
        raise NoPair("a tie")
    choices = _mistakes(rng, operation, values, operands, digit, answer)
    kind = pick_kind(rng, weights, list(choices))
    wrong_read, wrong = choices[kind]
    ask = rng.choice(ASKS[operation]).format(digit if digit is not None else name_images(operands))
    shows = rng.random() < working
    ask += rng.choice(SHOW if shows else BRIEF)
    items: list[Item] = [source.digit(rng, value) for value in values]
    hands = ["printed" if item.labels["hand"] == "printed" else "handwritten" for item in items]

    def claims(seen: list[int]) -> list[tuple[int, str]]:
        return [(p, f"the {hands[p]} digit {v}") for p, v in zip(operands, seen, strict=True)]

    # Where the mistake is in the working and not in the reading, both answers read the digits alike.
    said_wrong = [v if v is not None else t for v, t in zip(wrong_read, read, strict=True)]
    kind_of_answer = "image" if operation in ("larger", "smallest") else "number"
    final = operands[answer] + 1 if kind_of_answer == "image" else answer
    facts = {
        "operation": operation,
        "working": shows,
        "operands": operands,
        "values": values,
        **({"digit": digit} if digit is not None else {}),
        "answer": final,
        "answer_type": kind_of_answer,
    }
    chosen_text = say(operation, operands, read, answer, shows)
    rejected_text = say(operation, operands, wrong_read, wrong, shows)
    if chosen_text == rejected_text:
        raise NoPair("both answers read the same")
    claimed_wrong = [0 if v is None else v for v in wrong_read] if kind == "left-out" else said_wrong
    return Draft(
        items,
        ask,
        chosen_text,
        rejected_text,
        kind,
        sorted(operands),
        facts,
        claims(read),
        claims(claimed_wrong),
    )


def pick_operands(rng: Random, operation: str, n_images: int) -> list[int]:
    """The places of the images that an operation takes together."""
    if operation == "count-equal":
        return list(range(n_images))
    if operation in ("difference", "larger"):
        return sorted(rng.sample(range(n_images), 2))
    return sorted(rng.sample(range(n_images), rng.randint(2, min(3, n_images))))


def _mistakes(
    rng: Random, operation: str, values: list[int], operands: list[int], digit: int | None, answer: int
) -> dict[str, tuple[list[int | None], int]]:
    """Kind -> (what each operand was taken for, None if left out; the wrong answer), only those that come out wrong."""
    read = [values[p] for p in operands]
    found: dict[str, tuple[list[int | None], int]] = {}

    def keep(kind: str, seen: list[int | None]) -> None:
        known = [v for v in seen if v is not None]
        wrong = solve(operation, known, digit) if len(known) > 1 or operation == "sum" else None
        if wrong is not None and operation in ("larger", "smallest"):
            wrong = [i for i, v in enumerate(seen) if v is not None][wrong]
        if wrong is not None and wrong != answer:
            found[kind] = (seen, wrong)

    at = rng.randrange(len(read))
    steps = [s for s in (-1, 1) if 0 <= read[at] + s <= 9]
    keep("off-by-one", [*read[:at], read[at] + rng.choice(steps), *read[at + 1 :]])
    others = [v for p, v in enumerate(values) if p != operands[at] and v != read[at]]
    if others:
        keep("other-image", [*read[:at], rng.choice(others), *read[at + 1 :]])
    if len(read) > 2 or operation == "sum":
        keep("left-out", [*read[:at], None, *read[at + 1 :]])
    opposite = {"sum": "difference", "difference": "sum", "larger": "smallest", "smallest": "larger"}.get(
        operation
    )
    if opposite and (operation != "sum" or len(read) == 2):
        wrong = solve(opposite, read, digit)
        possible = operation != "difference" or (wrong is not None and wrong <= 9)
        if wrong is not None and wrong != answer and possible:
            found["wrong-operator"] = (list(read), wrong)
    return found


def say(operation: str, operands: list[int], seen: list[int | None], answer: int, shows: bool) -> str:
    """The answer in words, with what was read in each image before it where the prompt asks for that."""
    if operation in ("larger", "smallest"):
        final = f"Image {operands[answer] + 1} shows the {operation} digit."
    else:
        final = f"The {'count' if operation == 'count-equal' else operation} is {answer}."
    if not shows:
        return final
    read = ", ".join(f"Image {p + 1} shows {v}" for p, v in zip(operands, seen, strict=True) if v is not None)
    return f"{read}. {final}"
