"""Wording of captions: plain captions for pictures that have none, generic ones to reject, and a test whether a caption says
more than the concept that a prompt names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from s2h.language.normalisation import normalise

LONG = 9  # a caption with more spaces surely says more than a concept
PLAIN = ("a photo of {}", "a picture of {}", "an image of {}")
GENERIC = (
    "A picture of something.",
    "This image shows an object.",
    "There is something to be seen here.",
    "A picture.",
)
# Words that say nothing about a picture.
EMPTY = frozenset(
    normalise(
        "an the of in on at with and or to is are was it its this that there some photo picture image photograph view"
    )
)


@lru_cache(maxsize=1 << 13)
def content(text: str) -> frozenset[str]:
    """Return the words of a text that say something about a picture."""
    return frozenset(normalise(text)) - EMPTY


def says_more(captions: Iterable[str], concepts: Sequence[str]) -> bool:
    """Tell whether one of the captions of a picture says at least two words more than its concepts."""
    return any(says_more_than(concepts, caption) for caption in captions)


def says_more_than(concepts: Sequence[str], caption: str) -> bool:
    """Tell whether a caption says at least two words more than its concepts."""
    return caption.count(" ") > LONG or len(content(caption) - content(" ".join(concepts))) >= 2
