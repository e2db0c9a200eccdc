"""Level 3, global visual search: the prompt names a concept and no image. The four forms of question ask for the caption of
the image that shows the concept (caption), for that image (locate), for the number of images that show it (count), or for
its caption if any image shows it (absent).

A caption is rejected for one of four mistakes: it is the caption of another picture of the same concept (`same-concept`), it
has one attribute changed (`attribute-swap`), it is a distractor's caption (`other-image`), or it is generic (`generic`). The
last two are rare by default, because the text alone gives them away: only the right caption names the concept. All other
rejected answers are chosen as often in other prompts.

Locate, count and absent claim that some image does not show the concept. Only an exhaustive source knows that; then
`facts.absence` is "annotated". Captions leave things out, so a source of captions gives only caption questions unless other
forms are asked for; then `facts.absence` is "assumed". If the prompt asks for the working, the answer goes through the
images until it finds the concept; over captions it names only the image that it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import Any

from s2h.sources import Concept, Item, NoPair
from s2h.sources.shapes import PHOTOS, PhotoSet
from s2h.tasks import Answer, Option, Task, Wanted, check_weights, search_words
from s2h.tasks.item_pair import Claims, Pair, Twin
from s2h.tasks.search_words import form_of, none_shows, one_form, scan, scan_found
from s2h.tasks.slots import Slot

NEGATIVES = {
    "same-concept": 0.6, "attribute-swap": 0.3, "other-image": 0.05, "generic": 0.05,
    "false-absence": 1.0, "false-presence": 1.0, "wrong-image": 1.0, "miscount": 1.0,
}  # fmt: skip
OF_CAPTIONS = ("same-concept", "attribute-swap", "other-image", "generic")
FORMS = {"caption": 0.5, "locate": 0.2, "count": 0.15, "absent": 0.15}
# Default forms of question. "no captions": the captions say no more than the concept, so a rejected one would give itself
# away. "captions only": the source does not know what an image does not show.
DEFAULTS = {"all": FORMS, "no captions": {"locate": 0.6, "count": 0.4}, "captions only": {"caption": 1.0}}
CANDIDATES = 8  # distractors that CLIP chooses from
NEGATIVES_OF = {
    "caption": OF_CAPTIONS,
    "locate": ("wrong-image", "false-absence", "false-presence"),
    "count": ("miscount",),
    "absent": ("false-absence", "false-presence"),
}


@dataclass(slots=True)
class Search:
    """The draw of one prompt: a target picture and the concept to search for. shows: whether the answer shows its
    working."""

    slot: Slot
    photos: PhotoSet
    wanted: Wanted
    shows: bool
    target: Item
    concept: Concept

    @property
    def rng(self) -> Random:
        return self.slot.rng

    @property
    def n(self) -> int:
        return self.slot.n_images

    def scan(self, at: int | None) -> str:
        """Return the line before a caption that shows the working, "" if the prompt doesn't ask for it. at: position of the
        image that the search ends at."""
        if not self.shows:
            return ""
        reading = [i == at for i in range(self.n)]
        return scan(self.concept, reading) if self.photos.exhaustive else scan_found(self.concept, reading)

    def distractors(self, together: list[Item], n: int) -> list[Item]:
        """Draw n pictures that do not show the concept. together: the pictures that the prompt has already."""
        found: list[Item] = []
        while len(found) < n:
            here = [*together, *found]
            if self.wanted.similar is None:
                found.append(self.photos.draw_without(self.rng, self.concept, here))
                continue
            some = [self.photos.draw_without(self.rng, self.concept, here) for _ in range(CANDIDATES)]
            if not self.photos.exhaustive:
                claim = self.photos.claim_of_concept(self.concept)
                some = self.wanted.similar.unlike(claim, self.target, some)
            found.append(self.wanted.similar(self.rng, self.target, some))
        return found


def possible(photos: PhotoSet) -> tuple[str, ...]:
    """Return the kinds of rejected answers that can be made from a photo set."""
    return tuple(kind for kind in NEGATIVES if kind != "attribute-swap" or photos.attribute_swaps != "none")


def default_forms(photos: PhotoSet) -> str:
    """Return the key in DEFAULTS of the forms of question that a photo set gives by default."""
    if not photos.exhaustive:
        return "captions only"
    return "all" if photos.captions_say_more else "no captions"


def make(slot: Slot, photos: PhotoSet, wanted: Wanted) -> Pair:
    """Return one search pair. Raises NoPair if the draw gives none. The option `forms` has the forms of question and their
    weights."""
    weights, several = wanted.negatives, slot.n_images > 1
    forms, shares = _fitting(wanted, default_forms(photos), several)
    if not sum(shares):
        raise NoPair(f"no form of question fits ({slot.n_images} images, {', '.join(weights)})")
    form = slot.branch(forms, shares, "form")
    shows = several and slot.rng.random() < wanted.working_share
    target, concept = photos.draw_target(slot.rng)
    pair = BUILD[form](Search(slot, photos, wanted, shows, target, concept))
    common: dict[str, Any] = {"form": form, "concept": str(concept), "working": shows}
    if form != "caption" or (shows and photos.exhaustive):
        common["absence"] = "annotated" if photos.exhaustive else "assumed"
    if captioner := photos.captioner:
        common["captioner"] = captioner
    named_only = form == "caption" and not photos.exhaustive
    pair.ask = search_words.ask(slot.rng, form, concept, shows, named_only)
    pair.facts = {**common, **pair.facts}
    if pair.twin is not None:
        pair.twin.facts = {**common, **pair.twin.facts}
    return pair


@lru_cache(maxsize=4)
def _fitting(wanted: Wanted, default: str, several: bool) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the forms of question that can be asked and have a wanted kind of rejected answer, and their weights. several:
    whether the prompt has more than one image."""
    kinds = {kind for kind, weight in wanted.negatives.items() if weight > 0}
    forms = wanted.options.get("forms") or DEFAULTS[default]
    fitting = [
        form
        for form in forms
        if (several or form in ("caption", "absent")) and not kinds.isdisjoint(NEGATIVES_OF[form])
    ]
    return tuple(fitting), tuple(forms[form] for form in fitting)


def _pair(
    items: list[Item],
    answers: tuple[str, str],
    kind: str,
    target: list[int],
    facts: dict,
    claims: tuple[Claims, Claims],
    twin: Twin | None,
) -> Pair:
    """Return a pair without its question, which `make` adds. answers, claims: of the chosen and of the rejected answer."""
    return Pair(items, "", *answers, kind, target, facts, *claims, indexed=False, twin=twin)


def _caption(search: Search) -> Pair:
    """Ask for the caption of the one image that shows the concept."""
    rng, photos, n, target, concept = search.rng, search.photos, search.n, search.target, search.concept
    kind = search.slot.negative(
        _within_reach(search.wanted, photos.same_concept_share, n > 1),
        _kinds(n > 1, photos.attribute_swaps != "none"),
    )
    distractors = search.distractors([target], n - 1)
    at = search.slot.deal(range(n))
    items = [*distractors[:at], target, *distractors[at:]]
    mistaken = None
    if kind == "other-image":
        mistaken = rng.choice(distractors)
    elif kind == "same-concept":
        mistaken = photos.draw_with(rng, concept, items)
    elif kind == "attribute-swap":
        mistaken = photos.swap_attribute(rng, target, concept)
    right, twin, ends = one_form(photos.caption_of(rng, target)), None, at
    if mistaken is None:
        wrong = claim = one_form(photos.generic_caption(rng, target))
    else:
        wrong, claim = one_form(photos.caption_of(rng, mistaken)), photos.claim_about(mistaken)
        # If a caption were true of the other picture too, this pair or its twin would reject a right answer.
        if wrong == right or photos.caption_fits(wrong, target) or photos.caption_fits(right, mistaken):
            raise NoPair(f"both captions fit the image ({kind})")
        if form_of(wrong) != form_of(right):
            raise NoPair("captions of two forms")
        if kind == "other-image":  # the search ends at the distractor whose caption is given
            ends = items.index(mistaken)
        elif kind == "same-concept" or photos.attribute_swaps == "picture":
            twin = Twin([*items[:at], mistaken, *items[at + 1 :]], _facts_of(wrong, "caption", [at]))
    return _pair(
        items,
        (search.scan(at) + right, search.scan(ends) + wrong),
        kind,
        [at],
        _facts_of(right, "caption", [at]),
        ([(at, photos.claim_about(target))], [(at, claim)]),
        twin,
    )


@lru_cache
def _kinds(several: bool, swaps: bool) -> tuple[str, ...]:
    """Return the kinds of rejected captions that can be made."""
    impossible = ("other-image",) * (not several) + ("attribute-swap",) * (not swaps)
    return tuple(kind for kind in OF_CAPTIONS if kind not in impossible)


@lru_cache(maxsize=4)
def _within_reach(wanted: Wanted, shared: float, several: bool) -> dict[str, float]:
    """Return the weights of the kinds of rejected answers, with that of same-concept limited to the share of pictures that
    share their concept with another: otherwise these few would come too often. other-image gets the rest."""
    weights = wanted.negatives
    most = shared * sum(weights.get(kind, 0) for kind in OF_CAPTIONS)
    over = weights.get("same-concept", 0) - most
    if over <= 0 or not several or not weights.get("other-image"):
        return weights
    return {**weights, "same-concept": most, "other-image": weights["other-image"] + over}


def _facts_of(answer: str | int, answer_type: str, shown_by: list[int]) -> dict:
    """Return the facts about an answer. shown_by: positions of the images that show the concept."""
    return {"answer": answer, "answer_type": answer_type, "shown_by": shown_by}


def _absent(search: Search) -> Pair:
    """Ask for the caption of the image with the concept, if there is one. Half of the time there is none. The rejected
    answer says the opposite."""
    kind = search.slot.negative(search.wanted.negatives, ["false-absence", "false-presence"])
    distractors = search.distractors([search.target], search.n)
    at = search.slot.deal(range(search.n))
    caption = one_form(search.photos.caption_of(search.rng, search.target))
    places = (at, None) if kind == "false-absence" else (None, at)
    claim = search.photos.claim_about(search.target)
    return _somewhere(Somewhere(search, distractors, "caption", claim, caption), kind, *places)


def _locate(search: Search) -> Pair:
    """Ask which image shows the concept, if any. The chosen and the rejected answer are two of the n + 1 possible ones, each
    equally often."""
    at, wrong = search.slot.deal(_two_of(search.n))
    kind = "false-presence" if at is None else "false-absence" if wrong is None else "wrong-image"
    if not search.wanted.negatives.get(kind):
        raise NoPair(f"none of the wanted negatives fits ({', '.join(search.wanted.negatives)})")
    distractors = search.distractors([search.target], search.n)
    claim = search.photos.claim_of_concept(search.concept)
    return _somewhere(Somewhere(search, distractors, "image", claim), kind, at, wrong)


@lru_cache
def _two_of(n: int) -> tuple[tuple[int | None, int | None], ...]:
    """Return all ordered pairs out of n positions and None, which means nowhere."""
    places: list[int | None] = [*range(n), None]
    return tuple(permutations(places, 2))


@dataclass(slots=True)
class Somewhere:
    """The prompt's images, answers and facts if the target is at a position, or nowhere (None). claim: what an answer claims
    about the target. caption: the target's caption, if answers give it; otherwise they name the image."""

    search: Search
    distractors: list[Item]
    answer_type: str
    claim: str
    caption: str = ""

    def items(self, at: int | None) -> list[Item]:
        some = self.distractors
        return some if at is None else [*some[:at], self.search.target, *some[at + 1 :]]

    def say(self, at: int | None) -> str:
        search, n = self.search, len(self.distractors)
        working = scan(search.concept, [i == at for i in range(n)]) if search.shows else ""
        if at is None:
            return working + none_shows(search.concept)
        if self.caption:
            return working + self.caption
        return working + (
            f"It is Image {at + 1}." if search.shows else f"Image {at + 1} shows {search.concept}."
        )

    def facts(self, at: int | None) -> dict:
        if at is None:
            return _facts_of("none", self.answer_type, [])
        return _facts_of(self.caption or at + 1, self.answer_type, [at])

    def claims(self, at: int | None) -> Claims:
        return _claims(self.search.photos, self.items(at)) if at is None else [(at, self.claim)]

    def target(self, at: int | None) -> list[int]:
        return list(range(len(self.distractors))) if at is None else [at]


def _somewhere(world: Somewhere, kind: str, at: int | None, wrong: int | None) -> Pair:
    """Return a pair over images with the target at position `at`. The rejected answer is right if it is at `wrong`."""
    return _pair(
        world.items(at),
        (world.say(at), world.say(wrong)),
        kind,
        world.target(at),
        world.facts(at),
        (world.claims(at), world.claims(wrong)),
        Twin(world.items(wrong), world.facts(wrong), world.target(wrong)),
    )


def _claims(photos: PhotoSet, items: list[Item]) -> Claims:
    """Return what the images show, as the claims of an answer that says only what they don't show."""
    return [(i, photos.claim_about(item)) for i, item in enumerate(items)]


def _count(search: Search) -> Pair:
    """Ask how many images show the concept, each number from 0 to n equally often. The rejected answer is wrong about one
    image."""
    rng, photos, n, concept = search.rng, search.photos, search.n, search.concept
    kind = search.slot.negative(search.wanted.negatives, ["miscount"])
    count = rng.randint(0, n)
    step = rng.choice((-1, 1))
    if not 0 <= count + step <= n:
        raise NoPair("a count beyond the number of images")
    there = set(rng.sample(range(n), count))
    # One picture more than this prompt needs: the twin shows another one at the changed position.
    with_it = [search.target]
    while len(with_it) < max(count, count + step):
        with_it.append(photos.draw_with(rng, concept, with_it))
    without = search.distractors(with_it, n - min(count, count + step))
    changed = rng.choice(sorted(there if step < 0 else set(range(n)) - there))
    items, others = _dealt(n, there, changed, with_it, without)
    changed_there = there ^ {changed}
    return _pair(
        items,
        (_say_count(search, there), _say_count(search, changed_there)),
        kind,
        list(range(n)),
        _facts_of(count, "number", sorted(there)),
        (_claim_count(search, there, items), _claim_count(search, changed_there, others)),
        Twin(others, _facts_of(count + step, "number", sorted(changed_there))),
    )


def _say_count(search: Search, there: set[int]) -> str:
    working = scan(search.concept, [i in there for i in range(search.n)], whole=True) if search.shows else ""
    return f"{working}The number of images with {search.concept} is {len(there)}."


def _claim_count(search: Search, there: set[int], items: list[Item]) -> Claims:
    claim = search.photos.claim_of_concept(search.concept)
    return [(i, claim) for i in sorted(there)] or _claims(search.photos, items)


def _dealt(
    n: int, there: set[int], changed: int, with_it: list[Item], without: list[Item]
) -> tuple[list[Item], list[Item]]:
    """Return the images of the prompt and those of its twin. there: positions of the images with the concept. changed: the
    position at which the twin differs. with_it, without: pictures with and without the concept."""
    with_it, without = list(with_it), list(without)
    one, other = with_it.pop(), without.pop()
    items = [
        (one if i in there else other) if i == changed else (with_it if i in there else without).pop()
        for i in range(n)
    ]
    twin = list(items)
    twin[changed] = other if changed in there else one
    return items, twin


def check(photos: PhotoSet, wanted: Wanted) -> None:
    """Raise SourceError for an unknown form of question."""
    if "forms" in wanted.options:
        check_weights(wanted.options["forms"], FORMS, "form of question")


def notes(photos: PhotoSet, options: Mapping[str, Any]) -> list[str]:
    """Return what the user should know about the forms of question."""
    asked = {form for form, weight in (options.get("forms") or {}).items() if weight}
    return search_words.notes(photos.exhaustive, photos.captions_say_more, asked)


BUILD = {"caption": _caption, "locate": _locate, "count": _count, "absent": _absent}
TASK = Task(
    level=3,
    about="find the image that shows a concept, without an index: caption, locate, count",
    negatives=NEGATIVES,
    answers={
        "caption": Answer(),
        "image": Answer(lambda images: images + 1),  # or none of them
        "number": Answer(lambda images: images + 1),
    },
    make=make,
    needs=(PHOTOS,),
    possible=possible,
    options=(
        Option(
            "--form", "forms", "weights",
            "a form of question and its weight: caption, locate (which image), count (how many images), absent (a caption "
            "where perhaps no image shows it). May be repeated. Sources of captions don't prove absence and default to "
            "caption=1, as in the paper.  [default: caption=0.5, locate=0.2, count=0.15, absent=0.15]",
        ),
    ),
    takes=frozenset({"working", "distractors", "clip_model", "captioner"}),
    check=check,
    notes=notes,
)  # fmt: skip
