"""MIA-DPO's choice among a model's wrong answers: those that it gave without looking at the target. An answer counts as such
where the target's share of the attention that the answer pays to all images is at most a bound that depends on the number of
images (Liu et al. 2024, MIA-DPO: 0.8, 0.7, 0.6, 0.6 for 2 to 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.tasks.draft import Draft

BOUNDS = {2: 0.8, 3: 0.7, 4: 0.6}
BEYOND = 0.6  # for more images


def selecting(
    share: Callable[[list, list, str, int], float],
) -> Callable[[Draft, list, list[str]], str | None]:
    """A function (draft, pictures, wrong answers) -> the answer with the least share of attention on the target, or None
    where every share is above the bound. share: (messages, pictures, answer, target's position) -> 0 to 1."""

    def choose(draft: Draft, pictures: list[Any], wrong: list[str]) -> str | None:
        if len(draft.target) != 1 or len(pictures) < 2:
            return wrong[0]
        shares = [
            (share(draft.prompt(), pictures, text, draft.target[0]), at) for at, text in enumerate(wrong)
        ]
        least, at = min(shares)
        return wrong[at] if least <= BOUNDS.get(len(pictures), BEYOND) else None

    return choose
