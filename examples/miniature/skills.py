"""The course of the miniature VLM, whose tower can see already: stages of lessons, one skill after another. It learns to
reason over words alone, then to speak of images, then to join both.

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
from people import Crowd, kin, older, parentage
from seek import seek
from sums import Digits, read, reckon

from s2h.sources.builtin.world import World

HALF = (0.0, 0.5, 0.5, 1.0)  # probabilities that an image is told in words
SEEN = (0.0, 0.0, 0.5, 1.0)


class Material:
    """What lessons are drawn from. labels: of the pool's pictures, by kind."""

    def __init__(self, labels: dict[str, list[dict]], seed: int) -> None:
        self.crowd = Crowd(labels["face"], seed)
        self.digits = Digits(labels["digit"])
        self.pictures = PoolWorld(labels)
        self.world = World(seed=seed, split="train")


SKILLS: dict[str, Callable] = {
    "digits in words": lambda rng, m, spent: lessons.told(rng, m.pictures, "arithmetic"),
    "people in words": lambda rng, m, spent: lessons.told(rng, m.world, "kinship"),
    "kin": lambda rng, m, spent: kin(rng, m.crowd, rng.choice(HALF), most=rng.choice((2, 3, 5))),
    "elder": lambda rng, m, spent: kin(
        rng, m.crowd, rng.choice(HALF), ("is-elder", "which-elder"), most=rng.choice((2, 3, 5))
    ),
    "older": lambda rng, m, spent: older(rng, m.crowd, rng.choice(HALF), rng.choice((2, 3, 5))),
    "parentage": lambda rng, m, spent: parentage(rng, m.crowd, rng.choice(HALF)),
    "likeness": lambda rng, m, spent: (
        kin(rng, m.crowd, rng.choice(HALF), most=rng.choice((2, 3, 4)), working=0.85)
        if rng.random() < 0.6
        else parentage(rng, m.crowd, rng.choice(HALF), turns=2, working=0.85)
    ),
    "read": lambda rng, m, spent: read(rng, m.digits, rng.choice(SEEN)),
    "reckon": lambda rng, m, spent: reckon(rng, m.digits, rng.choice(HALF), most=rng.choice((2, 3, 5))),
    "seek": lambda rng, m, spent: seek(rng, m.pictures, rng.choice(HALF)),
    "single": lambda rng, m, spent: lessons.single(rng, m.pictures),
    "captions": lambda rng, m, spent: lessons.captions(rng, m.pictures),
    "present": lambda rng, m, spent: lessons.present(rng, m.pictures),
    "level 1": lambda rng, m, spent: lessons.level_1(rng, m.pictures),
    "forms": lambda rng, m, spent: lessons.form(rng, m.pictures),
}


@dataclass(frozen=True)
class Stage:
    """Some lessons. rate: share of the full learning rates. shares: of the skills."""

    name: str
    lessons: int
    rate: float
    shares: dict[str, float]

    def draw(self, rng: Random, material: Material, spent: float) -> tuple:
        skill = rng.choices(list(self.shares), list(self.shares.values()))[0]
        return SKILLS[skill](rng, material, spent)


SPEAKING = {
    "single": 0.22, "captions": 0.38, "present": 0.12, "digits in words": 0.12, "people in words": 0.12, "forms": 0.04,
}  # fmt: skip
NO_PEOPLE = {
    "single": 0.16, "captions": 0.3, "present": 0.08, "digits in words": 0.06, "people in words": 0.06, "level 1": 0.08,
    "read": 0.06, "reckon": 0.1, "seek": 0.1,
}  # fmt: skip
OLDER = {
    "single": 0.11, "captions": 0.1, "present": 0.02, "level 1": 0.1, "read": 0.03, "reckon": 0.15, "seek": 0.07,
    "kin": 0.14, "elder": 0.18, "older": 0.1,
}  # fmt: skip
PARENTS = {
    "single": 0.13, "captions": 0.09, "present": 0.02, "level 1": 0.12, "read": 0.02, "reckon": 0.17, "seek": 0.08,
    "kin": 0.08, "elder": 0.03, "older": 0.1, "parentage": 0.16,
}  # fmt: skip
LIKENESS = {
    "single": 0.14, "captions": 0.1, "present": 0.02, "level 1": 0.12, "read": 0.02, "reckon": 0.15, "seek": 0.08,
    "kin": 0.04, "older": 0.03, "parentage": 0.06, "likeness": 0.3,
}  # fmt: skip
LAST = {
    "single": 0.12, "captions": 0.3, "present": 0.06, "level 1": 0.1, "read": 0.03, "reckon": 0.1, "seek": 0.2,
    "kin": 0.03, "older": 0.02, "parentage": 0.04, "likeness": 0.08,
}  # fmt: skip
AGAIN = {
    "single": 0.1, "captions": 0.2, "present": 0.04, "level 1": 0.09, "read": 0.02, "reckon": 0.17, "seek": 0.16,
    "kin": 0.03, "older": 0.02, "parentage": 0.04, "likeness": 0.13,
}  # fmt: skip
# Before these lessons the model passed over the right image when it looked through several.
FINDING = {
    "present": 0.2, "seek": 0.3, "captions": 0.1, "single": 0.08, "level 1": 0.06, "reckon": 0.1, "likeness": 0.1,
    "parentage": 0.02, "kin": 0.02, "older": 0.02,
}  # fmt: skip
COURSE = (
    # Mixed from the start, sums are still unknown when apart they are nearly learned.
    Stage("sums in words", 16_000, 1.0, {"digits in words": 1.0}),
    Stage("people in words", 24_000, 1.0, {"people in words": 0.6, "digits in words": 0.4}),
    # Whether an image shows something is not learned in passing either.
    Stage("speaking of images", 40_000, 1.0, SPEAKING),
    Stage("what is shown", 8_000, 1.0, {"present": 1.0}),
    Stage("speaking again", 30_000, 1.0, SPEAKING),
    Stage("all but people", 100_000, 1.0, NO_PEOPLE),
    Stage("who is older", 40_000, 0.4, OLDER),
    Stage("parentage", 20_000, 0.4, PARENTS),
    Stage("what two people have in common", 26_000, 0.4, LIKENESS),
    Stage("all skills", 60_000, 0.5, LAST),
    Stage("all skills again", 280_000, 0.7, AGAIN),
    Stage("finding an image", 40_000, 0.4, FINDING),
    Stage("forms", 4_000, 0.2, {"forms": 0.7, **LAST}),
)
