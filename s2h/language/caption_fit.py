"""Tell whether a caption, or a concept, may be true of a picture that other captions describe, by meaning.

"A guy on a couch" may be true where "A man sits on a sofa" is; "Two dogs" is not true where only a cat is mentioned. When in
doubt, a caption counts as possibly true and is not used as a wrong answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache, partial
from typing import NamedTuple

from s2h.language import related_names
from s2h.language.attribute_swaps import KINDS
from s2h.language.caption_openings import without_openings
from s2h.language.concepts import read
from s2h.language.kept_answers import Kept
from s2h.language.noun_categories import acts, is_body_part, is_place, may_be_person
from s2h.language.unmentioned_things import Scenes, is_in_scene, may_go_without_saying, scenes_of, tells

_NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "dozen": 12,
}  # fmt: skip
# Attributes that exclude each other, with the number of their kind. One word stands for its synonyms.
_SAME = {"tiny": "small", "little": "small", "huge": "large", "big": "large", "grey": "gray"}
_EXCLUSIVE = {_SAME.get(word, word): n for n, kind in enumerate(KINDS) if n != 1 for word in kind}
_ANY_NUMBER = 0
ASKED = 1 << 9  # concepts and claims whose answers are kept


class Claim(NamedTuple):
    """A thing that a caption mentions. number: how many, 0 where it gives no number."""

    thing: str
    attributes: frozenset[str] = frozenset()
    number: int = _ANY_NUMBER


@lru_cache(maxsize=1 << 15)
def claims(caption: str) -> frozenset[Claim]:
    """Return the visible things that a caption mentions: "Two brown dogs" gives {Claim("dog", {"brown"}, 2)}."""
    (tokens, things), found = read(without_openings(caption)), set()
    for phrase in things:
        head, before = related_names.parse(phrase.text)
        attributes = frozenset(_SAME.get(word, word) for word in before)
        number = next(
            (n for token in tokens[phrase.start : phrase.stop] if (n := _number(token.low))), _ANY_NUMBER
        )
        found.add(Claim(head, attributes, number))
    return frozenset(found)


def things_in(caption: str) -> frozenset[str]:
    """Return all visible nouns that a caption mentions, in the singular: "A dog on a couch" gives {"dog", "couch"}."""
    return frozenset(claim.thing for claim in claims(caption))


def _number(word: str) -> int:
    number = int(word) if word.isdecimal() and len(word) < 3 else _NUMBERS.get(word, 0)
    return number if number > 1 else 0  # 'one dog' may be one of several


def may_fit(caption: str, other_captions: Iterable[str]) -> bool:
    """Tell whether a caption may be true of a picture that has other captions.

    Each visible thing that it mentions must be one of theirs, without another number or attribute, or one that captions
    leave out. A caption that mentions nothing visible may fit anything.

    >>> may_fit("A guy on a couch", ["A man sits on a sofa."]), may_fit("A red car", ["A blue car on a street"])
    (True, False)
    """
    known = frozenset[Claim]().union(*map(claims, other_captions))
    return all(_may_hold(claim, known) for claim in claims(caption))


def is_mentioned(concept: str, things: Iterable[str]) -> bool:
    """Tell whether one of some things may also be called by a concept's name, or by a broader or a narrower one."""
    return any(map(_may_be(concept).__getitem__, things))


@lru_cache(maxsize=ASKED)
def _may_be(concept: str) -> Kept[str, bool]:
    return Kept(partial(related_names.may_be, concept))


def may_show(concept: str, things: Collection[str]) -> bool:
    """Tell whether a picture whose captions mention some things may also show a concept, so that a prompt for the
    concept must not have it as a distractor.

    A broader or narrower name of a mentioned thing may be the concept, and so may a thing that shares a noun with it ("rice
    terrace" and "rice field"), that belongs to the scene, or that is a part of somebody.
    """
    shown, scenes = _signs(concept)
    return any(map(shown.__getitem__, things)) or is_in_scene(scenes, things)


@lru_cache(maxsize=ASKED)
def _signs(concept: str) -> tuple[Kept[str, bool], Scenes]:
    """Return what tells that a picture may show a concept: single things, and scenes that others rule out."""
    nouns, head = related_names.nouns_of(concept), related_names.head(concept)
    is_part = is_body_part(head)

    def is_sign(thing: str) -> bool:
        if related_names.may_be(concept, thing) or thing in nouns or tells(head, thing):
            return True
        return is_part and (acts(thing) or may_be_person(thing))

    return Kept(is_sign), scenes_of(head)


def _may_hold(claim: Claim, known: frozenset[Claim]) -> bool:
    if claim in known:
        return True
    alike = set(map(_may_be_one(claim).__getitem__, known))
    if True in alike:
        return True
    if False in alike:
        return False
    things = [other.thing for other in known]
    if is_place(claim.thing) and not any(map(is_place, things)):
        return True  # captions often leave out where they are
    return may_go_without_saying(claim.thing, things)


@lru_cache(maxsize=ASKED)
def _may_be_one(claim: Claim) -> Kept[Claim, bool | None]:
    return Kept(partial(_are_alike, claim))


def _are_alike(claim: Claim, other: Claim) -> bool | None:
    """Tell whether two claims may be about one thing: None if their things differ, False if only numbers or
    attributes do."""
    if not related_names.may_be(claim.thing, other.thing):
        return None
    if claim.number and other.number and claim.number != other.number:
        return False
    return not _contradicts(claim.attributes, other.attributes)


def _contradicts(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether both have attributes of one kind, and no common one: a red car is no blue car."""
    for kind in {_EXCLUSIVE[word] for word in one & _EXCLUSIVE.keys()}:
        mine, theirs = ({w for w in words if _EXCLUSIVE.get(w) == kind} for words in (one, other))
        if theirs and not mine & theirs:
            return True
    return False
