"""Photo sets: pictures on disk with captions, classes or counts, for levels 1 and 3 and for comparisons.

A photo set is a list of parts. Each is a `PhotoTable`, which is read when one of its pictures is first drawn, so that a
source of a million pictures starts in seconds. A reader (captions.py, classes.py, coco.py, ...) lists the parts and fills
their tables; this module draws from them. A picture that can't be opened is counted when it is first drawn, and never shown.
shapes.py documents the methods of a `PhotoSet` and a `QuestionSet`."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, islice
from random import Random
from typing import Any, Literal

from s2h.errors import NoPair
from s2h.images import references
from s2h.language import caption_fit, nouns
from s2h.language.attribute_swaps import Swaps
from s2h.seeds import below
from s2h.sources import caption_wording as wording
from s2h.sources.exclusions import Exclusions
from s2h.sources.items import Concept, Item, Question, SourceError, Trait
from s2h.sources.near_duplicates import repeats
from s2h.sources.packed_lists import Groups
from s2h.sources.photo_questions import PhotoQuestions
from s2h.sources.photo_table import MANY, Naming, PhotoTable
from s2h.sources.shapes import Dataset

REDRAWS, SAME_REDRAWS = 60, 8  # in general, and for another picture of the same concept or count
KEPT = 1 << 13  # pictures whose labels are cached unpacked, 1 to 2 kB each
NO_CAPTIONS = "; write a caption in UTF-8 into a.txt beside a.jpg, or file_name and text into metadata.jsonl"
SAMPLE = 400  # pictures in the sample that measures properties of a source's captions
MOST_KINDS = 8  # in a comparison of kinds of object

Reader = Callable[[Counter[str]], PhotoTable]  # reads a part, and counts what it can't use


class Photos(Dataset):
    """A photo set of parts.

    parts: (weight, reader) of each; the weight is proportional to its number of pictures, at least roughly. excluded:
    counts of what the reader could not use. naming: other names of the concepts. read: returns the bytes of a picture by
    its name, for pictures that are no files. captioner: the model that wrote the captions."""

    balance_kinds = distractors_differ = True
    has_counterparts, shared_questions = False, None

    def __init__(
        self,
        spec: str,
        root: str,
        parts: Sequence[tuple[int, Reader]],
        excluded: Counter[str] | None = None,
        *,
        naming: Naming | None = None,
        read: Callable[[str], bytes] | None = None,
        captioner: str = "",
    ) -> None:
        self.spec, self.root, self.excluded = spec, root, Exclusions(excluded)
        self.photos = self.questions = self
        self.naming, self._read, self.captioner = naming or Naming(), read, captioner
        self._weights = [weight for weight, _ in parts]
        self._ends = list(accumulate(self._weights))
        self._readers = dict(enumerate(reader for _, reader in parts))
        self._tables: dict[int, PhotoTable] = {}
        self._item = lru_cache(maxsize=KEPT)(self._make_item)
        self._concept = lru_cache(maxsize=KEPT)(self._make_concept)
        self._is_called = lru_cache(maxsize=KEPT)(self._find_called)
        self._shown = lru_cache(maxsize=KEPT)(self._find_shown)
        self._questions: dict[int, PhotoQuestions] = {}
        if len(parts) == 1 and len(self.table(0)) < 2:
            why = self.excluded.summary("no pictures; give the folder that holds the picture files")
            more = NO_CAPTIONS if "caption" in why else ""
            raise SourceError(f"source {spec!r}: fewer than two pictures can be used ({why}{more})")

    # Parts ----------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        self._first()
        pictures = sum(map(len, self._tables.values()))
        weight = sum(self._weights[part] for part in self._tables)
        return pictures + round(pictures / weight * (self._ends[-1] - weight))

    @property
    def size_is_final(self) -> bool:
        return len(self._tables) == len(self._weights)

    def table(self, part: int) -> PhotoTable:
        """Return the table of a part. It is read the first time."""
        found = self._tables.get(part)
        if found is None:
            counter = self.excluded.parts[part] = Counter()
            # Drop the reader, which may hold the rows in memory.
            found = self._tables[part] = self._readers.pop(part)(counter)
        return found

    def _first(self) -> int | None:
        """Return the first part that has pictures, from which properties of the source are measured; None if there is
        none."""
        return next((part for part in range(len(self._weights)) if len(self.table(part))), None)

    def pictures(self) -> Iterator[tuple[tuple[int, int], Item]]:
        """Yield ((part, number in it), item) for every picture that can be opened."""
        for part in range(len(self._weights)):
            for at in range(len(self.table(part))):
                with contextlib.suppress(NoPair):  # counted in `excluded`
                    yield (part, at), self._item(part, at)

    def recaptioned(self, tables: Sequence[PhotoTable], excluded: Counter[str], captioner: str) -> Photos:
        """Return the same set with other tables, whose captions the model `captioner` has written."""

        def reader(table: PhotoTable) -> Reader:
            return lambda _: table

        parts = [(len(table), reader(table)) for table in tables] or [(1, reader(PhotoTable().seal()))]
        return Photos(
            self.spec, self.root, parts, excluded, naming=self.naming, read=self._read, captioner=captioner
        )

    def _pick(self, rng: Random) -> tuple[int, int]:
        """Draw a picture: its part and its number in it."""
        part = bisect_right(self._ends, below(rng, self._ends[-1]))
        table = self._tables.get(part)
        count = len((self.table(part) if table is None else table).names)
        if not count:
            raise NoPair("a part of the source without usable pictures")
        return part, below(rng, count)

    def _make_item(self, part: int, at: int) -> Item:
        table, read = self.table(part), self._read
        name = table.prefix + table.names[at]
        look = read or self.reference_of
        content = self.excluded.check(part, at, len(table), lambda: look(name), perceptual=True)
        captions = table.captions[at].split("\n") if table.captions[at] else []
        labels: dict[str, Any] = {"kind": "photo", "file": name}
        if captions:
            labels["captions"] = captions
        counts = table.counts_of(at)
        labels["concepts"] = list(counts)
        if any(counts.values()):
            labels["counts"] = counts
        return Item(
            f"{part}:{at}",
            labels,
            "" if read is not None else self.reference_of(name),
            data=(lambda: read(name)) if read is not None else None,
            content_hash=content,
            perceptual_hash=self.excluded.perceptual_hash(part, at),
        )

    def reference_of(self, name: str) -> str:
        """Return the reference to a picture: its file below the root; in a set without a root the name itself, which the
        table's prefix has made a reference."""
        return references.of_file(os.path.join(self.root, name)) if self.root else name

    # What a picture shows -------------------------------------------------------------------------------------

    def _may_show(self, names: list[str], part: int, at: int) -> bool:
        """Tell whether a picture may show one of some concepts: whether one of its concepts, or a thing that its texts
        mention, may have the concept's name, or a broader or narrower one."""
        may_show = caption_fit.is_mentioned if self._tables[part].is_sorted else caption_fit.may_show
        things, listed = self._shown(part, at)
        for name in names:
            if may_show(name, things):
                return True
        return bool(listed) and any(self._is_called(other, name) for name in names for other in listed)

    def _find_shown(self, part: int, at: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the things that a picture may show, and those of its concepts that the set may call otherwise."""
        table, naming = self._tables[part], self.naming
        numbers = table.of_picture[at] if naming.words or naming.contains is not None else ()
        return tuple(table.things(at)), tuple(table.concepts[number] for number in numbers)

    def _find_called(self, concept: str, name: str) -> bool:
        """Tell whether a concept may have the name of another one, or contains it, by the set's other names."""
        naming = self.naming
        return nouns.head_of(name) in naming.called(concept) or (
            naming.contains is not None and naming.contains(name, concept)
        )

    def _draw_without(self, rng: Random, names: list[str], together: list[Item]) -> Item:
        """Draw a picture that shows none of the named concepts and is not in `together`."""
        taken = {item.key for item in together}
        for _ in range(REDRAWS):
            part, at = self._pick(rng)
            if f"{part}:{at}" in taken or self._may_show(names, part, at):
                continue
            item = self._item(part, at)
            if not repeats(item, together):
                return item
        raise NoPair("no distractor without the target's concept found")

    def _draw_of(self, rng: Random, part: int, groups: Groups, group: int, together: list[Item]) -> Item:
        """Draw a picture of a group that is not in `together`."""
        taken = {item.key for item in together}
        for _ in range(SAME_REDRAWS if groups.size(group) > 1 else 0):
            at = groups.pick(rng, group)
            if f"{part}:{at}" in taken:
                continue
            item = self._item(part, at)
            if not repeats(item, together):
                return item
        raise NoPair("no other picture of the same concept")

    def _concept_of(self, rng: Random, part: int, at: int) -> Concept:
        """Draw a concept of a picture, if possible one that other pictures show too."""
        table = self.table(part)
        numbers = table.of_picture[at]
        if not numbers:
            raise NoPair("a picture without a concept")
        shared = [number for number in numbers if table.is_shared[number]]
        return self._concept(part, rng.choice(shared or numbers))

    def _make_concept(self, part: int, number: int) -> Concept:
        return Concept(nouns.indefinite(self._tables[part].concepts[number]), part, number)

    # As a QuestionSet -----------------------------------------------------------------------------------------

    def draw_subject(self, rng: Random) -> Item:
        part, at = self._pick(rng)
        if not len(self.table(part).of_picture[at]):
            raise NoPair("a picture without a concept")
        return self._item(part, at)

    def draw_distractor(self, rng: Random, together: list[Item]) -> Item:
        part, at = _place(together[0])
        table = self.table(part)
        return self._draw_without(rng, [table.concepts[n] for n in table.of_picture[at]], together)

    def questions_about(self, item: Item) -> list[Question]:
        part, at = _place(item)
        return self._questions_of(part).questions(at, item)

    @property
    def yes_no_share(self) -> float:
        first = self._first()
        return 0.0 if first is None else self._questions_of(first).yes_no_share

    def find_answered(self, rng: Random, question: Question, answer: str) -> tuple[Item, Question] | None:
        part = question.place
        if (found := self._questions_of(part).find(rng, question, answer)) is None:
            return None
        at, other = found
        item = self._item(part, at)
        if other is None:
            same = (q for q in self.questions_about(item) if q.ask == question.ask and q.answer == answer)
            other = next(same, None)
        return None if other is None else (item, other)

    def counterpart_of(self, question: Question) -> None:
        return None

    def _questions_of(self, part: int) -> PhotoQuestions:
        if part not in self._questions:
            self._questions[part] = PhotoQuestions(
                part, self.table(part), self.naming, lambda name, at: self._may_show([name], part, at)
            )
        return self._questions[part]

    # As a PhotoSet --------------------------------------------------------------------------------------------

    @cached_property
    def exhaustive(self) -> bool:
        first = self._first()
        return first is not None and self.table(first).is_sorted

    def draw_target(self, rng: Random) -> tuple[Item, Concept]:
        part, at = self._pick(rng)
        return self._item(part, at), self._concept_of(rng, part, at)

    def draw_without(self, rng: Random, concept: Concept, together: list[Item]) -> Item:
        return self._draw_without(rng, [self._tables[concept.part].concepts[concept.number]], together)

    def draw_with(self, rng: Random, concept: Concept, together: list[Item]) -> Item:
        groups = self.table(concept.part).by_concept
        return self._draw_of(rng, concept.part, groups, concept.number, together)

    @property
    def attribute_swaps(self) -> Literal["none", "caption"]:
        return "caption" if self._swaps.share > 0.1 else "none"

    @cached_property
    def _swaps(self) -> Swaps:
        table = self.table(0)
        return Swaps(
            caption for at in range(len(table)) for caption in table.captions[at].split("\n") if caption
        )

    def swap_attribute(self, rng: Random, item: Item, concept: Concept) -> Item:
        captions = item.labels.get("captions") or []
        text = self._swaps.swap(rng, rng.choice(captions), str(concept)) if captions else None
        if text is None:
            raise NoPair("no attribute in a caption")
        labels = {**item.labels, "captions": [text]}
        return Item(f"{item.key} swapped", labels, item.reference, data=item.data)

    @cached_property
    def captions_say_more(self) -> bool:
        table = self.table(0)
        places = islice(range(0, len(table), max(1, len(table) // SAMPLE)), SAMPLE)
        sample = [
            wording.says_more(table.captions[at].splitlines(), list(table.counts_of(at))) for at in places
        ]
        return sum(sample) > len(sample) / 2

    @cached_property
    def same_concept_share(self) -> float:
        if (first := self._first()) is None:
            return 0.0
        table = self.table(first)
        places = range(0, len(table), max(1, len(table) // SAMPLE))
        shared = [any(table.is_shared[n] for n in table.of_picture[at]) for at in places]
        return sum(shared) / len(shared)

    def caption_of(self, rng: Random, item: Item) -> str:
        """Draw a caption. If most captions of the source say more than their concept, draw one that does."""
        if captions := item.labels.get("captions"):
            if self.captions_say_more:
                captions = [one for one in captions if wording.says_more_than(item.labels["concepts"], one)]
            if not captions:
                raise NoPair("a caption that says no more than what is searched for")
            return rng.choice(captions)
        return nouns.sentence(rng.choice(wording.PLAIN).format(nouns.indefinite(item.labels["concepts"][0])))

    def caption_fits(self, caption: str, item: Item) -> bool:
        others = item.labels.get("captions") or map(nouns.indefinite, item.labels["concepts"])
        return caption_fit.may_fit(caption, others)

    def claim_about(self, item: Item) -> str:
        if captions := item.labels.get("captions"):
            return captions[0]
        return f"a photo of {nouns.indefinite(item.labels['concepts'][0])}"

    def claim_of_concept(self, concept: Concept) -> str:
        return f"a photo of {concept}"

    def generic_caption(self, rng: Random, item: Item) -> str:
        return rng.choice(wording.GENERIC)

    # Comparisons ----------------------------------------------------------------------------------------------

    @cached_property
    def count_share(self) -> float:
        """1.0 if the first part with pictures has counts, since then all traits are counts; otherwise 0.0."""
        first = self._first()
        return float(first is not None and self.table(first).has_counts)

    def draw_trait(self, rng: Random) -> Trait:
        """Draw the number of a thing that was counted; in a set without counts return the kind of object."""
        part = rng.choices(range(len(self._weights)), self._weights)[0]
        table = self.table(part)
        many = len(table.concepts)
        for _ in range(REDRAWS if table.has_counts else 0):
            number = rng.randrange(many)
            counts = tuple(c for c in range(1, MANY) if table.by_count.size(number * MANY + c) > 1)
            if len(counts) > 1:
                return _number_of(table.concepts[number], counts, part, number)
        if self.naming.one_each and many and not table.is_sorted:
            raise SourceError(
                f"source {self.spec!r}: captions don't sort pictures into kinds that can be compared (put each kind into a "
                "folder, for classes:PATH)"
            )
        kinds: list[str] = []
        for _ in range(REDRAWS if self.naming.one_each and many else 0):
            number = rng.randrange(many)
            name = table.concepts[number]
            new = not any(self.naming.alike(name, other) for other in kinds)
            if len(kinds) < MOST_KINDS and new and table.is_shared[number]:
                kinds.append(name)
        if len(kinds) < 2:
            raise NoPair("nothing in which pictures can be compared")
        return Trait("kind of object", tuple(kinds), nouns.indefinite, part=part)

    def draw_showing(self, rng: Random, trait: Trait, value: Any, together: list[Item]) -> Item:
        table = self.table(trait.part)
        if trait.number < 0:
            return self._draw_of(rng, trait.part, table.by_concept, table.concepts.index(value), together)
        return self._draw_of(rng, trait.part, table.by_count, trait.number * MANY + value, together)


def _number_of(thing: str, counts: tuple[int, ...], part: int, number: int) -> Trait:
    """Return the number of a thing in a picture as a trait that takes these counts."""
    things = nouns.plural(thing)

    def phrase(n: int) -> str:
        return nouns.indefinite(thing) if n == 1 else f"{n} {things}"

    return Trait(f"number of {things}", counts, phrase, things, part=part, number=number)


def _place(item: Item) -> tuple[int, int]:
    """Return the part of a picture and its number in it."""
    part, at = item.key.split(":")
    return int(part), int(at)
