"""The values that sources hand to tasks: a picture (`Item`), what a prompt looks for (`Concept`), a question about a
picture (`Question`), a respect in which pictures can be compared (`Trait`), and the two errors. shapes.py says who returns
them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from s2h.record import RecordError

if TYPE_CHECKING:
    from random import Random

    from PIL.Image import Image


class SourceError(RecordError):
    """A source that can't be read, or that lacks what a task needs. The message is one line with the remedy."""


class NoPair(Exception):
    """This draw gives no pair. The message is the reason, under which it is counted before the slot is drawn again."""


@dataclass(frozen=True)
class Item:
    """One picture and its annotations. The picture is a `reference` to a file, or the bytes of an image file that `data()`
    returns, or what `draw(size)` draws, a PIL image of size x size pixels.

    key: the same for the same picture, and for no other one of the source. content_hash, perceptual_hash: of pictures that
    were read; 0 where there is none. Copies share the first, near-duplicates differ in few bits of the second.
    """

    key: str
    labels: dict[str, Any]
    reference: str = ""
    draw: Callable[[int], Image] | None = field(default=None, compare=False)
    data: Callable[[], bytes] | None = field(default=None, compare=False)
    content_hash: int = 0
    perceptual_hash: int = 0


class Concept(str):
    """What a prompt looks for ("a dog"). part, number: where its photo set finds the pictures that show it."""

    part: int
    number: int

    def __new__(cls, text: str, part: int = 0, number: int = -1) -> Concept:
        made = super().__new__(cls, text)
        made.part, made.number = part, number
        return made


class AnswerOdds(Protocol):
    """How often each answer to a question is the right one in its source."""

    def draw(self, rng: Random) -> str:
        """Draw an answer as often as it is right."""

    def share(self, value: str) -> float:
        """Return how often an answer is right, from 0 to 1."""

    @property
    def known(self) -> dict[str, str]:
        """The answers that occur: normalised form -> spelling."""


@dataclass(frozen=True)
class Question:
    """A question about one picture. It names no image by its number.

    about: its kind. ask: its words. answer: the right answer. wrong: answers that surely are wrong. claim: a text with {}
    for the answer, or a function of the answer, that puts question and answer into a statement about the picture; claims
    has such statements for single answers. accepted: answers of other annotators, which are right as well and never
    rejected. options: the texts of lettered options, one of which is the answer. closing: how to answer, in words that
    follow the question. odds: where None, all answers are equally likely. place: the row or part of the source that it
    comes from."""

    about: str
    ask: str
    answer: str
    wrong: tuple[str, ...]
    claim: str | Callable[[str], str]
    place: int = -1
    accepted: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    closing: str = ""
    odds: AnswerOdds | None = field(default=None, compare=False)
    claims: dict[str, str] | None = field(default=None, compare=False)

    def statement(self, value: str) -> str:
        """Return the question and this answer to it as a statement about the picture."""
        if callable(self.claim):
            return self.claim(value)
        return (self.claims or {}).get(value) or (self.claim or self.ask + " {}").replace("{}", value)


@dataclass(frozen=True)
class Trait:
    """One respect in which pictures can be compared.

    what: its name ("kind of object", "number of stars"). values: what it can be. phrase: says what a picture with a value
    shows. things: for a number of things, their name. caption: holds one {} for the phrase. part, number: where its photo
    set finds the pictures."""

    what: str
    values: tuple[Any, ...]
    phrase: Callable[[Any], str] = field(compare=False)
    things: str = ""
    caption: str = field(default="a picture of {}", kw_only=True)
    part: int = field(default=0, kw_only=True)
    number: int = field(default=-1, kw_only=True)

    def claim(self, value: Any) -> str:
        """Return the caption of a picture that has this value."""
        return self.caption.replace("{}", self.phrase(value))
