"""A page of an album: some pictures by number, what each shows, and where each concept is shown, packed: some 100 to 200
bytes a picture."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from s2h.sources.packed import Groups, Texts

MOST_COUNTED = 5  # larger numbers of things are neither asked about nor told
MANY = MOST_COUNTED + 1


class Page:
    """Some of an album's pictures. Fill it with `add`, then `seal`. prefix: what all their names begin with."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.names, self.captions = Texts(), Texts()
        self.sorted = True
        self.concepts: list[str] = []  # what pictures of this page may show
        self.counts = array(
            "B"
        )  # in the order of of_picture's entries; 0: not counted, beyond MOST_COUNTED: many
        self.boxes: array | None = None  # in the same order, three each: area, left and right; 0: not one alone
        self._numbers: dict[str, int] = {}
        self._pictures, self._shown = array("I"), array("I")

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self,
        name: str,
        captions: Iterable[str] = (),
        concepts: dict[str, int] | Iterable[str] = (),
        sorted: bool = True,
    ) -> None:
        """A picture: its name (with the prefix a path below the album's root, or a tar reference), its captions, and the
        concepts that it shows, with their counts where they were counted. sorted: whether it was put into a class, and not
        only named in a caption, where a husky may be called a dog."""
        self.sorted = self.sorted and sorted
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
        self.of_picture = Groups(len(self.names), zip(*shown, strict=True))
        self.by_concept = Groups(len(self.concepts), zip(*reversed(shown), strict=True))
        counted = ((n * MANY + c, p) for p, n, c in zip(*shown, self.counts, strict=True) if 0 < c < MANY)
        self.by_count = Groups(len(self.concepts) * MANY, counted if any(self.counts) else ())
        del self._numbers, self._pictures, self._shown
        return self

    def counts_of(self, at: int) -> dict[str, int]:
        """What a picture shows, and how often where that was counted."""
        start, stop = self.of_picture.span(at)
        names = (self.concepts[number] for number in self.of_picture[at])
        return dict(zip(names, self.counts[start:stop], strict=True))
