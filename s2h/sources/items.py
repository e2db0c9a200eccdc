"""The values that sources hand to tasks: a picture (`Item`), what a prompt looks for (`Concept`), a question about a
picture (`Question`), a respect in which pictures can be compared (`Trait`), and the error of a source. The methods in
shapes.py return them."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from s2h.errors import WrongUsage
from s2h.record import RecordError

if TYPE_CHECKING:
    from random import Random

    from PIL.Image import Image


class SourceError(RecordError):
    """A source can't be read, or lacks data that a task needs. The message is one line with the remedy."""


class UnknownSource(SourceError, WrongUsage):
    """A source's name or kind that is not known, or lacks its path."""


@dataclass(frozen=True)
class Item:
    """One picture and its annotations. The picture comes from one of three fields: `reference` names a file, `data()`
    returns the bytes of an image file, `draw(size)` returns a PIL image of size x size pixels.

    key: identifies the picture in its source. content_hash, perceptual_hash: of pictures that were read, 0 for others.
    Copies have equal content hashes; near-duplicates differ in few bits of the perceptual hash."""

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

    def draw(self, rng: Random, settled: Container[str] = ()) -> str:
        """Draw an answer as often as it is right. settled: answers whose fate the caller knows, so that they are returned
        untested. Raises NoPair if the draw gives none."""

    def share(self, value: str) -> float:
        """Return how often an answer is right, from 0 to 1."""

    @property
    def known(self) -> dict[str, str]:
        """The answers that occur: normalised form -> spelling."""


@dataclass(frozen=True)
class Question:
    """A question about one picture, without the number of an image.

    about: its kind. ask: its text. answer: the right answer. wrong: answers that are surely wrong. claim: the statement
    about the picture that question and answer make, as a text with {} for the answer or as a function of the answer; claims
    has such statements for single answers. accepted: answers of other annotators, which are right too and never rejected.
    options: the texts of lettered options; one of them is the answer. closing: a sentence after the question that says how
    to answer. odds: how likely each answer is; None if all are equally likely. place: the row or part of the source that
    the question comes from. may_hold: whether another value may be true of the picture too, by what else is known of it."""

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
    may_hold: Callable[[str], bool] | None = field(default=None, compare=False)

    def statement(self, value: str) -> str:
        """Return the question and this answer to it as a statement about the picture."""
        if callable(self.claim):
            return self.claim(value)
        return (self.claims or {}).get(value) or (self.claim or self.ask + " {}").replace("{}", value)


@dataclass(frozen=True)
class Trait:
    """One respect in which pictures can be compared.

    what: its name ("kind of object", "number of stars"). values: the possible values. phrase: returns what a picture with a
    value shows ("the digit 3"). things: the plural name of what is counted, "" for a trait that is no count. caption: a text
    with one {} for the phrase. part, number: where its photo set finds the pictures."""

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
