"""What of a source can't be used, and why: entries that a reader refused, and pictures that turned out to be damaged when
they were first drawn."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

from s2h.sources import symlinks
from s2h.sources.items import NoPair
from s2h.sources.near_duplicates import perceptual_hash_of

DAMAGED = 1  # in place of a picture's content hash


class Exclusions(Mapping[str, int]):
    """Reason -> count. listed: what the reader refused when it opened the source. parts: what it refused in parts that were
    read later. damaged: the pictures that can't be opened, by part and number."""

    def __init__(self, listed: Counter[str] | None = None) -> None:
        self.listed: Counter[str] = Counter() if listed is None else listed
        self.parts: dict[int, Counter[str]] = {}
        self.damaged: dict[tuple[int, int], str] = {}
        # Part -> of each picture 0 (not seen yet), DAMAGED or the content hash; and the perceptual hash.
        self._content: dict[int, array] = {}
        self._perceptual: dict[int, array] = {}

    def check(
        self, part: int, at: int, count: int, picture: Callable[[], str | bytes], perceptual: bool = False
    ) -> int:
        """Open picture `at` of a part of `count` pictures, unless it was opened before, and return its content hash.

        picture: returns the name of its file, or its bytes. perceptual: whether to keep its perceptual hash too, for
        `perceptual_hash`. Raises NoPair where the picture can't be opened.
        """
        if part not in self._content:
            self._content[part] = array("Q", bytes(8 * count))
            self._perceptual[part] = array("Q", bytes(8 * count if perceptual else 0))
        content = self._content[part]
        if not content[at]:
            from s2h.images.decoding import ImageError, read_bytes, reduced

            try:
                data = picture()
                if isinstance(data, str):
                    if symlinks.refused(data):  # for readers that don't look
                        raise ImageError(symlinks.REFUSED)
                    data = read_bytes(data)
                image = reduced(data)  # decoded to the end: a header says too little
                if perceptual:
                    self._perceptual[part][at] = perceptual_hash_of(image)
                found = int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
                content[at] = found if found > DAMAGED else found + 1 + DAMAGED
            except ImageError as error:
                content[at] = DAMAGED
                self.damaged[part, at] = error.reason
        if content[at] == DAMAGED:
            raise NoPair("a picture that can't be opened")
        return content[at]

    def perceptual_hash(self, part: int, at: int) -> int:
        """Return the perceptual hash of a picture that was checked with `perceptual`."""
        return self._perceptual[part][at]

    def summary(self, nothing: str) -> str:
        """Return all reasons with their counts in one line; `nothing` where there are none."""
        return "; ".join(f"{count} {reason}" for reason, count in self.items()) or nothing

    def hand_over(self) -> tuple[dict[int, Counter[str]], dict[tuple[int, int], str]]:
        """Return what was found since the last call, for `learn` in another process."""
        taken = self.parts, self.damaged
        self.parts, self.damaged = {}, {}
        return taken

    def learn(self, parts: dict[int, Counter[str]], damaged: dict[tuple[int, int], str]) -> None:
        """Take over what another process found in the same source."""
        self.parts.update(parts)
        self.damaged.update(damaged)

    def _counts(self) -> Counter[str]:
        return sum(self.parts.values(), self.listed.copy()) + Counter(self.damaged.values())

    def __getitem__(self, reason: str) -> int:
        return self._counts()[reason]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts())

    def __len__(self) -> int:
        return len(self._counts())
