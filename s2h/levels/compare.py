"""Level 2, comparison: several images differ, or don't, in one respect that their source knows (the digit, the kind of
object, how many stars). Asked are same or different, the odd one out, more or fewer, and the order. The rejected answer
takes one image for another: it is the right answer of a world in which two images changed places or one showed something
else, and that world is as likely as the true one, so that words alone don't tell the answers apart."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, Twin, in_turn, items_of, name_images, pick_kind, two_places
from s2h.sources import Item, NoPair, Trait

NEEDS = ("trait", "showing")
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
        "{both}: the same {what}, or not?",
        "Would you say that {both} show the same {what}?",
        "Is the {what} in {both} one and the same?",
        "Is there the same {what} in {both}?",
    ),
    "different": (
        "Do {both} differ in the {what}?",
        "Is the {what} in {both} different?",
        "Compare {both}: is the {what} different?",
        "Look at {both}. Do they show a different {what}?",
        "Do {both} have a different {what}?",
        "Does the {what} differ between {both}?",
        "{both}: a different {what}, or not?",
        "Would you say that {both} differ in the {what}?",
        "Is the {what} in one of {both} unlike that in the other?",
        "Is there a different {what} in {both}?",
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
        "Which one of the images has another {what} than the rest?",
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
        "Put the images in order of the {what}, {first} first.",
        "Sort the images by the {what}, starting with the {first}.",
        "Order the images by the {what}. Begin with the {first}.",
        "Arrange the images by the {what}, from the {first} on.",
        "Rank the images by the {what}, the {first} first.",
        "What is the order of the images by the {what}, {first} first?",
        "List the images by the {what}, {first} to {last}.",
        "Going by the {what}, what is the order of the images, {first} first?",
        "Name the images by their {what}, from {first} to {last}.",
        "By the {what}, which image comes first, which next? Start with the {first}.",
    ),
}
BRIEF = ("", "", " Give a short answer.", " Answer briefly.")
SHOW = (
    " Say what you see in each image first.",
    " Describe the images, then answer.",
    " Show how you got there.",
)


def possible_negatives(source: Any) -> list[str]:
    return list(NEGATIVES)


def make(
    rng: Random, source: Any, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One comparison of `n_images` images; raises NoPair where the source has too few values for it."""
    if n_images < 2:
        raise NoPair("compare needs two images or more")
    trait: Trait = source.trait(rng)
    forms = ["same", "different"]
    forms += ["odd"] if n_images > 2 else []
    if trait.things:
        forms += ["more", "fewer"] + (["order"] if len(trait.values) >= n_images else [])
    form = rng.choice(forms)
    values, world, operands, kind = _worlds(rng, form, trait, n_images, weights)
    shows = rng.random() < working
    both = name_images(operands)
    descending = form == "order" and rng.random() < 0.5
    first, last = ("most", "fewest") if descending else ("fewest", "most")
    ask = rng.choice(ASKS[form]).format(
        both=both,
        either=both.replace(" and ", " or "),
        what=trait.what,
        things=trait.things,
        first=first,
        last=last,
    ) + rng.choice(SHOW if shows else BRIEF)

    def draw(value: Any, together: list[Item]) -> Item:
        return source.showing(rng, trait, value, together)

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
        say(form, trait, values, operands, descending, shows),
        say(form, trait, world, operands, descending, shows),
        kind,
        operands,
        facts(values),
        claims(values),
        claims(world),
        twin=Twin(items_of(items, values, world, draw), facts(world)),
    )


def _worlds(
    rng: Random, form: str, trait: Trait, n_images: int, weights: dict[str, float]
) -> tuple[list, list, list[int], str]:
    """The images' values, those of the mistaken world, the places asked about, and the kind of mistake."""
    everywhere = list(range(n_images))
    if form in ("same", "different"):
        kind = pick_kind(rng, weights, ["false-same", "false-different"])
        a, b = operands = list(in_turn(rng, list(combinations(everywhere, 2))))
        values = [rng.choice(trait.values) for _ in everywhere]
        alike, apart = list(values), list(values)
        one, other = rng.sample(trait.values, 2)
        alike[a] = alike[b] = one
        apart[a], apart[b] = (one, other) if rng.random() < 0.5 else (other, one)
        return (alike, apart, operands, kind) if kind == "false-different" else (apart, alike, operands, kind)
    if form == "odd":
        kind = pick_kind(rng, weights, ["wrong-image"])
        one, other = rng.sample(trait.values, 2)
        at, wrong = two_places(rng, n_images)
        values, world = ([other if p == place else one for p in everywhere] for place in (at, wrong))
        return values, world, everywhere, kind
    kind = pick_kind(rng, weights, ["swapped-images"])
    if form == "order":
        operands, values = everywhere, rng.sample(trait.values, n_images)
        # Neighbours in the order are the hardest to tell apart.
        ranked = sorted(everywhere, key=lambda p: values[p])
        at = rng.randrange(n_images - 1)
        one, other = ranked[at], ranked[at + 1]
    else:
        one, other = operands = list(in_turn(rng, list(combinations(everywhere, 2))))
        values = [rng.choice(trait.values) for _ in everywhere]
        values[one], values[other] = rng.sample(trait.values, 2)
    world = list(values)
    world[one], world[other] = values[other], values[one]
    return values, world, operands, kind


def solve(form: str, values: list, operands: list[int], descending: bool = False) -> str | int | list[int]:
    """The answer, from the images' values: yes or no, an image's number (from 1), or all numbers in order."""
    if form in ("same", "different"):
        a, b = (values[p] for p in operands)
        return "yes" if (a == b) == (form == "same") else "no"
    if form == "odd":
        return next(p for p in operands if values.count(values[p]) == 1) + 1
    ranked = sorted(operands, key=lambda p: values[p], reverse=descending or form == "more")
    return [p + 1 for p in ranked] if form == "order" else ranked[0] + 1


def say(form: str, trait: Trait, values: list, operands: list[int], descending: bool, shows: bool) -> str:
    """The answer in words, after what each image shows where the prompt asks for that."""
    answer = solve(form, values, operands, descending)
    if form in ("same", "different"):
        differ = len({values[p] for p in operands}) > 1
        final = f"{answer.capitalize()}, the {trait.what} is {'different' if differ else 'the same'}."
    elif form == "odd":
        final = f"Image {answer} is the odd one out."
    elif form == "order":
        final = f"The order is {', '.join(f'Image {number}' for number in answer)}."
    else:
        final = f"Image {answer} shows {form} {trait.things}."
    if not shows:
        return final
    return " ".join([*(f"Image {p + 1} shows {trait.phrase(values[p])}." for p in operands), final])
