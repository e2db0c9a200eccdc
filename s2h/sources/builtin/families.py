"""Families of the built-in world: people with a sex, an age and eight heritable traits, over three generations. A child
takes each trait from its mother or its father, at least half of the traits from each."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

TRAITS: dict[str, tuple[str, ...]] = {
    "skin": ("pale", "light", "tan", "brown", "dark"),
    "hair": ("black", "brown", "blond", "red"),
    "eyes": ("brown", "blue", "green", "grey"),
    "face": ("round", "oval", "square"),
    "nose": ("small", "broad", "long"),
    "brows": ("thin", "thick"),
    "texture": ("straight", "wavy", "curly"),
    "freckles": ("none", "freckled"),
}
NAMED = ("hair", "texture", "skin", "eyes")  # those that the working of an answer tells
# Numbers of traits that two people have in common, of all eight and of the NAMED: relatives have at least LEAST_OF_KIN,
# strangers at most MOST_OF_STRANGERS, so that their looks always tell.
LEAST_OF_KIN, MOST_OF_STRANGERS = (4, 2), (2, 1)
SEXES = ("female", "male")
AGES = ("child", "adult", "old")


@dataclass(frozen=True)
class Person:
    """A person. A `View` decides how a picture shows the person: pose, light, clothes."""

    key: str
    family: str
    role: str
    sex: str
    age: str
    traits: tuple[tuple[str, str], ...]
    parents: tuple[str, ...] = ()

    @property
    def trait(self) -> dict[str, str]:
        return dict(self.traits)


@dataclass(frozen=True)
class Family:
    key: str
    people: tuple[Person, ...]


@dataclass(frozen=True)
class View:
    """Everything in a portrait that does not depend on the person. The key decides it."""

    key: str


def person(
    rng: Random, key: str, *, sex: str, age: str, family: str | None = None, role: str = "stranger"
) -> Person:
    """Draw a person without relatives, each trait uniformly at random."""
    traits = tuple((trait, rng.choice(values)) for trait, values in TRAITS.items())
    return Person(key, family or key, role, sex, age, traits)


def _child(rng: Random, key: str, role: str, sex: str, age: str, mother: Person, father: Person) -> Person:
    """Draw a child: half of the traits, drawn at random, come from the mother and the others from the father."""
    names = list(TRAITS)
    from_mother = set(rng.sample(names, len(names) // 2))
    mothers, fathers = mother.trait, father.trait
    traits = tuple((name, (mothers if name in from_mother else fathers)[name]) for name in names)
    return Person(key, mother.family, role, sex, age, traits, (mother.key, father.key))


def family(rng: Random, key: str) -> Family:
    """Draw a family: four grandparents (old), mother and father (adult), two or three children."""

    def elder(role: str, sex: str) -> Person:
        return person(rng, f"{key}/{role}", sex=sex, age="old", family=key, role=role)

    grandparents = (
        elder("mother's mother", "female"), elder("mother's father", "male"),
        elder("father's mother", "female"), elder("father's father", "male"),
    )  # fmt: skip
    mother = _child(rng, f"{key}/mother", "mother", "female", "adult", *grandparents[:2])
    father = _child(rng, f"{key}/father", "father", "male", "adult", *grandparents[2:])
    children = []
    for i in range(rng.randint(2, 3)):
        sex = rng.choice(SEXES)
        role = "daughter" if sex == "female" else "son"
        children.append(_child(rng, f"{key}/{role} {i + 1}", role, sex, "child", mother, father))
    return Family(key, (*grandparents, mother, father, *children))


def parent_pairs(of: Family) -> list[tuple[Person, Person]]:
    """Return every (parent, child) of the family."""
    by_key = {someone.key: someone for someone in of.people}
    return [(by_key[parent], child) for child in of.people for parent in child.parents]


def grandparent_pairs(of: Family) -> list[tuple[Person, Person]]:
    """Return every (grandparent, grandchild) of the family."""
    by_child: dict[str, list[Person]] = {}
    for parent, child in parent_pairs(of):
        by_child.setdefault(child.key, []).append(parent)
    return [
        (elder, child)
        for child in of.people
        for parent in by_child.get(child.key, ())
        for elder in by_child.get(parent.key, ())
    ]


def sibling_pairs(of: Family) -> list[tuple[Person, Person]]:
    """Return every ordered pair of people who have the same parents."""
    return [
        (a, b) for a in of.people for b in of.people if a is not b and a.parents and a.parents == b.parents
    ]


RELATED = {"parent": parent_pairs, "grandparent": grandparent_pairs, "sibling": sibling_pairs}


def shared(a: Person, b: Person) -> int:
    """Count the traits, of eight, that two people have in common."""
    return sum(x == y for x, y in zip(a.traits, b.traits, strict=True))


def look_related(a: Person, b: Person) -> bool | None:
    """Return whether two people look like relatives (True) or like strangers (False); None if their looks don't tell."""
    whole, named = shared(a, b), sum(a.trait[trait] == b.trait[trait] for trait in NAMED)
    if like_relatives(whole, named):
        return True
    return False if like_strangers(whole, named) else None


def like_relatives(whole: Any, named: Any) -> Any:
    """Return whether relatives have as many traits in common. whole, named: of all and of the NAMED, numbers or arrays."""
    return (whole >= LEAST_OF_KIN[0]) & (named >= LEAST_OF_KIN[1])


def like_strangers(whole: Any, named: Any) -> Any:
    """Return whether strangers have as few traits in common. whole, named: as of `like_relatives`."""
    return (whole <= MOST_OF_STRANGERS[0]) & (named <= MOST_OF_STRANGERS[1])
