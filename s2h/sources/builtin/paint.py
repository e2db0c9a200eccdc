"""The brushes of the built-in world: a supersampled canvas, gradients, soft shadows, paper, and the little geometry
(turning, ellipses, splines) that scenes and digits share. Everything is plain Pillow in relative units,
so one drawing
serves every size; what is worth keeping between pictures (gradients, grain) is cached."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from functools import lru_cache

Point = tuple[float, float]
RGB = tuple[int, int, int]
SMALLEST, LARGEST = 32, 448


def extent(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return the width and height of a picture, given as a pair or as the side of a square. Raises ValueError for sizes
    that the drawings were not designed for."""
    width, height = (size, size) if isinstance(size, int) else size
    for side in (width, height):
        if not SMALLEST <= side <= LARGEST:
            raise ValueError(f"size: {side} pixels is not between {SMALLEST} and {LARGEST}")
    return width, height


def factor(size: int) -> int:
    """Return how many times larger a picture is painted before `shrink`. Small pictures need finer edges."""
    return 4 if size <= 112 else 2


def shrink(image, by: int):
    """Average blocks of `by` x `by` pixels, which smooths edges."""
    return image.reduce(by)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Return `first` with `share` (0 to 1) of `second` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tone(colour: RGB, amount: float) -> RGB:
    """Lighten a colour for amounts above 0 (1 is white), darken it below (-1 is nearly black). Shades stay saturated."""
    if amount >= 0:
        return mix(colour, (255, 255, 255), amount)
    # Squaring the channels deepens a colour where plain black would grey it.
    red, green, blue = (round(c * c / 255 * 0.5) for c in colour)
    return mix(colour, (red, green, blue), -amount)


def shift(colour: RGB, amounts: Iterable[int]) -> RGB:
    """Add an amount to each channel of a colour, kept between 0 and 255."""
    red, green, blue = (min(255, max(0, c + a)) for c, a in zip(colour, amounts, strict=True))
    return red, green, blue


@lru_cache(maxsize=64)
def _gradient(corners: tuple[RGB, RGB, RGB, RGB], extent: tuple[int, int]):
    from PIL import Image

    seed = Image.new("RGB", (2, 2))
    for place, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), corners, strict=True):
        seed.putpixel(place, colour)
    # Between the four pixel centres only, so that the corners have exactly the colours asked for.
    return seed.resize(extent, Image.Resampling.BILINEAR, box=(0.5, 0.5, 1.5, 1.5))


def gradient(corners: Sequence[RGB], extent: int | tuple[int, int]):
    """Return a picture whose four corners (top left, top right, bottom left, bottom right) blend into each other."""
    return _gradient(tuple(corners), (extent, extent) if isinstance(extent, int) else extent).copy()


def lit_from(light: RGB, dark: RGB, side: int) -> tuple[RGB, RGB, RGB, RGB]:
    """Return corners for `gradient`: light falls in from one of four sides (0 top left, 1 top, 2 top right, 3 left)."""
    half = mix(light, dark, 0.5)
    return (
        (light, half, half, dark),
        (light, light, dark, dark),
        (half, light, dark, half),
        (light, dark, light, dark),
    )[side % 4]


def turn(points: Iterable[Point], degrees: float, scale: float = 1.0, at: Point = (0.0, 0.0)) -> list[Point]:
    """Turn points clockwise (y grows downwards) about the origin, scale them, then move them to `at`."""
    c, s = math.cos(math.radians(degrees)) * scale, math.sin(math.radians(degrees)) * scale
    x0, y0 = at
    return [(x0 + x * c - y * s, y0 + x * s + y * c) for x, y in points]


def ellipse(cx: float, cy: float, rx: float, ry: float, steps: int = 40) -> tuple[Point, ...]:
    """Return the outline of an upright ellipse as a polygon."""
    angles = (2 * math.pi * i / steps for i in range(steps))
    return tuple((cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles)


def spline(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """Return a smooth line through all the points: a uniform Catmull-Rom spline with `steps` points for each piece.

    Each piece between p1 and p2 is the cubic whose tangents are (p2 - p0) / 2 and (p3 - p1) / 2
    (Catmull and Rom 1974); the ends are doubled.
    """
    knots = [points[0], *points, points[-1]]
    line: list[Point] = []
    for p0, p1, p2, p3 in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        for i in range(steps):
            t = i / steps
            a, b = t * t, t * t * t
            x, y = (
                0.5
                * (
                    2 * q1
                    + (q2 - q0) * t
                    + (2 * q0 - 5 * q1 + 4 * q2 - q3) * a
                    + (3 * q1 - q0 - 3 * q2 + q3) * b
                )
                for q0, q1, q2, q3 in zip(p0, p1, p2, p3, strict=True)
            )
            line.append((x, y))
    x, y = points[-1]
    line.append((x, y))
    return line


def cast_shadow(
    image,
    outlines: Iterable[Sequence[Point]],
    *,
    offset: Point,
    blur: float,
    strength: float,
    colour: RGB = (18, 22, 44),
) -> None:
    """Darken `image` softly under polygons (in its pixels), moved by `offset` and blurred by `blur` pixels."""
    from PIL import Image, ImageDraw, ImageFilter

    # A blurred thing needs no pixels: a quarter of the width looks the same and costs a sixteenth.
    coarse = 4
    layer = Image.new("L", (-(-image.width // coarse), -(-image.height // coarse)))
    pen = ImageDraw.Draw(layer)
    dx, dy = offset
    level = round(255 * strength)
    for outline in outlines:
        pen.polygon([((x + dx) / coarse, (y + dy) / coarse) for x, y in outline], fill=level)
    layer = layer.filter(ImageFilter.GaussianBlur(blur / coarse))
    image.paste(colour, (0, 0), layer.resize(image.size, Image.Resampling.BILINEAR))


def cast_light(
    image,
    outlines: Sequence[Sequence[Point]],
    spots: Iterable[tuple[float, float, float]],
    *,
    strength: float,
) -> None:
    """Brighten `image` (RGB) softly at round spots (x, y, radius in its pixels), but only on the polygons."""
    from PIL import Image, ImageChops, ImageDraw, ImageFilter

    coarse = 4
    glow = Image.new("L", (-(-image.width // coarse), -(-image.height // coarse)))
    pen = ImageDraw.Draw(glow)
    radius = 0.0
    for x, y, radius in spots:
        pen.ellipse([(v + d * radius) / coarse for d in (-1, 1) for v in (x, y)], fill=round(255 * strength))
    glow = glow.filter(ImageFilter.GaussianBlur(0.5 * radius / coarse)).resize(
        image.size, Image.Resampling.BILINEAR
    )
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    for outline in outlines:
        pen.polygon(outline, fill=255)
    image.paste((255, 255, 255), (0, 0), ImageChops.multiply(glow, mask))


@lru_cache(maxsize=16)
def grain(width: int, seed: int = 0, coarse: int = 1):
    """Return a square of grey noise (mode L, mean 128) in specks of `coarse` pixels, the same for the same arguments."""
    from PIL import Image

    side = -(-width // coarse)
    noise = Image.frombytes("L", (side, side), random.Random(seed).randbytes(side * side))
    return noise if coarse == 1 else noise.resize((width, width), Image.Resampling.BICUBIC)
