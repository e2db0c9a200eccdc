"""Select among a model's wrong replies by attention, as MIA-DPO does. A reply is kept if the target's share of its attention
to all images is at most a bound, so that the model did not look at the target when it went wrong. The bound depends on the
number of images (Liu et al. 2024, MIA-DPO: 0.8, 0.7, 0.6, 0.6 for 2 to 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2h.tasks.item_pair import Pair

if TYPE_CHECKING:
    from PIL.Image import Image

BOUNDS = {2: 0.8, 3: 0.7, 4: 0.6}
BEYOND = 0.6  # for more images


@dataclass(frozen=True)
class LeastAttention:
    """Selects the reply with the lowest share of attention on the target. share: `share(messages, pictures, reply, position
    of the target)` returns it, from 0 to 1."""

    share: Callable[[list[dict], list[Image], str, int], float]

    def __call__(self, pair: Pair, pictures: list[Image], wrong: list[str]) -> str | None:
        """Return one of the wrong replies, or None if every share is above the bound."""
        if len(pair.target) != 1 or len(pictures) < 2:
            return wrong[0]
        prompt = pair.prompt()
        shares = [(self.share(prompt, pictures, text, pair.target[0]), at) for at, text in enumerate(wrong)]
        least, at = min(shares)
        return wrong[at] if least <= BOUNDS.get(len(pictures), BEYOND) else None
