"""Randomness from names: every random choice in the toolkit is drawn from (seed, what it is for), never from a position
in a stream or from the clock, so that sharding, resuming and parallel runs give the same records. `Turn` deals options to
the numbered slots of a run so that every stretch of it is in balance."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple


def seed_of(*parts: object) -> int:
    """A 64-bit seed from the parts' text; equal parts give equal seeds on every machine and Python version."""
    return _hashed(_text_of(parts))


def _text_of(parts: Iterable[object]) -> str:
    return "\x1f".join([f"{type(part).__name__}:{part}" for part in parts])


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def within(seed: int, bits: int) -> int:
    """A seed for a library that takes non-negative numbers of so many bits: the seed itself where it fits, else a hash."""
    return seed if 0 <= seed < 1 << bits else seed_of("within", seed) >> (64 - bits)


def rng(*parts: object) -> random.Random:
    """A generator of its own for these parts: `rng(seed, "kinship", 17)`."""
    return random.Random(seed_of(*parts))


class Turn(NamedTuple):
    """The place of a slot among the slots of one kind: `index` of them come before it. Options are dealt to slots in blocks:
    each block holds every option as often as its weight says, in a seeded order, so that every stretch of a run is in
    balance, and the place of any slot is known without a look at the others."""

    seed: int
    kind: str
    index: int

    def take(self, name: str, weights: Sequence[float]) -> int:
        """The option that this slot gets."""
        if len(weights) == 1:
            return 0
        block, place = divmod(self.index, len(weights))
        return _block(self.seed, f"{self.kind}/{name}", block, tuple(weights))[1][place]

    def among(self, name: str, weights: Sequence[float], option: int) -> Turn:
        """The place among the slots that get the option."""
        if len(weights) == 1:
            return Turn(self.seed, f"{self.kind}/{name} 0", self.index)
        block, place = divmod(self.index, len(weights))
        counts, order = _block(self.seed, f"{self.kind}/{name}", block, tuple(weights))
        return Turn(self.seed, f"{self.kind}/{name} {option}", counts[option] + order[:place].count(option))


@lru_cache(maxsize=1 << 13)
def _block(
    seed: int, name: str, block: int, weights: tuple[float, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How often each option was dealt before a block, and the options of the block in their order."""
    size = len(weights)
    counts = _dealt(block * size, weights)
    after = _dealt((block + 1) * size, weights)
    order = [option for option in range(size) for _ in range(after[option] - counts[option])]
    rng(seed, name, block).shuffle(order)
    return counts, tuple(order)


def _dealt(n: int, weights: tuple[float, ...]) -> tuple[int, ...]:
    """How often each option comes among n: its share to within one, and never fewer for a larger n."""
    if n % len(weights) == 0 and weights.count(weights[0]) == len(weights) and weights[0] > 0:
        return (n // len(weights),) * len(weights)
    counts, rest, weight = [], n, math.fsum(weights)
    for one in weights[:-1]:
        counts.append(math.floor(rest * one / weight + 0.5) if weight > 0 else 0)
        rest, weight = rest - counts[-1], weight - one
    return (*counts, rest)


class SlotRandom(random.Random):
    """The generator of one slot. turn: the place of the slot among those with as many images, or None where choices are
    free. sizes: the numbers of images that the run has."""

    turn: Turn | None = None
    whole: Turn | None = None
    answered: Turn | None = None
    sizes: tuple[int, ...] = ()

    def earlier(self, name: str, weights: Callable[[int], Sequence[float]], option: int) -> int:
        """How many earlier slots, of any number of images, got the option. weights: of the decision, by the number."""
        equal = (1,) * len(self.sizes)
        return sum(
            self.whole.among("images", equal, at).among(name, weights(size), option).index
            for at, size in enumerate(self.sizes)
        )


@lru_cache(maxsize=64)
def _run_of(parts: tuple[object, ...]) -> tuple[str, int]:
    """The text that the seeds of a run's slots begin with, and the seed of the order in which it deals its options."""
    return _text_of(parts), seed_of(*parts, "order")


def slot_rng(parts: Sequence[object], k: int, attempt: int, sizes: Sequence[int], free: bool) -> SlotRandom:
    """The generator of an attempt at slot k of the run that the parts name, at its turn unless it is free."""
    run, order = _run_of(tuple(parts))
    made = SlotRandom(_hashed(f"{run}\x1fint:{k}\x1fint:{attempt}"))
    made.whole, made.sizes = Turn(order, "", k), tuple(sizes)
    if not free:
        equal = (1,) * len(sizes)
        made.turn = made.whole.among("images", equal, made.whole.take("images", equal))
    return made
