"""Level 2, kinship (asymmetric relational inference): the images are faces of several people. Two of them are parent and
child, grandparent and grandchild, or siblings. Questions go in both directions; the rejected answer swaps the roles, names
the wrong image, takes strangers for relatives or relatives for strangers. A stranger is of another family, and has the sex
and age of the person that the stranger replaces. The rejected answer would be right for other images that are drawn as often
(two pictures swapped, or a relative instead of a stranger), so the text alone does not tell chosen from rejected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from s2h.sources import Item, NoPair, SourceError
from s2h.sources.shapes import PEOPLE, KinshipPeople, Relative
from s2h.tasks import Answer, Option, Task, Wanted, check_weights
from s2h.tasks.item_pair import Claims, Pair, Twin
from s2h.tasks.kinship_words import ASKS, BRIEF, RELATIONS, SHOW, tell_looks
from s2h.tasks.slots import Slot

NEGATIVES = {"swapped-roles": 1.0, "wrong-image": 1.0, "false-kin": 1.0, "missed-kin": 1.0}
YES_NO = ("is-elder", "are-kin", "are-siblings")


def make(slot: Slot, data: KinshipPeople[Any], wanted: Wanted) -> Pair:
    """Return one pair over faces. Raises NoPair if the draw gives none.

    The option `relations` has the relations to ask about and their weights. By default half of the questions are about
    parents, the rest about the other relations that the source knows."""
    rng, n_images = slot.rng, slot.n_images
    if n_images < 2:
        raise NoPair("kinship needs two images or more")
    weights = wanted.negatives
    chances = tuple((wanted.options.get("relations") or _relations(data)).items())
    kinds = frozenset(kind for kind, weight in weights.items() if weight > 0)
    truth = slot.yes_or_no(lambda n: _share(chances, n, kinds))
    places = slot.two_places()
    if truth is not None and not _questions(chances, n_images, kinds, truth):
        truth = not truth
    questions = _questions(chances, n_images, kinds, truth)
    if not questions:
        raise NoPair(f"none of the wanted negatives fits ({', '.join(weights)})")
    relation, form = slot.branch(list(questions), list(questions.values()), f"question {truth}")
    share = wanted.working_share if data.describes_faces else 0
    shows = slot.deal((True, False), (share, 1 - share), "working")
    ending = rng.choice(SHOW if shows else BRIEF)
    query = Query(data, relation, form, places, shows, ending)
    first, second = data.draw_relatives(rng, relation)
    if truth is not None:
        return _yes_no(slot, query, first, second, weights, truth)
    build = _find if form.startswith("find") else _which
    return build(slot, query, first, second, weights)


def _relations(data: KinshipPeople[Any]) -> dict[str, float]:
    return {name: 1.0 if name != "parent" else len(data.relations) for name in data.relations}


@lru_cache
def _questions(
    relations: tuple[tuple[str, float], ...], n_images: int, wanted: frozenset[str], truth: bool | None
) -> dict[tuple[str, str], float]:
    """Return the weight of each (relation, form). truth: the right answer of yes/no questions, None for other questions."""
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
    """Return the mistakes that an answer to this form of question can have."""
    if truth is None:
        return ["swapped-roles" if form == "which-elder" else "wrong-image"]
    return ["swapped-roles"] * (form == "is-elder") + ["missed-kin" if truth else "false-kin"]


@lru_cache
def _share(relations: tuple[tuple[str, float], ...], n_images: int, wanted: frozenset[str]) -> float:
    """Return the share of yes/no questions among those about `n_images` images."""
    of = [sum(_questions(relations, n_images, wanted, truth).values()) for truth in (True, False, None)]
    asked = max(of[:2])
    return asked / (asked + of[2]) if asked + of[2] else 0.0


@dataclass(frozen=True)
class Query:
    """The question of one prompt, and the texts of its answers. places: positions of the two relatives. shows: whether the
    answer shows its working. ending: the end of the prompt, which says how to answer."""

    data: KinshipPeople[Any]
    relation: str
    form: str
    places: tuple[int, int]
    shows: bool
    ending: str

    def question(self, rng: Random, **places: int) -> str:
        """Return the prompt's text. places: positions of the images that the question names, by `a` and `b`."""
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
        """The form with the names of the relation: 'is-grandparent', 'find-child'."""
        elder, younger, *_ = RELATIONS[self.relation]
        return self.form.replace("elder", elder).replace("younger", younger)

    def facts(self, people: list, **more: object) -> dict:
        return {
            "relation": self.relation,
            "form": self.name,
            "working": self.shows,
            "people": [self.data.facts_about(person) for person in people],
            "families": sorted({person.family for person in people}),
            **more,
        }

    def evidence(self, seen: dict[int, Relative], known: int | None = None) -> str:
        """Return the working of an answer (`kinship_words.tell_looks`); "" if the prompt doesn't ask for it."""
        if not self.shows:
            return ""
        return tell_looks(seen, self.data.describe_face, self.data.describe_likeness, known)

    def claims(self, relatives: dict[int, Relative]) -> Claims:
        return [(at, self.data.claim_about_person(person)) for at, person in relatives.items()]

    def portraits(self, rng: Random, people: list) -> list[Item]:
        """Draw a picture of each person."""
        return [self.data.draw_portrait(rng, person) for person in people]

    def verdict(self, a: int, b: int, truth: str) -> str:
        """Return the answer to a yes/no question about the images at positions a and b. truth: `kin` (a is the elder),
        `turned` (b is the elder) or `strangers`."""
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
        """Return the answer that names the image at position `at`."""
        elder, younger, *_ = RELATIONS[self.relation]
        if self.short:
            return f"Image {at + 1}."
        return f"Image {at + 1} shows the {younger if self.form == 'find-younger' else elder}."


def crowd(
    rng: Random, query: Query, first: Relative, second: Relative, n_images: int, apart: tuple = ()
) -> tuple[list, int, int]:
    """Put two people at their positions among strangers, who are related to neither of them nor to anyone in `apart`. Return
    the people and the two positions."""
    others: list = []
    while len(others) < n_images - 2:
        like = rng.choice((first, second))
        taken = (first, second, *others, *apart)
        others.append(query.data.draw_stranger(rng, like=like, unlike=(first, second), apart=taken))
    return _placed(query.places, first, second, others)


def _placed(
    places: tuple[int, int], first: Relative, second: Relative, others: list
) -> tuple[list, int, int]:
    """Put two people at their positions among others. Return the people and the two positions."""
    a, b = places
    rest = iter(others)
    return [first if at == a else second if at == b else next(rest) for at in range(len(others) + 2)], a, b


def _swapped(things: list, a: int, b: int) -> list:
    """Return a copy of a list with two of its entries swapped."""
    things = list(things)
    things[a], things[b] = things[b], things[a]
    return things


def _yes_no(
    slot: Slot, query: Query, first: Relative, second: Relative, weights: dict[str, float], truth: bool
) -> Pair:
    """Ask whether two people are related. `is-elder` asks whether a is the parent of b; if not, b is the parent of a or they
    are strangers. For `are-kin` and `are-siblings` the two are relatives or strangers. truth: whether yes is right."""
    rng, data = slot.rng, query.data
    kind = slot.negative(weights, _kinds(query.form, truth))
    other = data.draw_stranger(rng, like=second, unlike=(first, second), apart=(first, second))
    strangers = not truth and kind == "false-kin"
    shown = other if strangers else second
    # The person that the rejected answer sees in the second face: a relative instead of the stranger, or the reverse.
    imagined = second if strangers else other
    a_person, b_person = (first, shown) if truth or strangers else (shown, first)
    kin = "kin"  # or "turned", if the first image shows the younger relative
    if query.form != "is-elder":
        query = replace(query, places=(min(query.places), max(query.places)))
        if rng.random() < 0.5:
            a_person, b_person, kin = b_person, a_person, "turned"
    people, a, b = crowd(rng, query, a_person, b_person, slot.n_images, (imagined,))
    seen = {a: a_person, b: b_person}
    items = query.portraits(rng, people)
    if kind == "swapped-roles":
        believed = {a: b_person, b: a_person}
        others, other_items = _swapped(people, a, b), _swapped(items, a, b)
    else:
        believed = {at: imagined if person is shown else person for at, person in seen.items()}
        at = a if a_person is shown else b
        others, other_items = [*people[:at], imagined, *people[at + 1 :]], list(items)
        other_items[at] = data.draw_portrait(rng, imagined)
    yes = query.verdict(a, b, kin)
    no = query.verdict(a, b, "turned" if kind == "swapped-roles" else "strangers")
    right, wrong = (yes, no) if truth else (no, yes)

    def facts(people: list, truth: bool) -> dict:
        return query.facts(people, a=a, b=b, answer="yes" if truth else "no", answer_type="yes/no")

    return Pair(
        items,
        query.question(rng, a=a, b=b),
        query.evidence(seen, a) + right,
        query.evidence(believed, a) + wrong,
        kind,
        sorted((a, b)),
        facts(people, truth),
        query.claims(seen),
        query.claims(believed),
        twin=Twin(other_items, facts(others, not truth)),
    )


def _which(slot: Slot, query: Query, elder: Relative, younger: Relative, weights: dict[str, float]) -> Pair:
    """Name the images of both relatives and ask which of them shows the elder."""
    rng = slot.rng
    kind = slot.negative(weights, ["swapped-roles"])
    people, at_elder, at_younger = crowd(rng, query, elder, younger, slot.n_images)
    a, b = sorted((at_elder, at_younger))
    items = query.portraits(rng, people)

    def facts(people: list, at: int, other: int) -> dict:
        return query.facts(people, a=at, b=other, answer=at + 1, answer_type="image")

    seen, turned = {at: people[at] for at in (a, b)}, {a: people[b], b: people[a]}
    return Pair(
        items,
        query.question(rng, a=a, b=b),
        query.evidence(seen) + query.found(at_elder),
        query.evidence(turned) + query.found(at_younger),
        kind,
        [a, b],
        facts(people, at_elder, at_younger),
        query.claims(seen),
        query.claims(turned),
        twin=Twin(_swapped(items, a, b), facts(_swapped(people, a, b), at_younger, at_elder)),
    )


def _find(slot: Slot, query: Query, first: Relative, second: Relative, weights: dict[str, float]) -> Pair:
    """Ask which image shows the relative of one person; the others show strangers of the relative's sex and age."""
    rng, n_images = slot.rng, slot.n_images
    kind = slot.negative(weights, ["wrong-image"])
    known, sought = (second, first) if query.form == "find-elder" else (first, second)
    others: list = []
    while len(others) < n_images - 2:
        taken = (known, sought, *others)
        others.append(query.data.draw_stranger(rng, like=sought, unlike=(known,), apart=taken))
    people, at_known, at_sought = _placed(query.places, known, sought, others)
    at_wrong = rng.choice([i for i in range(n_images) if i not in (at_known, at_sought)])
    items = query.portraits(rng, people)

    def facts(people: list, at: int) -> dict:
        return query.facts(people, a=at_known, b=at, answer=at + 1, answer_type="image")

    turned = _swapped(people, at_sought, at_wrong)
    if query.shows:  # everyone is compared with the person that the question is about
        order = [at_known, *(at for at in range(n_images) if at != at_known)]
        seen, believed = ({at: some[at] for at in order} for some in (people, turned))
    else:
        seen, believed = {at_known: known, at_sought: sought}, {at_known: known, at_wrong: sought}
    return Pair(
        items,
        query.question(rng, a=at_known),
        query.evidence(seen, at_known) + query.found(at_sought),
        query.evidence(believed, at_known) + query.found(at_wrong),
        kind,
        sorted((at_known, at_sought)),
        facts(people, at_sought),
        query.claims(seen),
        query.claims(believed),
        twin=Twin(
            _swapped(items, at_sought, at_wrong),
            facts(turned, at_wrong),
            sorted((at_known, at_wrong)),
        ),
    )


def check(data: KinshipPeople[Any], wanted: Wanted) -> None:
    """Raise SourceError if the source lacks a relation that was asked for, or the looks that --working needs."""
    if "relations" in wanted.options:
        check_weights(wanted.options["relations"], data.relations, "relation")
    if wanted.working and not data.describes_faces:
        raise SourceError("this source does not describe how its people look (leave out --working)")


TASK = Task(
    level=2,
    about="who is whose parent, among several faces",
    negatives=NEGATIVES,
    answers={"yes/no": Answer(lambda images: 2), "image": Answer(lambda images: images)},
    make=make,
    needs=(PEOPLE,),
    options=(
        Option(
            "--relation", "relations", "weights",
            "a relation and its weight: parent, grandparent or sibling. May be repeated.  [default: those that the source "
            "knows, parent half of the time]",
        ),
    ),
    takes=frozenset({"working"}),
    check=check,
)  # fmt: skip
