"""Convert images of any mode to RGB with eight bits a channel, in strips, so that little more memory is used than the result
takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

STRIP = 1 << 20  # pixels that are converted to another mode at a time


def rgb(image: Image) -> Image:
    """Return the image as RGB, on white where it is transparent."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        made = Image.new("RGB", image.size)
        for box in _strips(image):
            part = image.crop(box).convert("RGBA")
            white = Image.new("RGBA", part.size, "white")
            made.paste(Image.alpha_composite(white, part).convert("RGB"), box[:2])
        return made
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image) -> Image:
    """Return a grey image of 16 or 32 bits, or of floats, as 8 bits. 16 bits are scaled by their range; others by the first
    of 0..1 (floats only), 0..255 and 0..65535 that holds all values."""
    import numpy
    from PIL import Image

    def values_of(box: tuple[int, int, int, int]) -> Any:
        values = numpy.asarray(image.crop(box)).astype(numpy.float64)
        return numpy.nan_to_num(values, posinf=0, neginf=0)

    top = max((values_of(box).max(initial=0) for box in _strips(image)), default=0)
    if image.mode.startswith("I;16"):
        scale = 65535
    elif image.mode == "F" and top <= 1:
        scale = 1
    else:
        scale = next((bound for bound in (255, 65535) if top <= bound), top)
    grey = Image.new("L", image.size)
    for box in _strips(image):
        eight = (values_of(box).clip(0) * (255 / scale) + 0.5).clip(0, 255).astype(numpy.uint8)
        grey.paste(Image.fromarray(eight), box[:2])
    return grey


def _strips(image: Image) -> Iterator[tuple[int, int, int, int]]:
    """Return boxes of a few rows each that cover an image, because converting all of it at once takes many times its
    memory."""
    width, height = image.size
    rows = max(1, STRIP // max(1, width))
    return ((0, top, width, min(height, top + rows)) for top in range(0, height, rows))
