"""Level 2, visual arithmetic (symmetric aggregation): each image shows one digit, and the question takes several of them
together: sum, difference, the largest, the smallest, how many are equal. The rejected answer is a named mistake, wrong and
never impossible: a digit read `off-by-one` or from the `other-image`, an operand `left-out`, an `extra-image` taken in, the
`wrong-operator`.

Words alone don't tell the answers apart, by construction: a misreading is drawn so that its reverse is as likely (the world
that the wrong answer believes in, seen rightly, would be mistaken for this one as often), and those mistakes that go one way
(a sum with an operand left out is smaller) are thinned until they are in balance with those that go the other way."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from random import Random

from s2h.sources import Item, NoPair
from s2h.sources.shapes import DIGITS, DigitSet
from s2h.tasks.draft import WORKING, Draft, Twin, branch, in_turn, items_of, name_images, pick_kind

NEEDS = DIGITS
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
NAMES_IMAGE = ("larger", "largest", "smaller", "smallest")  # operations whose answer is an image
OPPOSITE = {
    "sum": "difference",
    "larger": "smaller",
    "largest": "smallest",
    "smaller": "larger",
    "smallest": "largest",
}
OPERATIONS = ("sum", "difference", "larger", "smaller", "count-equal")
OF_SEVERAL = {"larger": "largest", "smaller": "smallest"}  # of three or more
REDRAWS = 100
MOST_CHOICES = 220  # sets of images that take turns; of more any one is drawn


def _superlatives(word: str) -> tuple[str, ...]:
    """The phrasings of a question for the image with the larger, largest, smaller or smallest digit."""
    other = {"larger": "bigger", "largest": "biggest", "smaller": "lower", "smallest": "lowest"}[word]
    return (
        f"Which of {{}} shows the {word} digit?",
        f"One of {{}} shows the {word} number. Which one?",
        f"Compare {{}}: which one shows the {word} digit?",
        f"In which of {{}} is the number {'the ' * word.endswith('est')}{word}?",
        f"Of {{}}, which has the {word} digit?",
        f"Look at {{}}. Which one has the {word} digit in it?",
        f"Which digit is {'the ' * word.endswith('est')}{word} in {{}}? Name the image.",
        f"Tell me which of {{}} shows the {word} number.",
        f"Take {{}} and name the one with the {word} digit.",
        f"Which one of {{}} has the {other} digit?",
    )


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
        "How large is the difference between the numbers in {}?",
        "Find the difference between the numbers shown in {}.",
        "By how much is one of the digits in {} larger than the other?",
        "Calculate the difference between the digits in {}.",
        "If you subtract the smaller digit in {} from the larger one, what is the result?",
    ),
    # The difference over three images or more.
    "range": (
        "What is the difference between the largest and the smallest of the digits in {}?",
        "How far apart are the largest and the smallest digit in {}?",
        "By how much do the largest and the smallest digit in {} differ?",
        "Subtract the smallest from the largest of the digits in {}.",
        "Of the digits in {}, how much larger is the largest than the smallest?",
        "How large is the difference between the largest and the smallest number in {}?",
        "Take the smallest digit in {} away from the largest. What do you get?",
        "By how much is the largest of the digits in {} larger than the smallest?",
        "Calculate the difference between the highest and the lowest digit in {}.",
        "If you subtract the smallest digit in {} from the largest, what is the result?",
    ),
    **{word: _superlatives(word) for word in NAMES_IMAGE},
    "count-equal": (
        "How many of the images show the digit {}?",
        "In how many images do you see the digit {}?",
        "Count the images that show the digit {}.",
        "How often does the digit {} occur in these images?",
        "How many times is the number {} shown?",
        "How many images have the digit {} in them?",
        "What is the number of images with the digit {}?",
        "Count how many of the pictures show the number {}.",
        "In how many of the pictures is the digit {} to be seen?",
        "Of all the images, how many show the number {}?",
    ),
}
RESULT_ONLY, SHORT = " Answer with the result only.", " Give a short answer."
BRIEF = ("", "", RESULT_ONLY, SHORT)
SHOW = (
    " Say what you see in each image first.",
    " Read the digits aloud, then answer.",
    " Show how you got there.",
)


def possible_negatives(source: DigitSet) -> list[str]:
    return list(NEGATIVES)


def solve(operation: str, values: list[int], digit: int | None = None) -> int | None:
    """The answer to an operation over the operands' values: a number, or for larger/smallest the place in `values`
    (None for a tie)."""
    if operation == "sum":
        return sum(values)
    if operation == "difference":
        return max(values) - min(values)
    if operation == "count-equal":
        return sum(v == digit for v in values)
    best = max(values) if operation in ("larger", "largest") else min(values)
    return values.index(best) if values.count(best) == 1 else None


def make(
    rng: Random, source: DigitSet, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One arithmetic pair of `n_images` images of digits."""
    if n_images < 2:
        raise NoPair("arithmetic needs two images or more")
    operation = branch(rng, OPERATIONS, name="operation")
    digit = in_turn(rng, range(10), name="digit") if operation == "count-equal" else None
    operands = pick_operands(rng, operation, n_images)
    if len(operands) > 2:
        operation = OF_SEVERAL.get(operation, operation)
    shows = branch(rng, (True, False), (working, 1 - working), "working")
    usable = _kinds(operation, len(operands), n_images, shows, weights)
    kind = pick_kind(rng, weights, usable)
    answer_at = in_turn(rng, range(len(operands)), name="answer") if operation in NAMES_IMAGE else None
    balance = None
    if operation == "sum" and kind in ONE_WAY and _mixes(weights):
        usable = [one for one in usable if one in ONE_WAY]
        balance = _sums(len(operands), tuple(weights.get(one, 0.0) * (one in usable) for one in ONE_WAY))
    for _ in range(REDRAWS):
        if balance is not None:
            kind = rng.choices(usable, [weights.get(one, 0.0) for one in usable])[0]
        values = [_value(rng, digit) for _ in range(n_images)]
        if answer_at is not None:
            right = solve(operation, [values[p] for p in operands])
            if right is None:
                continue
            here, there = operands[right], operands[answer_at]
            values[here], values[there] = values[there], values[here]
        mistake = _mistake(rng, kind, operation, values, operands, digit)
        if mistake is None or (operation == "sum" and mistake.wrong > 9 * len(operands)):
            continue
        there, back = (mistake.right, mistake.wrong), (mistake.wrong, mistake.right)
        if balance is None or rng.random() * balance[there] < balance[back]:
            ending = rng.choice(SHOW if shows else BRIEF)
            return _draft(rng, source, Task(operation, operands, digit, ending), kind, values, mistake)
    raise NoPair(f"no digits found for the mistake {kind}")


@dataclass(frozen=True)
class Task:
    """What is asked: the operation, the places that it takes, the digit to be counted, and the ending of the prompt, which
    says how the answer should be."""

    operation: str
    operands: list[int]
    digit: int | None
    ending: str

    @property
    def shows(self) -> bool:
        return self.ending in SHOW

    def ask(self, rng: Random) -> str:
        name = self.operation
        if name == "difference" and len(self.operands) > 2:
            name = "range"
        about = self.digit if self.digit is not None else name_images(self.operands)
        return rng.choice(ASKS[name]).format(about) + self.ending


def _value(rng: Random, digit: int | None) -> int:
    """Any digit; where one is to be counted, half of the images show it, so that every count is about as frequent."""
    if digit is None:
        return rng.randrange(10)
    return digit if rng.random() < 0.5 else rng.choice([v for v in range(10) if v != digit])


def pick_operands(rng: Random, operation: str, n_images: int) -> list[int]:
    """The places of the images that an operation takes together."""
    if operation == "count-equal":
        return list(range(n_images))
    several = in_turn(rng, range(2, n_images + 1), name="operands")
    choices = math.comb(n_images, several)
    if choices > MOST_CHOICES:
        return sorted(rng.sample(range(n_images), several))
    return list(in_turn(rng, list(combinations(range(n_images), several)), name="places"))


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
    fewer = _ways(m - 1)
    table: Counter = Counter()
    for rest, ways in fewer.items():
        for v in range(10):
            table[rest + v, rest] += ways * left_out
    for right, ways in _ways(m).items():
        for v in range(10):
            table[right, right + v] += ways * extra / 10
    if m == 2:
        for one, other in product(range(10), repeat=2):
            table[one + other, abs(one - other)] += wrong_operator
    return table


def _ways(m: int) -> Counter:
    """How many rows of m digits have each sum."""
    ways = Counter({0: 1})
    for _ in range(m):
        ways = Counter({total: sum(ways[total - v] for v in range(10)) for total in range(max(ways) + 10)})
    return ways


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
    rng: Random, source: DigitSet, task: Task, kind: str, values: list[int], mistake: Mistake
) -> Draft:
    operation, operands, digit, shows = task.operation, task.operands, task.digit, task.shows
    ask = task.ask(rng)
    items: list[Item] = []
    for value in values:
        items.append(source.draw_digit(rng, value, items))
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
        moved = items_of(
            items, values, mistake.world, lambda value, there: source.draw_digit(rng, value, there)
        )
        twin = Twin(moved, facts(mistake.world, mistake.wrong))
    return Draft(
        items,
        ask,
        say(operation, operands, read, mistake.right, shows, task.ending),
        say(operation, operands, mistake.seen, mistake.wrong, shows, task.ending),
        kind,
        sorted(operands),
        facts(values, mistake.right),
        claims(read),
        claims(mistake.seen),
        twin=twin,
    )


def say(
    operation: str, operands: list[int], seen: list[int | None], answer: int, shows: bool, ending: str = ""
) -> str:
    """The answer in words, with what was read in each image before it where the prompt asks for that; the result alone where
    the prompt's ending asks for it."""
    result = f"Image {operands[answer] + 1}" if operation in NAMES_IMAGE else str(answer)
    if ending in (RESULT_ONLY, SHORT):
        return result if ending == RESULT_ONLY else f"{result}."
    if operation in NAMES_IMAGE:
        final = f"{result} shows the {operation} digit."
    else:
        final = f"The {'count' if operation == 'count-equal' else operation} is {result}."
    if not shows:
        return final
    read = ", ".join(f"Image {p + 1} shows {v}" for p, v in zip(operands, seen, strict=True) if v is not None)
    return f"{read}. {final}"
