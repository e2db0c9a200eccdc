"""What could not be used of a source, and why: found when its lists were read, and when a picture was first drawn."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

from s2h.sources import NoPair, links
from s2h.sources.likeness import look_at

BAD = 1


class Unused(Mapping):
    """Reason -> count. `pages` are the findings of parts that were read later, `bad` the pictures that can't be opened."""

    def __init__(self, listed: Counter | None = None) -> None:
        self.listed = Counter() if listed is None else listed
        self.pages: dict[int, Counter] = {}
        self.bad: dict[tuple[int, int], str] = {}
        # Part -> of each picture 0 (not seen yet), BAD, or the hash of its bytes; and its perceptual hash.
        self._prints: dict[int, array] = {}
        self._looks: dict[int, array] = {}

    def check(
        self, page: int, at: int, count: int, picture: Callable[[], str | bytes], looks: bool = False
    ) -> int:
        """Open picture `at` of the `count` of a part, a file's name or its bytes; each is opened once. Returns a hash of its
        bytes, by which a copy under another name is known. looks: whether its perceptual hash is kept too, for `look`.
        Raises NoPair where it can't be opened."""
        if page not in self._prints:
            self._prints[page] = array("Q", bytes(8 * count))
            self._looks[page] = array("Q", bytes(8 * count if looks else 0))
        prints = self._prints[page]
        if not prints[at]:
            from s2h.images.decoding import ImageError, read_bytes, reduced

            try:
                data = picture()
                if isinstance(data, str):
                    if links.refused(data):  # a reader that didn't look
                        raise ImageError(links.REFUSED)
                    data = read_bytes(data)
                image = reduced(data)  # decoded once and to its end: a header says too little
                if looks:
                    self._looks[page][at] = look_at(image)
                found = int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
                prints[at] = found if found > BAD else found + 1 + BAD
            except ImageError as error:
                prints[at] = BAD
                self.bad[page, at] = error.reason
        if prints[at] == BAD:
            raise NoPair("a picture that can't be opened")
        return prints[at]

    def look(self, page: int, at: int) -> int:
        """The perceptual hash of a picture that was checked with `looks`."""
        return self._looks[page][at]

    def why(self, nothing: str) -> str:
        """All of it in words; `nothing` where there is none."""
        return "; ".join(f"{count} {reason}" for reason, count in self.items()) or nothing

    def hand_over(self) -> tuple[dict[int, Counter], dict[tuple[int, int], str]]:
        """What was found since the last time, for another process's `learn`."""
        taken = self.pages, self.bad
        self.pages, self.bad = {}, {}
        return taken

    def learn(self, pages: dict[int, Counter], bad: dict[tuple[int, int], str]) -> None:
        """Take over what another process found in the same source."""
        self.pages.update(pages)
        self.bad.update(bad)

    def _counts(self) -> Counter:
        return sum(self.pages.values(), self.listed.copy()) + Counter(self.bad.values())

    def __getitem__(self, reason: str) -> int:
        return self._counts()[reason]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts())

    def __len__(self) -> int:
        return len(self._counts())
