"""A canvas for portraits: points are given in the coordinates of the face, and the pose decides where they land."""

from __future__ import annotations

from s2h.sources.builtin import paint
from s2h.sources.builtin.paint import RGB, Point


class PosedCanvas:
    """A canvas on which points are given in the coordinates of the face: 1 is the shorter side of the picture, (0, 0) the
    middle of the face, and y grows downwards. The pose puts them into a square at the middle of the bottom of the
    picture."""

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
