"""Choose distractors by CLIP. They resemble the target, so that they are hard to tell from it and still other pictures
(LoCoVQA, MIA-DPO). Where a source does not note what its pictures don't show, they are pictures in which CLIP does not see
the concept that a prompt searches for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from s2h.filters.cache import Embeddings
from s2h.sources import Item, NoPair
from s2h.tasks.item_pair import Size, picture

BAND = (0.6, 0.95)  # above, it is the same picture again
KEPT = 20_000  # embeddings
# How far below the target's a distractor's cosine to the concept must lie. With ViT-B-32 a picture of the concept has about
# 0.25 to 0.3 and another one 0.15 to 0.22.
BELOW = 0.02


@dataclass(frozen=True)
class Similar:
    """Choose distractors by CLIP cosines. embed, read: give the vector of length 1 of a picture and of a text. size: of
    drawn pictures. band: least and greatest cosine of target and distractor; None accepts any."""

    embed: Callable[[Any], Any]
    size: Size
    band: tuple[float, float] | None = BAND
    read: Callable[[str], Any] | None = None
    kept: Embeddings = field(default_factory=lambda: Embeddings(KEPT))
    texts: Embeddings = field(default_factory=lambda: Embeddings(KEPT))

    def __call__(self, rng: Random, target: Item, candidates: list[Item]) -> Item:
        """Draw one of the candidates. Raises NoPair where no candidate's cosine to the target lies in the band."""
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
        """Return the candidates that fit a claim about the target clearly less than the target does. Raises NoPair where
        there are none."""
        vectors = self._vectors([target, *candidates])
        text = self._vector(claim)
        bound = float(vectors[target.key] @ text) - BELOW
        apart = [item for item in candidates if float(vectors[item.key] @ text) < bound]
        if not apart:
            raise NoPair("CLIP sees the concept in every distractor")
        return apart

    def _vectors(self, items: list[Item]) -> dict[str, Any]:
        by_key = {item.key.encode(): item for item in items}
        found = self.kept.get(
            by_key, lambda missing: ((key, self.embed(picture(by_key[key], self.size))) for key in missing)
        )
        return {item.key: found[key] for key, item in by_key.items()}

    def _vector(self, text: str) -> Any:
        if self.read is None:
            raise ValueError("no text model to read the claim with")
        key, read = text.encode(), self.read
        return self.texts.get([key], lambda missing: ((one, read(text)) for one in missing))[key]
