"""Level 2, kinship (asymmetric relational inference): faces of several people, of whom two are parent and child, grandparent
and grandchild, or siblings. Asked in both directions; the rejected answer swaps the roles, names the wrong image, or
mistakes strangers for kin. A stranger is of another family, of the sex and age of the one in whose place he stands. The
wrong answer is the right one of a world that is as likely as the true one (the pictures in each other's place, or a
relative for a stranger), so that words alone don't tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, Twin, in_turn, pick_kind, two_places
from s2h.sources import Item, NoPair

NEEDS = ("related", "stranger", "portrait")
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
        "Look at Images {a} and {b}. Is the person in Image {a} the {elder} of the other?",
        "True or not: the person in Image {a} is the {elder} of the person in Image {b}?",
        "Would you say that the person in Image {b} is a {younger} of the person in Image {a}?",
    ),
    "are-kin": (
        "Are the people in Image {a} and Image {b} {elder} and {younger}?",
        "Do Images {a} and {b} show a {elder} and a {younger} of one family?",
        "Is one of the people in Images {a} and {b} the {elder} of the other?",
        "Are the persons in Image {a} and Image {b} related as {elder} and {younger}?",
        "Do the people in Images {a} and {b} belong together as {elder} and {younger}?",
        "Look at Images {a} and {b}: are they {elder} and {younger}?",
        "Could the people in Images {a} and {b} be {elder} and {younger}?",
        "Judging by their looks, are the people in Images {a} and {b} {elder} and {younger}?",
        "Is there a {elder} and {younger} relation between Image {a} and Image {b}?",
        "Image {a} and Image {b}: {elder} and {younger}, or not?",
    ),
    "which-elder": (
        "Images {a} and {b} show a {elder} and a {younger}. Which image shows the {elder}?",
        "The people in Images {a} and {b} are {elder} and {younger}. Who is the {elder}?",
        "Of the relatives in Images {a} and {b}, which one is the {elder}?",
        "Images {a} and {b} are of one family. In which one do you see the {elder}?",
        "Who is the {elder} of whom in Images {a} and {b}? Name the image of the {elder}.",
        "Which of Images {a} and {b} shows the {elder} of the other person?",
        "A {elder} and a {younger} are in Images {a} and {b}. Name the image with the {elder}.",
        "One of Images {a} and {b} shows the other's {elder}. Which one?",
        "In Images {a} and {b} you see a {elder} with a {younger}. Which image is the {elder}?",
        "Tell the {elder} from the {younger} in Images {a} and {b}: which image is the {elder}?",
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
        "Have the people in Images {a} and {b} the same parents?",
        "Are the persons in Image {a} and Image {b} brothers or sisters?",
        "Do the people in Images {a} and {b} belong together as siblings?",
        "Look at Images {a} and {b}: are they siblings?",
        "Could the people in Images {a} and {b} be brother or sister to each other?",
        "Judging by their looks, are the people in Images {a} and {b} siblings?",
        "Is the person in Image {a} a brother or a sister of the person in Image {b}?",
        "Image {a} and Image {b}: siblings, or not?",
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
BRIEF = ("", "", " Answer briefly.", " Give a short answer.")
SHOW = (" Say what you see first.", " Describe the people, then answer.", " Explain by their looks.")


def possible_negatives(source: Any) -> list[str]:
    return list(NEGATIVES)


def make(
    rng: Random,
    source: Any,
    n_images: int,
    weights: dict[str, float],
    working: float = WORKING,
    relations: dict[str, float] | None = None,
) -> Draft:
    """One kinship pair of `n_images` faces. relations: the relations asked about and their weights; by default parent half
    of the time, and the others that the source knows."""
    if n_images < 2:
        raise NoPair("kinship needs two images or more")
    if relations is None:
        relations = {name: 1.0 if name != "parent" else len(source.relations) for name in source.relations}
    relation = rng.choices(list(relations), list(relations.values()))[0]
    elder, younger, *_ = RELATIONS[relation]
    if elder == younger:
        forms = ["are-siblings"] + ["find-sibling"] * (n_images > 2)
    else:
        forms = ["is-elder", "are-kin", "which-elder"] + ["find-younger", "find-elder"] * (n_images > 2)
    form = rng.choice(forms)
    shows = rng.random() < (working if hasattr(source, "look") else 0)
    asked = Asked(source, relation, form, shows)
    first, second = source.related(rng, relation)
    build = _find if form.startswith("find") else _which if form == "which-elder" else _yes_no
    return build(rng, asked, first, second, n_images, weights)


@dataclass(frozen=True)
class Asked:
    """What one pair asks about, and how its answers are worded."""

    source: Any
    relation: str
    form: str
    shows: bool

    def question(self, rng: Random, **places: int) -> str:
        elder, younger, elders, youngers = RELATIONS[self.relation]
        numbers = {name: place + 1 for name, place in places.items()}
        ask = rng.choice(ASKS[self.form]).format(
            elder=elder, younger=younger, elders=elders, youngers=youngers, **numbers
        )
        ask = ask[0].upper() + ask[1:]
        return ask + rng.choice(SHOW if self.shows else BRIEF)

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
            "people": [self.source.told(person) for person in people],
            "families": sorted({person.family for person in people}),
            **more,
        }

    def evidence(self, said: dict[int, Any]) -> str:
        """What is seen in the images, before the answer."""
        if not self.shows:
            return ""
        return (
            " ".join(f"Image {at + 1} shows {self.source.look(person)}." for at, person in said.items()) + " "
        )

    def claims(self, said: dict[int, Any]) -> list[tuple[int, str]]:
        return [(at, self.source.claim_of(person)) for at, person in said.items()]

    def portraits(self, rng: Random, people: list) -> list[Item]:
        return [self.source.portrait(rng, person) for person in people]

    def verdict(self, a: int, b: int, truth: str) -> str:
        """The answer to a yes-no question about the images at places a and b. truth: `kin` (for `is-elder`: a is b's
        elder), `turned` (b is a's), `strangers`."""
        elder, younger, *_ = RELATIONS[self.relation]
        one, two = f"the person in Image {a + 1}", f"the person in Image {b + 1}"
        if self.form != "is-elder":
            together = "siblings" if elder == younger else f"{elder} and {younger}"
            return (
                f"No, {one} and {two} are not related."
                if truth == "strangers"
                else f"Yes, {one} and {two} are {together}."
            )
        if truth == "kin":
            return f"Yes, {one} is the {elder} of {two}."
        return f"No, {one} is {f'the {younger} of' if truth == 'turned' else 'not related to'} {two}."

    def found(self, at: int) -> str:
        """The answer to a question that asks for an image."""
        elder, younger, *_ = RELATIONS[self.relation]
        return f"Image {at + 1} shows the {younger if self.form == 'find-younger' else elder}."


def crowd(
    rng: Random, source: Any, first: Any, second: Any, n_images: int, apart: tuple = ()
) -> tuple[list, int, int]:
    """The two people at random places among strangers to both, and to those in `apart`; the people and the two places."""
    others: list = []
    while len(others) < n_images - 2:
        like = rng.choice((first, second))
        taken = (first, second, *others, *apart)
        others.append(source.stranger(rng, like=like, unlike=(first, second), apart=taken))
    return _placed(rng, first, second, others)


def _placed(rng: Random, first: Any, second: Any, others: list) -> tuple[list, int, int]:
    """Two people among others, at places that take turns."""
    a, b = two_places(rng, len(others) + 2)
    rest = iter(others)
    return [first if at == a else second if at == b else next(rest) for at in range(len(others) + 2)], a, b


def _swapped(things: list, a: int, b: int) -> list:
    things = list(things)
    things[a], things[b] = things[b], things[a]
    return things


def _yes_no(rng: Random, asked: Asked, first: Any, second: Any, n_images: int, weights: dict) -> Draft:
    """`is-elder` asks of (a, b) whether a is b's parent: yes half the time, else the roles are turned or they are
    strangers; `are-kin` and `are-siblings` ask for kin or strangers only."""
    source = asked.source
    truth = in_turn(rng, (True, False), every=n_images * (n_images - 1))  # after all pairs of places
    kind = pick_kind(
        rng,
        weights,
        ["swapped-roles"] * (asked.form == "is-elder") + ["missed-kin" if truth else "false-kin"],
    )
    other = source.stranger(rng, like=second, unlike=(first, second), apart=(first, second))
    strangers = not truth and kind == "false-kin"
    shown = other if strangers else second
    # What the wrong answer takes the second face for: its own with the roles turned, or one of the other kind.
    imagined = second if strangers else other
    a_person, b_person = (first, shown) if truth or strangers else (shown, first)
    if asked.form != "is-elder" and rng.random() < 0.5:
        a_person, b_person = b_person, a_person
    people, a, b = crowd(rng, source, a_person, b_person, n_images, (imagined,))
    seen = {a: a_person, b: b_person}
    items = asked.portraits(rng, people)
    if kind == "swapped-roles":
        believed = {a: b_person, b: a_person}
        others, other_items = _swapped(people, a, b), _swapped(items, a, b)
    else:
        believed = {at: imagined if person is shown else person for at, person in seen.items()}
        at = a if a_person is shown else b
        others, other_items = [*people[:at], imagined, *people[at + 1 :]], list(items)
        other_items[at] = source.portrait(rng, imagined)
    yes = asked.verdict(a, b, "kin")
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
    people, at_elder, at_younger = crowd(rng, asked.source, elder, younger, n_images)
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
        others.append(asked.source.stranger(rng, like=sought, unlike=(known,), apart=taken))
    people, at_known, at_sought = _placed(rng, known, sought, others)
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
