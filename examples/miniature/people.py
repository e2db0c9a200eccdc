"""Lessons about people: what two of them have in common, and who is whose parent. The people of a lesson are shown as images
or told in words. Questions come last, in the form of the task kinship.

`Crowd` draws the people from the pool's faces, which belong to no family. It takes two faces for relatives if they share the
traits that two relatives of a drawn family share.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from s2h.sources import Item
from s2h.sources.builtin import families, words
from s2h.sources.builtin.world import World
from s2h.tasks.kinship_words import ASKS, BRIEF, RELATIONS

FAMILIES = 3000  # drawn to learn which traits relatives share
LOOKS = ("texture", "hair", "skin", "eyes")  # what is said of a face, in the order in which it is said
TRAITS = tuple(families.TRAITS)
KIN, STRANGERS = 4, 2  # least number of traits that relatives share, largest number that strangers share
COMPARE = (
    "Compare Image {a} and Image {b}.",
    "Compare the people in Images {a} and {b}.",
    "What do the people in Image {a} and Image {b} have in common?",
)
DESCRIBE_TWO = (
    "Describe the people in Image {a} and Image {b}.",
    "What do Images {a} and {b} show?",
)
SAME = {  # thing -> question whether two people have it in common
    "texture": "Do the people in Image {a} and Image {b} have hair of one texture?",
    "hair": "Do the people in Image {a} and Image {b} have hair of one colour?",
    "skin": "Do the people in Image {a} and Image {b} have the same skin?",
    "eyes": "Do the people in Image {a} and Image {b} have the same eyes?",
}
ELDER, YOUNGER, ELDERS, YOUNGERS = RELATIONS["parent"]


class Crowd:
    """The people of the pool. faces: their labels."""

    def __init__(self, faces: list[dict], seed: int) -> None:
        self.labels = faces
        self.traits = np.array(
            [[families.TRAITS[t].index(one[t]) for t in TRAITS] for one in faces], dtype=np.int8
        )
        self.ages = np.array([families.AGES.index(one["age"]) for one in faces])
        kinds = self.ages * 2 + np.array([families.SEXES.index(one["sex"]) for one in faces])
        self.kinds = kinds
        self.of_kind = [np.flatnonzero(kinds == kind) for kind in range(6)]
        self.of_age = [np.flatnonzero(self.ages == age) for age in range(3)]
        world, rng = World(seed=seed, split="train"), Random(seed)
        self.patterns = []  # (generation of the elder, traits that the two share) of each pair of relatives
        for _ in range(FAMILIES):
            for elder, child in families.RELATED["parent"](world.family(rng)):
                same = np.array([a == b for a, b in zip(elder.traits, child.traits, strict=True)])
                if same.sum() >= KIN:
                    self.patterns.append((families.AGES.index(elder.age), same))

    def same(self, a: int, b: int) -> np.ndarray:
        return self.traits[a] == self.traits[b]

    def relatives(self, rng: Random) -> tuple[int, int]:
        """Draw a parent and a child, whose shared traits are those of two relatives."""
        while True:
            age, same = rng.choice(self.patterns)
            elder = int(rng.choice(self.of_age[age]))
            younger = self.of_age[age - 1]
            found = younger[((self.traits[younger] == self.traits[elder]) == same).all(1)]
            if len(found):
                return elder, int(rng.choice(found))

    def stranger(self, rng: Random, like: int, unlike: Sequence[int]) -> int:
        """Draw a person of the sex and age of `like` who is a stranger to everyone in `unlike`."""
        some = self.of_kind[self.kinds[like]]
        while True:
            one = int(rng.choice(some))
            if all(self.same(one, other).sum() <= STRANGERS for other in unlike):
                return one

    def draw(self, rng: Random, n: int) -> list[int]:
        """Draw n people: two relatives, and strangers to both."""
        elder, child = self.relatives(rng)
        people = [elder, child]
        while len(people) < n:
            people.append(self.stranger(rng, rng.choice((elder, child)), (elder, child)))
        return people

    def item(self, at: int) -> Item:
        return Item(f"face {at}", self.labels[at])

    def look(self, at: int) -> str:
        return words.look(self.labels[at])

    def relation(self, a: int, b: int) -> str | None:
        """Return `elder` if a is the parent of b, `younger` if b is the parent of a, `strangers`, or None if nobody would
        ask about these two."""
        shared = self.same(a, b).sum()
        if shared <= STRANGERS:
            return "strangers" if abs(self.ages[a] - self.ages[b]) == 1 else None
        if shared < KIN or abs(self.ages[a] - self.ages[b]) != 1:
            return None
        return "elder" if self.ages[a] > self.ages[b] else "younger"


def present_people(rng: Random, crowd: Crowd, people: Sequence[int], told: Sequence[bool]) -> list:
    """Return the user's parts that show or tell the people, each with its number."""
    parts: list = []
    for i, (person, in_words) in enumerate(zip(people, told, strict=True)):
        parts += [f"{'' if i == 0 else chr(10)}Image {i + 1}: ", crowd.look(person) if in_words else None]
    return parts


def in_lesson(
    crowd: Crowd, rng: Random, people: Sequence[int], told: Sequence[bool], turns: list
) -> tuple[list[Item], list]:
    (first, answer), *rest = turns
    parts = [*present_people(rng, crowd, people, told), "\n" + first]
    items = [crowd.item(p) for p, in_words in zip(people, told, strict=True) if not in_words]
    return items, [(parts, answer), *(([ask], said) for ask, said in rest)]


def some_people(rng: Random, crowd: Crowd, most: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Return two to `most` people, among them two relatives in most cases, and all ordered pairs of their places."""
    n = rng.randint(2, most)
    people = crowd.draw(rng, n)
    if rng.random() < 0.3:
        people[1] = rng.randrange(len(crowd.labels))
    rng.shuffle(people)
    return people, [(a, b) for a in range(n) for b in range(n) if a != b]


def compare(rng: Random, crowd: Crowd, told: float, most: int = 5, turns: int = 3) -> tuple[list[Item], list]:
    """For each thing that is said of a face, what two people have in common: its value, or "no"."""
    people, pairs = some_people(rng, crowd, most)
    said = []
    for a, b in rng.sample(pairs, min(turns, len(pairs) // 2)):
        one, other = crowd.labels[people[a]], crowd.labels[people[b]]
        said.append((rng.choice(COMPARE).format(a=a + 1, b=b + 1), in_common(one, other) + "."))
    return in_lesson(crowd, rng, people, [rng.random() < told for _ in people], said)


def describe_two(
    rng: Random, crowd: Crowd, told: float, most: int = 5, turns: int = 3
) -> tuple[list[Item], list]:
    """What is said of the faces of two people, one thing after the other."""
    n = rng.randint(2, most)
    people = [rng.randrange(len(crowd.labels)) for _ in range(n)]
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
    said = []
    for a, b in rng.sample(pairs, min(turns, len(pairs))):
        one, other = crowd.labels[people[a]], crowd.labels[people[b]]
        answer = ", ".join(f"{t} {one[t]} and {other[t]}" for t in LOOKS) + "."
        said.append((rng.choice(DESCRIBE_TWO).format(a=a + 1, b=b + 1), answer))
    return in_lesson(crowd, rng, people, [rng.random() < told for _ in people], said)


def in_common(one: dict, other: dict, traits: Sequence[str] = LOOKS) -> str:
    """Return "texture wavy, hair no, skin pale, eyes no". A value is learned at once, where "yes" stays at chance: it needs
    only that both have it."""
    return ", ".join(f"{t} {one[t] if one[t] == other[t] else 'no'}" for t in traits)


def ask_kin(rng: Random, form: str, a: int, b: int) -> tuple[str, bool]:
    """Return a question about the people at a and b, and whether it asks for a short answer."""
    ending = rng.choice(BRIEF)
    ask = rng.choice(ASKS[form]).format(
        elder=ELDER, younger=YOUNGER, elders=ELDERS, youngers=YOUNGERS, a=a + 1, b=b + 1
    )
    return ask[0].upper() + ask[1:] + ending, bool(ending)


def kin(
    rng: Random,
    crowd: Crowd,
    told: float,
    forms: Sequence[str] = ("is-elder", "are-kin", "which-elder", "find-younger", "find-elder"),
    most: int = 5,
    all_shown: bool = False,
) -> tuple[list[Item], list]:
    """One to three questions about a parent, a child and strangers. Unless `all_shown`, one of the people that a question is
    about is told. Yes and no come equally often."""
    asked = [rng.choice(forms)]
    least = 3 if asked[0].startswith("find") else 2
    n = rng.randint(least, max(least, most))
    elder, child = crowd.relatives(rng)
    people = [elder, child]
    while len(people) < n:
        like = {"find-elder": elder, "find-younger": child}.get(asked[0]) or rng.choice((elder, child))
        people.append(crowd.stranger(rng, like, people[:2]))
    if n == 2 and asked[0] in ("is-elder", "are-kin") and rng.random() < 0.5:
        people[rng.randrange(2)] = crowd.stranger(rng, people[1], people[:1])
    rng.shuffle(people)
    in_words = [rng.random() < told for _ in people]
    at = {one: people.index(one) for one in (elder, child) if one in people}
    if not all_shown:
        some = list(at.values())
        if not any(in_words[a] for a in some):
            in_words[rng.choice(some)] = True
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b and crowd.relation(people[a], people[b])]
    pairs = [(a, b) for a, b in pairs if all_shown or in_words[a] or in_words[b]]
    if not pairs:
        return kin(rng, crowd, told, forms, most, all_shown)
    related = [p for p in pairs if crowd.relation(people[p[0]], people[p[1]]) != "strangers"]
    apart = [p for p in pairs if p not in related]
    said = []
    if asked[0].startswith("find"):
        sought, known = (at[elder], at[child]) if asked[0] == "find-elder" else (at[child], at[elder])
        said.append(answer_image(rng, asked[0], sought, known, known))
    elif asked[0] == "which-elder":
        if not related:
            return kin(rng, crowd, told, forms, most, all_shown)
        said.append(answer_image(rng, "which-elder", at[elder], *sorted((at[elder], at[child]))))
    yes_no = [f for f in forms if f in ("is-elder", "are-kin")]
    if yes_no:
        form = asked[0] if asked[0] in yes_no else rng.choice(yes_no)
        if related and (asked[0] == form or rng.random() < 0.5):
            a, b = (at[elder], at[child]) if rng.random() < 0.75 else (at[child], at[elder])
            said.append(answer_yes_no(rng, crowd, form, people, a, b))
        if apart and (asked[0] == form or rng.random() < 0.5):
            said.append(answer_yes_no(rng, crowd, form, people, *rng.choice(apart)))
    rng.shuffle(said)
    return in_lesson(crowd, rng, people, in_words, said)


def answer_image(rng: Random, form: str, at: int, a: int, b: int) -> tuple[str, str]:
    ask, short = ask_kin(rng, form, a, b)
    noun = YOUNGER if form == "find-younger" else ELDER
    return ask, f"Image {at + 1}." if short else f"Image {at + 1} shows the {noun}."


def answer_yes_no(
    rng: Random, crowd: Crowd, form: str, people: Sequence[int], a: int, b: int
) -> tuple[str, str]:
    if form == "are-kin":
        a, b = sorted((a, b))
    truth = crowd.relation(people[a], people[b])
    ask, short = ask_kin(rng, form, a, b)
    yes = "Yes" if truth == "elder" or (truth == "younger" and form == "are-kin") else "No"
    is_what = {"elder": f"the {ELDER} of", "younger": f"the {YOUNGER} of"}.get(str(truth), "not related to")
    long = f"{yes}, the person in Image {a + 1} is {is_what} the person in Image {b + 1}."
    return ask, f"{yes}." if short else long


def reason(
    rng: Random,
    crowd: Crowd,
    told: float,
    listed: int,
    forms: Sequence[str] = ("is-elder", "are-kin"),
    most: int = 5,
) -> tuple[list[Item], list]:
    """A question for yes or no whose answer first says of `listed` traits, which the question names, whether they are the
    same. The fewer are listed, the more must be compared at once."""
    n = rng.randint(2, most)
    elder, child = crowd.relatives(rng)
    kin_two = rng.random() < 0.5
    people = [elder, child if kin_two else crowd.stranger(rng, child, (elder,))]
    while len(people) < n:
        people.append(crowd.stranger(rng, rng.choice((elder, child)), people[:2]))
    one, two = people[:2]
    rng.shuffle(people)
    a, b = people.index(one), people.index(two)
    form = rng.choice(forms)
    if form == "are-kin" or (kin_two and rng.random() < 0.25):
        a, b = b, a
    in_words = [rng.random() < told for _ in people]
    if not (in_words[a] or in_words[b]):
        in_words[rng.choice((a, b))] = True
    ask, answer = answer_yes_no(rng, crowd, form, people, a, b)
    if listed:
        chosen = rng.sample(LOOKS, listed)
        traits = [t for t in LOOKS if t in chosen]
        if form == "are-kin":
            a, b = sorted((a, b))
        ask = f"Compare {words.listing(traits)}. {ask}"
        answer = f"{in_common(crowd.labels[people[a]], crowd.labels[people[b]], traits)}. {answer}"
    return in_lesson(crowd, rng, people, in_words, [(ask, answer)])


def same(
    rng: Random, crowd: Crowd, told: float, values: float, most: int = 5, turns: int = 3
) -> tuple[list[Item], list]:
    """Whether two people have one thing in common. values: share of the answers that give its value instead of yes."""
    people, pairs = some_people(rng, crowd, most)
    said = []
    for _ in range(turns):
        a, b = rng.choice(pairs)
        one, other = crowd.labels[people[a]], crowd.labels[people[b]]
        trait = rng.choice(LOOKS)
        if one[trait] != other[trait] and rng.random() < 0.4:
            shared = [t for t in LOOKS if one[t] == other[t]]
            trait = rng.choice(shared or LOOKS)
        ask = SAME[trait].format(a=a + 1, b=b + 1)
        alike = one[trait] == other[trait]
        if rng.random() < values:
            said.append((f"{ask} Which?", f"They are {one[trait]}." if alike else "They are not."))
        else:
            said.append((ask, f"Yes, {one[trait]}." if alike else "No."))
    return in_lesson(crowd, rng, people, [rng.random() < told for _ in people], said)
