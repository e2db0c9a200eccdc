"""Level 2, visual arithmetic (symmetric aggregation): each image shows one digit, and the question takes several of them
together: their sum or difference, the largest, the smallest, or how many are equal. The rejected answer makes one named
mistake, and is a possible answer to the question: a digit is read `off-by-one` or from the `other-image`, an operand is
`left-out`, an `extra-image` is added, or the `wrong-operator` is used.

A reader of the text alone can't tell chosen from rejected, by construction. If answer A is rejected in favour of B in one
prompt, B is as often rejected in favour of A in others. Misreadings are symmetric by the way they are drawn. Mistakes that
only make a sum smaller (an operand left out) are dropped at random until they balance those that make it larger."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations, product
from random import Random

from s2h.sources import Item, NoPair
from s2h.sources.shapes import DIGITS, DigitSet
from s2h.tasks import Answer, Task, Wanted
from s2h.tasks.arithmetic_words import ASKS, BRIEF, RESULT_ONLY, SHORT, SHOW
from s2h.tasks.item_pair import Claims, Pair, Twin, name_images, rearranged
from s2h.tasks.slots import Slot

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
)  # mistakes that change a sum in one direction only, so that its size would tell whether it is wrong
NAMES_IMAGE = ("larger", "largest", "smaller", "smallest")  # operations whose answer is an image
OPPOSITE = {
    "sum": "difference",
    "larger": "smaller",
    "largest": "smallest",
    "smaller": "larger",
    "smallest": "largest",
}
OPERATIONS = ("sum", "difference", "larger", "smaller", "count-equal")
OF_SEVERAL = {"larger": "largest", "smaller": "smallest"}  # the names with three or more operands
REDRAWS = 100
MOST_CHOICES = 220  # sets of operands that are dealt in balance; if there are more, one is drawn at random
TERMS = 3  # operands that the chance level of a sum counts: with more of them a guess is no easier


def solve(operation: str, values: list[int], digit: int | None = None) -> int | None:
    """Return the answer to an operation over the operands' values: a number, or for an operation in NAMES_IMAGE the position
    in `values` (None for a tie). digit: the one that `count-equal` counts."""
    if operation == "sum":
        return sum(values)
    if operation == "difference":
        return max(values) - min(values)
    if operation == "count-equal":
        return sum(v == digit for v in values)
    best = max(values) if operation in ("larger", "largest") else min(values)
    return values.index(best) if values.count(best) == 1 else None


def make(slot: Slot, data: DigitSet, wanted: Wanted) -> Pair:
    """Return one pair over images of digits. Raises NoPair if the draw gives none."""
    rng, n_images, weights = slot.rng, slot.n_images, wanted.negatives
    if n_images < 2:
        raise NoPair("arithmetic needs two images or more")
    operation = slot.branch(OPERATIONS, name="operation")
    digit = slot.deal(range(10), name="digit") if operation == "count-equal" else None
    operands = draw_operands(slot, operation)
    if len(operands) > 2:
        operation = OF_SEVERAL.get(operation, operation)
    shows = slot.branch((True, False), (wanted.working_share, 1 - wanted.working_share), "working")
    usable = _kinds(operation, len(operands), n_images, shows, weights)
    kind = slot.negative(weights, usable)
    answer_at = slot.deal(range(len(operands)), name="answer") if operation in NAMES_IMAGE else None
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
        forth, back = (mistake.right, mistake.wrong), (mistake.wrong, mistake.right)
        if balance is None or rng.random() * balance[forth] < balance.get(back, 0.0):
            ending = rng.choice(SHOW if shows else BRIEF)
            return _pair(rng, data, Problem(operation, operands, digit, ending), kind, values, mistake)
    raise NoPair(f"no digits found for the mistake {kind}")


@dataclass(frozen=True)
class Problem:
    """The question of one prompt. operands: positions of the images that it asks about. digit: the one to be counted, for
    `count-equal`. ending: the end of the prompt, which says how to answer."""

    operation: str
    operands: list[int]
    digit: int | None
    ending: str

    @property
    def shows(self) -> bool:
        """Whether the answer shows its working."""
        return self.ending in SHOW

    def ask(self, rng: Random) -> str:
        name = self.operation
        if name == "difference" and len(self.operands) > 2:
            name = "range"
        about = self.digit if self.digit is not None else name_images(self.operands)
        return rng.choice(ASKS[name]).format(about) + self.ending

    def say(self, seen: list[int | None], answer: int) -> str:
        """Return an answer in words. If the prompt asks for the working, the answer begins with the digits in `seen`; if it
        asks for the result only, the answer is the result."""
        names_image = self.operation in NAMES_IMAGE
        result = f"Image {self.operands[answer] + 1}" if names_image else str(answer)
        if self.ending in (RESULT_ONLY, SHORT):
            return result if self.ending == RESULT_ONLY else f"{result}."
        if names_image:
            final = f"{result} shows the {self.operation} digit."
        else:
            final = f"The {'count' if self.operation == 'count-equal' else self.operation} is {result}."
        if not self.shows:
            return final
        return f"{', '.join(f'Image {p + 1} shows {v}' for p, v in self._read(seen))}. {final}"

    def claims(self, seen: list[int | None]) -> Claims:
        return [(p, f"a picture of the digit {v}") for p, v in self._read(seen)]

    def _read(self, seen: list[int | None]) -> list[tuple[int, int]]:
        return [(p, v) for p, v in zip(self.operands, seen, strict=True) if v is not None]

    def facts(self, values: list[int], answer: int) -> dict:
        names_image = self.operation in NAMES_IMAGE
        return {
            "operation": self.operation,
            "working": self.shows,
            "operands": self.operands,
            "values": values,
            **({"digit": self.digit} if self.digit is not None else {}),
            "answer": self.operands[answer] + 1 if names_image else answer,
            "answer_type": "image" if names_image else "number",
        }


def _value(rng: Random, digit: int | None) -> int:
    """Draw a digit. If one is to be counted, half of the images show it, so that high and low counts are both frequent."""
    if digit is None:
        return rng.randrange(10)
    return digit if rng.random() < 0.5 else rng.choice([v for v in range(10) if v != digit])


def draw_operands(slot: Slot, operation: str) -> list[int]:
    """Draw the positions of the images that an operation is about."""
    n_images = slot.n_images
    if operation == "count-equal":
        return list(range(n_images))
    several = slot.deal(range(2, n_images + 1), name="operands")
    if math.comb(n_images, several) > MOST_CHOICES:
        return sorted(slot.rng.sample(range(n_images), several))
    return list(slot.deal(_combinations(n_images, several), name="places"))


@lru_cache
def _combinations(n_images: int, several: int) -> tuple[tuple[int, ...], ...]:
    return tuple(combinations(range(n_images), several))


def _kinds(operation: str, m: int, n_images: int, shows: bool, weights: dict[str, float]) -> list[str]:
    """Return the mistakes that an operation over m of n images can have. An answer that shows its working lists the digits
    first. Then a misreading is the only mistake that the text alone does not contradict."""
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
        if _mixes(weights) and n_images == m:  # no image is left over to make a sum larger
            kinds = ["off-by-one"]
    return kinds


def _mixes(weights: dict[str, float]) -> bool:
    """Tell whether a run has both mistakes that make a sum larger and mistakes that make it smaller."""
    return bool(weights.get("extra-image") and (weights.get("left-out") or weights.get("wrong-operator")))


@lru_cache
def _sums(m: int, weights: tuple[float, ...]) -> dict[tuple[int, int], float]:
    """Return the relative frequency of each (right sum, wrong sum) over all draws of m digits and of a mistake in ONE_WAY.
    weights: of these mistakes, in the order of ONE_WAY."""
    left_out, extra, wrong_operator = weights
    fewer = _ways(m - 1)
    table: dict[tuple[int, int], float] = defaultdict(float)
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
    """Return by sum how many sequences of m digits have it."""
    ways = Counter({0: 1})
    for _ in range(m):
        ways = Counter({total: sum(ways[total - v] for v in range(10)) for total in range(max(ways) + 10)})
    return ways


@dataclass(frozen=True)
class Mistake:
    """A wrong answer and how it comes about. right, wrong: the answers. seen: the digits that the wrong answer reads in the
    operands, None for one that it leaves out. world: the digits that the images would show if the wrong answer were right;
    None if the digits are read correctly and the calculation is wrong."""

    right: int
    wrong: int
    seen: list[int | None]
    world: list[int] | None = None


def _mistake(
    rng: Random, kind: str, operation: str, values: list[int], operands: list[int], digit: int | None
) -> Mistake | None:
    """Return one mistake of the kind, None if the digits allow none."""
    read = [values[p] for p in operands]
    right, world = solve(operation, read, digit), None
    seen: list[int | None] = list(read)
    if right is None:
        return None
    if kind in ("off-by-one", "other-image"):
        if kind == "off-by-one":
            world = _misread(rng, values, operands, digit)
        else:
            world = _taken_for_another(rng, operation, values, operands)
        if world is None:
            return None
        read = [world[p] for p in operands]
        seen, wrong = list(read), solve(operation, read, digit)
    elif kind == "extra-image":
        wrong = right + rng.choice([v for p, v in enumerate(values) if p not in operands])
    elif kind == "left-out":
        seen[rng.randrange(len(seen))] = None
        places = [at for at, v in enumerate(seen) if v is not None]
        wrong = solve(operation, [read[at] for at in places], digit)
        if wrong is not None and operation != "sum":
            wrong = places[wrong]
    else:
        wrong = solve(OPPOSITE[operation], read, digit)
    return None if wrong is None or wrong == right else Mistake(right, wrong, seen, world)


def _misread(rng: Random, values: list[int], operands: list[int], digit: int | None) -> list[int] | None:
    """Return the values with one operand read one too high or too low, None if that is no digit. If a digit is counted,
    return the values with one image more or one less that shows it."""
    at = rng.choice(operands)
    if digit is None:
        seen = values[at] + rng.choice((-1, 1))
        if not 0 <= seen <= 9:
            return None
    else:
        seen = rng.choice([v for v in range(10) if v != digit]) if values[at] == digit else digit
    return [*values[:at], seen, *values[at + 1 :]]


def _taken_for_another(rng: Random, operation: str, values: list[int], operands: list[int]) -> list[int]:
    """Return the values with two of them swapped: an operand and an image that was not asked about, or any other image if
    the answer names an image."""
    at = rng.choice(operands)
    asked = (at,) if operation in NAMES_IMAGE else operands
    other = rng.choice([p for p in range(len(values)) if p not in asked])
    world = list(values)
    world[at], world[other] = world[other], world[at]
    return world


def _pair(
    rng: Random, data: DigitSet, problem: Problem, kind: str, values: list[int], mistake: Mistake
) -> Pair:
    ask = problem.ask(rng)
    items: list[Item] = []
    for value in values:
        items.append(data.draw_digit(rng, value, items))
    twin = None
    if mistake.world is not None:
        moved = rearranged(items, values, mistake.world, partial(data.draw_digit, rng))
        twin = Twin(moved, problem.facts(mistake.world, mistake.wrong))
    read: list[int | None] = [values[p] for p in problem.operands]
    return Pair(
        items,
        ask,
        problem.say(read, mistake.right),
        problem.say(mistake.seen, mistake.wrong),
        kind,
        sorted(problem.operands),
        problem.facts(values, mistake.right),
        problem.claims(read),
        problem.claims(mistake.seen),
        twin=twin,
    )


TASK = Task(
    level=2,
    about="sums and comparisons of digits over several images",
    negatives=NEGATIVES,
    answers={
        "number": Answer(lambda images: 9 * min(TERMS, images) + 1),
        "image": Answer(lambda images: images),
    },
    make=make,
    needs=(DIGITS,),
    takes=frozenset({"working"}),
)
