"""An album: pictures on disk with what is known of them (captions, concepts, counts), from which levels 1 and 3 and the
comparisons are made. It is a list of pages that are read when a picture of theirs is first wanted, so that a million
pictures start to flow in seconds; a page holds its names and captions packed, some 100 to 200 bytes a picture.

A reader (captions.py, classes.py, coco.py, …) says which pages there are and fills them; all that is done with pictures is
here. A picture that can't be opened is found out when it is first drawn, counted under its reason, and never shown."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from itertools import islice
from random import Random
from typing import Any, Literal

from s2h.images import references
from s2h.language import caption_fit, nouns
from s2h.language.attribute_swaps import Swaps
from s2h.sources import Concept, Item, NoPair, Question, SourceError, Trait, wording
from s2h.sources.inquiry import Inquiry
from s2h.sources.likeness import near
from s2h.sources.packed import Groups
from s2h.sources.page import MANY, Page
from s2h.sources.shapes import Dataset
from s2h.sources.unused import Unused

REDRAWS = 60
KEPT = 1 << 13  # pictures whose labels stay unpacked, 1 to 2 kB each
SAMPLE = 400  # captions that are looked at to learn what a source's captions are like


class Album(Dataset):
    """Pictures in pages.

    pages: (weight, reader) of each, a reader taking the Counter of what it can't use; the weight is its number of
    pictures, or stands for it where that isn't known yet. listed: what was found unusable before. words: of a concept,
    all the words by which it may be called, beside its own name. kin: whether of two concepts one contains the other.
    read: gives the bytes of a picture that is no file of its own. one_each: whether the first concept of a picture is
    what it is a picture of, and not one object of many.
    """

    balance_kinds = distractors_differ = True
    has_counterparts, shared_questions = False, None

    def __init__(
        self,
        spec: str,
        root: str,
        pages: list[tuple[int, Callable[[Counter], Page]]],
        listed: Counter | None = None,
        *,
        words: dict[str, frozenset[str]] | None = None,
        kin: Callable[[str, str], bool] | None = None,
        read: Callable[[str], bytes] | None = None,
        one_each: bool = True,
    ) -> None:
        self.spec, self.root, self.unused = spec, root, Unused(listed)
        self.photos = self.questions = self
        self._weights = [weight for weight, _ in pages]
        self._readers, self._pages = [reader for _, reader in pages], [None] * len(pages)
        self._ends: list[int] = []
        for weight in self._weights:
            self._ends.append(weight + (self._ends[-1] if self._ends else 0))
        self._words, self._kin, self._read, self.one_each = words or {}, kin, read, one_each
        self._item = lru_cache(maxsize=KEPT)(self._make_item)
        self._inquiries: dict[int, Inquiry] = {}
        self.captioner = ""  # the model that wrote the captions, if any did
        if len(pages) == 1:
            self._learn()

    # Pages ----------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many pictures there are, or are likely to be, by those of the pages that were read."""
        any(len(self.page(number)) for number in range(len(self._pages)))  # up to the first that has some
        pages = zip(self._pages, self._weights, strict=True)
        there = [(len(page), weight) for page, weight in pages if page is not None]
        pictures, weight = (sum(column) for column in zip(*there, strict=True))
        return pictures + round(pictures / weight * (self._ends[-1] - weight))

    @property
    def size_is_final(self) -> bool:
        """Whether every page was read."""
        return all(page is not None for page in self._pages)

    @cached_property
    def exhaustive(self) -> bool:
        """Whether all that is asked about was noted for every picture, so that what was not noted is absent: pictures that
        were sorted into classes or annotated by category, and not only captioned. The first part with pictures tells."""
        numbers = range(len(self._pages))
        return next((self.page(number).sorted for number in numbers if len(self.page(number))), False)

    def page(self, number: int) -> Page:
        if self._pages[number] is None:
            counter = self.unused.pages[number] = Counter()
            self._pages[number] = self._readers[number](counter)
            self._readers[number] = None  # which may hold rows that it has read now
        return self._pages[number]

    def pictures(self) -> Iterator[tuple[tuple[int, int], Item]]:
        """Every picture that can be opened, with its page and its number in it."""
        for number in range(len(self._pages)):
            for at in range(len(self.page(number))):
                with contextlib.suppress(NoPair):  # counted in `unused`
                    yield (number, at), self._item(number, at)

    def with_pages(self, pages: list[Page], unused: Counter, captioner: str) -> Album:
        """The same album with other pages, whose captions a model has written."""
        parts = [(len(page), lambda _, page=page: page) for page in pages]
        made = Album(
            self.spec, self.root, parts or [(1, lambda _: Page().seal())], unused,
            words=self._words, kin=self._kin, read=self._read, one_each=self.one_each,
        )  # fmt: skip
        made.captioner = captioner
        return made

    def _learn(self) -> None:
        if len(self.page(0)) < 2:
            why = self.unused.why("no pictures")
            raise SourceError(f"source {self.spec!r}: fewer than two pictures can be used ({why})")

    def _pick(self, rng: Random) -> tuple[int, int]:
        """Any picture: its page and its number in it."""
        at = bisect_right(self._ends, rng.randrange(self._ends[-1]))
        count = len(self.page(at))
        if not count:
            raise NoPair("a part of the source without usable pictures")
        return at, rng.randrange(count)

    def _make_item(self, page: int, at: int) -> Item:
        found = self.page(page)
        name = found.prefix + found.names[at]
        look = self._read or self.reference_of
        seen = self.unused.check(page, at, len(found), lambda: look(name), looks=True)
        captions = found.captions[at].split("\n") if found.captions[at] else []
        labels: dict[str, Any] = {"kind": "photo", "file": name}
        if captions:
            labels["captions"] = captions
        counts = found.counts_of(at)
        labels["concepts"] = list(counts)
        if any(counts.values()):
            labels["counts"] = counts
        key, same = f"{page}:{at}", {"print": seen, "look": self.unused.look(page, at)}
        if self._read is not None:
            return Item(key, labels, data=lambda: self._read(name), **same)
        return Item(key, labels, reference=self.reference_of(name), **same)

    def reference_of(self, name: str) -> str:
        """The reference to a picture by its name: that of a file below the root, which is never read as another kind of
        reference; without a root the page's prefix has made one of it."""
        return references.of_file(os.path.join(self.root, name)) if self.root else name

    # What a picture shows -------------------------------------------------------------------------------------

    def _called(self, concept: str) -> frozenset[str]:
        return nouns.words_of(concept) | self._words.get(concept, frozenset())

    def _shows(self, name: str, page: int, at: int) -> bool:
        """Whether a concept may occur in a picture: something that is listed or mentioned there may be called by its name,
        by a broader one or by a narrower one."""
        found = self.page(page)
        may_show = caption_fit.is_mentioned if found.sorted else caption_fit.may_show
        if may_show(name, found.things(at)):
            return True
        if not self._words and self._kin is None:
            return False
        listed = [found.concepts[number] for number in found.of_picture[at]]
        return any(nouns.head_of(name) in self._called(other) for other in listed) or (
            self._kin is not None and any(self._kin(name, other) for other in listed)
        )

    def _draw(self, rng: Random, concepts: list[Concept], together: list[Item]) -> Item:
        """A picture that shows none of the concepts and isn't there yet."""
        taken = {item.key for item in together}
        names = [self._pages[concept.page].concepts[concept.number] for concept in concepts]
        for _ in range(REDRAWS):
            page, at = self._pick(rng)
            if f"{page}:{at}" in taken or any(self._shows(name, page, at) for name in names):
                continue
            item = self._item(page, at)
            if not _repeats(item, together):
                return item
        raise NoPair("no distractor without the target's concept found")

    def _named(self, rng: Random, page: int, at: int) -> Concept:
        """One of a picture's concepts; where it has one that other pictures have as well, such a one."""
        found = self.page(page)
        numbers = found.of_picture[at]
        if not numbers:
            raise NoPair("a picture without a concept")
        shared = [number for number in numbers if found.by_concept.size(number) > 1]
        number = rng.choice(shared or numbers)
        return Concept(nouns.indefinite(found.concepts[number]), page, number)

    # Level 1 --------------------------------------------------------------------------------------------------

    def draw_subject(self, rng: Random) -> Item:
        page, at = self._pick(rng)
        if not len(self.page(page).of_picture[at]):
            raise NoPair("a picture without a concept")
        return self._item(page, at)

    def draw_distractor(self, rng: Random, together: list[Item]) -> Item:
        """A distractor that neither is the target nor shows any of its concepts."""
        page, at = _place(together[0])
        concepts = self.page(page).concepts
        shown = [Concept(concepts[number], page, number) for number in self.page(page).of_picture[at]]
        return self._draw(rng, shown, together)

    def questions_about(self, item: Item) -> list[Question]:
        """Everything that can be asked of a picture; see inquiry.py."""
        page, at = _place(item)
        return self._inquiry(page).questions(at, item)

    @property
    def yes_no_share(self) -> float:
        """The share of questions that yes or no answers; the first part with pictures tells."""
        return next((self._inquiry(n).yes_no for n in range(len(self._pages)) if len(self.page(n))), 0.0)

    def find_answered(self, rng: Random, question: Question, value: str) -> tuple[Item, Question] | None:
        """Another picture of which the same is asked, and whose right answer is the value."""
        if (found := self._inquiry(question.row).another(rng, question, value)) is None:
            return None
        at, posed = found
        item = self._item(question.row, at)
        if posed is None:
            posed = next(
                (q for q in self.questions_about(item) if q.ask == question.ask and q.answer == value), None
            )
        return None if posed is None else (item, posed)

    def counterpart_of(self, question: Question) -> None:
        return None

    def _inquiry(self, number: int) -> Inquiry:
        if number not in self._inquiries:
            page = self.page(number)
            self._inquiries[number] = Inquiry(number, page, self.one_each, self._alike)
        return self._inquiries[number]

    def _alike(self, one: str, other: str) -> bool:
        """Whether two concepts share a word by which they are called, or one contains the other."""
        return bool(self._called(one) & self._called(other)) or (
            self._kin is not None and self._kin(one, other)
        )

    # Level 3 --------------------------------------------------------------------------------------------------

    def draw_target(self, rng: Random) -> tuple[Item, Concept]:
        page, at = self._pick(rng)
        return self._item(page, at), self._named(rng, page, at)

    def draw_without(self, rng: Random, concept: Concept, together: list[Item]) -> Item:
        return self._draw(rng, [concept], together)

    def draw_with(self, rng: Random, concept: Concept, together: list[Item]) -> Item:
        groups = self.page(concept.page).by_concept
        return self._new(rng, concept.page, groups, concept.number, together)

    def _new(self, rng: Random, page: int, groups: Groups, group: int, together: list[Item]) -> Item:
        """A picture of a group that isn't there yet."""
        taken = {item.key for item in together}
        for _ in range(8 if groups.size(group) > 1 else 0):
            at = groups.pick(rng, group)
            if f"{page}:{at}" in taken:
                continue
            item = self._item(page, at)
            if not _repeats(item, together):
                return item
        raise NoPair("no other picture of the same concept")

    @property
    def attribute_swaps(self) -> Literal["none", "caption"]:
        """Whether captions tell attributes that can be exchanged."""
        return "caption" if self._swaps.share > 0.1 else "none"

    @cached_property
    def _swaps(self) -> Swaps:
        page = self.page(0)
        return Swaps(
            caption for at in range(len(page)) for caption in page.captions[at].split("\n") if caption
        )

    def swap_attribute(self, rng: Random, item: Item, concept: str) -> Item:
        """The item with one attribute told wrongly in one of its captions; its picture stays."""
        captions = item.labels.get("captions") or []
        text = self._swaps.swap(rng, rng.choice(captions), str(concept)) if captions else None
        if text is None:
            raise NoPair("no attribute in a caption")
        return Item(
            f"{item.key} swapped", {**item.labels, "captions": [text]}, item.reference, data=item.data
        )

    @cached_property
    def captions_say_more(self) -> bool:
        """Whether most captions say more than the concept that a prompt would name."""
        sample = self._sample()
        return sum(map(wording.says_more, sample)) > len(sample) / 2

    @cached_property
    def same_concept_share(self) -> float:
        """The share of pictures that show what another one shows as well: only for these is there a same-concept mistake."""
        page = next((page for n in range(len(self._pages)) if len(page := self.page(n))), None)
        places = range(0, len(page), max(1, len(page) // SAMPLE)) if page else ()
        shared = [any(page.by_concept.size(n) > 1 for n in page.of_picture[at]) for at in places]
        return sum(shared) / max(1, len(shared))

    def _sample(self) -> list[tuple[list[str], list[str]]]:
        """(captions, concepts) of some pictures of the first page, evenly spread."""
        page = self.page(0)
        places = islice(range(0, len(page), max(1, len(page) // SAMPLE)), SAMPLE)
        return [(page.captions[at].splitlines(), list(page.counts_of(at))) for at in places]

    def caption_of(self, rng: Random, item: Item) -> str:
        """One of the picture's captions, where most captions say more than a prompt would name one that does."""
        if captions := item.labels.get("captions"):
            if self.captions_say_more:
                captions = [one for one in captions if wording.says_more_than(item.labels["concepts"], one)]
            if not captions:
                raise NoPair("a caption that says no more than what is searched for")
            return rng.choice(captions)
        return nouns.sentence(rng.choice(wording.PLAIN).format(nouns.indefinite(item.labels["concepts"][0])))

    def caption_fits(self, caption: str, item: Item) -> bool:
        """Whether a caption may be true of a picture, by the meaning of the picture's own captions."""
        others = item.labels.get("captions") or map(nouns.indefinite, item.labels["concepts"])
        return caption_fit.may_fit(caption, others)

    def claim_about(self, item: Item) -> str:
        if captions := item.labels.get("captions"):
            return captions[0]
        return f"a photo of {nouns.indefinite(item.labels['concepts'][0])}"

    def claim_of_concept(self, concept: str) -> str:
        return f"a photo of {concept}"

    def generic_caption(self, rng: Random, item: Item) -> str:
        return rng.choice(wording.GENERIC)

    # Comparisons ----------------------------------------------------------------------------------------------

    @cached_property
    def count_share(self) -> float:
        """The share of traits that are numbers of things: all where things were counted, else none."""
        return float(
            any(self.page(number).counted for number in range(len(self._pages)) if self._seen(number))
        )

    def _seen(self, number: int) -> bool:
        """Whether a page is the first that has pictures, which shows what the source is like."""
        return all(not len(self.page(before)) for before in range(number))

    def draw_trait(self, rng: Random) -> Trait:
        """The number of some things where they were counted, else the kind of object where each picture shows one."""
        page = rng.choices(range(len(self._weights)), self._weights)[0]
        found = self.page(page)
        many = len(found.concepts)
        for _ in range(REDRAWS if found.counted else 0):
            number = rng.randrange(many)
            counts = tuple(c for c in range(1, MANY) if found.by_count.size(number * MANY + c) > 1)
            if len(counts) > 1:
                return _number_of(found.concepts[number], counts, page, number)
        if self.one_each and many and not found.sorted:
            raise SourceError(
                f"source {self.spec!r}: captions don't sort pictures into kinds that can be compared (put each kind into a "
                "folder, for classes:PATH)"
            )
        values: list[str] = []
        for _ in range(REDRAWS if self.one_each and many else 0):
            number = rng.randrange(many)
            name = found.concepts[number]
            new = not any(self._alike(name, other) for other in values)
            if len(values) < 8 and new and found.by_concept.size(number) > 1:
                values.append(name)
        if len(values) < 2:
            raise NoPair("nothing in which pictures can be compared")
        return Trait("kind of object", tuple(values), nouns.indefinite, page=page)

    def draw_showing(self, rng: Random, trait: Trait, value: Any, together: list[Item]) -> Item:
        page = self.page(trait.page)
        if trait.number < 0:
            return self._new(rng, trait.page, page.by_concept, page.concepts.index(value), together)
        return self._new(rng, trait.page, page.by_count, trait.number * MANY + value, together)


def _number_of(thing: str, counts: tuple[int, ...], page: int, number: int) -> Trait:
    """The number of a thing in a picture, as a trait that takes these counts."""
    things = nouns.plural(thing)

    def phrase(n: int) -> str:
        return nouns.indefinite(thing) if n == 1 else f"{n} {things}"

    return Trait(f"number of {things}", counts, phrase, things, page=page, number=number)


def _repeats(item: Item, together: list[Item]) -> bool:
    """Whether a picture is the same as another one, byte for byte or nearly."""
    return any(item.print == other.print or near(item.look, other.look) for other in together)


def _place(item: Item) -> tuple[int, int]:
    page, at = item.key.split(":")
    return int(page), int(at)
