"""The built-in world, data of all four shapes that needs no files. Scenes of shapes, digits in many hands, and families of
faces are drawn from (seed, split, key) without limit; the same key gives the same picture on every run. shapes.py says what
the methods do."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal

from s2h import seeds
from s2h.errors import NoPair
from s2h.sources import Concept, Item, Trait
from s2h.sources.builtin import families, numerals, scenes, words
from s2h.sources.exclusions import Exclusions
from s2h.sources.shapes import Dataset

REDRAWS = 200
DOMAINS = ("scene", "face", "digit")


class World(Dataset):
    """Data without end. The split goes into every key, so that `heldout` can't draw what `train` draws."""

    spec = "builtin"
    exhaustive = True  # everything that a picture shows is known
    attribute_swaps: Literal["picture"] = "picture"  # captions are made from labels
    captions_say_more, same_concept_share, captioner = True, 1.0, ""
    relations, describes_faces = ("parent", "grandparent", "sibling"), True
    count_share = 0.4
    balance_kinds = distractors_differ = has_counterparts = False
    yes_no_share, shared_questions = 0.0, None

    def __init__(self, seed: int = 0, split: str = "train") -> None:
        self.seed, self.split, self.excluded = seed, split, Exclusions()
        self.photos = self.questions = self.digits = self.people = self

    def _key(self, *parts: object) -> str:
        return " ".join(map(str, (self.split, self.seed, *parts)))

    # Pictures -------------------------------------------------------------------------------------------------

    def scene(self, rng: Random, **wanted) -> Item:
        """Draw a scene. shape, colour: of one group. avoid: shapes that must not occur."""
        scene = scenes.sample(rng, self._key("scene", rng.getrandbits(60)), **wanted)
        return Item(scene.key, words.labels_of(scene), draw=lambda size: scenes.draw(scene, size))

    def draw_digit(self, rng: Random, value: int | None = None, together: Sequence[Item] = ()) -> Item:
        digit = numerals.sample(rng, self._key("digit", rng.getrandbits(60)), value=value, split=self.split)
        return Item(digit.key, words.labels_of(digit), draw=lambda size: numerals.draw(digit, size))

    def family(self, rng: Random) -> families.Family:
        key = self._key("family", rng.getrandbits(60))
        return families.family(seeds.rng(key), key)

    def draw_relatives(self, rng: Random, relation: str) -> tuple[families.Person, families.Person]:
        """Draw two people of a family who look like relatives (`families.look_related`)."""
        for _ in range(REDRAWS):
            first, second = rng.choice(families.RELATED[relation](self.family(rng)))
            if families.look_related(first, second):
                return first, second
        raise NoPair(f"no {relation} with a likeness found")

    def draw_stranger(
        self,
        rng: Random,
        like: families.Person,
        unlike: tuple[families.Person, ...],
        apart: tuple[families.Person, ...] = (),
    ) -> families.Person:
        """Draw a person with the sex and age of `like`, of a family that nobody else has, who looks like a stranger to each
        person in `unlike` (`families.look_related`)."""
        while True:
            key = self._key("stranger", rng.getrandbits(60))
            person = families.person(seeds.rng(key), key, sex=like.sex, age=like.age)
            if all(families.look_related(person, other) is False for other in unlike):
                return person

    def describe_face(self, person: families.Person) -> str:
        return words.look(words.labels_of(person))

    def describe_likeness(self, a: families.Person, b: families.Person) -> str:
        return words.likeness(words.labels_of(a), words.labels_of(b))

    def facts_about(self, person: families.Person) -> dict:
        return {
            "person": person.key,
            "family": person.family,
            "role": person.role,
            "parents": list(person.parents),
        }

    def claim_about_person(self, person: families.Person) -> str:
        return f"the face of {self.describe_face(person)}"

    def draw_portrait(self, rng: Random, person: families.Person) -> Item:
        """Draw a picture of a person. Pose, light, clothes and background are drawn anew and never tell who it is."""
        from s2h.sources.builtin import faces

        key = self._key("view", rng.getrandbits(60))
        view = families.View(key)
        return Item(
            f"{person.key} {key}", words.labels_of(person), draw=lambda size: faces.draw(person, view, size)
        )

    def face(self, rng: Random, sex: str | None = None, age: str | None = None) -> Item:
        key = self._key("person", rng.getrandbits(60))
        sex, age = sex or rng.choice(families.SEXES), age or rng.choice(families.AGES)
        return self.draw_portrait(rng, families.person(seeds.rng(key), key, sex=sex, age=age))

    # Level 1 --------------------------------------------------------------------------------------------------

    def draw_subject(self, rng: Random) -> Item:
        return self.thing(rng, rng.choices(DOMAINS, (0.5, 0.3, 0.2))[0])

    def draw_distractor(self, rng: Random, together: list[Item]) -> Item:
        """Draw a picture of the kind of the first one, so that the question could be asked about it as well."""
        return self.thing(rng, together[0].labels["kind"])

    def thing(self, rng: Random, kind: str) -> Item:
        if kind == "scene":
            return self.scene(rng)
        return self.face(rng) if kind == "face" else self.draw_digit(rng)

    def questions_about(self, item: Item) -> list[words.Question]:
        return words.questions(item.labels)

    def find_answered(
        self, rng: Random, question: words.Question, value: str
    ) -> tuple[Item, words.Question] | None:
        for _ in range(REDRAWS):
            item = self._asked(rng, question, value)
            for other in self.questions_about(item):
                if (other.ask, other.answer) == (question.ask, value):
                    return item, other
        return None

    def counterpart_of(self, question: words.Question) -> None:
        return None

    def _asked(self, rng: Random, question: words.Question, value: str) -> Item:
        """Draw a picture about which this question is likely to be asked."""
        if question.about == "digit":
            return self.draw_digit(rng, int(value))
        if question.about == "person":
            sex, age = words.PEOPLE[value]
            return self.face(rng, sex=sex, age=age)
        if question.about in words.OF_FACES or question.about == "hand":
            return self.draw_digit(rng) if question.about == "hand" else self.face(rng)
        asked = question.ask.rstrip("?").split()
        shape = next((words.SINGULAR.get(word, word) for word in asked if word in words.NAMED_SHAPES), None)
        colour = next((word for word in asked if word in scenes.COLOURS), None)
        if question.about == "colour":
            colour = value
        if question.about == "shape":
            shape = value
        wanted = {"shape": shape, "colour": colour}
        return self.scene(rng, **{name: one for name, one in wanted.items() if one})

    # Level 3 --------------------------------------------------------------------------------------------------

    def draw_target(self, rng: Random) -> tuple[Item, Concept]:
        """Draw a picture and a concept that it shows ("a heart", "a red heart", "an old man"). The picture is drawn as
        `draw_with` draws one, so that nobody can tell which of two is the target."""
        first = self.face(rng) if rng.random() < 0.3 else self.scene(rng)
        concept = self.concept(rng, first)
        return self.draw_with(rng, concept, [first]), concept

    def concept(self, rng: Random, item: Item) -> Concept:
        """Draw a concept that a scene or a portrait shows."""
        if item.labels["kind"] == "face":
            return Concept(words.with_article(words.noun_of(item.labels)))
        group = rng.choice(item.labels["groups"])
        name = f"{group['colour']} {group['shape']}" if rng.random() < 0.4 else group["shape"]
        return Concept(words.with_article(name))

    def shows(self, item: Item, concept: str) -> bool:
        """Tell whether the concept occurs in the picture, in any number and size."""
        _, *attributes, name = concept.split()
        if item.labels["kind"] == "face":
            return words.noun_of(item.labels) == " ".join((*attributes, name))
        groups = item.labels.get("groups", ())
        return any(g["shape"] == name and (not attributes or g["colour"] == attributes[0]) for g in groups)

    def draw_without(self, rng: Random, concept: str, together: list[Item]) -> Item:
        """Draw a picture of the kind of the first one, without the concept."""
        while True:
            item = self.draw_distractor(rng, together)
            if not self.shows(item, concept):
                return item

    def draw_with(self, rng: Random, concept: str, together: list[Item]) -> Item:
        """Draw a picture of the kind of the first one, with the concept."""
        _, *attributes, name = concept.split()
        if together[0].labels["kind"] == "face":
            sex, age = words.PEOPLE[" ".join((*attributes, name))]
            return self.face(rng, sex=sex, age=age)
        return self.scene(rng, shape=name, **({"colour": attributes[0]} if attributes else {}))

    def caption_of(self, rng: Random, item: Item) -> str:
        return words.caption(item.labels, rng)

    def caption_fits(self, caption: str, item: Item) -> bool:
        return words.holds(caption, item.labels)

    def claim_about(self, item: Item) -> str:
        return words.describe(item.labels)

    def claim_of_concept(self, concept: str) -> str:
        _, *rest = concept.split()
        noun = " ".join(rest)
        return words.face_of(noun) if noun in words.PEOPLE else f"an image containing {concept}"

    def generic_caption(self, rng: Random, item: Item) -> str:
        return rng.choice(words.GENERIC[item.labels["kind"]])

    def swap_attribute(self, rng: Random, item: Item, concept: str) -> Item:
        """Draw the same picture with another value of one attribute, which is never one of the concept."""
        from s2h.sources.builtin.swaps import swap

        labels = swap(rng, item.labels, concept)
        key = self._key("swapped", rng.getrandbits(60))
        if labels["kind"] == "face":
            someone = words.person_of(labels, key)
            return self.draw_portrait(rng, someone)
        scene = words.scene_of(labels, key)
        return Item(scene.key, words.labels_of(scene), draw=lambda size: scenes.draw(scene, size))

    # Comparisons ----------------------------------------------------------------------------------------------

    def draw_trait(self, rng: Random) -> Trait:
        if rng.random() < self.count_share:
            shape = rng.choice(scenes.SHAPES)
            things = words.shape_word(shape, 2)
            return Trait(
                f"number of {things}",
                tuple(range(1, scenes.MOST + 1)),
                lambda n: (
                    words.with_article(shape) if n == 1 else f"{words.COUNTS[n]} {words.shape_word(shape, n)}"
                ),
                things,
            )
        return rng.choice(TRAITS)

    def draw_showing(self, rng: Random, trait: Trait, value: Any, together: list[Item]) -> Item:
        if trait.what == "digit":
            return self.draw_digit(rng, value)
        if trait.what == "kind of person":
            sex, age = words.PEOPLE[value]
            return self.face(rng, sex=sex, age=age)
        if trait.what == "kind of object":
            return self.scene(rng, shape=value, avoid=[s for s in scenes.SHAPES if s != value])
        shape = words.SINGULAR[trait.things] if trait.things else None
        while True:
            item = self.scene(rng, **({"shape": shape} if shape else {}))
            if shape is None and item.labels["background"] == value:
                return item
            if shape and any(g["shape"] == shape and g["count"] == value for g in item.labels["groups"]):
                return item


TRAITS = (
    Trait("digit", tuple(range(10)), lambda value: f"the digit {value}"),
    Trait("kind of person", tuple(words.PEOPLE), words.with_article, caption="the face of {}"),
    Trait("kind of object", scenes.SHAPES, words.with_article, caption="an image containing {}"),
    Trait(
        "colour of the background",
        scenes.BACKGROUNDS,
        lambda value: f"a {value} background",
        caption="a picture with {}",
    ),
)
