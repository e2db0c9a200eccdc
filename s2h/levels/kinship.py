"""Level 2, kinship (asymmetric relational inference): faces of several people, of whom some are parent and child. Asked in
both directions; the rejected answer swaps the roles, names the wrong image, or mistakes strangers for kin."""

from __future__ import annotations

from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, pick_kind, shuffled
from s2h.sources import NoPair
from s2h.sources.builtin import families, words

NEEDS = ("family", "stranger", "portrait")
NEGATIVES = {"swapped-roles": 1.0, "wrong-image": 1.0, "false-kin": 1.0, "missed-kin": 1.0}
ASKS = {
    "is-parent": (
        "Is the person in Image {a} the parent of the person in Image {b}?",
        "Is the person in Image {b} the child of the person in Image {a}?",
        "Could the person in Image {a} be the mother or father of the person in Image {b}?",
        "Image {a} and Image {b}: is the first person the parent of the second?",
        "Does Image {b} show a child of the person in Image {a}?",
        "Does Image {a} show the parent of the person in Image {b}?",
        "Is the person in Image {a} a parent of the one in Image {b}?",
        "Look at Images {a} and {b}. Is the person in Image {a} the parent of the other?",
        "True or not: the person in Image {a} is the parent of the person in Image {b}?",
        "Would you say that the person in Image {b} is a child of the person in Image {a}?",
    ),
    "are-kin": (
        "Are the people in Image {a} and Image {b} parent and child?",
        "Do Images {a} and {b} show a parent and a child of one family?",
        "Is one of the people in Images {a} and {b} the parent of the other?",
        "Are the persons in Image {a} and Image {b} related as parent and child?",
        "Do the people in Images {a} and {b} belong together as parent and child?",
        "Look at Images {a} and {b}: are they parent and child?",
        "Could the people in Images {a} and {b} be parent and child?",
        "Judging by their looks, are the people in Images {a} and {b} parent and child?",
        "Is there a parent and child relation between Image {a} and Image {b}?",
        "Image {a} and Image {b}: parent and child, or not?",
    ),
    "which-parent": (
        "Images {a} and {b} show a parent and a child. Which image shows the parent?",
        "The people in Images {a} and {b} are parent and child. Who is the parent?",
        "Of the relatives in Images {a} and {b}, which one is the parent?",
        "Images {a} and {b} are of one family. In which one do you see the parent?",
        "Who is the parent of whom in Images {a} and {b}? Name the image of the parent.",
        "Which of Images {a} and {b} shows the parent of the other person?",
        "Parent and child are in Images {a} and {b}. Name the image with the parent.",
        "One of Images {a} and {b} shows the other's parent. Which one?",
        "In Images {a} and {b} you see a parent with a child. Which image is the parent?",
        "Tell the parent from the child in Images {a} and {b}: which image is the parent?",
    ),
    "find-child": (
        "Which image shows the child of the person in Image {a}?",
        "Find the child of the person in Image {a}.",
        "Who is the child of the person in Image {a}?",
        "One of the other images shows a child of the person in Image {a}. Which one?",
        "The person in Image {a} has a child in one of the other images. Which image is it?",
        "In which image do you see the son or daughter of the person in Image {a}?",
        "Name the image with the child of the person in Image {a}.",
        "Whose parent is the person in Image {a}? Name the image.",
        "Search for the child of the person in Image {a}. Which image is it?",
        "Which of the other people is a child of the person in Image {a}?",
    ),
    "find-parent": (
        "Which image shows a parent of the person in Image {a}?",
        "Find the parent of the person in Image {a}.",
        "Who is the parent of the person in Image {a}?",
        "One of the other images shows a parent of the person in Image {a}. Which one?",
        "The person in Image {a} has a parent in one of the other images. Which image is it?",
        "In which image do you see the mother or father of the person in Image {a}?",
        "Name the image with the parent of the person in Image {a}.",
        "Whose child is the person in Image {a}? Name the image.",
        "Search for the parent of the person in Image {a}. Which image is it?",
        "Which of the other people is a parent of the person in Image {a}?",
    ),
}
BRIEF = ("", "", " Answer briefly.", " Give a short answer.")
SHOW = (" Say what you see first.", " Describe the people, then answer.", " Explain by their looks.")


def possible_negatives(source: Any) -> list[str]:
    return list(NEGATIVES)


def make(
    rng: Random, source: Any, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One kinship pair of `n_images` faces. Kin share at least four of eight traits, strangers in it at most two."""
    if n_images < 2:
        raise NoPair("kinship needs two images or more")
    forms = ["is-parent", "are-kin", "which-parent"] + (["find-child", "find-parent"] if n_images > 2 else [])
    form = rng.choice(forms)
    parent, child = rng.choice(families.parent_pairs(source.family(rng)))
    build = _find if form.startswith("find") else _which_parent if form == "which-parent" else _yes_no
    return build(rng, source, form, parent, child, n_images, weights, working)


def _portraits(rng: Random, source: Any, people: list[families.Person]) -> list:
    return [source.portrait(rng, person) for person in people]


def _facts(form: str, people: list[families.Person], shows: bool, **more) -> dict:
    told = [{"person": p.key, "family": p.family, "parents": list(p.parents)} for p in people]
    return {
        "relation": "parent",
        "form": form,
        "working": shows,
        "people": told,
        "families": sorted({p.family for p in people}),
        **more,
    }


def _look(person: families.Person) -> str:
    return words.look(words.labels_of(person))


def _evidence(said: dict[int, families.Person]) -> str:
    return " ".join(f"Image {at + 1} shows {_look(person)}." for at, person in said.items()) + " "


def _claims(said: dict[int, families.Person]) -> list[tuple[int, str]]:
    return [(at, f"the face of {_look(person)}") for at, person in said.items()]


def verdict(form: str, a: int, b: int, relation: str) -> str:
    """The answer to a yes-no question about the images at places a and b. relation: `kin` (for `is-parent`: a is b's
    parent), `turned` (b is a's), `strangers`."""
    one, two = f"the person in Image {a + 1}", f"the person in Image {b + 1}"
    if form == "are-kin":
        return (
            f"Yes, {one} and {two} are parent and child."
            if relation != "strangers"
            else f"No, {one} and {two} are not related."
        )
    if relation == "kin":
        return f"Yes, {one} is the parent of {two}."
    return f"No, {one} is {'the child of' if relation == 'turned' else 'not related to'} {two}."


def found(form: str, at: int) -> str:
    """The answer to a question that asks for an image."""
    return f"Image {at + 1} shows the {'child' if form == 'find-child' else 'parent'}."


def crowd(
    rng: Random, source: Any, first: families.Person, second: families.Person, n_images: int
) -> tuple[list[families.Person], int, int]:
    """The two people at random places among strangers to both; returns the people and the two places."""
    people = [first, second]
    while len(people) < n_images:
        people.append(source.stranger(rng, like=rng.choice((first, second)), unlike=(first, second)))
    order = shuffled(rng, list(range(n_images)))
    return [people[i] for i in order], order.index(0), order.index(1)


def _yes_no(
    rng: Random,
    source: Any,
    form: str,
    parent: families.Person,
    child: families.Person,
    n_images: int,
    weights: dict,
    working: float,
) -> Draft:
    """`is-parent` asks of (a, b) whether a is b's parent: yes half the time, else the roles are turned or they are
    strangers; `are-kin` asks for kin or strangers only."""
    truth = rng.random() < 0.5
    if truth:
        negatives = ["swapped-roles", "missed-kin"] if form == "is-parent" else ["missed-kin"]
    else:
        negatives = ["swapped-roles", "false-kin"] if form == "is-parent" else ["false-kin"]
    kind = pick_kind(rng, weights, negatives)
    shown_child = child
    if not truth and kind == "false-kin":
        shown_child = source.stranger(rng, like=child, unlike=(parent,))
    # What the wrong answer takes the child's face for: its own with the roles turned, or one of the other kind.
    if kind == "missed-kin":
        imagined = source.stranger(rng, like=child, unlike=(parent, child))
    elif kind == "false-kin":
        imagined = child
    first, second = (parent, shown_child) if truth or kind == "false-kin" else (shown_child, parent)
    if form == "are-kin" and rng.random() < 0.5:
        first, second = second, first
    people, a, b = crowd(rng, source, first, second, n_images)
    seen = {a: first, b: second}
    if kind == "swapped-roles":
        believed = {a: second, b: first}
    else:
        believed = {at: imagined if person is shown_child else person for at, person in seen.items()}
    yes = verdict(form, a, b, "kin")
    no = verdict(form, a, b, "turned" if kind == "swapped-roles" else "strangers")
    right, wrong = (yes, no) if truth else (no, yes)
    shows = rng.random() < working
    ask = rng.choice(ASKS[form]).format(a=a + 1, b=b + 1) + rng.choice(SHOW if shows else BRIEF)
    facts = _facts(form, people, shows, a=a, b=b, answer="yes" if truth else "no", answer_type="yes/no")
    return Draft(
        _portraits(rng, source, people),
        ask,
        (_evidence(seen) if shows else "") + right,
        (_evidence(believed) if shows else "") + wrong,
        kind,
        sorted((a, b)),
        facts,
        _claims(seen),
        _claims(believed),
    )


def _which_parent(
    rng: Random,
    source: Any,
    form: str,
    parent: families.Person,
    child: families.Person,
    n_images: int,
    weights: dict,
    working: float,
) -> Draft:
    """Parent and child are named; which of them is the parent?"""
    kind = pick_kind(rng, weights, ["swapped-roles"])
    people, at_parent, at_child = crowd(rng, source, parent, child, n_images)
    a, b = sorted((at_parent, at_child))
    shows = rng.random() < working
    ask = rng.choice(ASKS[form]).format(a=a + 1, b=b + 1) + rng.choice(SHOW if shows else BRIEF)
    seen = {at: people[at] for at in (a, b)}
    turned = {a: people[b], b: people[a]}
    facts = _facts(form, people, shows, a=at_parent, b=at_child, answer=at_parent + 1, answer_type="image")

    def say(said: dict[int, families.Person], at: int) -> str:
        return (_evidence(said) if shows else "") + found(form, at)

    return Draft(
        _portraits(rng, source, people),
        ask,
        say(seen, at_parent),
        say(turned, at_child),
        kind,
        [a, b],
        facts,
        _claims(seen),
        _claims(turned),
    )


def _find(
    rng: Random,
    source: Any,
    form: str,
    parent: families.Person,
    child: families.Person,
    n_images: int,
    weights: dict,
    working: float,
) -> Draft:
    """The child (or parent) of one person among strangers of the same sex and age."""
    kind = pick_kind(rng, weights, ["wrong-image"])
    known, sought = (parent, child) if form == "find-child" else (child, parent)
    company = [known, sought]
    while len(company) < n_images:
        company.append(source.stranger(rng, like=sought, unlike=(known,)))
    order = shuffled(rng, list(range(n_images)))
    people = [company[i] for i in order]
    at_known, at_sought = order.index(0), order.index(1)
    at_wrong = rng.choice([i for i in range(n_images) if i not in (at_known, at_sought)])
    shows = rng.random() < working
    ask = rng.choice(ASKS[form]).format(a=at_known + 1) + rng.choice(SHOW if shows else BRIEF)
    seen = {at_known: known, at_sought: sought}
    believed = {at_known: known, at_wrong: sought}

    def say(said: dict[int, families.Person], at: int) -> str:
        return (_evidence(said) if shows else "") + found(form, at)

    facts = _facts(form, people, shows, a=at_known, b=at_sought, answer=at_sought + 1, answer_type="image")
    return Draft(
        _portraits(rng, source, people),
        ask,
        say(seen, at_sought),
        say(believed, at_wrong),
        kind,
        sorted((at_known, at_sought)),
        facts,
        _claims(seen),
        _claims(believed),
    )
