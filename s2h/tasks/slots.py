"""Deal options to the slots of a run in balance. A slot is the position of one pair in a run. Slot k is drawn from (seed,
task, k) alone, so a shard is a range of slots. Still, every stretch of a run has each option (the number of images, the form
of the question, the kind of mistake, yes and no) in proportion to its weight.

    slot = run.slot(17)
    operation = slot.branch(("sum", "difference"), name="operation")
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import NamedTuple, TypeVar

from s2h import seeds
from s2h.sources import NoPair

Option = TypeVar("Option")
YES_NO = "yes/no"
BLOCKS = 8  # blocks of one decision that are kept
_SHUFFLE = Random(0)  # seeded again for each block, which is faster than a new generator


class Stratum(NamedTuple):
    """A slot's rank among the slots of its kind, those that made the same decisions so far: `place` of them come before it.
    Options are dealt in blocks. Each block has every option in proportion to its weight, in a seeded order, so the rank of
    any slot is computed without drawing the others."""

    seed: int
    kind: str
    place: int

    def deal(self, name: str, weights: Sequence[float]) -> int:
        """Return the index of the option that this slot gets."""
        if len(weights) == 1:
            return 0
        block, at = divmod(self.place, len(weights))
        return _decision(self.seed, self.kind, name, tuple(weights)).block(block)[1][at]

    def within(self, name: str, weights: Sequence[float], option: int) -> Stratum:
        """Return the slot's rank among those slots that get the option."""
        if len(weights) == 1:
            return Stratum(self.seed, f"{self.kind}/{name} 0", self.place)
        return self._within(_decision(self.seed, self.kind, name, tuple(weights)), option)

    def branch(self, name: str, weights: Sequence[float]) -> tuple[int, Stratum]:
        """Return the index of the option that this slot gets, and its rank among those slots that get it."""
        if len(weights) == 1:
            return 0, self.within(name, weights, 0)
        decision = _decision(self.seed, self.kind, name, tuple(weights))
        block, at = divmod(self.place, len(weights))
        option = decision.block(block)[1][at]
        return option, self._within(decision, option)

    def _within(self, decision: _Decision, option: int) -> Stratum:
        block, at = divmod(self.place, len(decision.weights))
        counts, order = decision.block(block)
        return Stratum(self.seed, decision.kinds[option], counts[option] + order[:at].count(option))


Block = tuple[tuple[int, ...], tuple[int, ...]]


class _Decision:
    """One decision of the slots of a kind, which go through it in the order of their rank, and so ask for few blocks at a
    time. kinds: of the slots that get each option."""

    __slots__ = ("_blocks", "_text", "kinds", "weights")

    def __init__(self, seed: int, kind: str, name: str, weights: tuple[float, ...]) -> None:
        self.weights = weights
        self.kinds = [f"{kind}/{name} {option}" for option in range(len(weights))]
        self._text = seeds.text_of((seed, f"{kind}/{name}"))
        self._blocks: dict[int, Block] = {}

    def block(self, number: int) -> Block:
        """Return how often each option was dealt before a block, and the options of the block in order."""
        found = self._blocks.get(number)
        if found is None:
            if len(self._blocks) >= BLOCKS:
                self._blocks.clear()
            found = self._blocks[number] = self._make(number)
        return found

    def _make(self, number: int) -> Block:
        size = len(self.weights)
        counts = _dealt(number * size, self.weights)
        after = _dealt((number + 1) * size, self.weights)
        order = [option for option in range(size) for _ in range(after[option] - counts[option])]
        _SHUFFLE.seed(seeds.hashed(f"{self._text}\x1fint:{number}"))
        _SHUFFLE.shuffle(order)
        return counts, tuple(order)


_decision = lru_cache(maxsize=1 << 11)(_Decision)


def _dealt(n: int, weights: tuple[float, ...]) -> tuple[int, ...]:
    """Return how often each option is dealt among the first n: its share of n, rounded so that it never falls as n grows."""
    if n % len(weights) == 0 and weights.count(weights[0]) == len(weights) and weights[0] > 0:
        return (n // len(weights),) * len(weights)
    counts, rest, weight = [], n, math.fsum(weights)
    for one in weights[:-1]:
        counts.append(math.floor(rest * one / weight + 0.5) if weight > 0 else 0)
        rest, weight = rest - counts[-1], weight - one
    return (*counts, rest)


@dataclass(frozen=True)
class Run:
    """The slots of one run. parts: seed and settings that all its randomness is drawn from. sizes: the possible numbers of
    images in a prompt, each equally frequent."""

    parts: tuple[object, ...]
    sizes: tuple[int, ...]
    order: int = field(init=False)  # seed of the order in which options are dealt
    prefix: str = field(init=False)  # beginning of the text that is hashed to a slot's seed
    rng: Random = field(init=False, default_factory=lambda: Random(0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", seeds.seed_of(*self.parts, "order"))
        object.__setattr__(self, "prefix", seeds.text_of(self.parts))

    def slot(self, k: int, attempt: int = 0, free: bool = False) -> Slot:
        """Return slot k for one attempt to make its pair. All slots share one generator, so the slot that was returned
        before must not be used any longer. free: whether choices are drawn at random instead of dealt."""
        self.rng.seed(seeds.hashed(f"{self.prefix}\x1fint:{k}\x1fint:{attempt}"))
        number, stratum = self.place(k)
        return Slot(self.rng, self.sizes[number], None if free else stratum, self, k)

    def place(self, k: int, number: int | None = None) -> tuple[int, Stratum]:
        """Return the index in `sizes` of slot k, and its rank among the slots of that size. number: another size's index, to
        return the rank that slot k would have there."""
        whole, equal = Stratum(self.order, "", k), (1,) * len(self.sizes)
        if number is None:
            return whole.branch("images", equal)
        return number, whole.within("images", equal, number)


@dataclass(slots=True)
class Slot:
    """The source of all random choices of one pair. rng: its generator. n_images: images in its prompt. stratum: its rank
    among the slots that made the same decisions so far; None if choices are drawn at random instead of dealt."""

    rng: Random
    n_images: int
    stratum: Stratum | None = None
    run: Run | None = None
    number: int = 0  # index of the slot in its run
    answered: Stratum | None = None  # its rank among the yes/no questions with the same answer

    def deal(
        self, options: Sequence[Option], weights: Sequence[float] | None = None, name: str = ""
    ) -> Option:
        """Return one of the options. Over the slots of a run each comes in proportion to its weight, by default equally
        often. name: of the decision; a slot gets the same index for decisions with the same name and number of options."""
        weights = (1.0,) * len(options) if weights is None else weights
        if self.stratum is None:
            return self.rng.choices(options, weights)[0]
        return options[self.stratum.deal(f"{name} {len(options)}", weights)]

    def branch(
        self, options: Sequence[Option], weights: Sequence[float] | None = None, name: str = ""
    ) -> Option:
        """Return one of the options as `deal` does, and balance all later decisions within the slots that got this
        option."""
        weights = (1.0,) * len(options) if weights is None else weights
        if self.stratum is None:
            return self.rng.choices(options, weights)[0]
        dealt, self.stratum = self.stratum.branch(f"{name} {len(options)}", weights)
        return options[dealt]

    def negative(self, weights: dict[str, float], usable: Sequence[str], by_answer: bool = False) -> str:
        """Return one of the usable kinds of rejected answers, by weight. by_answer: whether to balance them separately for
        questions whose answer is yes and no. Raises NoPair if no wanted kind is usable."""
        kinds = [kind for kind in usable if weights.get(kind, 0) > 0]
        if not kinds:
            raise NoPair(f"none of the wanted negatives fits ({', '.join(weights)})")
        shares, name = [weights[kind] for kind in kinds], "kind " + ",".join(kinds)
        if by_answer and self.answered is not None:
            return kinds[self.answered.deal(name, shares)]
        return self.deal(kinds, shares, name)

    def yes_or_no(self, share: Callable[[int], float]) -> bool | None:
        """Return whether yes is the right answer, None if this slot gets no yes/no question. Yes and no are in balance over
        all yes/no questions of a run. share: takes the number of images and returns the share of yes/no questions."""
        one = share(self.n_images)
        if self.stratum is None or self.run is None:
            return self.rng.random() < 0.5 if self.rng.random() < one else None
        weights = (one, 1 - one)
        dealt, answer = self.stratum.deal(YES_NO, weights), None
        if dealt == 0:
            earlier = 0  # slots before this one, with any number of images, that have yes/no questions
            for at, size in enumerate(self.run.sizes):
                _, stratum = self.run.place(self.number, at)
                some = share(size)
                earlier += stratum.within(YES_NO, (some, 1 - some), 0).place
            # It alternates, since some stretches have few such questions.
            answer = (earlier + self.stratum.seed) % 2 == 0
            self.answered = Stratum(self.stratum.seed, f"{YES_NO} {answer}", earlier // 2)
        self.stratum = self.stratum.within(YES_NO, weights, dealt)
        return answer

    def two_places(self) -> tuple[int, int]:
        """Return two different positions of images in the prompt. Each ordered pair of positions is equally frequent."""
        n = self.n_images
        one = self.deal(range(n), name="place")
        others = [place for place in range(n) if place != one]
        if self.stratum is None:
            return one, self.rng.choice(others)
        beside = self.stratum.within(f"place {n}", (1.0,) * n, one)
        return one, others[beside.deal("beside", (1.0,) * (n - 1))]
