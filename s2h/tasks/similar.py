"""Choose distractors by CLIP: pictures that resemble the target and so make a prompt harder (LoCoVQA, MIA-DPO). For sources
that do not know what their pictures don't show, CLIP also refuses distractors that seem to show the concept of the
prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from s2h.models.cache import Embeddings
from s2h.sources import Item, NoPair
from s2h.tasks.item_pair import Size, picture

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

BAND = (0.6, 0.95)  # above 0.95 two pictures are copies
KEPT = 20_000  # embeddings in memory
# A distractor's cosine to the concept must be lower than the target's by this much. With ViT-B-32 the cosine is about 0.25
# to 0.3 for a picture that shows the concept, and 0.15 to 0.22 for others.
BELOW = 0.02


@dataclass(frozen=True)
class Similar:
    """Chooses distractors by CLIP cosines. embed, read: return the normalised embedding of a picture and of a text. size: of
    drawn pictures. band: smallest and largest cosine between target and distractor; None accepts any."""

    embed: Callable[[Image], np.ndarray]
    size: Size
    band: tuple[float, float] | None = BAND
    read: Callable[[str], np.ndarray] | None = None
    kept: Embeddings = field(default_factory=lambda: Embeddings(KEPT))
    texts: Embeddings = field(default_factory=lambda: Embeddings(KEPT))

    def __call__(self, rng: Random, target: Item, candidates: list[Item]) -> Item:
        """Draw one of the candidates. Raises NoPair if no candidate's cosine to the target is in the band."""
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
        """Return the candidates whose cosine to a claim about the target is clearly lower than the target's. Raises NoPair
        if there are none."""
        vectors = self._vectors([target, *candidates])
        text = self._vector(claim)
        bound = float(vectors[target.key] @ text) - BELOW
        apart = [item for item in candidates if float(vectors[item.key] @ text) < bound]
        if not apart:
            raise NoPair("CLIP sees the concept in every distractor")
        return apart

    def _vectors(self, items: list[Item]) -> dict[str, np.ndarray]:
        by_key = {item.key.encode(): item for item in items}
        found = self.kept.get(
            by_key, lambda missing: ((key, self.embed(picture(by_key[key], self.size))) for key in missing)
        )
        return {item.key: found[key] for key, item in by_key.items()}

    def _vector(self, text: str) -> np.ndarray:
        if self.read is None:
            raise ValueError("Similar.unlike needs `read`, which embeds texts")
        key, read = text.encode(), self.read
        return self.texts.get([key], lambda missing: ((one, read(text)) for one in missing))[key]
