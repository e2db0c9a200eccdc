"""Photographs of people whose kinship is known, for the task kinship. Each family belongs to one split. A stranger is of
another family and has the same sex and the same generation, since ages are not known. shapes.py documents the methods of
`KinshipPeople`."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from s2h.errors import NoPair
from s2h.sources.exclusions import Exclusions
from s2h.sources.items import Item, SourceError
from s2h.sources.shapes import Dataset

REDRAWS = 60
NOUNS = {"female": "a woman", "male": "a man", "": "a person"}
# Relation of the first person to the second -> relation of the second to the first.
INVERSE = {
    "parent": "child",
    "child": "parent",
    "grandparent": "grandchild",
    "grandchild": "grandparent",
    "sibling": "sibling",
}


@dataclass(frozen=True)
class Person:
    """A person. sex: female, male, or "" if it isn't known. generation: elder, middle or younger in the family. pictures:
    names of files."""

    key: str
    family: str
    sex: str
    generation: str
    pictures: tuple[str, ...] = field(repr=False)


class People(Dataset):
    """People with pictures, and who is whose parent, grandparent or sibling.

    relatives: (a, relation, b), such as (a, "parent", b) if a is the parent of b. by_key: the people by their keys. kin_of:
    person -> relative -> relation of the person to the relative."""

    describes_faces = False

    def __init__(
        self,
        spec: str,
        root: str,
        people: Mapping[str, Person],
        relatives: Sequence[tuple[str, str, str]],
        excluded: Counter[str],
    ) -> None:
        self.spec, self.root, self.excluded = spec, root, Exclusions(excluded)
        self.people, self.by_key = self, people
        self.kin_of: dict[str, dict[str, str]] = defaultdict(dict)
        self._pairs: dict[str, list[tuple[Person, Person]]] = defaultdict(list)
        for one, relation, other in relatives:
            self._pairs[relation].append((people[one], people[other]))
            self.kin_of[one][other], self.kin_of[other][one] = relation, INVERSE[relation]
            if relation == "sibling":
                self._pairs[relation].append((people[other], people[one]))
        self.relations = tuple(name for name in ("parent", "grandparent", "sibling") if self._pairs[name])
        self._alike: dict[tuple[str, str], list[Person]] = defaultdict(list)
        for person in people.values():
            if person.key in self.kin_of:
                self._alike[person.sex, person.generation].append(person)
        if not self.relations:
            why = self.excluded.summary("no pictures")
            raise SourceError(f"source {spec!r}: no two relatives with pictures ({why})")
        names = (name for person in people.values() for name in person.pictures)
        self._places = {name: at for at, name in enumerate(names)}

    @property
    def size(self) -> int:
        return sum(len(person.pictures) for person in self.by_key.values())

    def draw_relatives(self, rng: Random, relation: str) -> tuple[Person, Person]:
        return rng.choice(self._pairs[relation])

    def draw_stranger(
        self, rng: Random, like: Person, unlike: tuple[Person, ...], apart: tuple[Person, ...] = ()
    ) -> Person:
        families = {person.family for person in (*unlike, *apart)}
        for _ in range(REDRAWS):
            person = rng.choice(self._alike[like.sex, like.generation])
            if person.family not in families:
                return person
        raise NoPair("no stranger of the same sex and generation found")

    def draw_portrait(self, rng: Random, person: Person) -> Item:
        name = rng.choice(person.pictures)
        path = os.path.join(self.root, name)
        self.excluded.check(0, self._places[name], len(self._places), lambda: path)
        labels = {"kind": "portrait", "file": name, "person": person.key, "sex": person.sex or "unknown"}
        return Item(name, labels, reference=path)

    def facts_about(self, person: Person) -> dict[str, Any]:
        return {
            "person": person.key,
            "family": person.family,
            "sex": person.sex or "unknown",
            "is": dict(self.kin_of[person.key]),
        }

    def claim_about_person(self, person: Person) -> str:
        return f"a photo of the face of {NOUNS[person.sex]}"

    def describe_face(self, person: Person) -> str:
        return ""

    def describe_likeness(self, a: Person, b: Person) -> str:
        return ""
