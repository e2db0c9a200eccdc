"""Count what can't be used in a source, by reason: entries that the reader refused, and pictures that were found damaged
when they were first drawn."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

from s2h.errors import NoPair
from s2h.sources import symlinks
from s2h.sources.near_duplicates import perceptual_hash_of

DAMAGED = 1  # in place of a picture's content hash


class Exclusions(Mapping[str, int]):
    """Reason -> count. listed: counts from opening the source. parts: counts from parts that were read later. damaged:
    (part, number) of each picture that can't be opened -> reason."""

    def __init__(self, listed: Counter[str] | None = None) -> None:
        self.listed: Counter[str] = Counter() if listed is None else listed
        self.parts: dict[int, Counter[str]] = {}
        self.damaged: dict[tuple[int, int], str] = {}
        # Part -> for each picture 0 (not checked yet), DAMAGED or its content hash; the same for the perceptual hash.
        self._content: dict[int, array] = {}
        self._perceptual: dict[int, array] = {}

    def check(
        self, part: int, at: int, count: int, picture: Callable[[], str | bytes], perceptual: bool = False
    ) -> int:
        """Return the content hash of picture `at` of a part with `count` pictures. The picture is opened the first time.

        picture: returns the path of its file, or its bytes. perceptual: whether to keep its perceptual hash too, for
        `perceptual_hash`. Raises NoPair if the picture can't be opened.
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
                    if symlinks.refused(data):  # not every reader checks this
                        raise ImageError(symlinks.REFUSED)
                    data = read_bytes(data)
                image = reduced(data)  # decodes all pixels, since damage may be behind the header
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
        """Return the perceptual hash of a picture that `check` opened with `perceptual=True`."""
        return self._perceptual[part][at]

    def summary(self, nothing: str) -> str:
        """Return all reasons with their counts in one line, `nothing` if there are none."""
        return "; ".join(f"{count} {reason}" for reason, count in self.items()) or nothing

    def hand_over(self) -> tuple[dict[int, Counter[str]], dict[tuple[int, int], str]]:
        """Return the counts since the last call and reset them, for `learn` in another process."""
        taken = self.parts, self.damaged
        self.parts, self.damaged = {}, {}
        return taken

    def learn(self, parts: dict[int, Counter[str]], damaged: dict[tuple[int, int], str]) -> None:
        """Add the counts of another process that works with the same source."""
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
