"""The course of the miniature VLM after it has learned to see and to speak: stages of lessons, one skill after another.

A stage has a number of lessons, a learning rate (a share of the first one) and the shares of its skills. A skill takes
a random generator, the material and the share of the stage that is done, and returns a lesson as lessons.py describes it.
Questions of levels 2 and 3 have right answers only while at least one image is told in words; over images alone (`forms`)
right and wrong answers come equally often.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import lessons
from lessons import PoolWorld
from people import LOOKS, Crowd, compare, describe_two, kin, reason, same
from seek import seek
from sums import Digits, read, reckon

HALF = (0.0, 0.5, 0.5, 1.0)  # probabilities that an image is told in words
SEEN = (0.0, 0.0, 0.5, 1.0)


class Material:
    """What lessons are drawn from. labels: of the pool's pictures, by kind."""

    def __init__(self, labels: dict[str, list[dict]], seed: int) -> None:
        self.crowd = Crowd(labels["face"], seed)
        self.digits = Digits(labels["digit"])
        self.pictures = PoolWorld(labels)


def _reason(rng: Random, m: Material, spent: float, most: int = 3) -> tuple:
    """List the traits that two people share before the answer, all of them at first and none in the end."""
    listed = round(max(0, min(len(LOOKS), 4.5 * (1 - spent / 0.75) + rng.gauss(0, 0.8))))
    return reason(
        rng, m.crowd, rng.choice(HALF), listed, ("are-kin", "are-kin", "is-elder"), rng.choice((2, most))
    )


SKILLS: dict[str, Callable] = {
    "compare two": lambda rng, m, spent: compare(rng, m.crowd, rng.choice(SEEN), 2),
    "compare three": lambda rng, m, spent: compare(rng, m.crowd, rng.choice(SEEN), rng.choice((2, 3, 3)), 4),
    "compare": lambda rng, m, spent: compare(rng, m.crowd, rng.choice(SEEN), rng.choice((2, 3, 4, 5)), 4),
    "describe two": lambda rng, m, spent: describe_two(
        rng, m.crowd, rng.choice(HALF), rng.choice((2, 3, 4, 5)), 4
    ),
    "reason": _reason,
    "same": lambda rng, m, spent: same(rng, m.crowd, rng.choice(HALF), 0.5, rng.choice((2, 3, 5))),
    "kin": lambda rng, m, spent: kin(rng, m.crowd, rng.choice(HALF), most=rng.choice((2, 3, 5))),
    "read": lambda rng, m, spent: read(rng, m.digits, rng.choice(SEEN)),
    "reckon": lambda rng, m, spent: reckon(rng, m.digits, rng.choice(HALF), most=rng.choice((2, 3, 5))),
    "seek": lambda rng, m, spent: seek(rng, m.pictures, rng.choice(HALF)),
    "single": lambda rng, m, spent: lessons.single(rng, m.pictures),
    "captions": lambda rng, m, spent: lessons.captions(rng, m.pictures),
    "present": lambda rng, m, spent: lessons.present(rng, m.pictures),
    "level 1": lambda rng, m, spent: lessons.level_1(rng, m.pictures),
    "forms": lambda rng, m, spent: lessons.form(rng, m.pictures),
}
ALL = {
    "single": 0.13, "captions": 0.13, "present": 0.03, "level 1": 0.11, "read": 0.04, "reckon": 0.28, "seek": 0.11,
    "kin": 0.17,
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """Some lessons. rate: share of the first training's learning rates. shares: of the skills."""

    name: str
    lessons: int
    rate: float
    shares: dict[str, float]

    def draw(self, rng: Random, material: Material, spent: float) -> tuple:
        skill = rng.choices(list(self.shares), list(self.shares.values()))[0]
        return SKILLS[skill](rng, material, spent)


COURSES = {
    # What the miniature that ships was taught after vlm.py.
    "parts": (
        Stage("all skills", 42_000, 0.3, ALL),
        Stage("forms", 5_200, 0.2, {"forms": 1, **ALL}),
    ),
    # Comparing people, one skill after another. README.md says how far it leads.
    "people": (
        Stage("two people", 7_000, 0.4, {"compare two": 1}),
        Stage("up to three people", 5_000, 0.4, {"compare three": 1}),
        Stage("up to five people", 5_500, 0.4, {"compare": 1}),
        Stage("which two people", 6_200, 0.4, {"describe two": 0.5, "compare": 0.5}),
        Stage("parent and child", 17_500, 0.3, {"compare": 0.25, "reason": 0.75}),
        Stage("one thing in common", 12_000, 0.4, {"compare": 0.1, "same": 0.55, "reason": 0.35}),
    ),
}
