"""The hair of the portraits, behind the head and on it. Its texture decides the outline (smooth, in waves, or as curls);
sex and age decide the cut."""

from __future__ import annotations

import math

from s2h.sources.builtin import paint
from s2h.sources.builtin.families import Person
from s2h.sources.builtin.paint import RGB, Point
from s2h.sources.builtin.posed_canvas import PosedCanvas

GREY: RGB = (214, 214, 220)


def _edge(points: list[Point], texture: str, bump: float) -> list[list[Point]]:
    """Draw a hair line as filled shapes: smooth, in waves, or as curls along it."""
    smooth = paint.spline(points, 8)
    if texture == "straight":
        return [smooth]
    if texture == "wavy":
        moved = []
        for i, (x, y) in enumerate(smooth):
            reach = 1 + bump * math.sin(i * 0.9) / max(0.1, math.hypot(x, y))
            moved.append((x * reach, y * reach))
        return [moved]
    curls = [smooth]
    for x, y in smooth[::3]:
        curls.append(list(paint.ellipse(x, y, bump * 2.1, bump * 2.1, 16)))
    return curls


def hair_behind(canvas: PosedCanvas, person: Person, half: float, tall: float, hair: RGB) -> None:
    """Draw the long hair of women and girls behind the head."""
    if person.sex == "male":
        return
    texture = person.trait["texture"]
    low = {"child": 0.2, "adult": 0.36, "old": 0.14}[person.age]
    wide = half + {"straight": 0.03, "wavy": 0.05, "curly": 0.06}[texture]
    shape = [
        (-wide * 0.7, low),
        (-wide - 0.012, low * 0.75),
        (-wide, 0),
        (-wide * 0.8, -tall * 0.8),
        (0, -tall - 0.055),
        (wide * 0.8, -tall * 0.8),
        (wide, 0),
        (wide + 0.012, low * 0.75),
        (wide * 0.7, low),
        (0, low * 0.9),
    ]
    for piece in _edge(shape, texture, 0.022):
        canvas.fill(piece, hair)
    if person.age == "child":  # bunches
        for side in (-1, 1):
            x, y = side * (half + 0.065), 0.05
            if texture == "straight":
                canvas.fill(paint.ellipse(x, y + 0.07, 0.05, 0.12), hair)
            elif texture == "wavy":
                for i in range(3):
                    canvas.dot(x + side * 0.016 * (-1) ** i, y + 0.06 * i, 0.052, hair)
            else:
                for i in range(7):
                    a = 2 * math.pi * i / 7
                    canvas.dot(x + 0.052 * math.cos(a), y + 0.02 + 0.052 * math.sin(a), 0.042, hair)
                canvas.dot(x, y + 0.02, 0.06, hair)


def hair_before(canvas: PosedCanvas, person: Person, half: float, tall: float, hair: RGB) -> None:
    """Draw the hair on the head: a fringe parted to one side for women, short for men, receding for old men."""
    texture = person.trait["texture"]
    wide, top = half + 0.018, tall + 0.045
    light = paint.tone(hair, 0.16)
    if person.sex == "male" and person.age == "old":
        for side in (-1, 1):
            shape = [
                (side * wide, 0.05),
                (side * (wide + 0.022), -0.05),
                (side * (wide + 0.01), -tall * 0.42),
                (side * wide * 0.82, -tall * 0.78),
                (side * half * 0.66, -tall * 0.76),
                (side * half * 0.84, -tall * 0.3),
                (side * half * 0.92, -0.02),
            ]
            for piece in _edge(shape, texture, 0.014):
                canvas.fill(piece, hair)
            _streaks(
                canvas,
                [(side * wide * 0.98, 0.0), (side * wide, -tall * 0.3), (side * wide * 0.86, -tall * 0.6)],
            )
        return
    if person.sex == "male":
        line = tall * (0.5 if person.age == "child" else 0.56)
        shape = [
            (-wide, -0.02),
            (-wide - 0.005, -tall * 0.5),
            (-wide * 0.62, -top * 1.0),
            (0, -top * 1.09),
            (wide * 0.62, -top * 1.0),
            (wide + 0.005, -tall * 0.5),
            (wide, -0.02),
            (half * 0.86, -tall * 0.32),
            (half * 0.55, -line),
            (0, -line * 1.12),
            (-half * 0.55, -line),
            (-half * 0.86, -tall * 0.32),
        ]
    else:
        shape = [
            (-wide, 0.08),
            (-wide - 0.004, -tall * 0.45),
            (-wide * 0.64, -top * 0.98),
            (0, -top * 1.06),
            (wide * 0.64, -top * 0.98),
            (wide + 0.004, -tall * 0.45),
            (wide, 0.08),
            (half * 0.9, -tall * 0.22),
            (half * 0.5, -tall * 0.62),
            (-half * 0.15, -tall * 0.74),
            (-half * 0.7, -tall * 0.45),
            (-half * 0.93, -tall * 0.1),
        ]
    for piece in _edge(shape, texture, 0.02 if person.sex == "male" else 0.016):
        canvas.fill(piece, hair)
    if person.age == "old":
        for side in (-1, 1):
            _streaks(
                canvas,
                [
                    (side * half * 0.98, 0.03),
                    (side * half * 0.96, -tall * 0.4),
                    (side * half * 0.62, -tall * 0.78),
                ],
            )
    shine = [(-half * 0.55, -tall * 0.86), (-half * 0.2, -top * 0.96), (half * 0.25, -top * 0.97)]
    if texture == "straight":
        canvas.line(paint.spline(shine, 5), 0.014, light)
    elif texture == "wavy":
        for drop in (0.0, 0.03):
            waved = [
                (x, y + drop + 0.008 * math.sin(i * 1.6)) for i, (x, y) in enumerate(paint.spline(shine, 6))
            ]
            canvas.line(waved, 0.01, light)
    else:
        for x, y in paint.spline([(-half * 0.7, -tall * 0.7), (0, -top), (half * 0.7, -tall * 0.7)], 4):
            curl = paint.ellipse(x, y, 0.026, 0.026, 18)[10:17]
            canvas.line(list(curl), 0.008, light)


def _streaks(canvas: PosedCanvas, points: list[Point]) -> None:
    """Draw two grey strands at the temple of an old person."""
    for aside in (0.94, 1.04):
        canvas.line(paint.spline([(x * aside, y) for x, y in points], 5), 0.011, GREY)
