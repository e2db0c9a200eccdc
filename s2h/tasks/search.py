"""Level 3, global visual search: the prompt names a concept and no image. It asks for the caption of the image that shows
the concept (caption), for that image (locate), for how many images show it (count), or for a caption where perhaps no image
shows it (absent).

Negatives of a caption (method.md's level 3): the caption of another picture of the same concept (`same-concept`), one
attribute exchanged (`attribute-swap`), a distractor's caption (`other-image`), a generic one (`generic`). The last two
can be told from the words alone, since only the right caption names the concept; so they are rare unless asked for. All
other wrong answers are right in other prompts that are as likely.

Locate, count and absent say that an image does not show something. Only an exhaustive source knows that: there
`facts.absence` is "annotated". Captions leave things out, so a source of captions gives the form caption alone unless other
forms are asked for, and then `facts.absence` is "assumed". Where the prompt asks for the working, the answer goes through
the images until it finds the concept; with captions only, it names just the image that it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import Any

from s2h.sources import Concept, Item, NoPair
from s2h.sources.shapes import PHOTOS, PhotoSet
from s2h.tasks import phrasing
from s2h.tasks.draft import WORKING, Draft, Twin, branch, in_turn, pick_kind
from s2h.tasks.phrasing import form_of, none_shows, one_form, scan, scan_found

ASKS, SHOW = phrasing.ASKS, phrasing.SHOW  # under the names that they have in every task
NEEDS = PHOTOS
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
ABOUT_ABSENCE = ("locate", "count", "absent")
# Where nobody noted what an image does not show.
WITHOUT_ABSENCE = {"caption": 1.0}
CANDIDATES = 8  # distractors among which CLIP chooses
NEGATIVES_OF = {
    "caption": OF_CAPTIONS,
    "locate": ("wrong-image", "false-absence", "false-presence"),
    "count": ("miscount",),
    "absent": ("false-absence", "false-presence"),
}


@dataclass(frozen=True)
class Search:
    """What one prompt looks for. shows: whether the answer says its working. pick: chooses a distractor among several by
    CLIP, see similar.py."""

    rng: Random
    source: PhotoSet
    n: int
    weights: dict[str, float]
    shows: bool
    target: Item
    concept: Concept
    pick: Any = None

    def scan(self, at: int | None) -> str:
        """The working of a caption: a line before the answer."""
        if not self.shows:
            return ""
        reading = [i == at for i in range(self.n)]
        return scan(self.concept, reading) if self.source.exhaustive else scan_found(self.concept, reading)


def possible_negatives(source: PhotoSet) -> list[str]:
    return [kind for kind in NEGATIVES if kind != "attribute-swap" or source.attribute_swaps != "none"]


def default_forms(source: PhotoSet) -> dict[str, float]:
    """The forms of question and their weights where none are asked for."""
    if not source.exhaustive:
        return WITHOUT_ABSENCE
    return FORMS if source.captions_say_more else WITHOUT_CAPTIONS


def make(
    rng: Random,
    source: PhotoSet,
    n_images: int,
    weights: dict[str, float],
    working: float = WORKING,
    forms: dict[str, float] | None = None,
    similar: Any = None,
) -> Draft:
    """One search pair of `n_images` images; raises NoPair where this draw can't give one. forms: caption, locate, count,
    absent and their weights. similar: chooses distractors by CLIP (similar.py)."""
    wanted = default_forms(source) if forms is None else forms
    fitting = _fitting(tuple(wanted.items()), n_images > 1, tuple(weights.items()))
    if not sum(fitting.values()):
        raise NoPair(f"no form of question fits ({n_images} images, {', '.join(weights)})")
    form = branch(rng, list(fitting), list(fitting.values()), "form")
    shows = n_images > 1 and rng.random() < working
    build = {"caption": _caption, "locate": _locate, "count": _count, "absent": _absent}[form]
    target, concept = source.draw_target(rng)
    search = Search(rng, source, n_images, weights, shows, target, concept, similar)
    draft = build(search)
    common: dict[str, Any] = {"form": form, "concept": str(concept), "working": shows}
    if form != "caption" or (shows and source.exhaustive):
        common["absence"] = "annotated" if source.exhaustive else "assumed"
    if captioner := source.captioner:
        common["captioner"] = captioner
    named_only = form == "caption" and not source.exhaustive
    draft.ask = phrasing.ask(rng, form, concept, shows, named_only)
    draft.facts = {**common, **draft.facts}
    if draft.twin is not None:
        draft.twin.facts = {**common, **draft.twin.facts}
    return draft


@lru_cache(maxsize=256)
def _fitting(
    forms: tuple[tuple[str, float], ...], several: bool, weights: tuple[tuple[str, float], ...]
) -> dict[str, float]:
    """The forms of question that can be asked of one or several images and have a wanted mistake."""
    kinds = {kind for kind, weight in weights if weight > 0}
    return {
        form: weight
        for form, weight in forms
        if (several or form in ("caption", "absent")) and not kinds.isdisjoint(NEGATIVES_OF[form])
    }


def _fill(search: Search, together: list[Item], n: int) -> list[Item]:
    """n distractors, in which the concept does not occur."""
    found: list[Item] = []
    while len(found) < n:
        here = [*together, *found]
        if search.pick is None:
            found.append(search.source.draw_without(search.rng, search.concept, here))
            continue
        some = [search.source.draw_without(search.rng, search.concept, here) for _ in range(CANDIDATES)]
        if not search.source.exhaustive:
            claim = search.source.claim_of_concept(search.concept)
            some = search.pick.unlike(claim, search.target, some)
        found.append(search.pick(search.rng, search.target, some))
    return found


def _draft(
    items: list[Item], chosen: str, rejected: str, kind: str, target: list[int], facts: dict, **more
) -> Draft:
    return Draft(items, "", chosen, rejected, kind, target, facts, indexed=False, **more)


def _caption(search: Search) -> Draft:
    """The caption of the one image that shows the concept."""
    rng, source, n, target, concept = search.rng, search.source, search.n, search.target, search.concept
    kinds = _kinds(n > 1, source.attribute_swaps != "none")
    kind = pick_kind(rng, _within_reach(search), kinds)
    distractors = _fill(search, [target], n - 1)
    at = in_turn(rng, range(n))
    items = [*distractors[:at], target, *distractors[at:]]
    mistaken = None
    if kind == "other-image":
        mistaken = rng.choice(distractors)
    elif kind == "same-concept":
        mistaken = source.draw_with(rng, concept, items)
    elif kind == "attribute-swap":
        mistaken = source.swap_attribute(rng, target, concept)
    right = one_form(source.caption_of(rng, target))
    if mistaken is None:
        wrong = claim = one_form(source.generic_caption(rng, target))
    else:
        wrong, claim = one_form(source.caption_of(rng, mistaken)), source.claim_about(mistaken)
        # Neither caption may be true of the other picture: a right answer would be rejected, or the twin's.
        if wrong == right or source.caption_fits(wrong, target) or source.caption_fits(right, mistaken):
            raise NoPair(f"both captions fit the image ({kind})")
        if form_of(wrong) != form_of(right):
            raise NoPair("captions of two forms")
    # A distractor's caption comes of a search that ended there.
    ends = items.index(mistaken) if kind == "other-image" else at
    twin = None
    if kind == "same-concept" or (kind == "attribute-swap" and source.attribute_swaps == "picture"):
        twin = Twin([*items[:at], mistaken, *items[at + 1 :]], _said(wrong, "caption", [at]))
    return _draft(
        items,
        search.scan(at) + right,
        search.scan(ends) + wrong,
        kind,
        [at],
        _said(right, "caption", [at]),
        chosen_claims=[(at, source.claim_about(target))],
        rejected_claims=[(at, claim)],
        twin=twin,
    )


def _kinds(several: bool, swaps: bool) -> list[str]:
    """The mistakes that a caption can have."""
    impossible = ("other-image",) * (not several) + ("attribute-swap",) * (not swaps)
    return [kind for kind in OF_CAPTIONS if kind not in impossible]


def _within_reach(search: Search) -> dict[str, float]:
    """The weights of the mistakes, with no more of same-concept than pictures that share a concept: the few that do would
    come again and again. Other images take the rest."""
    weights, least = search.weights, search.source.same_concept_share
    most = least * sum(weights.get(kind, 0) for kind in OF_CAPTIONS)
    over = weights.get("same-concept", 0) - most
    if over <= 0 or search.n == 1 or not weights.get("other-image"):
        return weights
    return {**weights, "same-concept": most, "other-image": weights["other-image"] + over}


def _said(answer: str | int, answer_type: str, shown_by: list[int]) -> dict:
    return {"answer": answer, "answer_type": answer_type, "shown_by": shown_by}


def _absent(search: Search) -> Draft:
    """A caption where the concept is in one image or in none, each half of the time; the wrong answer has it the other
    way."""
    kind = pick_kind(search.rng, search.weights, ["false-absence", "false-presence"])
    distractors = _fill(search, [search.target], search.n)
    at = in_turn(search.rng, range(search.n))
    caption = one_form(search.source.caption_of(search.rng, search.target))
    places = (at, None) if kind == "false-absence" else (None, at)
    answer = Answer("caption", lambda _: caption, lambda _: caption, search.source.claim_about(search.target))
    return _somewhere(search, distractors, kind, places, answer)


def _locate(search: Search) -> Draft:
    """Which image shows the concept; perhaps none. Right and wrong are two of the n + 1 answers, each as often."""
    at, wrong = in_turn(search.rng, list(permutations([*range(search.n), None], 2)))
    kind = "false-presence" if at is None else "false-absence" if wrong is None else "wrong-image"
    if not search.weights.get(kind):
        raise NoPair(f"none of the wanted negatives fits ({', '.join(search.weights)})")
    distractors = _fill(search, [search.target], search.n)

    def say(at: int) -> str:
        return f"It is Image {at + 1}." if search.shows else f"Image {at + 1} shows {search.concept}."

    answer = Answer("image", say, lambda at: at + 1, search.source.claim_of_concept(search.concept))
    return _somewhere(search, distractors, kind, (at, wrong), answer)


@dataclass(frozen=True)
class Answer:
    """How an answer names a place: `say` gives its words, `value` gives `facts.answer`, `claim` is what it claims of the
    image there."""

    kind: str
    say: Callable[[int], str]
    value: Callable[[int], str | int]
    claim: str


def _somewhere(
    search: Search, distractors: list[Item], kind: str, places: tuple[int | None, int | None], answer: Answer
) -> Draft:
    """A pair whose target stands at the first of two places and, as the wrong answer has it, at the second; None is
    nowhere."""
    n, concept = len(distractors), search.concept

    def items(at: int | None) -> list[Item]:
        return distractors if at is None else [*distractors[:at], search.target, *distractors[at + 1 :]]

    def said(at: int | None) -> str:
        told = scan(concept, [i == at for i in range(n)]) if search.shows else ""
        return told + (none_shows(concept) if at is None else answer.say(at))

    def facts(at: int | None) -> dict:
        if at is None:
            return _said("none", answer.kind, [])
        return _said(answer.value(at), answer.kind, [at])

    def claims(at: int | None) -> list[tuple[int, str]]:
        return _claims(search.source, items(at)) if at is None else [(at, answer.claim)]

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


def _claims(source: PhotoSet, items: list[Item]) -> list[tuple[int, str]]:
    """What the images show, where an answer says what they don't."""
    return [(i, source.claim_about(item)) for i, item in enumerate(items)]


def _count(search: Search) -> Draft:
    """How many images show the concept: each number from none to all as often; the wrong answer takes one image for another
    kind than it is."""
    rng, source, n, concept = search.rng, search.source, search.n, search.concept
    kind = pick_kind(rng, search.weights, ["miscount"])
    count = rng.randint(0, n)
    step = rng.choice((-1, 1))
    if not 0 <= count + step <= n:
        raise NoPair("a count beyond the number of images")
    there = set(rng.sample(range(n), count))
    # One more of each than this prompt shows: what stands at the changed place in the twin.
    with_it = [search.target]
    while len(with_it) < max(count, count + step):
        with_it.append(source.draw_with(rng, concept, with_it))
    without = _fill(search, with_it, n - min(count, count + step))
    changed = rng.choice(sorted(there if step < 0 else set(range(n)) - there))
    items, others = _dealt(n, there, changed, with_it, without)

    def answer(there: set[int]) -> str:
        final = f"The number of images with {concept} is {len(there)}."
        return (scan(concept, [i in there for i in range(n)], whole=True) if search.shows else "") + final

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
