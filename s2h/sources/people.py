"""Photographs of people whose kinship is known, for the task kinship. A family lies on one side of the split only; a
stranger is of another family, of the same sex, and of the same generation in it, since ages are not told."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random

from s2h.sources import Item, NoPair, SourceError
from s2h.sources.shapes import Dataset
from s2h.sources.unused import Unused

REDRAWS = 60
NOUNS = {"female": "a woman", "male": "a man", "": "a person"}
# What the second is to the first.
INVERSE = {
    "parent": "child",
    "child": "parent",
    "grandparent": "grandchild",
    "grandchild": "grandparent",
    "sibling": "sibling",
}


@dataclass(frozen=True)
class Person:
    key: str
    family: str
    sex: str  # female, male, or "" where it isn't known
    generation: str  # elder, middle or younger in the family
    pictures: tuple[str, ...] = field(repr=False)


class Album(Dataset):
    """People and who is whose parent, grandparent or sibling.

    relatives: (a, relation, b), a being the relation of b; `members` are made of them and of the pictures.
    """

    describes_faces = False

    def __init__(
        self,
        spec: str,
        root: str,
        people: dict[str, Person],
        relatives: list[tuple[str, str, str]],
        unused: Counter,
    ) -> None:
        self.spec, self.root, self.unused = spec, root, Unused(unused)
        self.pairs: dict[str, list[tuple[Person, Person]]] = defaultdict(list)
        self.of: dict[str, dict[str, str]] = defaultdict(dict)  # person -> what he is to whom
        for one, relation, other in relatives:
            self.pairs[relation].append((people[one], people[other]))
            self.of[one][other], self.of[other][one] = relation, INVERSE[relation]
            if relation == "sibling":
                self.pairs[relation].append((people[other], people[one]))
        self.relations = tuple(name for name in ("parent", "grandparent", "sibling") if self.pairs[name])
        self.alike: dict[tuple[str, str], list[Person]] = defaultdict(list)
        for person in people.values():
            if person.key in self.of:
                self.alike[person.sex, person.generation].append(person)
        self.people, self._people = self, people
        if not self.relations:
            raise SourceError(
                f"source {spec!r}: no two relatives with pictures ({self.unused.why('no pictures')})"
            )
        names = (name for person in people.values() for name in person.pictures)
        self._places = {name: at for at, name in enumerate(names)}

    @property
    def size(self) -> int:
        return sum(len(person.pictures) for person in self._people.values())

    def draw_relatives(self, rng: Random, relation: str) -> tuple[Person, Person]:
        return rng.choice(self.pairs[relation])

    def draw_stranger(
        self, rng: Random, like: Person, unlike: tuple[Person, ...], apart: tuple[Person, ...] = ()
    ) -> Person:
        """Somebody of the sex and generation of `like` whose family is none of those of `unlike` and `apart`."""
        families = {person.family for person in (*unlike, *apart)}
        for _ in range(REDRAWS):
            person = rng.choice(self.alike[like.sex, like.generation])
            if person.family not in families:
                return person
        raise NoPair("no stranger of the same sex and generation found")

    def draw_portrait(self, rng: Random, person: Person) -> Item:
        name = rng.choice(person.pictures)
        path = os.path.join(self.root, name)
        self.unused.check(0, self._places[name], len(self._places), lambda: path)
        labels = {"kind": "portrait", "file": name, "person": person.key, "sex": person.sex or "unknown"}
        return Item(name, labels, reference=path)

    def facts_about(self, person: Person) -> dict:
        return {
            "person": person.key,
            "family": person.family,
            "sex": person.sex or "unknown",
            "is": dict(self.of[person.key]),
        }

    def claim_about_person(self, person: Person) -> str:
        return f"a photo of the face of {NOUNS[person.sex]}"

    def describe_face(self, person: Person) -> str:
        return ""
