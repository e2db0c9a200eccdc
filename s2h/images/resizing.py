"""The bounds of the size of an image that a model sees, in pixels (width times height): `--min-pixels` and `--max-pixels`.
`s2h.images.decoding.open_image` applies them, and `s2h.models.image_size` says which bounds a model's own processor
applies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000  # 8000 x 8000: 256 MB in every mode, as Pillow holds at most four bytes a pixel


@dataclass(frozen=True)
class Pixels:
    """The least and the most pixels of an image, 0 for no such bound. An image beyond a bound is resized, and its aspect
    ratio is kept to the nearest pixel."""

    least: int = 0
    most: int = 0

    def __bool__(self) -> bool:
        return bool(self.least or self.most)

    def __str__(self) -> str:
        """Return the bounds for messages and names: "at least 3136 and at most 1003520 pixels", "" without any."""
        bounds = [f"at least {self.least}"] * bool(self.least) + [f"at most {self.most}"] * bool(self.most)
        return f"{' and '.join(bounds)} pixels" if bounds else ""

    @property
    def fault(self) -> str:
        """A sentence about bounds that can't be used, with the remedy; "" for bounds that can."""
        if self.most and self.least > self.most:
            return f"--min-pixels {self.least} is above --max-pixels {self.most} (give both, the larger one as --max-pixels)"
        if self.least > MAX_PIXELS:
            return f"--min-pixels {self.least} is above {MAX_PIXELS}, the most pixels that an image may have"
        return ""

    def completed(self, other: Pixels) -> Pixels:
        """Return these bounds, with those of `other` for the ones that are missing."""
        return Pixels(self.least or other.least, self.most or other.most)

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size (width, height) that an image of `size` is resized to."""
        area = size[0] * size[1]
        if self.most and area > self.most:
            return self._smaller(size)
        if area < self.least:
            scale = math.sqrt(self.least / area)
            width, height = (math.ceil(side * scale) for side in size)
            return (width, height) if width * height <= (self.most or math.inf) else self._smaller(size)
        return size

    def _smaller(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the largest size of this aspect ratio with at most `most` pixels. A side has at least one pixel."""
        width, height = size
        scale = math.sqrt(self.most / (width * height))
        narrow, low = max(1, int(width * scale)), max(1, int(height * scale))
        return min(narrow, self.most), min(low, max(1, self.most // narrow))

    def fit(self, image: Image) -> Image:
        """Return the image within the bounds: the same one, or a resized copy."""
        from PIL.Image import Resampling

        size = self.size(image.size)
        return image if size == image.size else image.resize(size, Resampling.BICUBIC)


WHOLE = Pixels()
