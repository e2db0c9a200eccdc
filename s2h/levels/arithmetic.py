"""Level 2, visual arithmetic (symmetric aggregation): each image shows one digit, and the question takes several of them
together: sum, difference, the larger, the smallest, how many are equal. The rejected answer is a named mistake, wrong and
never impossible: a digit read `off-by-one` or from the `other-image`, an operand `left-out`, an `extra-image` taken in, the
`wrong-operator`.

Words alone don't tell the answers apart, by construction: a misreading is drawn so that its reverse is as likely (the world
that the wrong answer believes in, seen rightly, would be mistaken for this one as often), and those mistakes that go one way
(a sum with an operand left out is smaller) are thinned until they are in balance with those that go the other way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, Twin, in_turn, items_of, name_images, pick_kind
from s2h.sources import Item, NoPair

NEEDS = ("digit",)
NEGATIVES = {
    "off-by-one": 0.35,
    "other-image": 0.35,
    "left-out": 0.1,
    "extra-image": 0.1,
    "wrong-operator": 0.1,
}
ONE_WAY = (
    "left-out",
    "extra-image",
    "wrong-operator",
)  # of sums: each alone would make larger or smaller answers wrong
NAMES_IMAGE = ("larger", "smallest")  # operations whose answer is an image
OPPOSITE = {"sum": "difference", "larger": "smallest", "smallest": "larger"}
REDRAWS = 100
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
    operands = pick_operands(rng, operation, n_images)
    shows = rng.random() < working
    usable = _kinds(operation, len(operands), n_images, shows, weights)
    kind = pick_kind(rng, weights, usable)
    balance = None
    if operation == "sum" and kind in ONE_WAY and _mixes(weights):
        usable = [one for one in usable if one in ONE_WAY]
        balance = _sums(len(operands), tuple(weights.get(one, 0.0) * (one in usable) for one in ONE_WAY))
    for _ in range(REDRAWS):
        if balance is not None:
            kind = pick_kind(rng, weights, usable)
        values = [_value(rng, digit) for _ in range(n_images)]
        mistake = _mistake(rng, kind, operation, values, operands, digit)
        if mistake is None:
            continue
        there, back = (mistake.right, mistake.wrong), (mistake.wrong, mistake.right)
        if balance is None or rng.random() * balance[there] < balance[back]:
            return _draft(rng, source, operation, operands, digit, shows, kind, values, mistake)
    raise NoPair(f"no digits found for the mistake {kind}")


def _value(rng: Random, digit: int | None) -> int:
    """Any digit; where one is to be counted, half of the images show it, so that every count is about as frequent."""
    if digit is None:
        return rng.randrange(10)
    return digit if rng.random() < 0.5 else rng.choice([v for v in range(10) if v != digit])


def pick_operands(rng: Random, operation: str, n_images: int) -> list[int]:
    """The places of the images that an operation takes together."""
    if operation == "count-equal":
        return list(range(n_images))
    if operation in ("difference", "larger"):
        return list(in_turn(rng, list(combinations(range(n_images), 2))))
    several = rng.randint(2, min(3, n_images))
    return list(in_turn(rng, list(combinations(range(n_images), several))))


def _kinds(operation: str, m: int, n_images: int, shows: bool, weights: dict[str, float]) -> list[str]:
    """The mistakes that an operation over m of n images can suffer. An answer that shows its working reads the digits
    before it ends, so that only a misreading can't be seen through by the words alone."""
    names_image = operation in NAMES_IMAGE
    kinds = []
    if not names_image:
        kinds.append("off-by-one")
    if names_image or (n_images > m and operation != "count-equal"):
        kinds.append("other-image")
    if shows:
        return kinds
    if names_image:
        return [*kinds, "wrong-operator"] + ["left-out"] * (m > 2)
    if operation == "sum":
        kinds += ["left-out"] + ["wrong-operator"] * (m == 2) + ["extra-image"] * (n_images > m)
        if _mixes(weights) and n_images == m:  # nothing here makes a larger sum
            kinds = ["off-by-one"]
    return kinds


def _mixes(weights: dict[str, float]) -> bool:
    """Whether mistakes that make a sum smaller can be balanced by ones that make it larger."""
    return bool(weights.get("extra-image") and (weights.get("left-out") or weights.get("wrong-operator")))


@lru_cache
def _sums(m: int, weights: tuple[float, ...]) -> Counter:
    """How often, of all draws of m digits and a mistake that goes one way (weights as in ONE_WAY), a sum and the wrong one
    come together: (right, wrong) -> frequency, up to a factor."""
    left_out, extra, wrong_operator = weights
    table: Counter = Counter()
    for digits in product(range(10), repeat=m):
        right = sum(digits)
        for v in digits:
            table[right, right - v] += left_out / m
        for v in range(10):
            table[right, right + v] += extra / 10
        if m == 2:
            table[right, abs(digits[0] - digits[1])] += wrong_operator
    return table


@dataclass(frozen=True)
class Mistake:
    """right, wrong: the answers. seen: what the operands are taken for, None for one that is left out. world: the images'
    digits if the mistaken reading were the truth, None where the mistake lies in the working."""

    right: int
    wrong: int
    seen: list[int | None]
    world: list[int] | None = None


def _mistake(
    rng: Random, kind: str, operation: str, values: list[int], operands: list[int], digit: int | None
) -> Mistake | None:
    """One mistake of the kind, or None where the digits allow none."""
    read = [values[p] for p in operands]
    right, world, seen = solve(operation, read, digit), None, list(read)
    if right is None:
        return None
    if kind in ("off-by-one", "other-image"):
        if kind == "off-by-one":
            world = _misread(rng, values, operands, digit)
        else:
            world = _taken_for_another(rng, operation, values, operands)
        if world is None:
            return None
        seen = [world[p] for p in operands]
        wrong = solve(operation, seen, digit)
    elif kind == "extra-image":
        wrong = right + rng.choice([v for p, v in enumerate(values) if p not in operands])
    elif kind == "left-out":
        seen[rng.randrange(len(seen))] = None
        places = [at for at, v in enumerate(seen) if v is not None]
        wrong = solve(operation, [seen[at] for at in places], digit)
        if wrong is not None and operation != "sum":
            wrong = places[wrong]
    else:
        wrong = solve(OPPOSITE[operation], read, digit)
    return None if wrong is None or wrong == right else Mistake(right, wrong, seen, world)


def _misread(rng: Random, values: list[int], operands: list[int], digit: int | None) -> list[int] | None:
    """The values with one operand's read one too high or too low; where a digit is counted, one image taken for it or not
    taken for it, so that the count is off by one."""
    at = rng.choice(operands)
    if digit is None:
        seen = values[at] + rng.choice((-1, 1))
        if not 0 <= seen <= 9:
            return None
    else:
        seen = rng.choice([v for v in range(10) if v != digit]) if values[at] == digit else digit
    return [*values[:at], seen, *values[at + 1 :]]


def _taken_for_another(rng: Random, operation: str, values: list[int], operands: list[int]) -> list[int]:
    """The values with an operand's exchanged for that of an image that was not asked about, or, where the answer is an
    image, for that of any other."""
    at = rng.choice(operands)
    asked = (at,) if operation in NAMES_IMAGE else operands
    other = rng.choice([p for p in range(len(values)) if p not in asked])
    world = list(values)
    world[at], world[other] = world[other], world[at]
    return world


def _draft(
    rng: Random,
    source: Any,
    operation: str,
    operands: list[int],
    digit: int | None,
    shows: bool,
    kind: str,
    values: list[int],
    mistake: Mistake,
) -> Draft:
    ask = rng.choice(ASKS[operation]).format(digit if digit is not None else name_images(operands))
    ask += rng.choice(SHOW if shows else BRIEF)
    items: list[Item] = []
    for value in values:
        items.append(source.digit(rng, value, items))
    read = [values[p] for p in operands]

    def claims(seen: list[int | None]) -> list[tuple[int, str]]:
        told = [(p, v) for p, v in zip(operands, seen, strict=True) if v is not None]
        return [(p, f"a picture of the digit {v}") for p, v in told]

    def facts(values: list[int], answer: int) -> dict:
        names_image = operation in NAMES_IMAGE
        return {
            "operation": operation,
            "working": shows,
            "operands": operands,
            "values": values,
            **({"digit": digit} if digit is not None else {}),
            "answer": operands[answer] + 1 if names_image else answer,
            "answer_type": "image" if names_image else "number",
        }

    twin = None
    if mistake.world is not None:
        moved = items_of(items, values, mistake.world, lambda value, there: source.digit(rng, value, there))
        twin = Twin(moved, facts(mistake.world, mistake.wrong))
    return Draft(
        items,
        ask,
        say(operation, operands, read, mistake.right, shows),
        say(operation, operands, mistake.seen, mistake.wrong, shows),
        kind,
        sorted(operands),
        facts(values, mistake.right),
        claims(read),
        claims(mistake.seen),
        twin=twin,
    )


def say(operation: str, operands: list[int], seen: list[int | None], answer: int, shows: bool) -> str:
    """The answer in words, with what was read in each image before it where the prompt asks for that."""
    if operation in NAMES_IMAGE:
        final = f"Image {operands[answer] + 1} shows the {operation} digit."
    else:
        final = f"The {'count' if operation == 'count-equal' else operation} is {answer}."
    if not shows:
        return final
    read = ", ".join(f"Image {p + 1} shows {v}" for p, v in zip(operands, seen, strict=True) if v is not None)
    return f"{read}. {final}"
