"""One attribute of a caption told wrongly: a colour, number, size or place exchanged for another of its kind, as often as
that other stands in true captions, so that the words don't tell a swapped caption from a true one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from random import Random

from s2h.sources import NoPair

KINDS = (
    ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey", "gray"),
    ("two", "three", "four", "five", "six", "seven", "eight"),
    ("small", "large", "tiny", "huge", "big", "little"),
    ("left", "right"),
    ("man", "woman"),
    ("boy", "girl"),
    ("open", "closed"),
    ("empty", "full"),
    ("wooden", "metal", "plastic", "glass", "stone"),
)
SAME = (
    {"grey", "gray"},
    {"small", "tiny", "little"},
    {"large", "huge", "big"},
)  # no swap: nothing would be false
KIND_OF = {word: kind for kind in KINDS for word in kind}
_WORD = re.compile(r"\b(?:" + "|".join(KIND_OF) + r")\b")


class Swaps:
    """How often each attribute stands in a source's captions, and swaps by it. share: of captions that have one."""

    def __init__(self, captions: Iterable[str]) -> None:
        found = [_WORD.findall(caption) for caption in captions]
        self.counts = Counter(word for words in found for word in words)
        self.share = sum(map(bool, found)) / max(1, len(found))

    def swap(self, rng: Random, caption: str, concept: str) -> str | None:
        """The caption with one attribute exchanged, never one that the concept names; None where there is none.

        A word comes in by its frequency in the captions; what then is still uneven is evened out by giving up (NoPair) as
        often as the swap is more likely than its reverse.
        """
        named = set(_WORD.findall(concept))
        places = [match for match in _WORD.finditer(caption) if match[0] not in named]
        if not places:
            return None
        place = rng.choice(places)
        old = place[0]
        others = [word for word in KIND_OF[old] if self.counts[word] and self._differ(old, word)]
        if not others:
            return None
        new = rng.choices(others, [self.counts[word] for word in others])[0]
        there, back = (self._rest(word) for word in (old, new))
        if rng.random() * back > there:
            raise NoPair("a swap that words would tell")
        return caption[: place.start()] + new + caption[place.end() :]

    def _rest(self, word: str) -> int:
        """How often the words stand there that this one may be exchanged for."""
        return sum(self.counts[other] for other in KIND_OF[word] if self._differ(word, other))

    @staticmethod
    def _differ(one: str, other: str) -> bool:
        return one != other and not any(one in same and other in same for same in SAME)
