"""Digits of the built-in world: 0 to 9 as print (the fonts that come with matplotlib and Pillow), as handwriting drawn
stroke by stroke, and as scans of scikit-learn's real handwritten digits, on papers and boards of many looks. `sample`
draws the labels, `draw` the picture; ink, paper, slant and place come from the digit's key and are no labels."""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

from s2h.seeds import rng as rng_of
from s2h.sources.builtin import paint

VALUES = tuple(range(10))
HANDS = ("written", "printed", "scanned")
SHARES = (0.45, 0.35, 0.20)  # of HANDS in `sample`
SPLITS = ("train", "heldout")
HELD_OUT_EVERY = 5  # scans whose index is a multiple of this are never seen in training


@dataclass(frozen=True)
class Digit:
    """A digit to draw.

    key: decides how it looks. hand: printed, written or scanned. scan: the index of a picture of scikit-learn; None for one
    of the training share, chosen by the key.
    """

    key: str
    value: int
    hand: str
    scan: int | None = None

    def __post_init__(self) -> None:
        if self.value not in VALUES:
            raise ValueError(f"value: {self.value!r} is not between 0 and 9")
        if self.hand not in HANDS:
            raise ValueError(f"hand: {self.hand!r} is none of {', '.join(HANDS)}")


def sample(
    rng: random.Random, key: str, *, value: int | None = None, hand: str | None = None, split: str = "train"
) -> Digit:
    """Draw the labels of a digit: the value uniformly, the hand by `SHARES`, unless given.

    `split` ("train" or "heldout") keeps the scans apart: no scan belongs to both. Raises ValueError for unknown labels.
    """
    value = rng.choice(VALUES) if value is None else value
    hand = rng.choices(HANDS, SHARES)[0] if hand is None else hand
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} is none of {', '.join(SPLITS)}")
    digit = Digit(key, value, hand)
    return Digit(key, value, hand, rng.choice(scans(value, split))) if hand == "scanned" else digit


# --- scans --------------------------------------------------------------------------------------------------


# Scans left out because their value isn't plain: in ten-fold cross-validation a support vector machine gives the true
# value less than 0.8, or most of the six nearest other scans have another one.
# fmt: off
UNCLEAR = frozenset((
    5, 9, 27, 37, 46, 69, 77, 87, 95, 120, 123, 129, 215, 244, 378, 421, 449, 480, 492, 508, 519, 539, 547,
    677, 678, 683, 701, 731, 746, 769, 780, 784, 787, 792, 794, 813, 843, 890, 891, 899, 905, 922, 930, 951,
    965, 985, 1038, 1058, 1078, 1095, 1113, 1117, 1118, 1149, 1150, 1152, 1186, 1197, 1210, 1241, 1242, 1264,
    1274, 1283, 1288, 1361, 1412, 1459, 1468, 1491, 1542, 1551, 1552, 1553, 1565, 1571, 1572, 1573, 1575,
    1581, 1595, 1603, 1605, 1611, 1617, 1632, 1658, 1660, 1662, 1666, 1671, 1688, 1690, 1727, 1728, 1729,
    1742, 1765, 1781,
))
# fmt: on


@cache
def _load():
    """Return scikit-learn's handwritten digits: pictures, uint8 [1797, 8, 8], and their values."""
    import numpy as np

    # Importing scikit-learn, whose `load_digits` reads this file, would take a second.
    table = np.loadtxt(
        _installed("sklearn", "datasets", "data", "digits.csv.gz"), dtype="uint8", delimiter=","
    )
    return table[:, :-1].reshape(-1, 8, 8), tuple(table[:, -1].tolist())


def _installed(package: str, *parts: str) -> str:
    """Return the path of a file in an installed package, which is not imported."""
    from importlib.util import find_spec

    found = find_spec(package)
    assert found and found.submodule_search_locations, "a dependency"
    return os.path.join(found.submodule_search_locations[0], *parts)


@cache
def scans(value: int, split: str = "train") -> tuple[int, ...]:
    """Return the indices of the legible pictures of a value in scikit-learn that belong to a split."""
    held = split == "heldout"
    return tuple(
        i
        for i, label in enumerate(_load()[1])
        if label == value and (i % HELD_OUT_EVERY == 0) == held and i not in UNCLEAR
    )


@lru_cache(maxsize=512)
def _scan(index: int):
    """Return a real digit (8 x 8 pixels of 17 greys) as a smooth field of 96 x 96 with dark paper around it."""
    from PIL import Image, ImageFilter

    pixels, _ = _load()
    small = Image.new("L", (12, 12))
    small.paste(Image.fromarray(pixels[index] * 15), (2, 2))
    field = small.resize((96, 96), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1.5))
    # Against its surroundings (one old pixel is eight new ones) a thin gap shows that plain smoothing would fill.
    return field.filter(ImageFilter.UnsharpMask(8, 250, 0)).filter(ImageFilter.GaussianBlur(1))


# A steep edge, then slowly darker: strokes get a clear outline, and a loop that eight pixels couldn't keep open stays
# visible as a lighter spot.
_EDGE = [
    round(255 * (min(0.55, max(0.0, (v - 66) / 44)) + 0.45 * min(1.0, max(0.0, (v - 90) / 110))))
    for v in range(256)
]


def _put_scan(digit: Digit, rng: random.Random, size: int):
    index = rng_of(digit.key, "scan").choice(scans(digit.value)) if digit.scan is None else digit.scan
    field = _scan(index)
    # 8 of the 12 cells hold the digit.
    height = rng.uniform(0.62, 0.84)
    inked = _place(field, rng, size, height * 12 / 8 / 96, most=9, slant=(-0.08, 0.08))
    return inked.point(_EDGE)


# --- print --------------------------------------------------------------------------------------------------

# fmt: off
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique", "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic",
    "STIXGeneralBolIta", "cmr10", "cmb10", "cmss10", "cmtt10", "cmti10", "",  # "" is Pillow's own
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique",
)
# fmt: on
_DOTTED = 3  # the last fonts put a dot into their zero, which a small picture turns into an 8
_GLYPH = 320  # pixels of a font's em, enough for the largest picture


@cache
def _font(name: str, em: int):
    from PIL import ImageFont

    if not name:
        return ImageFont.load_default(em)
    # Importing matplotlib for their path would take a third of a second.
    file = _installed("matplotlib", "mpl-data", "fonts", "ttf", f"{name}.ttf")
    return ImageFont.truetype(file, em, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=512)
def _glyph(name: str, value: int, em: int):
    """Return the ink of a digit (mode L), cropped to what is inked, with two empty pixels around it."""
    from PIL import Image, ImageDraw

    font = _font(name, em)
    left, top, right, bottom = (math.floor(v) for v in font.getbbox(str(value)))
    ink = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(ink).text((2 - left, 2 - top), str(value), font=font, fill=255)
    return ink


def _put_print(digit: Digit, rng: random.Random, size: int):
    name = rng.choice(FONTS[:-_DOTTED] if digit.value == 0 else FONTS)
    # Glyphs are kept at a few sizes only; turning and scaling do the rest.
    ink = _glyph(name, digit.value, max(48, min(_GLYPH, 2 ** math.ceil(math.log2(size)))))
    height = rng.uniform(0.50, 0.74)
    scale = min(height / ink.height, 0.74 / ink.width)
    return _place(ink, rng, size, scale, most=13, slant=(-0.06, 0.10))


def _place(ink, rng: random.Random, size: int, scale: float, *, most: float, slant: tuple[float, float]):
    """Lay ink into a square of `size` pixels: scaled (`scale` shares of the width for each pixel), slanted, turned by at
    most `most` degrees, and moved a little off the middle."""
    from PIL import Image

    angle, shear = math.radians(rng.uniform(-most, most)), rng.uniform(*slant)
    x0, y0 = (size * (0.5 + rng.uniform(-0.06, 0.06)) for _ in range(2))
    # Pillow wants the way back, from the picture's pixels to the ink's: turn back, slant back, scale back.
    c, s, k = math.cos(angle), math.sin(angle), 1 / (scale * size)
    a, b, d, e = k * (c + shear * -s), k * (s + shear * c), k * -s, k * c
    cx, cy = ink.width / 2, ink.height / 2
    return ink.transform(
        (size, size),
        Image.Transform.AFFINE,
        (a, b, cx - a * x0 - b * y0, d, e, cy - d * x0 - e * y0),
        Image.Resampling.BICUBIC,
    )


# --- handwriting --------------------------------------------------------------------------------------------

# Per digit, the ways in which people write it: strokes through points in a box of 1 x 1, y downwards. A stroke of two
# points is a straight line; strokes that share a point meet there.
# fmt: off
_FLAG, _FOOT = ((0.12, 0.28), (0.52, 0.0)), ((0.15, 1.0), (0.88, 1.0))
_BOWL3 = ((0.42, 0.44), (0.82, 0.53), (0.95, 0.75), (0.72, 0.97), (0.35, 1.0), (0.02, 0.86))
_BOWL5 = ((0.12, 0.46), (0.45, 0.36), (0.84, 0.48), (0.95, 0.72), (0.72, 0.96), (0.35, 1.0), (0.02, 0.88))
_LOOP9 = ((0.88, 0.22), (0.66, 0.01), (0.26, 0.04), (0.06, 0.28), (0.24, 0.50), (0.60, 0.48), (0.88, 0.22))
STROKES: dict[int, tuple[tuple[tuple[paint.Point, ...], ...], ...]] = {
    0: ((((0.55, 0.0), (0.18, 0.14), (0.02, 0.52), (0.20, 0.88), (0.52, 1.0), (0.84, 0.86), (0.98, 0.50),
          (0.84, 0.14), (0.52, 0.0), (0.40, 0.03)),),
        (((0.45, 0.0), (0.12, 0.20), (0.03, 0.60), (0.30, 0.98), (0.70, 0.96), (0.97, 0.60), (0.90, 0.20),
          (0.62, 0.02), (0.42, 0.01)),)),
    1: ((((0.5, 0.0), (0.5, 1.0)),),
        (_FLAG, ((0.52, 0.0), (0.52, 1.0))),
        (_FLAG, ((0.52, 0.0), (0.52, 1.0)), _FOOT)),
    2: ((((0.06, 0.26), (0.22, 0.05), (0.55, 0.0), (0.86, 0.14), (0.86, 0.40), (0.50, 0.72), (0.03, 1.0)),
         ((0.03, 1.0), (0.98, 1.0))),
        (((0.08, 0.22), (0.30, 0.02), (0.70, 0.02), (0.90, 0.24), (0.74, 0.54), (0.34, 0.86), (0.08, 0.98),
          (0.06, 0.84), (0.28, 0.82), (0.62, 0.97), (1.0, 0.90)),)),
    3: ((((0.06, 0.14), (0.36, 0.0), (0.74, 0.05), (0.84, 0.24), (0.68, 0.40), (0.42, 0.44)), _BOWL3),
        (((0.08, 0.0), (0.88, 0.0)), ((0.88, 0.0), (0.42, 0.44)), _BOWL3)),
    4: ((((0.66, 0.0), (0.0, 0.66)), ((0.0, 0.66), (1.0, 0.66)), ((0.66, 0.0), (0.66, 1.0))),
        (((0.20, 0.0), (0.10, 0.34), (0.06, 0.58)), ((0.06, 0.58), (1.0, 0.58)), ((0.78, 0.08), (0.72, 1.0))),
        (((0.28, 0.0), (0.02, 0.62)), ((0.02, 0.62), (1.0, 0.60)), ((0.70, 0.30), (0.64, 1.0)))),
    5: ((((0.90, 0.0), (0.20, 0.0)), ((0.20, 0.0), (0.12, 0.46)), _BOWL5),
        (((0.95, 0.02), (0.60, 0.05), (0.24, 0.02)), ((0.24, 0.02), (0.20, 0.24), (0.12, 0.46)), _BOWL5)),
    6: ((((0.76, 0.02), (0.42, 0.18), (0.14, 0.48), (0.06, 0.76), (0.28, 0.98), (0.66, 0.98), (0.92, 0.78),
          (0.78, 0.55), (0.44, 0.52), (0.10, 0.72)),),
        (((0.58, 0.0), (0.24, 0.30), (0.06, 0.70), (0.22, 0.96), (0.58, 1.0), (0.90, 0.82), (0.80, 0.58),
          (0.48, 0.50), (0.12, 0.66)),)),
    7: ((((0.02, 0.0), (0.94, 0.0)), ((0.94, 0.0), (0.60, 0.46), (0.36, 1.0))),
        (((0.02, 0.0), (0.94, 0.0)), ((0.94, 0.0), (0.58, 0.50), (0.36, 1.0)), ((0.28, 0.50), (0.88, 0.48))),
        (((0.04, 0.16), (0.06, 0.0)), ((0.06, 0.0), (0.94, 0.02)), ((0.94, 0.02), (0.56, 0.54), (0.4, 1.0)))),
    8: ((((0.80, 0.12), (0.50, 0.0), (0.18, 0.10), (0.16, 0.30), (0.48, 0.47), (0.84, 0.62), (0.88, 0.86),
          (0.50, 1.0), (0.12, 0.86), (0.16, 0.62), (0.52, 0.47), (0.82, 0.30), (0.80, 0.12)),),
        (((0.50, 0.0), (0.20, 0.08), (0.14, 0.26), (0.30, 0.44), (0.52, 0.47), (0.76, 0.42), (0.86, 0.24),
          (0.78, 0.08), (0.50, 0.0)),
         ((0.50, 0.47), (0.16, 0.56), (0.06, 0.76), (0.22, 0.96), (0.52, 1.0), (0.82, 0.95), (0.94, 0.74),
          (0.82, 0.55), (0.50, 0.47)))),
    9: ((_LOOP9, ((0.88, 0.22), (0.84, 0.60), (0.68, 1.0))),
        (_LOOP9, ((0.88, 0.22), (0.92, 0.52), (0.78, 0.88), (0.46, 1.0), (0.12, 0.92))),
        (_LOOP9, ((0.88, 0.10), (0.84, 1.0)))),
}
# fmt: on


def _sway(rng: random.Random):
    """Return a gentle bend of the plane, after which no two strokes are alike and strokes that met still meet."""
    waves = [
        (
            rng.uniform(0.015, 0.04),
            rng.uniform(-0.9, 0.9),
            rng.uniform(-0.9, 0.9),
            rng.uniform(0, 2 * math.pi),
        )
        for _ in range(4)
    ]

    def bend(x: float, y: float) -> paint.Point:
        shifts = [
            amount * math.sin(2 * math.pi * (fx * x + fy * y) + phase) for amount, fx, fy, phase in waves
        ]
        return x + shifts[0] + shifts[1], y + shifts[2] + shifts[3]

    return bend


def _put_writing(digit: Digit, rng: random.Random, size: int):
    from PIL import Image, ImageDraw

    strokes = rng.choice(STROKES[digit.value])
    bend = _sway(rng)
    height = rng.uniform(0.50, 0.70)
    broad = height * rng.uniform(0.50, 0.78)
    if digit.value == 1:
        broad = height * 0.42  # a broad 1 could be read as a 7
    slant, degrees = rng.uniform(-0.10, 0.26), rng.uniform(-8, 8)
    x0, y0 = (0.5 + rng.uniform(-0.06, 0.06) for _ in range(2))
    # Half the line's width, of a pen or of a marker; loops must stay open.
    thick = min(rng.choice((rng.uniform(0.016, 0.026), rng.uniform(0.026, 0.05))), 0.12 * broad)
    pressed, phase = rng.uniform(0, 0.28), rng.uniform(0, 2 * math.pi)

    by = paint.factor(size)
    width = size * by
    mask = Image.new("L", (width, width))
    pen = ImageDraw.Draw(mask)
    for stroke in strokes:
        bent = []
        for x, y in paint.spline(stroke, 8) if len(stroke) > 2 else paint.spline((stroke[0], stroke[1]), 12):
            x, y = bend(x, y)
            x, y = (x - 0.5) * broad, (y - 0.5) * height
            bent.append((x - slant * y, y))
        line = paint.turn(bent, degrees, width, (x0 * width, y0 * width))
        along = 0.0
        for (xa, ya), (xb, yb) in pairwise(line):
            length = math.hypot(xb - xa, yb - ya)
            steps = max(1, math.ceil(length / (thick * width * 0.4)))
            for i in range(steps + 1):
                t = i / steps
                r = (
                    thick
                    * width
                    * (1 + pressed * math.sin(phase + 3.5 * (along + t * length) / (height * width)))
                )
                x, y = xa + (xb - xa) * t, ya + (yb - ya) * t
                pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
            along += length
    return paint.shrink(mask, by)


# --- papers and inks ----------------------------------------------------------------------------------------

# fmt: off
DARK_INKS = ((28, 28, 32), (24, 42, 98), (30, 76, 178), (150, 30, 44), (24, 92, 62), (84, 44, 130), (88, 54,
                                                                                                     30))
LIGHT_INKS = ((250, 250, 246), (252, 236, 168), (186, 224, 250), (250, 202, 214), (206, 244, 206))
# Light and dark end of the gradient.
WHITES = (((255, 255, 255), (240, 241, 245)), ((255, 253, 246), (243, 238, 226)), ((250, 251, 253), (230, 234,
                                                                                                     241)))
TINTS = (((253, 238, 206), (244, 219, 170)), ((221, 243, 230), (188, 225, 204)), ((222, 236, 252), (186, 211,
                                                                                                    242)),
         ((252, 226, 230), (242, 199, 208)), ((236, 228, 250), (212, 199, 238)))
KRAFT = (((222, 198, 160), (200, 172, 130)), ((214, 204, 188), (190, 178, 160)))
BOARDS = (((48, 74, 66), (32, 54, 48)), ((58, 62, 72), (38, 41, 50)), ((46, 60, 104), (28, 38, 74)),
          ((126, 48, 62), (94, 30, 46)), ((40, 100, 112), (22, 72, 86)))
# fmt: on
PAPERS = ("plain", "tinted", "lined", "squared", "kraft", "board")
_PAPER_SHARES = (0.20, 0.22, 0.16, 0.10, 0.14, 0.18)


def _lay_paper(kind: str, rng: random.Random, extent: tuple[int, int]):
    from PIL import Image, ImageDraw

    choices = {"tinted": TINTS, "kraft": KRAFT, "board": BOARDS}.get(kind, WHITES)
    light, dark = rng.choice(choices)
    size = max(extent)
    image = paint.gradient(paint.lit_from(light, dark, rng.randrange(4)), extent)
    step, start = size * rng.uniform(0.13, 0.19), rng.random()
    ruled = rng.choice(((196, 212, 236), (208, 212, 220), (194, 226, 222)))
    # Rules are never thinner than a pixel, so a small picture gets paler ones.
    pale = 1 - min(1, size / 150)
    ruled, edge = paint.mix(ruled, light, pale), paint.mix((238, 190, 194), light, pale)
    if kind in ("lined", "squared"):
        pen, thick = ImageDraw.Draw(image), max(1, round(size / 150))
        for i in range(9):
            at = round((i + start - 1) * step)
            pen.line((0, at, size, at), fill=ruled, width=thick)
            if kind == "squared":
                pen.line((at, 0, at, size), fill=ruled, width=thick)
        if kind == "lined":
            at = round(size * 0.10)
            pen.line((at, 0, at, size), fill=edge, width=thick)
    if kind in ("kraft", "board"):
        speck = paint.grain(size, seed=rng.randrange(3)).crop((0, 0, *extent))
        image = Image.blend(image, Image.merge("RGB", (speck,) * 3), 0.05)
    return image


def draw(digit: Digit, size: int | tuple[int, int] = 224):
    """Draw a digit, an RGB image of size x size pixels or of (width, height), 32 to 448, with the same bytes every time."""
    from PIL import ImageChops

    extent = paint.extent(size)
    side = min(extent)
    rng = rng_of(digit.key, "look")
    kind = rng.choices(PAPERS, _PAPER_SHARES)[0]
    image = _lay_paper(kind, rng, extent)
    ink = rng.choice(LIGHT_INKS if kind == "board" else DARK_INKS)
    dusty = rng.random() < (0.7 if kind == "board" else 0.25 if digit.hand == "written" else 0)
    put = {"written": _put_writing, "printed": _put_print, "scanned": _put_scan}[digit.hand]
    mask = put(digit, rng, side)
    if dusty:  # chalk and pencil leave the paper's grain
        mask = ImageChops.multiply(mask, paint.grain(side, seed=7).point(_DUST))
    image.paste(ink, ((extent[0] - side) // 2, (extent[1] - side) // 2), mask)
    return image


_DUST = [min(255, 165 + v) for v in range(256)]
