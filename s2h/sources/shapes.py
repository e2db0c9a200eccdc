"""The shapes of data that sources come in, and how a task asks for the one that it needs.

An opened source is a `Dataset`. Its four fields hold what it can serve, or None:

    photos     pictures with captions, classes or counts    PhotoSet       search, compare
    questions  questions and answers about pictures         QuestionSet    vqa, compare (of answers)
    digits     pictures of single digits                    DigitSet       arithmetic, compare
    people     portraits of people whose kinship is known   KinshipPeople  kinship

    photos = PHOTOS.take(source)     # a PhotoSet or None; `s2h.tasks.data_for` does this for a task

A method that draws takes the caller's random generator, and raises NoPair if a draw gives nothing. `together` holds the
pictures that the prompt has already; none of them is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from s2h import registry
from s2h.sources.items import Concept, Item, Question, Trait

if TYPE_CHECKING:
    from random import Random

    from s2h.sources.exclusions import Exclusions
    from s2h.sources.shared_questions import SharedQuestions


class Comparable(Protocol):
    """Pictures that can be compared in some respect, a `Trait`: the digit, the kind of object, the number of stars."""

    @property
    def count_share(self) -> float:
        """The share of traits that are a number of things, from 0 to 1."""

    def draw_trait(self, rng: Random) -> Trait:
        """Draw a respect in which pictures can be compared."""

    def draw_showing(self, rng: Random, trait: Trait, value: Any, together: list[Item]) -> Item:
        """Draw a picture in which the trait has this value."""


class PhotoSet(Comparable, Protocol):
    """Pictures with captions, classes or counts that say what they show. A `Concept` is what a prompt looks for ("a
    dog")."""

    @property
    def exhaustive(self) -> bool:
        """Whether every concept is annotated in every picture that shows it, so that its absence is known."""

    @property
    def captions_say_more(self) -> bool:
        """Whether most captions say more than the concept that a prompt would name."""

    @property
    def same_concept_share(self) -> float:
        """The share of pictures whose concept another picture shows too."""

    @property
    def attribute_swaps(self) -> Literal["none", "caption", "picture"]:
        """Whether `swap_attribute` can be used, and whether it changes the caption only or the picture with it."""

    @property
    def captioner(self) -> str:
        """The model that wrote the captions, "" where no model did."""

    def draw_target(self, rng: Random) -> tuple[Item, Concept]:
        """Draw a picture and one of the concepts that it shows."""

    def draw_with(self, rng: Random, concept: Concept, together: list[Item]) -> Item:
        """Draw another picture that shows the concept."""

    def draw_without(self, rng: Random, concept: Concept, together: list[Item]) -> Item:
        """Draw a picture that does not show the concept."""

    def swap_attribute(self, rng: Random, item: Item, concept: Concept) -> Item:
        """Return the item with one attribute changed, never one that the concept names."""

    def caption_of(self, rng: Random, item: Item) -> str:
        """Return one of the captions of a picture."""

    def caption_fits(self, caption: str, item: Item) -> bool:
        """Tell whether a caption may be true of a picture."""

    def generic_caption(self, rng: Random, item: Item) -> str:
        """Return a caption that fits any picture like this one and says nothing about it."""

    def claim_about(self, item: Item) -> str:
        """Return a description of the picture for an image-text model to judge."""

    def claim_of_concept(self, concept: Concept) -> str:
        """Return a description of any picture that shows the concept."""


class QuestionSet(Protocol):
    """Pictures about which questions with known answers can be asked."""

    @property
    def balance_kinds(self) -> bool:
        """Whether each kind of question is asked equally often, whatever their number."""

    @property
    def distractors_differ(self) -> bool:
        """Whether a distractor never shows what the target shows."""

    @property
    def yes_no_share(self) -> float:
        """The share of yes/no questions; 0 if yes or no is hardly ever right, so that they can't be balanced."""

    @property
    def has_counterparts(self) -> bool:
        """Whether some questions are asked of two pictures with different answers (VQAv2's complementary pairs)."""

    @property
    def shared_questions(self) -> SharedQuestions | None:
        """The questions that several pictures answer differently, for comparisons; None where there can be none."""

    def draw_subject(self, rng: Random) -> Item:
        """Draw a picture to ask about."""

    def draw_distractor(self, rng: Random, together: list[Item]) -> Item:
        """Draw another picture for the prompt. The subject is the first of `together`."""

    def questions_about(self, item: Item) -> list[Question]:
        """Return the questions that can be asked about a picture. Raises NoPair if there are none."""

    def find_answered(self, rng: Random, question: Question, answer: str) -> tuple[Item, Question] | None:
        """Find another picture about which the same can be asked and whose right answer is `answer`, with that question."""

    def counterpart_of(self, question: Question) -> tuple[Item, Question] | None:
        """Return the other picture of a complementary pair with its question, None if the question has none."""


class DigitSet(Comparable, Protocol):
    """Pictures of one digit each, 0 to 9."""

    def draw_digit(self, rng: Random, value: int | None = None, together: Sequence[Item] = ()) -> Item:
        """Draw a picture of a digit: `value`, or a random digit if it is None."""


class Relative(Protocol):
    """A person whose relatives are known."""

    @property
    def family(self) -> str:
        """The name of the person's family."""


P = TypeVar("P", bound=Relative)


class KinshipPeople(Protocol[P]):
    """People whose kinship is known, with portraits of each."""

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations that occur: some of parent, grandparent and sibling."""

    @property
    def describes_faces(self) -> bool:
        """Whether `describe_face` and `describe_likeness` can be used."""

    def draw_relatives(self, rng: Random, relation: str) -> tuple[P, P]:
        """Draw two people. The first is the `relation` of the second."""

    def draw_stranger(self, rng: Random, like: P, unlike: tuple[P, ...], apart: tuple[P, ...] = ()) -> P:
        """Draw a person with the sex and age of `like` who is related to nobody in `unlike` and `apart`. If looks are
        known, the person does not look like those in `unlike`."""

    def draw_portrait(self, rng: Random, person: P) -> Item:
        """Draw a picture of a person."""

    def facts_about(self, person: P) -> dict[str, Any]:
        """Return the facts about a person's relatives that answers are derived from."""

    def claim_about_person(self, person: P) -> str:
        """Return a description of a portrait for an image-text model to judge."""

    def describe_face(self, person: P) -> str:
        """Return a description of a person's face, "" if its traits are not known."""

    def describe_likeness(self, a: P, b: P) -> str:
        """Return what the descriptions of two faces have in common, "" for nothing."""


class Dataset:
    """An opened source: its spec, its data by shape, and counts of what could not be used. Readers return a subclass."""

    spec: str
    excluded: Exclusions
    photos: PhotoSet | None = None
    questions: QuestionSet | None = None
    digits: DigitSet | None = None
    people: KinshipPeople[Any] | None = None

    @property
    def size(self) -> int | None:
        """The number of pictures, estimated if not all parts were read; None for an endless source."""
        return None

    @property
    def size_is_final(self) -> bool:
        """Whether all parts were read. Then `size` is exact, and so is `excluded` except for damaged pictures."""
        return True


S = TypeVar("S")


@dataclass(frozen=True)
class Shape(Generic[S]):
    """A shape of data that a task can ask for. what: its name in errors. take: returns the data of a dataset, None if it has
    none."""

    what: str
    take: Callable[[Dataset], S | None] = field(compare=False)


PHOTOS: Shape[PhotoSet] = Shape("pictures with captions or classes", lambda source: source.photos)
QUESTIONS: Shape[QuestionSet] = Shape("answers to questions", lambda source: source.questions)
DIGITS: Shape[DigitSet] = Shape("pictures of the digits 0 to 9", lambda source: source.digits)
PEOPLE: Shape[KinshipPeople[Any]] = Shape("people whose kinship is known", lambda source: source.people)
# The two shapes for the task compare.
COMPARABLE: Shape[Comparable] = Shape(
    "classes, counts or digits to compare its pictures by", lambda source: source.photos or source.digits
)
SHARED_QUESTIONS: Shape[SharedQuestions] = Shape(
    "question that several of its pictures answer differently",
    lambda source: source.questions.shared_questions if source.questions else None,
)


def lacks(source: Dataset, shapes: Sequence[Shape[Any]], *, task: str) -> str:
    """Return the error message for a source that has none of a task's shapes. It names the sources that have one."""
    what = " and no ".join(shape.what for shape in shapes)
    able = [
        name if one.place == "nothing" else f"{name}:{one.place.upper()}"
        for name, one in registry.values("source").items()
        if set(shapes) & set(one.serves)
    ]
    return f"source {source.spec!r} has no {what}; {task} needs a source such as {', '.join(able)}"
