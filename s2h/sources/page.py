"""A page of an album: some pictures by number, what each shows, and where each concept is shown, packed: some 100 to 200
bytes a picture."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from functools import lru_cache

from s2h.language import nouns, word_forms
from s2h.language.caption_fit import things_in
from s2h.sources.packed import Groups, Texts

MOST_COUNTED = 5  # larger numbers of things are neither asked about nor told
MANY = MOST_COUNTED + 1


@lru_cache(maxsize=1 << 16)
def _names_something(word: str) -> bool:
    """Whether a word may be a noun, also one that the tables don't know."""
    shares = word_forms.shares(word)
    return "n" in shares or (not shares and len(word) > 3 and not word.isdigit())


class Page:
    """Some of an album's pictures. Fill it with `add`, then `seal`. prefix: what all their names begin with."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.names, self.captions, self.notes = Texts(), Texts(), Texts()
        self.sorted = True
        self.concepts: list[str] = []  # what pictures of this page may show
        self.counts = array(
            "B"
        )  # in the order of of_picture's entries; 0: not counted, beyond MOST_COUNTED: many
        self.boxes: array | None = (
            None  # in the same order, three each: area, left and right; 0: not one alone
        )
        self._numbers: dict[str, int] = {}
        self._pictures, self._shown = array("I"), array("I")
        # Of pictures that were looked at, the number of things and the things by number, one picture after the other.
        self._mentioned = array("I")
        self._things: list[str] = []
        self._thing_numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self,
        name: str,
        captions: Iterable[str] = (),
        concepts: dict[str, int] | Iterable[str] = (),
        sorted: bool = True,
        notes: Iterable[str] = (),
    ) -> None:
        """A picture: its name (with the prefix a path below the album's root, or a tar reference), its captions, and the
        concepts that it shows, with their counts where they were counted. sorted: whether it was put into a class, and not
        only named in a caption, where a husky may be called a dog. notes: other captions, which are not shown and tell what
        the picture may show."""
        self.sorted = self.sorted and sorted
        self.notes.append("\n".join(notes))
        counted = concepts if isinstance(concepts, dict) else dict.fromkeys(concepts, 0)
        for concept, count in counted.items():
            if concept not in self._numbers:
                self._numbers[concept] = len(self.concepts)
                self.concepts.append(concept)
            self._pictures.append(len(self.names))
            self._shown.append(self._numbers[concept])
            self.counts.append(min(count, MOST_COUNTED + 1))
        self.names.append(name)
        self.captions.append("\n".join(captions))

    def seal(self) -> Page:
        """Nothing more is added: build the lists of what each picture shows and where each concept is shown."""
        shown = self._pictures, self._shown
        self.names.seal()
        self.captions.seal()
        self.notes.seal()
        self.of_picture = Groups(len(self.names), zip(*shown, strict=True))
        self.by_concept = Groups(len(self.concepts), zip(*reversed(shown), strict=True))
        counted = ((n * MANY + c, p) for p, n, c in zip(*shown, self.counts, strict=True) if 0 < c < MANY)
        self.counted = any(self.counts)
        self.by_count = Groups(len(self.concepts) * MANY, counted if self.counted else ())
        del self._numbers, self._pictures, self._shown
        self._places = array(
            "Q", bytes(8 * len(self.names))
        )  # 1 + where a picture begins in _mentioned, or 0
        return self

    def things(self, at: int) -> list[str]:
        """Names of all that a picture may show: its concepts, and what its captions, its notes and, beside captions, its
        file's name mention. They are looked for when they are first wanted, and kept in 8 bytes and 4 for each."""
        place = self._places[at]
        if not place:
            found = self._look_for(at)
            self._places[at] = place = len(self._mentioned) + 1
            self._mentioned.append(len(found))
            self._mentioned.extend(map(self._number_of, found))
        stop = place + self._mentioned[place - 1]
        return [self._things[number] for number in self._mentioned[place:stop]]

    def _look_for(self, at: int) -> dict[str, None]:
        concepts = [self.concepts[number] for number in self.of_picture[at]]
        texts = [*self.captions[at].split("\n"), *self.notes[at].split("\n")]
        if texts[0]:
            texts.append(nouns.name_of_class(os.path.splitext(os.path.basename(self.names[at]))[0]))
        things = (thing for text in texts for thing in sorted(things_in(text)))
        # Every word that can be a noun counts, however it is used: a distractor is refused in case of doubt.
        words = (word for text in texts for word in sorted(nouns.words_of(text)) if _names_something(word))
        return dict.fromkeys((*concepts, *things, *words))

    def _number_of(self, thing: str) -> int:
        number = self._thing_numbers.setdefault(thing, len(self._things))
        if number == len(self._things):
            self._things.append(thing)
        return number

    def counts_of(self, at: int) -> dict[str, int]:
        """What a picture shows, and how often where that was counted."""
        start, stop = self.of_picture.span(at)
        names = (self.concepts[number] for number in self.of_picture[at])
        return dict(zip(names, self.counts[start:stop], strict=True))

    def copy(self, at: int, other: Page, captions: Iterable[str]) -> None:
        """Add a picture to another page under other captions; its own become notes."""
        counts = self.counts_of(at)
        told = counts if any(counts.values()) else list(counts)
        notes = filter(None, (*self.captions[at].split("\n"), *self.notes[at].split("\n")))
        other.add(self.names[at], captions, told, self.sorted, notes)
