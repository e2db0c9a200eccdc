"""Long lists that need little memory. `Texts` holds strings with an overhead of 8 bytes each (a list of Python strings: 60).
`Groups` holds the members of numbered groups in 4 bytes each."""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Iterable
from random import Random

from s2h.seeds import below

SPILL = 32 << 20  # bytes; longer lists go to a temporary file, which the system can drop from memory


class Texts:
    """Strings by number. Append them all, then call `seal`."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._added = bytearray()
        self._data: bytearray | mmap.mmap = self._added
        self._ends = array("Q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        self._added += text.encode("utf-8", "surrogateescape")
        self._ends.append(len(self._data))

    def seal(self) -> Texts:
        """Finish the list, and move a long one to an unnamed temporary file."""
        if len(self._data) > SPILL:
            with tempfile.TemporaryFile() as file:
                file.write(self._added)
                file.flush()
                self._data, self._added = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), bytearray()
        return self

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, at: int) -> str:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return self._data[self._ends[at] : self._ends[at + 1]].decode("utf-8", "surrogateescape")


class Groups:
    """Lists of numbers by the number of their group: which pictures show a concept, which rows ask a question."""

    def __init__(self, count: int, entries: Iterable[tuple[int, int]]) -> None:
        """Build the groups. count: of groups. entries: (group, number); the numbers of a group keep their order."""
        import numpy as np

        pairs = np.fromiter(entries, dtype=np.dtype((np.uint32, 2))).reshape(-1, 2)
        order = np.argsort(pairs[:, 0], kind="stable")
        self._numbers = array("I", pairs[order, 1].tobytes())
        sizes = np.bincount(pairs[:, 0], minlength=count)
        self._ends = array("Q", np.concatenate(([0], np.cumsum(sizes))).astype(np.uint64).tobytes())

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, group: int) -> array:
        start, stop = self.span(group)
        return self._numbers[start:stop]

    def span(self, group: int) -> tuple[int, int]:
        """Return the start and stop of a group in the list of all entries, which is sorted by group."""
        return self._ends[group], self._ends[group + 1]

    def size(self, group: int) -> int:
        start, stop = self.span(group)
        return stop - start

    def pick(self, rng: Random, group: int) -> int:
        """Draw one of the numbers of a group."""
        start, stop = self._ends[group], self._ends[group + 1]
        return self._numbers[start + below(rng, stop - start)]
