"""Many short texts in little memory: one run of bytes and where each text ends, 8 bytes a text over its own length where a
list of Python strings takes 60."""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Iterable
from random import Random

SPILL = (
    32 << 20
)  # bytes; beyond them the texts lie in a temporary file, which the system can drop from memory


class Texts:
    """Texts by number. Append them all, then `seal`."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._data: bytearray | mmap.mmap = bytearray()
        self._ends = array("Q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        self._data += text.encode("utf-8", "surrogateescape")
        self._ends.append(len(self._data))

    def seal(self) -> Texts:
        """No more texts come; many of them move to a temporary file without a name."""
        if len(self._data) > SPILL:
            with tempfile.TemporaryFile() as file:
                file.write(self._data)
                file.flush()
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, at: int) -> str:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return self._data[self._ends[at] : self._ends[at + 1]].decode("utf-8", "surrogateescape")


class Groups:
    """Lists of numbers by number: which pictures are of which group, 4 bytes an entry."""

    def __init__(self, count: int, entries: Iterable[tuple[int, int]]) -> None:
        """entries: (group, number); a group's numbers keep their order."""
        import numpy as np

        pairs = np.fromiter(entries, dtype=np.dtype((np.uint32, 2)))
        order = np.argsort(pairs[:, 0], kind="stable") if len(pairs) else []
        self._numbers = array("I", pairs[order, 1].tobytes() if len(pairs) else b"")
        sizes = np.bincount(pairs[:, 0], minlength=count) if len(pairs) else np.zeros(count, dtype=int)
        self._ends = array("Q", np.concatenate(([0], np.cumsum(sizes))).astype(np.uint64).tobytes())

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, group: int) -> array:
        start, stop = self.span(group)
        return self._numbers[start:stop]

    def span(self, group: int) -> tuple[int, int]:
        """Where a group's numbers lie in the order of all entries, which is that of the groups."""
        return self._ends[group], self._ends[group + 1]

    def size(self, group: int) -> int:
        start, stop = self.span(group)
        return stop - start

    def pick(self, rng: Random, group: int) -> int:
        """One of a group's numbers."""
        return self._numbers[rng.randrange(*self.span(group))]
