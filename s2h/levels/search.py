"""Level 3, global visual search: the prompt names a concept and no image. Asked is for the caption of the image that
shows it, for that image (locate), for how many images show it (count), or for a caption where perhaps no image shows it
(absent).

Negatives of a caption (method.md's level 3): the caption of another picture of the same concept (`same-concept`), one
attribute exchanged (`attribute-swap`), a distractor's caption (`other-image`), a generic one (`generic`). The last two
can be told from the words alone, since only the right caption names the concept; so they are rare unless asked for. All
other wrong answers are the right ones of worlds as likely as the true one. Where the prompt asks for the working, the
answer goes through the images until it finds the concept, and a caption stands on a line of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

from s2h.levels.draft import WORKING, Draft, Twin, branch, in_turn, pick_kind
from s2h.sources import Item, NoPair

NEEDS = ("target", "without", "another", "caption", "fits", "generic")
NEGATIVES = {
    "same-concept": 0.6,
    "attribute-swap": 0.3,
    "other-image": 0.05,
    "generic": 0.05,
    "false-absence": 1.0,
    "false-presence": 1.0,
    "wrong-image": 1.0,
    "miscount": 1.0,
}
OF_CAPTIONS = ("same-concept", "attribute-swap", "other-image", "generic")
FORMS = {"caption": 0.5, "locate": 0.2, "count": 0.15, "absent": 0.15}
# Where captions say no more than the concept that the prompt names, the words alone would give every wrong one away.
WITHOUT_CAPTIONS = {"locate": 0.6, "count": 0.4}
NEGATIVES_OF = {
    "caption": OF_CAPTIONS,
    "locate": ("wrong-image", "false-absence", "false-presence"),
    "count": ("miscount",),
    "absent": ("false-absence", "false-presence"),
}
ASKS = {
    "caption": (
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
    ),
    "locate": (
        "Which image shows {}?",
        "In which image do you see {}?",
        "Find the image with {}.",
        "Where is {}? Name the image.",
        "Look for {}. Which image is it in?",
        "Which of the images has {} in it?",
        "Search the images for {} and name the one that shows it.",
        "Tell me which image contains {}, if any.",
        "Does one of the images show {}? Which?",
        "Point out the image in which there is {}.",
    ),
    "count": (
        "How many of the images show {}?",
        "In how many images do you see {}?",
        "Count the images that show {}.",
        "How many images have {} in them?",
        "How many of these pictures contain {}?",
        "On how many of the pictures is there {}?",
        "Of all the images, how many show {}?",
        "What is the number of images with {}?",
        "Look for {}: how many images show it?",
        "Go through the images. How many contain {}?",
    ),
    "absent": (
        "Caption the image containing {}, if there is one.",
        "Is there an image that shows {}? Describe it.",
        "If one of these images shows {}, write a caption for it.",
        "Look for {} and describe that image, or say that there is none.",
        "Does any of the images have {} in it? What does it show?",
        "Give a caption for the picture with {}, in case you find one.",
        "There may be {} in one of the pictures. What does that picture show?",
        "Search the images for {} and caption what you find.",
        "Describe the picture with {}, unless no picture shows it.",
        "What can be seen in the image with {}, provided there is one?",
    ),
}
SHOW = (
    " Go through the images one by one until you find it.",
    " Say of each image whether it is the one before you answer.",
    " Search image by image, then answer.",
)
COUNT_SHOW = (
    " Go through the images one by one.",
    " Say of each image whether it shows it, then answer.",
    " Look at image after image before you answer.",
)


def possible_negatives(source: Any) -> list[str]:
    return [kind for kind in NEGATIVES if kind != "attribute-swap" or getattr(source, "swaps", False)]


def make(
    rng: Random,
    source: Any,
    n_images: int,
    weights: dict[str, float],
    working: float = WORKING,
    forms: dict[str, float] | None = None,
) -> Draft:
    """One search pair of `n_images` images; raises NoPair where this draw can't give one. forms: caption, locate, count,
    absent and their weights."""
    if forms is None:
        forms = FORMS if getattr(source, "tells", True) else WITHOUT_CAPTIONS
    forms = {
        form: weight
        for form, weight in forms.items()
        if (n_images > 1 or form in ("caption", "absent"))
        and any(weights.get(kind, 0) > 0 for kind in NEGATIVES_OF[form])
    }
    if not sum(forms.values()):
        raise NoPair(f"no form of question fits ({n_images} images, {', '.join(weights)})")
    form = branch(rng, list(forms), list(forms.values()), "form")
    shows = n_images > 1 and rng.random() < working
    build = {"caption": _caption, "locate": _locate, "count": _count, "absent": _absent}[form]
    target, concept = source.target(rng)
    draft = build(rng, source, n_images, weights, shows, target, concept)
    ask = rng.choice(ASKS[form]).format(concept)
    show = rng.choice(COUNT_SHOW if form == "count" else SHOW) if shows else ""
    common = {"form": form, "concept": str(concept), "working": shows}
    draft.ask, draft.facts = ask + show, {**common, **draft.facts}
    if draft.twin is not None:
        draft.twin = replace(draft.twin, facts={**common, **draft.twin.facts})
    return draft


def absent(concept: str) -> str:
    """'no fish' for 'a fish', 'no dogs' for 'dogs'."""
    article, _, name = concept.partition(" ")
    return f"no {name if article in ('a', 'an') and name else concept}"


def scan(concept: str, reading: list[bool], whole: bool = False) -> str:
    """The search through the images, up to the first that shows the concept or to the end: a line before the answer."""
    last = len(reading) if whole or True not in reading else reading.index(True) + 1
    said = (concept if there else absent(concept) for there in reading[:last])
    return " ".join(f"Image {i + 1} shows {what}." for i, what in enumerate(said)) + "\n"


def none_shows(concept: str) -> str:
    return f"None of the images shows {concept}."


def _fill(rng: Random, source: Any, concept: str, together: list[Item], n: int) -> list[Item]:
    """n distractors, in which the concept does not occur."""
    found: list[Item] = []
    while len(found) < n:
        found.append(source.without(rng, concept, [*together, *found]))
    return found


def _only(at: int | None, n: int) -> list[bool]:
    return [i == at for i in range(n)]


def _draft(
    items: list[Item], chosen: str, rejected: str, kind: str, target: list[int], facts: dict, **more
) -> Draft:
    return Draft(items, "", chosen, rejected, kind, target, facts, indexed=False, **more)


def _caption(
    rng: Random, source: Any, n: int, weights: dict, shows: bool, target: Item, concept: str
) -> Draft:
    """The caption of the one image that shows the concept."""
    possible = set(possible_negatives(source)) - ({"other-image"} if n == 1 else set())
    kind = pick_kind(rng, weights, [kind for kind in OF_CAPTIONS if kind in possible])
    distractors = _fill(rng, source, concept, [target], n - 1)
    at = in_turn(rng, range(n))
    items = [*distractors[:at], target, *distractors[at:]]
    mistaken = {
        "generic": lambda: None,
        "other-image": lambda: rng.choice(distractors),
        "same-concept": lambda: source.another(rng, concept, items),
        "attribute-swap": lambda: source.swapped(rng, target, concept),
    }[kind]()
    right = source.caption(rng, target)
    if mistaken is None:
        wrong = claim = source.generic(rng, target)
    else:
        wrong, claim = source.caption(rng, mistaken), source.claim(mistaken)
        # Neither caption may be true of the other picture: a right answer would be rejected, or the twin's.
        if wrong == right or source.fits(wrong, target) or source.fits(right, mistaken):
            raise NoPair(f"both captions fit the image ({kind})")
    # A distractor's caption comes of a search that ended there.
    ends = items.index(mistaken) if kind == "other-image" else at
    twin = None
    if kind == "same-concept" or (kind == "attribute-swap" and source.swaps == "drawn"):
        twin = Twin([*items[:at], mistaken, *items[at + 1 :]], _said(wrong, "caption", [at]))
    return _draft(
        items,
        (scan(concept, _only(at, n)) if shows else "") + right,
        (scan(concept, _only(ends, n)) if shows else "") + wrong,
        kind,
        [at],
        _said(right, "caption", [at]),
        chosen_claims=[(at, source.claim(target))],
        rejected_claims=[(at, claim)],
        twin=twin,
    )


def _said(answer: str | int, answer_type: str, shown_by: list[int]) -> dict:
    return {"answer": answer, "answer_type": answer_type, "shown_by": shown_by}


def _absent(
    rng: Random, source: Any, n: int, weights: dict, shows: bool, target: Item, concept: str
) -> Draft:
    """A caption where the concept is in one image or in none, each half of the time; the wrong answer has it the other
    way."""
    kind = pick_kind(rng, weights, ["false-absence", "false-presence"])
    distractors = _fill(rng, source, concept, [target], n)
    at = in_turn(rng, range(n))
    caption, claim = source.caption(rng, target), source.claim(target)
    places = (at, None) if kind == "false-absence" else (None, at)
    return _somewhere(
        source,
        target,
        distractors,
        concept,
        shows,
        kind,
        places,
        "caption",
        lambda _: caption,
        lambda _: caption,
        claim,
    )


def _locate(
    rng: Random, source: Any, n: int, weights: dict, shows: bool, target: Item, concept: str
) -> Draft:
    """Which image shows the concept; perhaps none. Right and wrong are two of the n + 1 answers, each as often."""
    at, wrong = in_turn(rng, list(permutations([*range(n), None], 2)))
    kind = "false-presence" if at is None else "false-absence" if wrong is None else "wrong-image"
    if not weights.get(kind):
        raise NoPair(f"none of the wanted negatives fits ({', '.join(weights)})")
    distractors = _fill(rng, source, concept, [target], n)
    claim = source.claim_of_concept(concept)

    def say(at: int) -> str:
        return f"It is Image {at + 1}." if shows else f"Image {at + 1} shows {concept}."

    return _somewhere(
        source, target, distractors, concept, shows, kind, (at, wrong), "image", say, lambda at: at + 1, claim
    )


def _somewhere(
    source: Any,
    target: Item,
    distractors: list[Item],
    concept: str,
    shows: bool,
    kind: str,
    places: tuple[int | None, int | None],
    answer_type: str,
    say: Callable[[int], str],
    answer: Callable[[int], str | int],
    claim: str,
) -> Draft:
    """A pair whose target stands at the first of two places and, as the wrong answer has it, at the second; None is
    nowhere. say, answer: what is said of a place, and what `facts.answer` then is; claim: what it claims of the image."""
    n = len(distractors)

    def items(at: int | None) -> list[Item]:
        return distractors if at is None else [*distractors[:at], target, *distractors[at + 1 :]]

    def said(at: int | None) -> str:
        told = scan(concept, _only(at, n)) if shows else ""
        return told + (none_shows(concept) if at is None else say(at))

    def facts(at: int | None) -> dict:
        return _said("none", answer_type, []) if at is None else _said(answer(at), answer_type, [at])

    def claims(at: int | None) -> list[tuple[int, str]]:
        return _claims(source, items(at)) if at is None else [(at, claim)]

    def rests_on(at: int | None) -> list[int]:
        return list(range(n)) if at is None else [at]

    at, wrong = places
    return _draft(
        items(at),
        said(at),
        said(wrong),
        kind,
        rests_on(at),
        facts(at),
        chosen_claims=claims(at),
        rejected_claims=claims(wrong),
        twin=Twin(items(wrong), facts(wrong), rests_on(wrong)),
    )


def _claims(source: Any, items: list[Item]) -> list[tuple[int, str]]:
    """What the images show, where an answer says what they don't."""
    return [(i, source.claim(item)) for i, item in enumerate(items)]


def _count(rng: Random, source: Any, n: int, weights: dict, shows: bool, target: Item, concept: str) -> Draft:
    """How many images show the concept: each number from none to all as often; the wrong answer takes one image for another
    kind than it is."""
    kind = pick_kind(rng, weights, ["miscount"])
    count = rng.randint(0, n)
    step = rng.choice((-1, 1))
    if not 0 <= count + step <= n:
        raise NoPair("a count beyond the number of images")
    there = set(rng.sample(range(n), count))
    # One more of each than this prompt shows: what stands at the changed place in the twin.
    with_it = [target]
    while len(with_it) < max(count, count + step):
        with_it.append(source.another(rng, concept, with_it))
    without = _fill(rng, source, concept, with_it, n - min(count, count + step))
    changed = rng.choice(sorted(there if step < 0 else set(range(n)) - there))
    items, others = _dealt(n, there, changed, with_it, without)

    def answer(there: set[int]) -> str:
        final = f"The number of images with {concept} is {len(there)}."
        return (scan(concept, [i in there for i in range(n)], whole=True) if shows else "") + final

    def claims(there: set[int], items: list[Item]) -> list[tuple[int, str]]:
        return [(i, source.claim_of_concept(concept)) for i in sorted(there)] or _claims(source, items)

    changed_there = there ^ {changed}
    return _draft(
        items,
        answer(there),
        answer(changed_there),
        kind,
        list(range(n)),
        _said(count, "number", sorted(there)),
        chosen_claims=claims(there, items),
        rejected_claims=claims(changed_there, others),
        twin=Twin(others, _said(count + step, "number", sorted(changed_there))),
    )


def _dealt(
    n: int, there: set[int], changed: int, with_it: list[Item], without: list[Item]
) -> tuple[list[Item], list[Item]]:
    """The images of the prompt, and those of its twin, which differs at the changed place."""
    with_it, without = list(with_it), list(without)
    one, other = with_it.pop(), without.pop()
    items = [
        (one if i in there else other) if i == changed else (with_it if i in there else without).pop()
        for i in range(n)
    ]
    twin = list(items)
    twin[changed] = other if changed in there else one
    return items, twin
