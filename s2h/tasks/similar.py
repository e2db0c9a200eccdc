"""Distractors that CLIP has seen: one that resembles the target, so that it is hard to tell apart and still another picture
(LoCoVQA, MIA-DPO), and, where a source does not note what its pictures don't show, none in which CLIP sees what is searched
for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from s2h.filters.cache import Embeddings
from s2h.sources import Item, NoPair
from s2h.tasks.draft import picture

BAND = (0.6, 0.95)  # above it lies the same picture again
KEPT = 20_000  # embeddings
# How far below the target's a distractor's cosine to the concept must lie. With ViT-B-32 a picture of the concept has about
# 0.25 to 0.3 and another one 0.15 to 0.22.
BELOW = 0.02


@dataclass(frozen=True)
class Similar:
    """Chooses distractors by cosines. embed, read: give the vector of length 1 of a picture and of a text; size: side of
    drawn pictures; band: where the cosine of target and distractor lies, ends included, None for anywhere."""

    embed: Callable[[Any], Any]
    size: int
    band: tuple[float, float] | None = BAND
    read: Callable[[str], Any] | None = None
    kept: Embeddings = field(default_factory=lambda: Embeddings(KEPT))
    texts: Embeddings = field(default_factory=lambda: Embeddings(KEPT))

    def __call__(self, rng: Random, target: Item, candidates: list[Item]) -> Item:
        """One of the candidates. Raises NoPair where no candidate's cosine to the target lies in the band."""
        if self.band is None:
            return rng.choice(candidates)
        vectors = self._vectors([target, *candidates])
        cosines = [float(vectors[target.key] @ vectors[item.key]) for item in candidates]
        low, high = self.band
        near = [item for item, cosine in zip(candidates, cosines, strict=True) if low <= cosine <= high]
        if not near:
            raise NoPair(f"no distractor with a cosine of {low:g} to {high:g} to the target")
        return rng.choice(near)

    def unlike(self, claim: str, target: Item, candidates: list[Item]) -> list[Item]:
        """The candidates that fit a claim about the target clearly less than the target does. Raises NoPair where there are
        none."""
        vectors = self._vectors([target, *candidates])
        text = self.texts.get([claim], lambda missing: ((one, self.read(one)) for one in missing))[claim]
        bound = float(vectors[target.key] @ text) - BELOW
        apart = [item for item in candidates if float(vectors[item.key] @ text) < bound]
        if not apart:
            raise NoPair("CLIP sees the concept in every distractor")
        return apart

    def _vectors(self, items: list[Item]) -> dict[str, Any]:
        by_key = {item.key: item for item in items}
        return self.kept.get(
            by_key, lambda missing: ((key, self.embed(picture(by_key[key], self.size))) for key in missing)
        )


def among(embed: Callable[[Any], Any], size: int, band: tuple[float, float] = BAND) -> Similar:
    """A function (rng, target, candidates) -> the candidate; embed gives a picture's vector of length 1."""
    return Similar(embed, size, band)
