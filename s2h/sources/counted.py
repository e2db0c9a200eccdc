"""Traits of an album's pictures by which they can be compared: the number of some things, or the kind of object."""

from __future__ import annotations

from dataclasses import dataclass

from s2h.language import nouns
from s2h.sources import Trait


@dataclass(frozen=True)
class Counted(Trait):
    """A trait of an album's pictures: the page and the concept whose number it is (-1: the kind of object)."""

    page: int = 0
    number: int = -1


def number_of(thing: str, counts: tuple[int, ...], page: int, number: int) -> Counted:
    """The number of a thing in a picture, as a trait that takes these counts."""
    things = nouns.plural(thing)

    def phrase(n: int) -> str:
        return nouns.indefinite(thing) if n == 1 else f"{n} {things}"

    return Counted(f"number of {things}", counts, phrase, things, page, number)
