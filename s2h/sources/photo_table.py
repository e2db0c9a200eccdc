"""The table of one part of a photo set: pictures with their captions and concepts, and the pictures of each concept. It is
packed, so that a picture needs 100 to 200 bytes."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from s2h.language import nouns, word_forms
from s2h.language.caption_fit import things_in
from s2h.language.unmentioned_things import CROWDED
from s2h.sources.packed_lists import Groups, Texts

MOST_COUNTED = 5  # largest count that questions and answers use
MANY = MOST_COUNTED + 1


@lru_cache(maxsize=1 << 16)
def _tells(word: str) -> bool:
    """Tell whether a word may be a noun, or says that there are people. A word that is not in the tables may be a noun."""
    shares = word_forms.shares(word)
    return "n" in shares or word in CROWDED or (not shares and len(word) > 3 and not word.isdigit())


@dataclass(frozen=True)
class Naming:
    """The names of a set's concepts.

    words: concept -> the words of its other names. contains: `contains(one, other)` tells whether one of two concepts
    contains the other. one_each: whether the first concept of a picture is its subject, and not one of several objects."""

    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    contains: Callable[[str, str], bool] | None = None
    one_each: bool = True

    def called(self, concept: str) -> frozenset[str]:
        return nouns.words_of(concept) | self.words.get(concept, frozenset())

    def alike(self, one: str, other: str) -> bool:
        """Tell whether two concepts share a word by which they are called, or one contains the other."""
        return bool(self.called(one) & self.called(other)) or (
            self.contains is not None and self.contains(one, other)
        )


class PhotoTable:
    """One part of a photo set. Fill it with `add`, then call `seal`.

    prefix: beginning of all picture names. of_picture: the concepts of each picture. by_concept: the pictures of each
    concept. is_shared: for each concept, whether several pictures show it. by_count: the pictures of each concept and count,
    as group concept * MANY + count. counts: one for each entry of of_picture; 0 means not counted, MANY more than
    MOST_COUNTED. boxes: area, left and right for each entry of of_picture, zeros unless the picture shows exactly one.
    is_sorted: whether all pictures were sorted into classes or annotated, not only captioned."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.names, self.captions, self.notes = Texts(), Texts(), Texts()
        self.is_sorted = True
        self.concepts: list[str] = []
        self.counts = array("B")
        self.boxes: array | None = None
        self._numbers: dict[str, int] = {}
        self._pictures, self._shown = array("I"), array("I")
        # For each picture that `things` was called for: the number of things, then the things.
        self._mentioned = array("I")
        self._things: list[str] = []
        self._thing_numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self,
        name: str,
        captions: Iterable[str] = (),
        concepts: Mapping[str, int] | Iterable[str] = (),
        in_class: bool = True,
        notes: Iterable[str] = (),
    ) -> None:
        """Add a picture.

        name: with the prefix a path below the root of the set, or a tar reference. concepts: what it shows, with counts
        where they are known. in_class: whether it was sorted into a class and not only named in a caption, where a husky
        may be called a dog. notes: captions that are never shown but tell what else the picture may show."""
        self.is_sorted = self.is_sorted and in_class
        self.notes.append("\n".join(notes))
        counted = concepts if isinstance(concepts, Mapping) else dict.fromkeys(concepts, 0)
        for concept, count in counted.items():
            if concept not in self._numbers:
                self._numbers[concept] = len(self.concepts)
                self.concepts.append(concept)
            self._pictures.append(len(self.names))
            self._shown.append(self._numbers[concept])
            self.counts.append(min(count, MANY))
        self.names.append(name)
        self.captions.append("\n".join(captions))

    def seal(self) -> PhotoTable:
        """Finish the table: build the lists of what each picture shows and where each concept is shown."""
        pictures, shown = self._pictures, self._shown
        self.names.seal()
        self.captions.seal()
        self.notes.seal()
        self.of_picture = Groups(len(self.names), zip(pictures, shown, strict=True))
        self.by_concept = Groups(len(self.concepts), zip(shown, pictures, strict=True))
        self.is_shared = bytes(self.by_concept.size(number) > 1 for number in range(len(self.concepts)))
        entries = zip(pictures, shown, self.counts, strict=True)
        counted = ((number * MANY + count, at) for at, number, count in entries if 0 < count < MANY)
        self.has_counts = any(self.counts)
        self.by_count = Groups(len(self.concepts) * MANY, counted if self.has_counts else ())
        del self._numbers, self._pictures, self._shown
        # For each picture 1 + the start of its things in _mentioned, 0 if `things` was not called for it yet.
        self._places = array("Q", bytes(8 * len(self.names)))
        return self

    def things(self, at: int) -> list[str]:
        """Return the names of all things that a picture may show: its concepts, and the things that its captions, its notes
        and its file name mention. They are found at the first call and stored in 4 bytes each."""
        place = self._places[at]
        if not place:
            found = self._search(at)
            self._places[at] = place = len(self._mentioned) + 1
            self._mentioned.append(len(found))
            self._mentioned.extend(map(self._number_of, found))
        stop = place + self._mentioned[place - 1]
        return [*map(self._things.__getitem__, self._mentioned[place:stop])]

    def mentioned(self, at: int) -> list[str]:
        """Return the visible things that the captions and the notes of a picture mention, in the singular."""
        texts = (*self.captions[at].split("\n"), *self.notes[at].split("\n"))
        return sorted({thing for text in texts if text for thing in things_in(text)})

    def _search(self, at: int) -> dict[str, None]:
        concepts = [self.concepts[number] for number in self.of_picture[at]]
        texts = [*self.captions[at].split("\n"), *self.notes[at].split("\n")]
        if texts[0]:
            texts.append(nouns.name_of_class(os.path.splitext(os.path.basename(self.names[at]))[0]))
        things = (thing for text in texts for thing in sorted(things_in(text)))
        # Every word that can be a noun counts, whatever its use in the text: when in doubt, a distractor is refused.
        words = (word for text in texts for word in sorted(nouns.words_of(text)) if _tells(word))
        return dict.fromkeys((*concepts, *things, *words))

    def _number_of(self, thing: str) -> int:
        number = self._thing_numbers.setdefault(thing, len(self._things))
        if number == len(self._things):
            self._things.append(thing)
        return number

    def counts_of(self, at: int) -> dict[str, int]:
        """Return the concepts of a picture, each with its count, 0 if it was not counted."""
        start, stop = self.of_picture.span(at)
        names = (self.concepts[number] for number in self.of_picture[at])
        return dict(zip(names, self.counts[start:stop], strict=True))

    def copy(self, at: int, other: PhotoTable, captions: Iterable[str]) -> None:
        """Add a picture to another table with new captions. Its old captions become notes."""
        counts = self.counts_of(at)
        concepts = counts if any(counts.values()) else list(counts)
        notes = filter(None, (*self.captions[at].split("\n"), *self.notes[at].split("\n")))
        other.add(self.names[at], captions, concepts, self.is_sorted, notes)
