"""Level 2, comparison: several images differ, or don't, in one respect that their source knows (the digit, the kind of
object, how many stars). Asked are same or different, the odd one out, more or fewer, and the order. The rejected answer
takes one image for another: it is the right answer of a world in which two images changed places or one showed something
else, and that world is as likely as the true one, so that words alone don't tell the answers apart."""

from __future__ import annotations

from random import Random
from typing import Any

from s2h.sources import Item, NoPair, Trait
from s2h.sources.shapes import COMPARABLE, Comparable
from s2h.tasks.draft import (
    WORKING,
    Draft,
    Twin,
    branch,
    in_turn,
    items_of,
    name_images,
    pick_kind,
    two_places,
    yes_or_no,
)

NEEDS = COMPARABLE
REDRAWS = 100
NEGATIVES = {
    "false-same": 1.0,
    "false-different": 1.0,
    "wrong-image": 1.0,
    "swapped-images": 1.0,
}
ASKS = {
    "same": (
        "Do {both} show the same {what}?",
        "Is the {what} in {both} the same?",
        "Compare {both}: is the {what} the same?",
        "Look at {both}. Do they show the same {what}?",
        "Do {both} have the same {what}?",
        "Do {both} match in the {what}?",
        "{both}: do they show the same {what}, or not?",
        "Would you say that {both} show the same {what}?",
        "Is the {what} in {both} one and the same?",
        "Does the {what} stay the same from one of {both} to the other?",
    ),
    "different": (
        "Do {both} differ in the {what}?",
        "Is the {what} in {both} different?",
        "Compare {both}: is the {what} different?",
        "Look at {both}. Do they differ in the {what}?",
        "Do {both} differ from each other in the {what}?",
        "Does the {what} differ between {both}?",
        "{both}: do they differ in the {what}, or not?",
        "Would you say that {both} differ in the {what}?",
        "Is the {what} in one of {both} unlike that in the other?",
        "Does the {what} change from one of {both} to the other?",
    ),
    "odd": (
        "Which image is the odd one out, judging by the {what}?",
        "One image differs from all the others in the {what}. Which one?",
        "All images but one agree in the {what}. Which image is the exception?",
        "Find the image whose {what} is unlike that of the others.",
        "Which image does not share its {what} with the others?",
        "Look at the {what} in each image. Which image does not fit?",
        "Name the image that does not belong, going by the {what}.",
        "In which image is the {what} not the same as in the rest?",
        "Which one of the images has a different {what} from the rest?",
        "By the {what}, one image stands apart. Which is it?",
    ),
    "more": (
        "Which of {both} shows more {things}?",
        "In which of {both} are there more {things}?",
        "Compare {both}: where do you see more {things}?",
        "Of {both}, which has more {things}?",
        "Look at {both}. Which one has the larger number of {things}?",
        "Count the {things} in {both}. Which image has more?",
        "Where are there more {things}, in {either}?",
        "{both}: which of them has more {things}?",
        "Name the one of {both} with more {things}.",
        "Tell me which of {both} shows the larger number of {things}.",
    ),
    "fewer": (
        "Which of {both} shows fewer {things}?",
        "In which of {both} are there fewer {things}?",
        "Compare {both}: where do you see fewer {things}?",
        "Of {both}, which has fewer {things}?",
        "Look at {both}. Which one has the smaller number of {things}?",
        "Count the {things} in {both}. Which image has fewer?",
        "Where are there fewer {things}, in {either}?",
        "{both}: which of them has fewer {things}?",
        "Name the one of {both} with fewer {things}.",
        "Tell me which of {both} shows the smaller number of {things}.",
    ),
    "order": (
        "Put the images in order of the {what}, the {first} first.",
        "Sort the images by the {what}, starting with the {first}.",
        "Order the images by the {what}. Begin with the {first}.",
        "Arrange the images by the {what}, from the {first} on.",
        "Rank the images by the {what}, the {first} first.",
        "What is the order of the images by the {what}, the {first} first?",
        "List the images by the {what}, from the {first} to the {last}.",
        "Going by the {what}, what is the order of the images, the {first} first?",
        "Name the images in order of their {what}, from the {first} to the {last}.",
        "By the {what}, which image comes first, which next? Start with the {first}.",
    ),
}
BRIEF = ("", "", " Give a short answer.", " Answer briefly.")
SHOW = (
    " Say what you see in each image first.",
    " Describe the images, then answer.",
    " Show how you got there.",
)


def possible_negatives(source: Comparable) -> list[str]:
    return list(NEGATIVES)


def make(
    rng: Random, source: Comparable, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One comparison of `n_images` images; raises NoPair where the source has too few values for it."""
    if n_images < 2:
        raise NoPair("compare needs two images or more")
    numbers = source.count_share
    wanted = frozenset(kind for kind, weight in weights.items() if weight > 0)
    answer = yes_or_no(rng, lambda n: _share(numbers, n, wanted), n_images)
    places = two_places(rng, n_images)
    if answer is None:
        questions = _others(numbers, n_images, wanted)
        counted, form = branch(rng, list(questions), list(questions.values()), "question")
        kind = pick_kind(rng, weights, ["wrong-image" if form == "odd" else "swapped-images"])
        descending = form == "order" and in_turn(rng, (True, False), name="descending")
    else:
        # The mistake settles which of both forms has this answer.
        kind = pick_kind(rng, weights, ["false-same", "false-different"], by_answer=True)
        form = "same" if answer == (kind == "false-different") else "different"
        counted = in_turn(rng, (True, False), (numbers, 1 - numbers), "trait")
        descending = False
    trait = _trait(rng, source, counted)
    if form == "order" and len(trait.values) < n_images:
        form, descending = in_turn(rng, ("more", "fewer"), name="instead"), False
    values, world, operands = _worlds(rng, form, trait, n_images, places, kind == "false-different")
    shows = in_turn(rng, (True, False), (working, 1 - working), "working")
    both = name_images(operands)
    first, last = ("most", "fewest") if descending else ("fewest", "most")
    ending = rng.choice(SHOW if shows else BRIEF)
    ask = rng.choice(ASKS[form]).format(
        both=both,
        either=both.replace(" and ", " or "),
        what=trait.what,
        things=trait.things,
        first=first,
        last=last,
    )
    ask += ending
    how = "working" if shows else "short" if ending else "sentence"

    def draw(value: Any, together: list[Item]) -> Item:
        return source.draw_showing(rng, trait, value, together)

    items: list[Item] = []
    for value in values:
        items.append(draw(value, items))

    def facts(values: list) -> dict:
        answer = solve(form, values, operands, descending)
        return {
            "form": form,
            "trait": trait.what,
            "working": shows,
            "operands": operands,
            "values": values,
            **({"descending": descending} if form == "order" else {}),
            "answer": answer,
            "answer_type": "order" if form == "order" else "yes/no" if isinstance(answer, str) else "image",
        }

    def claims(values: list) -> list[tuple[int, str]]:
        return [(p, trait.claim(values[p])) for p in operands]

    return Draft(
        items,
        ask,
        say(form, trait, values, operands, descending, how),
        say(form, trait, world, operands, descending, how),
        kind,
        operands,
        facts(values),
        claims(values),
        claims(world),
        twin=Twin(items_of(items, values, world, draw), facts(world)),
    )


def _others(numbers: float, n_images: int, wanted: frozenset[str]) -> dict[tuple[bool, str], float]:
    """(whether the trait is a number of things, form) and its weight, of the questions without a yes or no."""
    found = {}
    for counted, weight in ((True, numbers), (False, 1 - numbers)):
        forms = ["odd"] * (n_images > 2 and "wrong-image" in wanted)
        forms += ["more", "fewer", "order"] * (counted and "swapped-images" in wanted)
        every = len(forms) + 2  # same and different
        found |= {(counted, form): weight / every for form in forms if weight > 0}
    return found


def _share(numbers: float, n_images: int, wanted: frozenset[str]) -> float:
    """The share of yes/no questions among those about so many images."""
    others = sum(_others(numbers, n_images, wanted).values())
    if not wanted & {"false-same", "false-different"}:
        return 0.0 if others else 1.0
    return 1 - others


def _trait(rng: Random, source: Comparable, counted: bool) -> Trait:
    """One of the source's traits, a number of things or another."""
    for _ in range(REDRAWS):
        trait = source.draw_trait(rng)
        if bool(trait.things) == counted:
            return trait
    raise NoPair("nothing in which pictures can be compared")


def _worlds(
    rng: Random, form: str, trait: Trait, n_images: int, places: tuple[int, int], alike: bool
) -> tuple[list, list, list[int]]:
    """The images' values, those of the mistaken world, and the places asked about. alike: of same and different, whether the
    two show the same."""
    everywhere = list(range(n_images))
    if form in ("same", "different"):
        a, b = operands = sorted(places)
        values = [rng.choice(trait.values) for _ in everywhere]
        same, apart = list(values), list(values)
        one, other = rng.sample(trait.values, 2)
        same[a] = same[b] = one
        apart[a], apart[b] = (one, other) if rng.random() < 0.5 else (other, one)
        return (same, apart, operands) if alike else (apart, same, operands)
    at, wrong = places
    if form == "odd":
        one, other = rng.sample(trait.values, 2)
        values, world = ([other if p == place else one for p in everywhere] for place in (at, wrong))
        return values, world, everywhere
    if form == "order":
        operands, values = everywhere, rng.sample(trait.values, n_images)
        # Neighbours in the order are the hardest to tell apart.
        ranked = sorted(everywhere, key=lambda p: values[p])
        first = rng.randrange(n_images - 1)
        at, wrong = ranked[first], ranked[first + 1]
    else:
        operands = sorted(places)
        values = [rng.choice(trait.values) for _ in everywhere]
        few, many = sorted(rng.sample(trait.values, 2))
        values[at], values[wrong] = (many, few) if form == "more" else (few, many)
    world = list(values)
    world[at], world[wrong] = values[wrong], values[at]
    return values, world, operands


def solve(form: str, values: list, operands: list[int], descending: bool = False) -> str | int | list[int]:
    """The answer, from the images' values: yes or no, an image's number (from 1), or all numbers in order."""
    if form in ("same", "different"):
        a, b = (values[p] for p in operands)
        return "yes" if (a == b) == (form == "same") else "no"
    if form == "odd":
        return next(p for p in operands if values.count(values[p]) == 1) + 1
    ranked = sorted(operands, key=lambda p: values[p], reverse=descending or form == "more")
    return [p + 1 for p in ranked] if form == "order" else ranked[0] + 1


def say(form: str, trait: Trait, values: list, operands: list[int], descending: bool, how: str) -> str:
    """The answer in words. how: `working` says first what each image shows, `short` gives the answer alone."""
    answer = solve(form, values, operands, descending)
    if how == "short":
        return short(answer)
    if form in ("same", "different"):
        differ = len({values[p] for p in operands}) > 1
        final = f"{answer.capitalize()}, the {trait.what} is {'different' if differ else 'the same'}."
    elif form == "odd":
        final = f"Image {answer} is the odd one out."
    elif form == "order":
        final = f"The order is {', '.join(f'Image {number}' for number in answer)}."
    else:
        final = f"Image {answer} shows {form} {trait.things}."
    if how == "sentence":
        return final
    return " ".join([*(f"Image {p + 1} shows {trait.phrase(values[p])}." for p in operands), final])


def short(answer: str | int | list[int]) -> str:
    """An answer alone: 'Yes.', 'Image 3.', 'Image 2, Image 1.'"""
    if isinstance(answer, str):
        return f"{answer.capitalize()}."
    numbers = answer if isinstance(answer, list) else [answer]
    return f"{', '.join(f'Image {number}' for number in numbers)}."
