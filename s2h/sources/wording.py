"""How an album's pictures are described: captions where a source has none, generic ones, and whether a caption says more
than a concept that a prompt names."""

from __future__ import annotations

from functools import lru_cache

from s2h.language.normalisation import normalise

LONG = 9  # words of a caption that surely says more than a concept
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
    """The words of a text that say something about a picture."""
    return frozenset(normalise(text)) - EMPTY


def says_more(sample: tuple[list[str], list[str]]) -> bool:
    """Whether one of some captions says at least two words more than the concepts of their picture."""
    captions, concepts = sample
    return any(says_more_than(concepts, caption) for caption in captions)


def says_more_than(concepts: list[str], caption: str) -> bool:
    """Whether a caption says at least two words more than some concepts."""
    return caption.count(" ") > LONG or len(content(caption) - content(" ".join(concepts))) >= 2
