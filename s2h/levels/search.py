"""Level 3, global visual search: the prompt names a concept and no image; one image of several shows it, and the right
answer is that image's caption. Negatives (method.md's level 3): a generic caption, a distractor's caption
(`other-image`), the caption of another picture of the same concept (`same-concept`), one attribute exchanged
(`attribute-swap`). Where the prompt asks for the working, the answer goes through the images until it finds the concept,
and the caption stands on a line of its own."""

from __future__ import annotations

from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, pick_kind
from s2h.sources import Item, NoPair

NEEDS = ("target", "without", "another", "caption", "fits", "generic")
# Words alone give a generic caption and a distractor's away, so the same concept leads.
NEGATIVES = {"same-concept": 0.4, "attribute-swap": 0.25, "other-image": 0.25, "generic": 0.1}
ASKS = (
    "Caption the image containing {}.",
    "Describe the image that shows {}.",
    "One of these images shows {}. Write a caption for it.",
    "Find the image with {} and say what it shows.",
    "Look for {} and describe that image.",
    "Which of the images has {} in it? Describe it.",
    "Give a caption for the picture in which you see {}.",
    "There is {} in one of the pictures. What does that picture show?",
    "Search the images for {} and caption the one you find.",
    "Describe only the picture with {}.",
    "What can be seen in the image with {}?",
    "Write one sentence about the image that has {}.",
)
SHOW = (
    " Go through the images one by one until you find it.",
    " Say of each image whether it is the one before you answer.",
    " Search image by image, then answer.",
)
REDRAWS = 8


def possible_negatives(source: Any) -> list[str]:
    return [kind for kind in NEGATIVES if kind != "attribute-swap" or getattr(source, "swaps", False)]


def make(
    rng: Random, source: Any, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One search pair of `n_images` images; raises NoPair where this draw can't give one."""
    target, concept = source.target(rng)
    together = [target]
    while len(together) < n_images:
        together.append(source.without(rng, concept, together))
    distractors = together[1:]
    items = list(distractors)
    at = rng.randrange(n_images)
    items.insert(at, target)
    kind = pick_kind(
        rng, weights, [k for k in possible_negatives(source) if k != "other-image" or distractors]
    )
    ask = rng.choice(ASKS).format(concept)
    right = source.caption(rng, target)
    mistaken, wrong, claim = _mistake(rng, source, kind, target, concept, right, distractors)
    chosen, rejected = right, wrong
    shows = n_images > 1 and rng.random() < working
    if shows:
        ask += rng.choice(SHOW)
        chosen = _working(at, concept) + right
        # A distractor's caption comes of a search that ended at the distractor.
        rejected = _working(items.index(mistaken) if kind == "other-image" else at, concept) + wrong
    facts = {
        "concept": concept,
        "answer": right,
        "answer_type": "caption",
        "shown_by": [at],
        "working": shows,
    }
    return Draft(
        items,
        ask,
        chosen,
        rejected,
        kind,
        [at],
        facts,
        [(at, source.claim(target))],
        [(at, claim)],
        indexed=False,
    )


def absent(concept: str) -> str:
    """'no fish' for 'a fish', 'no dogs' for 'dogs'."""
    article, _, name = concept.partition(" ")
    return f"no {name if article in ('a', 'an') and name else concept}"


def _working(at: int, concept: str) -> str:
    """The search up to the image at place `at`, a line before the caption."""
    passed = [f"Image {i + 1} shows {absent(concept)}." for i in range(at)]
    return " ".join([*passed, f"Image {at + 1} shows {concept}."]) + "\n"


def _mistake(
    rng: Random, source: Any, kind: str, target: Item, concept: str, right: str, distractors: list[Item]
) -> tuple[Item, str, str]:
    """What the target was taken for, its caption, and the claim that the caption makes about the target."""
    if kind == "generic":
        text = source.generic(rng, target)
        return target, text, text.rstrip(".")
    for _ in range(REDRAWS):
        if kind == "other-image":
            other = rng.choice(distractors)
        elif kind == "same-concept":
            other = source.another(rng, concept, target)
        else:
            other = source.swapped(rng, target, concept)
        text = source.caption(rng, other)
        # A caption that happens to be true of the target as well would make a right answer the rejected one.
        if text != right and not source.fits(text, target):
            return other, text, source.claim(other)
    raise NoPair(f"no false caption of kind {kind} found")
