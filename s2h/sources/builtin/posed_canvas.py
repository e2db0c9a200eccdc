"""A canvas posed: points given in the sitter's own coordinates land where the pose puts them."""

from __future__ import annotations

from s2h.sources.builtin import paint
from s2h.sources.builtin.paint import RGB, Point


class Sitting:
    """A canvas on which points are given in the sitter's own coordinates (1 is the shorter side of the picture, the face's
    middle at (0, 0), y downwards) and land where the pose puts them, in a square at the middle of the picture's bottom."""

    def __init__(self, image, pen, tilt: float, scale: float, at: Point) -> None:
        self.image, self.pen, self.width = image, pen, min(image.size)
        self.left, self.top = (image.width - self.width) / 2, image.height - self.width
        self.tilt, self.scale, self.at = tilt, scale, at

    def place(self, points: list[Point]) -> list[Point]:
        turned = paint.turn(points, self.tilt, self.scale, self.at)
        return [(x * self.width + self.left, y * self.width + self.top) for x, y in turned]

    def fill(self, points, colour: RGB) -> None:
        self.pen.polygon(self.place(points), fill=colour)

    def dot(self, x: float, y: float, rx: float, colour: RGB, ry: float | None = None) -> None:
        self.fill(paint.ellipse(x, y, rx, rx if ry is None else ry, 24), colour)

    def line(self, points: list[Point], thick: float, colour: RGB) -> None:
        self.pen.line(
            self.place(points),
            fill=colour,
            width=max(1, round(thick * self.scale * self.width)),
            joint="curve",
        )
