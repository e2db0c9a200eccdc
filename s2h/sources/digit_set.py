"""Pictures of the digits 0 to 9, from idx files or from picture files, for arithmetic and comparisons. shapes.py documents
the methods of a `DigitSet`."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from s2h.errors import NoPair
from s2h.sources.exclusions import Exclusions
from s2h.sources.items import Item, Trait
from s2h.sources.packed_lists import Texts
from s2h.sources.shapes import Dataset

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PILImage

REDRAWS = 8
DIGIT = Trait("digit", tuple(range(10)), lambda value: f"the digit {value}")


class Digits(Dataset):
    """Pictures of digits, which are numbered in the order of `add`. They come either from idx files (`add_array`, then
    `add` for each picture of the array) or from picture files (`add` with a name).

    by_value: digit -> numbers of its pictures.
    """

    count_share = 0.0

    def __init__(self, spec: str, root: str, excluded: Counter[str] | None = None) -> None:
        self.spec, self.root, self.excluded = spec, root, Exclusions(excluded)
        self.digits = self
        self.by_value = [array("I") for _ in range(10)]
        self._count = 0
        self.names = Texts()
        self._arrays: list[tuple[np.ndarray, bool]] = []  # pictures, and whether they are transposed
        self._starts: list[int] = []  # the number of the first picture of each array

    def add_array(self, pictures: np.ndarray, transposed: bool) -> None:
        """Add an array of pictures [count, rows, columns]. transposed: whether rows and columns are swapped, as in
        EMNIST."""
        self._starts.append(self._count)
        self._arrays.append((pictures, transposed))

    def add(self, value: int | None, name: str = "") -> None:
        """Add the next picture. value: its digit; None if it is not used. name: its file below the root."""
        if value is not None:
            self.by_value[value].append(self._count)
        if name:
            self.names.append(name)
        self._count += 1

    @property
    def size(self) -> int:
        return sum(map(len, self.by_value))

    def draw_digit(self, rng: Random, value: int | None = None, together: Sequence[Item] = ()) -> Item:
        value = rng.randrange(10) if value is None else value
        for _ in range(REDRAWS if self.by_value[value] else 0):
            item = self._item(rng.choice(self.by_value[value]), value)
            if not any(_is_same(item, other) for other in together):
                return item
        raise NoPair("too few pictures of a digit")

    def _item(self, place: int, value: int) -> Item:
        labels = {"kind": "digit", "value": value, "hand": "written"}
        if not len(self.names):
            return Item(str(place), labels, draw=lambda size: self.draw(place, size))
        path = os.path.join(self.root, self.names[place])
        content = self.excluded.check(0, place, len(self.names), lambda: path)
        return Item(self.names[place], labels, reference=path, content_hash=content)

    def draw_trait(self, rng: Random) -> Trait:
        return DIGIT

    def draw_showing(self, rng: Random, trait: Trait, value: Any, together: list[Item]) -> Item:
        return self.draw_digit(rng, value, together)

    def draw(self, place: int, size: int) -> PILImage:
        """Return a picture of an idx file, scaled to size x size pixels, RGB."""
        from PIL import Image

        at = bisect_right(self._starts, place) - 1
        pictures, transposed = self._arrays[at]
        pixels = pictures[place - self._starts[at]]
        picture = Image.fromarray((pixels.T if transposed else pixels).copy())
        return picture.resize((size, size), Image.Resampling.BICUBIC).convert("RGB")


def _is_same(item: Item, other: Item) -> bool:
    """Tell whether two items are one picture or copies of it."""
    return item.key == other.key or 0 < item.content_hash == other.content_hash
