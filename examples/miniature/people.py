"""Lessons about people: what two of them have in common, and who is whose parent. The people of a lesson are shown as images
or told in words. Questions come last, in the form of the task kinship.

`Crowd` draws the people from the pool's faces, which belong to no family. It takes two faces for relatives if they share the
traits that two relatives of a drawn family share.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from random import Random

import numpy as np
from lessons import TRAITS, look_related
from sums import WORKING

from s2h.sources import Item
from s2h.sources.builtin import families, words
from s2h.sources.builtin.world import World
from s2h.tasks.kinship_words import ASKS, BRIEF, RELATIONS, SHOW, tell_looks

FAMILIES = 3000  # drawn to learn which traits relatives share
OLDER = (
    "Who is older, the person in Image {a} or the person in Image {b}?",
    "Which of Images {a} and {b} shows the older person?",
)
IS_OLDER = "Is the person in Image {a} older than the person in Image {b}?"
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
                if look_related(same) == 1:
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
            if all(look_related(self.same(one, other)) == 0 for other in unlike):
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

    def likeness(self, a: int, b: int) -> str:
        return words.likeness(self.labels[a], self.labels[b])

    def relation(self, a: int, b: int) -> str | None:
        """Return `elder` if a is the parent of b, `younger` if b is the parent of a, `strangers`, or None if nobody would
        ask about these two."""
        related = look_related(self.same(a, b))
        if related == -1 or abs(self.ages[a] - self.ages[b]) != 1:
            return None
        if related == 0:
            return "strangers"
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


def ask_kin(rng: Random, form: str, a: int, b: int, working: bool) -> tuple[str, bool]:
    """Return a question about the people at a and b, and whether it asks for a short answer. working: ask for it."""
    ending = rng.choice(SHOW if working else BRIEF)
    ask = rng.choice(ASKS[form]).format(
        elder=ELDER, younger=YOUNGER, elders=ELDERS, youngers=YOUNGERS, a=a + 1, b=b + 1
    )
    return ask[0].upper() + ask[1:] + ending, bool(ending) and not working


def shown_working(
    crowd: Crowd, people: Sequence[int], places: Sequence[int], known: int | None = None
) -> str:
    """Return the working of an answer about the people at some places."""
    return tell_looks({at: people[at] for at in places}, crowd.look, crowd.likeness, known)


def kin(
    rng: Random,
    crowd: Crowd,
    told: float,
    forms: Sequence[str] = ("is-elder", "are-kin", "which-elder", "find-younger", "find-elder"),
    most: int = 5,
    all_shown: bool = False,
    working: float = WORKING,
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
        return kin(rng, crowd, told, forms, most, all_shown, working)
    related = [p for p in pairs if crowd.relation(people[p[0]], people[p[1]]) != "strangers"]
    apart = [p for p in pairs if p not in related]
    said = []
    if asked[0].startswith("find"):
        sought, known = (at[elder], at[child]) if asked[0] == "find-elder" else (at[child], at[elder])
        said.append(answer_image(rng, crowd, asked[0], people, sought, known, known, working))
    elif asked[0] == "which-elder":
        if not related:
            return kin(rng, crowd, told, forms, most, all_shown, working)
        places = sorted((at[elder], at[child]))
        said.append(answer_image(rng, crowd, "which-elder", people, at[elder], *places, working))
    yes_no = [f for f in forms if f in ("is-elder", "are-kin")]
    if yes_no:
        form = asked[0] if asked[0] in yes_no else rng.choice(yes_no)
        if related and (asked[0] == form or rng.random() < 0.5):
            a, b = (at[elder], at[child]) if rng.random() < 0.75 else (at[child], at[elder])
            said.append(answer_yes_no(rng, crowd, form, people, a, b, working))
        if apart and (asked[0] == form or rng.random() < 0.5):
            said.append(answer_yes_no(rng, crowd, form, people, *rng.choice(apart), working))
    rng.shuffle(said)
    return in_lesson(crowd, rng, people, in_words, said)


def older(
    rng: Random, crowd: Crowd, told: float, most: int = 5, turns: int = 4, all_shown: bool = False
) -> tuple[list[Item], list]:
    """Which of two people is the older one, whoever they are. Unless `all_shown`, one of the two is told."""
    n = rng.randint(2, most)
    people = [rng.randrange(len(crowd.labels)) for _ in range(n)]
    in_words = [rng.random() < told for _ in people]
    if not all_shown:
        in_words[rng.randrange(n)] = True
    pairs = [(a, b) for a in range(n) for b in range(n) if crowd.ages[people[a]] > crowd.ages[people[b]]]
    pairs = [(a, b) for a, b in pairs if all_shown or in_words[a] or in_words[b]]
    if not pairs:
        return older(rng, crowd, told, most, turns, all_shown)
    said = []
    for a, b in rng.sample(pairs, min(turns, len(pairs))):
        one, other = rng.sample((a, b), 2)
        if rng.random() < 0.5:
            said.append((rng.choice(OLDER).format(a=one + 1, b=other + 1), f"Image {a + 1}."))
        else:
            said.append((IS_OLDER.format(a=one + 1, b=other + 1), "Yes." if one == a else "No."))
    return in_lesson(crowd, rng, people, in_words, said)


def parentage(
    rng: Random,
    crowd: Crowd,
    told: float,
    most: int = 4,
    turns: int = 3,
    all_shown: bool = False,
    working: float = WORKING,
) -> tuple[list[Item], list]:
    """Questions for yes or no about a parent, a child and strangers: the parent of the child, the reverse, and two strangers
    are asked about equally often. Unless `all_shown`, one of the two people of a question is told."""
    n = rng.randint(2, most)
    people = list(crowd.relatives(rng))
    if n == 2 and rng.random() < 0.4:
        people[rng.randrange(2)] = crowd.stranger(rng, people[1], people[:1])
    while len(people) < n:
        people.append(crowd.stranger(rng, rng.choice(people[:2]), people[:2]))
    rng.shuffle(people)
    in_words = [rng.random() < told for _ in people]
    if not all_shown:
        in_words[rng.randrange(n)] = True
    asked: dict[str, list[tuple[int, int]]] = {}
    for a, b in permutations(range(n), 2):
        if (all_shown or in_words[a] or in_words[b]) and (relation := crowd.relation(people[a], people[b])):
            asked.setdefault(relation, []).append((a, b))
    if not asked:
        return parentage(rng, crowd, told, most, turns, all_shown, working)
    said = []
    for _ in range(turns):
        relation = rng.choice(list(asked))
        form = "are-kin" if relation != "younger" and rng.random() < 0.5 else "is-elder"
        said.append(answer_yes_no(rng, crowd, form, people, *rng.choice(asked[relation]), working))
    return in_lesson(crowd, rng, people, in_words, said)


def answer_image(
    rng: Random, crowd: Crowd, form: str, people: Sequence[int], at: int, a: int, b: int, working: float
) -> tuple[str, str]:
    """Return a question about the people at a and b, and the answer that names the image at `at`. working: probability that
    the question asks for it."""
    shows = rng.random() < working
    ask, short = ask_kin(rng, form, a, b, shows)
    noun = YOUNGER if form == "find-younger" else ELDER
    seen = ""
    if shows and form == "which-elder":
        seen = shown_working(crowd, people, (a, b))
    elif shows:
        seen = shown_working(crowd, people, (a, *(i for i in range(len(people)) if i != a)), a)
    return ask, seen + (f"Image {at + 1}." if short else f"Image {at + 1} shows the {noun}.")


def answer_yes_no(
    rng: Random, crowd: Crowd, form: str, people: Sequence[int], a: int, b: int, working: float
) -> tuple[str, str]:
    if form == "are-kin":
        a, b = sorted((a, b))
    truth = crowd.relation(people[a], people[b])
    shows = rng.random() < working
    ask, short = ask_kin(rng, form, a, b, shows)
    seen = shown_working(crowd, people, (a, b), a) if shows else ""
    yes = "Yes" if truth == "elder" or (truth == "younger" and form == "are-kin") else "No"
    is_what = {"elder": f"the {ELDER} of", "younger": f"the {YOUNGER} of"}.get(str(truth), "not related to")
    long = f"{yes}, the person in Image {a + 1} is {is_what} the person in Image {b + 1}."
    return ask, seen + (f"{yes}." if short else long)
