"""What of a source could not be used, and why: when its lists were read, and when a picture was first to be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from s2h.sources import NoPair

GOOD, BAD = 1, 2


class Unused(Mapping):
    """Reason -> count. `pages` are the findings of parts that were read later, `bad` the pictures that can't be opened."""

    def __init__(self, listed: Counter | None = None) -> None:
        self.listed = Counter() if listed is None else listed
        self.pages: dict[int, Counter] = {}
        self.bad: dict[tuple[int, int], str] = {}
        self._looked: dict[int, bytearray] = {}  # part -> of each picture 0 (not yet), GOOD or BAD

    def check(self, page: int, at: int, count: int, picture: Callable[[], str | bytes]) -> None:
        """Look at picture `at` of the `count` of a part; each is opened once. Raises NoPair where it can't be."""
        if page not in self._looked:
            self._looked[page] = bytearray(count)
        looked = self._looked[page]
        if not looked[at]:
            from s2h.images import ImageError, glance

            try:
                glance(picture())
                looked[at] = GOOD
            except ImageError as error:
                looked[at] = BAD
                self.bad[page, at] = error.reason
        if looked[at] == BAD:
            raise NoPair("a picture that can't be opened")

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
