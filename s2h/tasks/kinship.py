"""Level 2, kinship (asymmetric relational inference): faces of several people, of whom two are parent and child, grandparent
and grandchild, or siblings. Asked in both directions; the rejected answer swaps the roles, names the wrong image, or
mistakes strangers for kin. A stranger is of another family, of the sex and age of the one in whose place he stands. The
wrong answer is the right one of a world that is as likely as the true one (the pictures in each other's place, or a
relative for a stranger), so that words alone don't tell them apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from s2h.sources import Item, NoPair
from s2h.sources.shapes import PEOPLE, KinshipPeople
from s2h.tasks.draft import WORKING, Draft, Twin, branch, in_turn, pick_kind, two_places, yes_or_no

NEEDS = PEOPLE
NEGATIVES = {"swapped-roles": 1.0, "wrong-image": 1.0, "false-kin": 1.0, "missed-kin": 1.0}
# relation -> what the first and the second are called, and the same with both sexes named.
RELATIONS = {
    "parent": ("parent", "child", "mother or father", "son or daughter"),
    "grandparent": ("grandparent", "grandchild", "grandmother or grandfather", "granddaughter or grandson"),
    "sibling": ("sibling", "sibling", "brother or sister", "brother or sister"),
}
ASKS = {
    "is-elder": (
        "Is the person in Image {a} the {elder} of the person in Image {b}?",
        "Is the person in Image {b} the {younger} of the person in Image {a}?",
        "Could the person in Image {a} be the {elders} of the person in Image {b}?",
        "Image {a} and Image {b}: is the first person the {elder} of the second?",
        "Does Image {b} show a {younger} of the person in Image {a}?",
        "Does Image {a} show the {elder} of the person in Image {b}?",
        "Is the person in Image {a} a {elder} of the one in Image {b}?",
        "Look at Image {a} and Image {b}. Is the person in Image {a} the {elder} of the other?",
        "Is it true that the person in Image {a} is the {elder} of the person in Image {b}?",
        "Would you say that the person in Image {b} is a {younger} of the person in Image {a}?",
    ),
    "are-kin": (
        "Are the people in Image {a} and Image {b} {elder} and {younger}?",
        "Do Images {a} and {b} show a {elder} and a {younger} of one family?",
        "Is one of the people in Images {a} and {b} the {elder} of the other?",
        "Are the people in Image {a} and Image {b} related as {elder} and {younger}?",
        "Do the people in Images {a} and {b} belong together as {elder} and {younger}?",
        "Look at Images {a} and {b}: are these people {elder} and {younger}?",
        "Could the people in Images {a} and {b} be {elder} and {younger}?",
        "Judging by their looks, are the people in Images {a} and {b} {elder} and {younger}?",
        "Is one of the people in Image {a} and Image {b} a {younger} of the other?",
        "Image {a} and Image {b}: do they show {elder} and {younger}, or not?",
    ),
    "which-elder": (
        "Images {a} and {b} show a {elder} and a {younger}. Which image shows the {elder}?",
        "The people in Images {a} and {b} are {elder} and {younger}. Who is the {elder}?",
        "Of the relatives in Images {a} and {b}, which one is the {elder}?",
        "Images {a} and {b} show two members of one family. In which one do you see the {elder}?",
        "In Images {a} and {b}, who is the {elder} of the other? Name the image.",
        "Which of Images {a} and {b} shows the {elder} of the other person?",
        "A {elder} and a {younger} are in Images {a} and {b}. Name the image with the {elder}.",
        "One of Images {a} and {b} shows the other's {elder}. Which one?",
        "In Images {a} and {b} you see a {elder} and a {younger}. Which image shows the {elder}?",
        "Tell the {elder} from the {younger} in Images {a} and {b}: which image shows the {elder}?",
    ),
    "find-younger": (
        "Which image shows the {younger} of the person in Image {a}?",
        "Find the {younger} of the person in Image {a}.",
        "Who is the {younger} of the person in Image {a}?",
        "One of the other images shows a {younger} of the person in Image {a}. Which one?",
        "The person in Image {a} has a {younger} in one of the other images. Which image is it?",
        "In which image do you see the {youngers} of the person in Image {a}?",
        "Name the image with the {younger} of the person in Image {a}.",
        "Whose {elder} is the person in Image {a}? Name the image.",
        "Search for the {younger} of the person in Image {a}. Which image is it?",
        "Which of the other people is a {younger} of the person in Image {a}?",
    ),
    "find-elder": (
        "Which image shows a {elder} of the person in Image {a}?",
        "Find the {elder} of the person in Image {a}.",
        "Who is the {elder} of the person in Image {a}?",
        "One of the other images shows a {elder} of the person in Image {a}. Which one?",
        "The person in Image {a} has a {elder} in one of the other images. Which image is it?",
        "In which image do you see the {elders} of the person in Image {a}?",
        "Name the image with the {elder} of the person in Image {a}.",
        "Whose {younger} is the person in Image {a}? Name the image.",
        "Search for the {elder} of the person in Image {a}. Which image is it?",
        "Which of the other people is a {elder} of the person in Image {a}?",
    ),
    "are-siblings": (
        "Are the people in Image {a} and Image {b} siblings?",
        "Do Images {a} and {b} show two siblings?",
        "Do the people in Images {a} and {b} have the same parents?",
        "Are the people in Image {a} and Image {b} brothers or sisters?",
        "Do the people in Images {a} and {b} belong together as siblings?",
        "Look at Images {a} and {b}: are these people siblings?",
        "Could the people in Images {a} and {b} be siblings?",
        "Judging by their looks, are the people in Images {a} and {b} siblings?",
        "Is the person in Image {a} a brother or a sister of the person in Image {b}?",
        "Image {a} and Image {b}: do they show siblings, or not?",
    ),
    "find-sibling": (
        "Which image shows a sibling of the person in Image {a}?",
        "Find the brother or sister of the person in Image {a}.",
        "Who is a sibling of the person in Image {a}?",
        "One of the other images shows a sibling of the person in Image {a}. Which one?",
        "The person in Image {a} has a sibling in one of the other images. Which image is it?",
        "In which image do you see a brother or sister of the person in Image {a}?",
        "Name the image with the sibling of the person in Image {a}.",
        "Who has the same parents as the person in Image {a}? Name the image.",
        "Search for a sibling of the person in Image {a}. Which image is it?",
        "Which of the other people is a brother or sister of the person in Image {a}?",
    ),
}
YES_NO = ("is-elder", "are-kin", "are-siblings")
BRIEF = ("", "", " Answer briefly.", " Give a short answer.")
SHOW = (" Say what you see first.", " Describe the people, then answer.", " Explain by their looks.")


def possible_negatives(source: KinshipPeople[Any]) -> list[str]:
    return list(NEGATIVES)


def make(
    rng: Random,
    source: KinshipPeople[Any],
    n_images: int,
    weights: dict[str, float],
    working: float = WORKING,
    relations: dict[str, float] | None = None,
) -> Draft:
    """One kinship pair of `n_images` faces. relations: the relations asked about and their weights; by default parent half
    of the time, and the others that the source knows."""
    if n_images < 2:
        raise NoPair("kinship needs two images or more")
    chances = tuple((relations or _relations(source)).items())
    wanted = frozenset(kind for kind, weight in weights.items() if weight > 0)
    truth = yes_or_no(rng, lambda n: _share(chances, n, wanted), n_images)
    places = two_places(rng, n_images)
    if truth is not None and not _questions(chances, n_images, wanted, truth):
        truth = not truth
    questions = _questions(chances, n_images, wanted, truth)
    if not questions:
        raise NoPair(f"none of the wanted negatives fits ({', '.join(weights)})")
    relation, form = branch(rng, list(questions), list(questions.values()), f"question {truth}")
    share = working if source.describes_faces else 0
    shows = in_turn(rng, (True, False), (share, 1 - share), "working")
    ending = rng.choice(SHOW if shows else BRIEF)
    asked = Asked(source, relation, form, places, shows, ending)
    first, second = source.draw_relatives(rng, relation)
    if truth is not None:
        return _yes_no(rng, asked, first, second, n_images, weights, truth)
    build = _find if form.startswith("find") else _which
    return build(rng, asked, first, second, n_images, weights)


def _relations(source: KinshipPeople[Any]) -> dict[str, float]:
    return {name: 1.0 if name != "parent" else len(source.relations) for name in source.relations}


@lru_cache
def _questions(
    relations: tuple[tuple[str, float], ...], n_images: int, wanted: frozenset[str], truth: bool | None
) -> dict[tuple[str, str], float]:
    """(relation, form) and its weight: of the yes/no questions with this answer, or (None) of the others."""
    found = {}
    for relation, weight in relations:
        elder, younger, *_ = RELATIONS[relation]
        if elder == younger:
            forms = ["are-siblings"] + ["find-sibling"] * (n_images > 2)
        else:
            forms = ["is-elder", "are-kin", "which-elder"] + ["find-younger", "find-elder"] * (n_images > 2)
        for form in forms:
            if (form in YES_NO) == (truth is not None) and wanted & set(_kinds(form, truth)):
                found[relation, form] = weight / len(forms)
    return found if sum(found.values()) > 0 else {}


def _kinds(form: str, truth: bool | None) -> list[str]:
    """The mistakes that a form of question can suffer."""
    if truth is None:
        return ["swapped-roles" if form == "which-elder" else "wrong-image"]
    return ["swapped-roles"] * (form == "is-elder") + ["missed-kin" if truth else "false-kin"]


@lru_cache
def _share(relations: tuple[tuple[str, float], ...], n_images: int, wanted: frozenset[str]) -> float:
    """The share of yes/no questions among those about so many images."""
    of = [sum(_questions(relations, n_images, wanted, truth).values()) for truth in (True, False, None)]
    asked = max(of[:2])
    return asked / (asked + of[2]) if asked + of[2] else 0.0


@dataclass(frozen=True)
class Asked:
    """What one pair asks about, and how its answers are worded."""

    source: KinshipPeople[Any]
    relation: str
    form: str
    places: tuple[int, int]
    shows: bool
    ending: str  # of the prompt: how it wants to be answered

    def question(self, rng: Random, **places: int) -> str:
        elder, younger, elders, youngers = RELATIONS[self.relation]
        numbers = {name: place + 1 for name, place in places.items()}
        ask = rng.choice(ASKS[self.form]).format(
            elder=elder, younger=younger, elders=elders, youngers=youngers, **numbers
        )
        ask = ask[0].upper() + ask[1:]
        return ask + self.ending

    @property
    def short(self) -> bool:
        """Whether the prompt asks for a short answer."""
        return bool(self.ending) and not self.shows

    @property
    def name(self) -> str:
        """The form in the relation's own words: 'is-grandparent', 'find-child'."""
        elder, younger, *_ = RELATIONS[self.relation]
        return self.form.replace("elder", elder).replace("younger", younger)

    def facts(self, people: list, **more: object) -> dict:
        return {
            "relation": self.relation,
            "form": self.name,
            "working": self.shows,
            "people": [self.source.facts_about(person) for person in people],
            "families": sorted({person.family for person in people}),
            **more,
        }

    def evidence(self, said: dict[int, Any]) -> str:
        """What is seen in the images, before the answer."""
        if not self.shows:
            return ""
        return (
            " ".join(
                f"Image {at + 1} shows {self.source.describe_face(person)}." for at, person in said.items()
            )
            + " "
        )

    def claims(self, said: dict[int, Any]) -> list[tuple[int, str]]:
        return [(at, self.source.claim_about_person(person)) for at, person in said.items()]

    def portraits(self, rng: Random, people: list) -> list[Item]:
        return [self.source.draw_portrait(rng, person) for person in people]

    def verdict(self, a: int, b: int, truth: str) -> str:
        """The answer to a yes-no question about the images at places a and b. truth: `kin` (a is b's elder), `turned` (b is
        a's), `strangers`."""
        elder, younger, *_ = RELATIONS[self.relation]
        one, two = f"the person in Image {a + 1}", f"the person in Image {b + 1}"
        related = {"kin": f"the {elder} of", "turned": f"the {younger} of", "strangers": "not related to"}[
            truth
        ]
        yes = truth == "kin" if self.form == "is-elder" else truth != "strangers"
        if self.short:
            return "Yes." if yes else "No."
        if elder == younger and yes:
            return f"Yes, {one} and {two} are siblings."
        return f"{'Yes' if yes else 'No'}, {one} is {related} {two}."

    def found(self, at: int) -> str:
        """The answer to a question that asks for an image."""
        elder, younger, *_ = RELATIONS[self.relation]
        if self.short:
            return f"Image {at + 1}."
        return f"Image {at + 1} shows the {younger if self.form == 'find-younger' else elder}."


def crowd(
    rng: Random, asked: Asked, first: Any, second: Any, n_images: int, apart: tuple = ()
) -> tuple[list, int, int]:
    """The two people at their places among strangers to both, and to those in `apart`; the people and the two places."""
    others: list = []
    while len(others) < n_images - 2:
        like = rng.choice((first, second))
        taken = (first, second, *others, *apart)
        others.append(asked.source.draw_stranger(rng, like=like, unlike=(first, second), apart=taken))
    return _placed(asked.places, first, second, others)


def _placed(places: tuple[int, int], first: Any, second: Any, others: list) -> tuple[list, int, int]:
    """Two people at their places among others."""
    a, b = places
    rest = iter(others)
    return [first if at == a else second if at == b else next(rest) for at in range(len(others) + 2)], a, b


def _swapped(things: list, a: int, b: int) -> list:
    things = list(things)
    things[a], things[b] = things[b], things[a]
    return things


def _yes_no(
    rng: Random, asked: Asked, first: Any, second: Any, n_images: int, weights: dict, truth: bool
) -> Draft:
    """`is-elder` asks of (a, b) whether a is b's parent; where not, the roles are turned or they are strangers;
    `are-kin` and `are-siblings` ask for kin or strangers only."""
    source = asked.source
    kind = pick_kind(rng, weights, _kinds(asked.form, truth))
    other = source.draw_stranger(rng, like=second, unlike=(first, second), apart=(first, second))
    strangers = not truth and kind == "false-kin"
    shown = other if strangers else second
    # What the wrong answer takes the second face for: its own with the roles turned, or one of the other kind.
    imagined = second if strangers else other
    a_person, b_person = (first, shown) if truth or strangers else (shown, first)
    kin = "kin"  # or turned, where the first image shows the younger one
    if asked.form != "is-elder":
        asked = replace(asked, places=tuple(sorted(asked.places)))
        if rng.random() < 0.5:
            a_person, b_person, kin = b_person, a_person, "turned"
    people, a, b = crowd(rng, asked, a_person, b_person, n_images, (imagined,))
    seen = {a: a_person, b: b_person}
    items = asked.portraits(rng, people)
    if kind == "swapped-roles":
        believed = {a: b_person, b: a_person}
        others, other_items = _swapped(people, a, b), _swapped(items, a, b)
    else:
        believed = {at: imagined if person is shown else person for at, person in seen.items()}
        at = a if a_person is shown else b
        others, other_items = [*people[:at], imagined, *people[at + 1 :]], list(items)
        other_items[at] = source.draw_portrait(rng, imagined)
    yes = asked.verdict(a, b, kin)
    no = asked.verdict(a, b, "turned" if kind == "swapped-roles" else "strangers")
    right, wrong = (yes, no) if truth else (no, yes)

    def facts(people: list, truth: bool) -> dict:
        return asked.facts(people, a=a, b=b, answer="yes" if truth else "no", answer_type="yes/no")

    return Draft(
        items,
        asked.question(rng, a=a, b=b),
        asked.evidence(seen) + right,
        asked.evidence(believed) + wrong,
        kind,
        sorted((a, b)),
        facts(people, truth),
        asked.claims(seen),
        asked.claims(believed),
        twin=Twin(other_items, facts(others, not truth)),
    )


def _which(rng: Random, asked: Asked, elder: Any, younger: Any, n_images: int, weights: dict) -> Draft:
    """Both relatives are named; which of them is the elder?"""
    kind = pick_kind(rng, weights, ["swapped-roles"])
    people, at_elder, at_younger = crowd(rng, asked, elder, younger, n_images)
    a, b = sorted((at_elder, at_younger))
    items = asked.portraits(rng, people)

    def facts(people: list, at: int, other: int) -> dict:
        return asked.facts(people, a=at, b=other, answer=at + 1, answer_type="image")

    seen, turned = {at: people[at] for at in (a, b)}, {a: people[b], b: people[a]}
    return Draft(
        items,
        asked.question(rng, a=a, b=b),
        asked.evidence(seen) + asked.found(at_elder),
        asked.evidence(turned) + asked.found(at_younger),
        kind,
        [a, b],
        facts(people, at_elder, at_younger),
        asked.claims(seen),
        asked.claims(turned),
        twin=Twin(_swapped(items, a, b), facts(_swapped(people, a, b), at_younger, at_elder)),
    )


def _find(rng: Random, asked: Asked, first: Any, second: Any, n_images: int, weights: dict) -> Draft:
    """The relative of one person among strangers of the same sex and age."""
    kind = pick_kind(rng, weights, ["wrong-image"])
    known, sought = (second, first) if asked.form == "find-elder" else (first, second)
    others: list = []
    while len(others) < n_images - 2:
        taken = (known, sought, *others)
        others.append(asked.source.draw_stranger(rng, like=sought, unlike=(known,), apart=taken))
    people, at_known, at_sought = _placed(asked.places, known, sought, others)
    at_wrong = rng.choice([i for i in range(n_images) if i not in (at_known, at_sought)])
    items = asked.portraits(rng, people)

    def facts(people: list, at: int) -> dict:
        return asked.facts(people, a=at_known, b=at, answer=at + 1, answer_type="image")

    seen, believed = {at_known: known, at_sought: sought}, {at_known: known, at_wrong: sought}
    return Draft(
        items,
        asked.question(rng, a=at_known),
        asked.evidence(seen) + asked.found(at_sought),
        asked.evidence(believed) + asked.found(at_wrong),
        kind,
        sorted((at_known, at_sought)),
        facts(people, at_sought),
        asked.claims(seen),
        asked.claims(believed),
        twin=Twin(
            _swapped(items, at_sought, at_wrong),
            facts(_swapped(people, at_sought, at_wrong), at_wrong),
            sorted((at_known, at_wrong)),
        ),
    )
