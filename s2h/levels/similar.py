"""Distractors that resemble the target: of several drawn at random one whose CLIP cosine to it lies in a band, so that it is
hard to tell apart and still another picture (LoCoVQA, MIA-DPO)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from s2h.filters.cache import Embeddings
from s2h.levels.draft import picture
from s2h.sources import Item, NoPair

BAND = (0.6, 0.95)  # above it lies the same picture again
KEPT = 20_000  # embeddings


def among(embed: Callable[[Any], Any], size: int, band: tuple[float, float] = BAND) -> Callable:
    """A function (rng, target, candidates) -> the candidate; embed gives a picture's vector of length 1. It raises NoPair
    where no candidate's cosine to the target lies in the band, ends included."""
    kept = Embeddings(KEPT)

    def choose(rng: Random, target: Item, candidates: list[Item]) -> Item:
        items = {item.key: item for item in (target, *candidates)}
        vectors = kept.get(
            items, lambda missing: ((key, embed(picture(items[key], size))) for key in missing)
        )
        cosines = [float(vectors[target.key] @ vectors[item.key]) for item in candidates]
        near = [
            item for item, cosine in zip(candidates, cosines, strict=True) if band[0] <= cosine <= band[1]
        ]
        if not near:
            raise NoPair(f"no distractor with a cosine of {band[0]:g} to {band[1]:g} to the target")
        return rng.choice(near)

    return choose
