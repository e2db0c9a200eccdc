"""Portraits of the built-in world. The person decides skin, hair, eyes, face, nose, brows, freckles, sex and age; the view
decides pose, light, clothes and background. They are drawn in units of the width, supersampled."""

from __future__ import annotations

import math
from random import Random

from s2h import seeds
from s2h.sources.builtin import paint
from s2h.sources.builtin.families import Person, View
from s2h.sources.builtin.hair import GREY, hair_before, hair_behind
from s2h.sources.builtin.paint import RGB, Point
from s2h.sources.builtin.posed_canvas import PosedCanvas

SKIN: dict[str, RGB] = {
    "pale": (255, 228, 212),
    "light": (246, 200, 168),
    "tan": (217, 160, 112),
    "brown": (158, 104, 66),
    "dark": (96, 60, 42),
}
HAIR: dict[str, RGB] = {
    "black": (38, 34, 44),
    "brown": (112, 66, 36),
    "blond": (238, 196, 92),
    "red": (206, 78, 32),
}
EYES: dict[str, RGB] = {
    "brown": (104, 58, 24),
    "blue": (36, 118, 226),
    "green": (34, 152, 74),
    "grey": (140, 148, 160),
}
CLOTHES: tuple[RGB, ...] = (
    (70, 110, 180),
    (190, 80, 90),
    (80, 150, 120),
    (230, 170, 70),
    (120, 90, 160),
    (60, 70, 90),
    (225, 225, 230),
    (200, 120, 150),
)
GROUNDS: tuple[tuple[RGB, RGB], ...] = (
    ((205, 228, 245), (150, 190, 225)),
    ((250, 225, 205), (235, 180, 150)),
    ((215, 238, 215), (150, 200, 160)),
    ((236, 222, 245), (190, 165, 215)),
    ((250, 240, 205), (235, 210, 140)),
    ((225, 228, 232), (170, 178, 190)),
    ((205, 240, 240), (130, 195, 200)),
    ((250, 215, 225), (225, 150, 175)),
)
EYE_WHITE: RGB = (252, 252, 250)


def outline(half: float, tall: float, face: str, steps: int = 48) -> list[Point]:
    """Return the outline of a head: a superellipse whose exponent and chin depend on the kind of face."""
    points = []
    for i in range(steps):
        angle = 2 * math.pi * i / steps
        x, y = math.cos(angle), math.sin(angle)
        power = {"round": 1.0, "oval": 1.0, "square": 0.52 if y > 0 else 0.9}[face]
        x, y = math.copysign(abs(x) ** power, x), math.copysign(abs(y) ** power, y)
        if face == "oval" and y > 0:
            x *= 1 - 0.34 * y**1.5
        points.append((x * half, y * tall))
    return points


def draw(person: Person, view: View, size: int | tuple[int, int] = 224):
    """Draw a portrait, an RGB image of size x size pixels or of (width, height), with the same bytes for the same person,
    view and size."""
    from PIL import ImageDraw

    broad, high = paint.extent(size)
    by = paint.factor(min(broad, high))
    look = seeds.rng(view.key, "portrait")
    trait = person.trait
    image = _background(look, (broad * by, high * by))
    canvas = PosedCanvas(
        image,
        ImageDraw.Draw(image),
        look.uniform(-7, 7),
        look.uniform(1.08, 1.18),
        (0.5 + look.uniform(-0.03, 0.03), 0.49 + look.uniform(-0.02, 0.02)),
    )
    cloth, light = look.choice(CLOTHES), look.uniform(-0.07, 0.07)
    warm = look.uniform(-8, 8)
    tint = (round(warm), 0, round(-warm))
    skin = paint.shift(paint.tone(SKIN[trait["skin"]], light), tint)
    hair = paint.shift(paint.tone(HAIR[trait["hair"]], light), tint)
    if person.age == "old":  # a little: an image-text model, too, must see the colour that the words name
        hair = paint.mix(hair, GREY, 0.1)
    half, tall = {"round": (0.235, 0.24), "oval": (0.215, 0.268), "square": (0.225, 0.25)}[trait["face"]]
    if person.age == "child":
        half, tall = half * 0.95, tall * 0.86
    own = Random(seeds.seed_of(person.key, "own"))
    hair_behind(canvas, person, half, tall, paint.tone(hair, -0.28))
    _body(canvas, person, skin, cloth, half, tall, look)
    for side in (-1, 1):
        canvas.dot(side * half * 0.99, 0.015, 0.042, paint.tone(skin, -0.14), 0.055)
    canvas.fill(outline(half, tall, trait["face"]), skin)
    _cheeks(canvas, person, skin, half, tall, own)
    _features(canvas, person, skin, hair, half, tall, own)
    hair_before(canvas, person, half, tall, hair)
    return paint.shrink(image, by)


def _background(look: Random, extent: tuple[int, int]):
    from PIL import ImageDraw

    light, dark = look.choice(GROUNDS)
    image = paint.gradient(paint.lit_from(light, dark, look.randrange(4)), extent)
    width = max(extent)  # of the pattern
    pen = ImageDraw.Draw(image)
    spot = paint.mix(light, dark, 0.35 if look.random() < 0.5 else 0.7)
    pattern = look.choice(("plain", "disc", "stripes", "dots"))
    if pattern == "disc":
        x, y, r = look.uniform(0.3, 0.7), look.uniform(0.3, 0.55), look.uniform(0.36, 0.46)
        x, y, r = x * extent[0], extent[1] - (1 - y) * min(extent), r * min(extent)  # behind the head
        pen.ellipse([x - r, y - r, x + r, y + r], fill=spot)
    elif pattern == "stripes":
        lean, step = look.uniform(-0.3, 0.3), look.uniform(0.12, 0.2)
        for i in range(-3, 12):
            x = i * step
            pen.polygon(
                [
                    (p * width, q * width)
                    for p, q in ((x, 0), (x + step / 2, 0), (x + step / 2 + lean, 1), (x + lean, 1))
                ],
                fill=paint.mix(light, spot, 0.6),
            )
    elif pattern == "dots":
        for i in range(6):
            for j in range(6):
                x, y, r = (i + 0.5 * (j % 2)) / 5.5, j / 5, 0.028
                pen.ellipse([(x - r) * width, (y - r) * width, (x + r) * width, (y + r) * width], fill=spot)
    return image


def _body(
    canvas: PosedCanvas, person: Person, skin: RGB, cloth: RGB, half: float, tall: float, look: Random
) -> None:
    neck = {"child": 0.065, "adult": 0.085, "old": 0.08}[person.age] + (0.015 if person.sex == "male" else 0)
    shoulder = {"child": 0.27, "adult": 0.36, "old": 0.34}[person.age] + (0.05 if person.sex == "male" else 0)
    top = tall + 0.06
    canvas.fill(
        paint.spline(
            [
                (-shoulder - 0.03, 0.75),
                (-shoulder, top + 0.1),
                (-neck * 1.5, top + 0.005),
                (0, top + 0.02),
                (neck * 1.5, top + 0.005),
                (shoulder, top + 0.1),
                (shoulder + 0.03, 0.75),
            ],
            8,
        ),
        cloth,
    )
    canvas.fill(
        [(-neck, 0.1), (neck, 0.1), (neck, top + 0.02), (0, top + 0.075), (-neck, top + 0.02)],
        paint.tone(skin, -0.2),
    )
    if look.random() < 0.5:
        edge = paint.tone(cloth, 0.45)
        canvas.line([(-neck * 1.15, top + 0.01), (0, top + 0.085), (neck * 1.15, top + 0.01)], 0.018, edge)


def _cheeks(canvas: PosedCanvas, person: Person, skin: RGB, half: float, tall: float, own: Random) -> None:
    blush = paint.mix(skin, (236, 92, 92), 0.26 if person.age == "child" else 0.15)
    for side in (-1, 1):
        canvas.dot(side * half * 0.6, tall * 0.32, 0.05, blush, 0.036)
    if person.trait["freckles"] == "freckled":
        spot = paint.mix(skin, (112, 52, 20) if person.trait["skin"] != "dark" else (30, 14, 8), 0.62)
        for side in (-1, 1):
            for i in range(7):
                x = side * half * (0.26 + 0.09 * i + own.uniform(-0.02, 0.02))
                canvas.dot(x, tall * (0.2 + 0.15 * (i % 3)) + own.uniform(-0.004, 0.004), 0.0105, spot)


def _features(
    canvas: PosedCanvas, person: Person, skin: RGB, hair: RGB, half: float, tall: float, own: Random
) -> None:
    trait, dark = person.trait, paint.tone(skin, -0.42)
    eye = {"child": 0.056, "adult": 0.047, "old": 0.043}[person.age]
    apart, level = half * 0.46, (0.03 if person.age == "child" else -0.005)
    iris = EYES[trait["eyes"]]
    for side in (-1, 1):
        x = side * apart
        canvas.dot(x, level, eye * 1.12, EYE_WHITE, eye * (0.95 if person.age != "old" else 0.82))
        canvas.dot(x, level, eye * 0.78, iris)
        canvas.dot(x, level, eye * 0.36, (20, 18, 22))
        canvas.dot(x + eye * 0.26, level - eye * 0.28, eye * 0.2, (255, 255, 255))
        lid = [
            (x - eye * 1.15, level - eye * 0.2),
            (x - eye * 0.6, level - eye * 0.86),
            (x, level - eye * 1.0),
            (x + eye * 0.6, level - eye * 0.86),
            (x + eye * 1.15, level - eye * 0.2),
        ]
        canvas.line(paint.spline(lid, 4), 0.013 if person.sex == "female" else 0.008, (44, 32, 36))
        if person.sex == "female":
            for reach in (0.75, 1.1):
                canvas.line(
                    [
                        (x + side * eye * reach, level - eye * 0.62 / reach),
                        (x + side * eye * (reach + 0.5), level - eye * 1.0 / reach),
                    ],
                    0.011,
                    (44, 32, 36),
                )
        brow = {"thin": 0.012, "thick": 0.034}[trait["brows"]]
        height = level - eye - 0.042
        canvas.line(
            paint.spline(
                [(x - side * 0.05, height + 0.008), (x, height - 0.008), (x + side * 0.06, height + 0.012)], 5
            ),
            brow,
            _apart(paint.tone(hair, -0.25), skin),
        )
        if person.age == "old":
            for drop in (0.0, 0.018):
                canvas.line(
                    [(x + side * 0.068, level + drop - 0.004), (x + side * 0.098, level + drop * 2 - 0.012)],
                    0.007,
                    dark,
                )
            canvas.line(
                paint.spline(
                    [
                        (x - eye, level + eye + 0.012),
                        (x, level + eye + 0.024),
                        (x + eye, level + eye + 0.012),
                    ],
                    4,
                ),
                0.007,
                dark,
            )
    # A shade shows on light skin and a highlight on dark skin; the other way round neither does.
    nose = paint.tone(skin, 0.17 if trait["skin"] in ("brown", "dark") else -0.22)
    _nose(canvas, trait["nose"], dark, nose, tall)
    _mouth(canvas, person, skin, dark, tall)
    if person.age == "old":
        for y in (0.0, 0.026):
            canvas.line(
                paint.spline(
                    [(-0.075, -tall * 0.52 - y), (0, -tall * 0.56 - y), (0.075, -tall * 0.52 - y)], 4
                ),
                0.007,
                dark,
            )
        for side in (-1, 1):
            canvas.line(
                paint.spline(
                    [(side * 0.055, tall * 0.38), (side * 0.088, tall * 0.52), (side * 0.09, tall * 0.66)], 4
                ),
                0.008,
                dark,
            )
        if person.sex == "male" and own.random() < 0.6:
            grey = paint.mix(hair, (240, 240, 242), 0.4)
            canvas.fill(
                paint.spline(
                    [
                        (-0.1, tall * 0.57),
                        (-0.04, tall * 0.46),
                        (0, tall * 0.5),
                        (0.04, tall * 0.46),
                        (0.1, tall * 0.57),
                        (0, tall * 0.55),
                    ],
                    5,
                ),
                grey,
            )


def _apart(colour: RGB, skin: RGB, least: int = 44) -> RGB:
    """Return the colour, or a darkened skin where no channel of the colour is `least` away from the skin: brows must show
    on every skin, and some hair has the colour of some skin."""
    if max(abs(a - b) for a, b in zip(colour, skin, strict=True)) >= least:
        return colour
    return paint.shift(skin, (-least, -least, -least))


def _nose(canvas: PosedCanvas, kind: str, dark: RGB, shade: RGB, tall: float) -> None:
    if kind == "long":
        canvas.fill([(-0.017, -0.03), (0.017, -0.03), (0.036, tall * 0.44), (-0.036, tall * 0.44)], shade)
        canvas.line(
            paint.spline([(-0.04, tall * 0.41), (0, tall * 0.48), (0.04, tall * 0.41)], 5), 0.013, dark
        )
    elif kind == "broad":
        canvas.dot(0, tall * 0.33, 0.058, shade, 0.036)
        canvas.line(
            paint.spline(
                [
                    (-0.06, tall * 0.3),
                    (-0.04, tall * 0.4),
                    (0, tall * 0.41),
                    (0.04, tall * 0.4),
                    (0.06, tall * 0.3),
                ],
                5,
            ),
            0.011,
            dark,
        )
    else:
        canvas.line(
            paint.spline([(-0.02, tall * 0.27), (0, tall * 0.31), (0.02, tall * 0.27)], 5), 0.012, dark
        )


def _mouth(canvas: PosedCanvas, person: Person, skin: RGB, dark: RGB, tall: float) -> None:
    y = tall * 0.64
    wide = {"child": 0.062, "adult": 0.078, "old": 0.068}[person.age]
    if person.sex == "female" and person.age != "child":
        lips = paint.mix(skin, (196, 36, 66), 0.62)
        canvas.fill(
            paint.spline(
                [
                    (-wide, y),
                    (-wide * 0.4, y - 0.016),
                    (0, y - 0.008),
                    (wide * 0.4, y - 0.016),
                    (wide, y),
                    (0, y + 0.04),
                    (-wide, y),
                ],
                5,
            ),
            lips,
        )
    else:
        smile = [
            (-wide, y - 0.008),
            (-wide * 0.5, y + 0.02),
            (0, y + 0.028),
            (wide * 0.5, y + 0.02),
            (wide, y - 0.008),
        ]
        canvas.line(paint.spline(smile, 5), 0.014, paint.mix(dark, (150, 40, 50), 0.35))
