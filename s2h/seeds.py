"""Randomness from names: every random choice in the toolkit is drawn from (seed, what it is for), never from a position
in a stream or from the clock, so that sharding, resuming and parallel runs give the same records."""

from __future__ import annotations

import random
from collections.abc import Iterable
from hashlib import blake2b


def seed_of(*parts: object) -> int:
    """Return a 64-bit seed from the parts' text; equal parts give equal seeds on every machine and Python version."""
    return hashed(text_of(parts))


def text_of(parts: Iterable[object]) -> str:
    """Return one text for some parts, from which `hashed` makes a seed."""
    return "\x1f".join([f"{type(part).__name__}:{part}" for part in parts])


def hashed(text: str) -> int:
    """Return a 64-bit seed from a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def within(seed: int, bits: int) -> int:
    """Return a seed for a library that takes non-negative numbers of at most `bits` bits: the seed itself if it fits, else a
    hash."""
    return seed if 0 <= seed < 1 << bits else seed_of("within", seed) >> (64 - bits)


def below(rng: random.Random, n: int) -> int:
    """Draw a number from 0 to n - 1, the one that `rng.randrange(n)` draws, in half of its time. Raises ValueError if there
    is none."""
    if n < 1:
        raise ValueError(f"no number from 0 to {n - 1}")
    bits = n.bit_length()
    found = rng.getrandbits(bits)
    while found >= n:
        found = rng.getrandbits(bits)
    return found


def rng(*parts: object) -> random.Random:
    """Return a new generator that is seeded with the parts: `rng(seed, "digit", 17)`."""
    return random.Random(seed_of(*parts))
