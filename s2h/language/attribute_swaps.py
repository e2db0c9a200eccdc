"""Make a caption false by one attribute: exchange a colour, number, size or place for another one.

The new word is one that the source's captions have with the same noun, so that no "red grass" tells a false caption from a
true one. Each swap is as frequent as its reverse, so that the words tell nothing either. "man" becomes "woman" only where
nothing else in the caption depends on it.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from random import Random
from typing import NamedTuple

from s2h.errors import NoPair
from s2h.language import word_tables
from s2h.language.concepts import read
from s2h.language.noun_categories import is_person
from s2h.language.nouns import with_article
from s2h.language.related_names import parse
from s2h.language.word_tables import word_set

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
# No swap within these: nothing would be false.
SAME = ({"grey", "gray"}, {"small", "tiny", "little"}, {"large", "huge", "big"})
KIND_OF = {word: kind for kind in (*KINDS, *PEOPLE) for word in kind}
_NUMBERS = frozenset(KINDS[1])
_NAMED = frozenset(word for kind in PEOPLE for word in kind)
# Words beside which a swap between man and woman would be wrong or strange.
_GENDERED = word_set(
    """he she his her him hers himself herself beard bearded beards mustache moustache mustached bald pregnant bikini bra
    dress dresses skirt skirts gown makeup lipstick tie tuxedo bride groom wife husband mother father brother sister
    son daughter shirtless topless ponytail businessman businesswoman lady gentleman gentlemen ladies guy guys
    waitress waiter actress boyfriend girlfriend sari saris hijab headscarf turban kilt heels tutu lingerie blouse purse
    handbag stubble shave shaves shaving nun nuns monk monks ballerina cowboy"""
)
# Before a colour these leave few others: no horse is light white.
_SHADES = word_set("light dark pale bright deep")
_SIZES = frozenset(KINDS[2])
_WORD = re.compile(r"[^\W\d_]+")
_SIGNS = re.compile(r"[^\w\s]")
PARSED = 10_000  # places of attributes that are parsed to learn which attributes a source's captions have
SAMPLE = 400  # captions by which the share is estimated


@dataclass(frozen=True)
class Place:
    """An attribute in a caption: where it begins, its word, and the noun that it belongs to ("" for a noun itself)."""

    start: int
    word: str
    noun: str


class Others(NamedTuple):
    """Words that may replace another one. often: how often captions have any of them. ends: the sums of their counts."""

    words: list[str]
    ends: list[float]
    often: float


class Swaps:
    """Swaps of a source's attributes, by how often its captions have each attribute with each noun (`counts`).

    share: the share of captions in which something can be exchanged.

    All captions are searched for attributes, but at most `PARSED` places are parsed. They are grouped by the word behind the
    attribute, mostly the noun: all places of a rare word are parsed, and some of a common one, evenly spread. Each of these
    counts for those that it stands for, so that frequencies stay right.
    """

    def __init__(self, captions: Iterable[str]) -> None:
        captions = captions if isinstance(captions, Sequence) else list(captions)
        places: dict[str, array] = defaultdict(partial(array, "L"))  # following word -> captions
        for number, caption in enumerate(captions):
            for word in _following(caption):
                places[word].append(number)
        most = _most_of_each(map(len, places.values()), PARSED)
        # noun -> how often captions have each attribute with it
        self.counts: dict[str, dict[str, float]] = defaultdict(partial(defaultdict, float))
        self._known: dict[tuple[str, str], Others] = {}  # see _others
        for word, numbers in places.items():
            taken = min(most, len(numbers))
            for at in range(taken):
                caption = captions[numbers[at * len(numbers) // taken]]
                for place in places_of(caption):
                    if _word_after(caption, place) == word:
                        self.counts[place.noun][place.word] += len(numbers) / taken
        some = range(0, len(captions), max(1, len(captions) // SAMPLE))
        found = [any(self._others(one.word, one.noun).words for one in places_of(captions[n])) for n in some]
        self.share = sum(found) / max(1, len(found))

    def swap(self, rng: Random, caption: str, concept: str) -> str | None:
        """Return the caption with one attribute exchanged, None where none can be. Attributes of the concept stay.

        The new word is drawn by its frequency with the noun. Where a swap is still more likely than its reverse, it is given
        up so often that both are equally likely: then NoPair is raised.

        "A brown horse in a field." becomes "A white horse in a field.", where captions have white horses.
        """
        named = set(_WORD.findall(concept.casefold()))
        places = [
            place
            for place in places_of(caption)
            if place.word not in named
            and self._others(place.word, place.noun).words
            and _is_plain(caption, place)
        ]
        if not places:
            return None
        place = rng.choice(places)
        others = self._others(place.word, place.noun)
        new = rng.choices(others.words, cum_weights=others.ends)[0]
        if rng.random() * self._others(new, place.noun).often > others.often:
            raise NoPair("a swap that words would tell")
        return _exchanged(caption, place, new)

    def _others(self, word: str, noun: str) -> Others:
        """Return the words that may replace a word: captions have them with the same noun, and they mean something else."""
        found = self._known.get((word, noun))
        if found is None:
            counts = self.counts.get(noun, {})
            words = [one for one in KIND_OF[word] if counts.get(one) and _differ(word, one)]
            often = [counts[one] for one in words]
            found = self._known[word, noun] = Others(words, list(accumulate(often)), sum(often))
        return found


def _is_plain(caption: str, place: Place) -> bool:
    """Tell whether another word in a place makes the caption false without making it strange: a little boy may be a
    big one, and light brown can't become light white."""
    if place.word in _SIZES:
        return not is_person(place.noun)
    before = _WORD.findall(caption[: place.start].casefold())[-1:]
    return not (before and before[0] in _SHADES)


def _following(caption: str) -> set[str]:
    """Return the words that follow an attribute in a caption; "" for a noun that is exchanged itself."""
    low = caption.casefold()
    if KIND_OF.keys().isdisjoint(_SIGNS.sub(" ", low).split()):
        return set()
    words = _WORD.findall(low)
    after = zip(words, [*words[1:], ""], strict=True)
    return {"" if word in _NAMED else following for word, following in after if word in KIND_OF}


def _word_after(caption: str, place: Place) -> str:
    if place.word in _NAMED:
        return ""
    following = _WORD.search(caption.casefold(), place.start + len(place.word))
    return following[0] if following else ""


def _most_of_each(sizes: Iterable[int], budget: int) -> int:
    """Return how many members of each group can be taken, where it has them, for all to stay within a budget; at least one.

    >>> _most_of_each([1, 10, 100], 21)
    10
    """
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        share = budget // (len(ordered) - at)
        if size > share:
            return max(1, share)
        budget -= size
    return ordered[-1] if ordered else 1


@lru_cache(maxsize=1 << 14)
def places_of(caption: str) -> tuple[Place, ...]:
    """Return the attributes of a caption that could be exchanged, with their nouns."""
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
        kinds = [KIND_OF.get(token.low) for token in inside]
        for token_at, token in enumerate(inside, phrase.start):
            word = token.low if token.start == 0 else token.text
            last = token is inside[-1]
            if word not in KIND_OF or kinds.count(KIND_OF[word]) > 1:
                continue  # 'a black and white cat' may not become a white and white one
            if not last and _is_one_word(word, tokens[token_at + 1].low):
                continue  # 'white water' is no water that is white
            if word in _NAMED and last and plain:
                yield Place(token.start, word, "")
            elif word not in _NAMED and not last and word not in own:
                yield Place(token.start, word, f"{head} number" if word in _NUMBERS else head)


def _is_one_word(attribute: str, noun: str) -> bool:
    """Tell whether an attribute and a noun are written as one word too, which names another thing: "black board"."""
    return attribute + noun in word_tables.things().senses


def _exchanged(caption: str, place: Place, new: str) -> str:
    """Return the caption with the new word and the article that it takes."""
    before, after = caption[: place.start], caption[place.start + len(place.word) :]
    if not before:
        new = new.capitalize()
    article = re.search(r"\b([Aa])n?\s+$", before)
    if article:
        before = before[: article.start()] + article[1] + with_article(new).split()[0][1:] + " "
    return before + new + after


def _differ(one: str, other: str) -> bool:
    return one != other and not any(one in same and other in same for same in SAME)
