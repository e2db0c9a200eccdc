"""Level 3, global visual search: the prompt names a concept and no image; one image of several shows it, and the right
answer is that image's caption. Negatives (method.md's level 3): a generic caption, a distractor's caption
(`other-image`), the caption of another picture of the same concept (`same-concept`), one attribute exchanged
(`attribute-swap`). Where the prompt asks for the working, the answer says what each image shows before it concludes, on a
line of its own, with the caption."""

from __future__ import annotations

from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, pick_kind
from s2h.sources import Item, NoPair

NEEDS = ("target", "without", "another", "caption", "look", "plain", "fits", "generic")
# Words alone give a generic caption and a distractor's away, so the same concept leads.
NEGATIVES = {"same-concept": 0.4, "attribute-swap": 0.25, "other-image": 0.25, "generic": 0.1}
BY_CONCLUSION = ("other-image", "generic")
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
    " Begin with what each image shows.",
    " Go through the images one by one before you answer.",
    " Describe every image, then give the caption.",
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
    shows = n_images > 1 and rng.random() < working
    right = source.plain(target) if shows else source.caption(rng, target)
    mistaken, wrong, claim = _mistake(rng, source, kind, target, concept, right, distractors, shows)
    chosen, rejected = right, wrong
    if shows:
        ask += rng.choice(SHOW)
        # Of a distractor's caption and of a generic one only the conclusion is wrong, of the others the look at the target.
        believed = [mistaken if item is target and kind not in BY_CONCLUSION else item for item in items]
        chosen, rejected = _working(source, items) + right, _working(source, believed) + wrong
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


def _working(source: Any, items: list[Item]) -> str:
    return " ".join(f"Image {i + 1} shows {source.look(item)}." for i, item in enumerate(items)) + "\n"


def _mistake(
    rng: Random,
    source: Any,
    kind: str,
    target: Item,
    concept: str,
    right: str,
    distractors: list[Item],
    shows: bool,
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
        text = source.plain(other) if shows else source.caption(rng, other)
        # A caption that happens to be true of the target as well would make a right answer the rejected one.
        if text != right and not source.fits(text, target):
            return other, text, source.claim(other)
    raise NoPair(f"no false caption of kind {kind} found")
