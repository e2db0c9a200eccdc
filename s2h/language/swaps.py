"""One attribute of a caption told wrongly: a colour, number, size or place exchanged for another that the captions have with
the same noun, so that no red grass tells a swapped caption from a true one, and as often as its reverse, so that the words
don't tell either.

A swap between man and woman is made only where nothing else in the caption depends on it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from s2h.language.concepts import read
from s2h.language.nouns import with_article
from s2h.language.related import parse
from s2h.language.table import word_set
from s2h.sources import NoPair

KINDS = (
    ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey", "gray"),
    ("two", "three", "four", "five", "six", "seven", "eight"),
    ("small", "large", "tiny", "huge", "big", "little"),
    ("left", "right"),
    ("open", "closed"),
    ("empty", "full"),
    ("wooden", "metal", "plastic", "glass", "stone"),
)
# Nouns that are exchanged themselves.
PEOPLE = (("man", "woman"), ("boy", "girl"), ("men", "women"), ("boys", "girls"))
SAME = (
    {"grey", "gray"},
    {"small", "tiny", "little"},
    {"large", "huge", "big"},
)  # no swap: nothing would be false
KIND_OF = {word: kind for kind in (*KINDS, *PEOPLE) for word in kind}
_NUMBERS = frozenset(KINDS[1])
_NAMED = frozenset(word for kind in PEOPLE for word in kind)
# What a swap between man and woman would make wrong or strange.
_GENDERED = word_set(
    """he she his her him hers himself herself beard bearded beards mustache moustache mustached bald pregnant bikini bra
    dress dresses skirt skirts gown makeup lipstick tie tuxedo bride groom wife husband mother father brother sister
    son daughter shirtless topless ponytail businessman businesswoman lady gentleman gentlemen ladies guy guys
    waitress waiter actress boyfriend girlfriend"""
)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Place:
    """An attribute in a caption: where it stands, its word, and the noun that it belongs to ('' for a noun itself)."""

    start: int
    word: str
    noun: str


class Swaps:
    """How often captions have each attribute with each noun, and swaps by it. share: the share of captions in which
    something can be exchanged."""

    def __init__(self, captions: Iterable[str]) -> None:
        found = [places_of(caption) for caption in captions]
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)  # noun -> how often it has each attribute
        for places in found:
            for place in places:
                self.counts[place.noun][place.word] += 1
        self.share = sum(any(map(self._others, places)) for places in found) / max(1, len(found))

    def swap(self, rng: Random, caption: str, concept: str) -> str | None:
        """The caption with one attribute exchanged, never one that the concept names; None where there is none.

        A word comes in by its frequency with the noun. Where a swap is still more likely than its reverse, it is given up
        (NoPair) as often as makes both alike.
        """
        named = set(_WORD.findall(concept.casefold()))
        places = [place for place in places_of(caption) if place.word not in named and self._others(place)]
        if not places:
            return None
        place = rng.choice(places)
        counts = self.counts[place.noun]
        others = self._others(place)
        new = rng.choices(others, [counts[word] for word in others])[0]
        there, back = (
            sum(counts[o] for o in self._others(Place(0, w, place.noun))) for w in (place.word, new)
        )
        if rng.random() * back > there:
            raise NoPair("a swap that words would tell")
        return _exchanged(caption, place, new)

    def _others(self, place: Place) -> list[str]:
        """The words that may stand in a word's place: seen with the same noun, and not saying the same."""
        counts = self.counts.get(place.noun, {})
        return [word for word in KIND_OF[place.word] if counts.get(word) and _differ(place.word, word)]


@lru_cache(maxsize=1 << 14)
def places_of(caption: str) -> tuple[Place, ...]:
    """The attributes of a caption that could be exchanged, with their nouns."""
    return tuple(_places(caption))


def _places(caption: str) -> Iterator[Place]:
    tokens, things = read(caption)
    words = {token.low for token in tokens}
    people = [token for token in tokens if token.low in _NAMED]
    plain = len(people) == 1 and not words & _GENDERED
    for phrase in things:
        head = parse(phrase.text)[0]
        own = set(head.split())
        inside = tokens[phrase.start : phrase.stop]
        kinds = Counter(KIND_OF.get(token.low) for token in inside)
        for token in inside:
            word = token.low if token.start == 0 else token.text
            last = token is inside[-1]
            if word not in KIND_OF or kinds[KIND_OF[word]] > 1:
                continue  # 'a black and white cat' may not become a white and white one
            if word in _NAMED and last and plain:
                yield Place(token.start, word, "")
            elif word not in _NAMED and not last and word not in own:
                yield Place(token.start, word, f"{head} number" if word in _NUMBERS else head)


def _exchanged(caption: str, place: Place, new: str) -> str:
    """The caption with the new word, and with the article that it takes."""
    before, after = caption[: place.start], caption[place.start + len(place.word) :]
    if not before:
        new = new.capitalize()
    article = re.search(r"\b([Aa])n?\s+$", before)
    if article:
        before = before[: article.start()] + article[1] + with_article(new).split()[0][1:] + " "
    return before + new + after


def _differ(one: str, other: str) -> bool:
    return one != other and not any(one in same and other in same for same in SAME)
