"""Scenes of the built-in world: one or two groups of equal, simple objects on a soft background, each group with a
shape, a colour, a size, a count and a place. `sample` draws the labels,
`draw` the picture; the picture's small
liberties (exact places, turns, tints) come from the scene's key alone, so a scene looks the same wherever it is made."""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from dataclasses import dataclass

from s2h.seeds import rng as rng_of
from s2h.sources.builtin import paint

SHAPES = (
    "circle",
    "square",
    "triangle",
    "star",
    "heart",
    "diamond",
    "moon",
    "cross",
    "flower",
    "fish",
    "house",
    "tree",
)
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
SIZES = ("small", "large")
BACKGROUNDS = ("white", "grey", "sand", "mint", "sky", "night")
PLACES = ("left", "right", "top", "bottom", "middle")

# Chosen to be far apart in CIELAB from each other and from every background (a test measures it).
# fmt: off
PAINTS = {
    "red": (219, 40, 46), "orange": (250, 134, 18), "yellow": (250, 214, 36), "green": (38, 158, 74),
    "blue": (30, 104, 226), "purple": (146, 56, 178), "pink": (250, 132, 190), "brown": (136, 82, 46),
}
# The light and the dark end of each background's gradient.
GROUNDS = {
    "white": ((255, 255, 255), (238, 239, 243)), "grey": ((182, 186, 193), (146, 150, 159)),
    "sand": ((243, 226, 192), (224, 200, 158)), "mint": ((206, 240, 222), (162, 220, 194)),
    "sky": ((200, 229, 250), (146, 198, 240)), "night": ((44, 50, 82), (18, 22, 44)),
}
# fmt: on
DIAMETERS = {
    "small": (0.17, 0.20),
    "large": (0.28, 0.34),
}  # of the picture's width; 2 units of a shape's drawing
MOST_LARGE = {1: 3, 2: 2}  # objects of a large group, by the number of groups
MOST = 4
MARGIN = 0.03  # between objects and the picture's edge, and half of what parts the two halves
GAP = 0.028  # between the circles around two objects: two pixels at 64


@dataclass(frozen=True)
class Group:
    """`count` objects that share shape, colour and size, at one place of the picture."""

    shape: str
    colour: str
    size: str
    count: int
    place: str

    def __post_init__(self) -> None:
        for name, known in (("shape", SHAPES), ("colour", COLOURS), ("size", SIZES), ("place", PLACES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} is none of {', '.join(known)}")
        if not 1 <= self.count <= MOST:
            raise ValueError(f"count: {self.count} is not between 1 and {MOST}")


@dataclass(frozen=True)
class Scene:
    """What is in a picture: its background and one or two groups. The key decides everything else about how it looks."""

    key: str
    background: str
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise ValueError(f"background: {self.background!r} is none of {', '.join(BACKGROUNDS)}")
        places = tuple(group.place for group in self.groups)
        if places not in (("middle",), ("left", "right"), ("top", "bottom")):
            raise ValueError(
                f"groups: places {places} are neither middle, left and right, nor top and bottom"
            )
        if len({g.shape for g in self.groups}) + len({g.colour for g in self.groups}) != 2 * len(self.groups):
            raise ValueError("groups: the two must differ in shape and in colour")
        most = MOST_LARGE[len(self.groups)]
        if any(group.size == "large" and group.count > most for group in self.groups):
            raise ValueError(f"groups: at most {most} large objects fit into a group here")


def sample(
    rng: random.Random,
    key: str,
    *,
    shape: str | None = None,
    colour: str | None = None,
    avoid: Collection[str] = frozenset(),
) -> Scene:
    """Draw the labels of a scene, each about uniformly.

    With `shape` and/or `colour`,
    one of the groups has them (the same one) and no other does. Shapes in `avoid` do
    not occur; with only one shape left the scene has one group. Raises ValueError for a shape that is both wanted
    and avoided, for unknown labels, and where no shape is left.
    """
    shapes = [name for name in SHAPES if name not in avoid]
    if shape is not None and shape not in shapes:
        raise ValueError(f"shape: {shape!r} is unknown or to be avoided")
    if colour is not None and colour not in COLOURS:
        raise ValueError(f"colour: {colour!r} is none of {', '.join(COLOURS)}")
    if not shapes:
        raise ValueError("avoid: no shape is left")
    # Two pictures in three have two groups, so that each of the five places is named equally often.
    places = (
        rng.choice((("middle",), ("left", "right"), ("top", "bottom"))) if len(shapes) > 1 else ("middle",)
    )
    wanted_at = rng.randrange(len(places))
    first_shape = shape or rng.choice(shapes)
    first_colour = colour or rng.choice(COLOURS)
    looks = [(first_shape, first_colour)]
    if len(places) == 2:
        looks.append(
            (
                rng.choice([s for s in shapes if s != first_shape]),
                rng.choice([c for c in COLOURS if c != first_colour]),
            )
        )
        if wanted_at == 1:
            looks.reverse()
    groups = []
    for place, (its_shape, its_colour) in zip(places, looks, strict=True):
        count = rng.randint(1, MOST)
        # Many large objects don't fit; three in four of the others are large, so that both sizes are common.
        large = rng.random() < chance_of_size("large", count, len(places))
        groups.append(Group(its_shape, its_colour, "large" if large else "small", count, place))
    return Scene(key, rng.choice(BACKGROUNDS), tuple(groups))


def chance_of_size(size: str, count: int, groups: int) -> float:
    """Return how often a group of `count` objects, one of `groups`, has this size."""
    large = 0.75 if count <= MOST_LARGE[groups] else 0.0
    return large if size == "large" else 1 - large


# --- the shapes: polygons in a square of 2 x 2 units about the origin, y downwards, with their tones --------


def _crescent() -> tuple[paint.Point, ...]:
    """Return the arc of the outer circle that the bite leaves, and the way back along the bite."""
    bite, reach, away = 0.80, 1.0, 0.50
    # Where the circles cross: x from the difference of the two equations.
    x = (reach**2 - bite**2 + away**2) / (2 * away)
    outer, inner = math.acos(x / reach), math.acos((x - away) / bite)
    steps = 28
    arc = [outer + (2 * math.pi - 2 * outer) * i / steps for i in range(steps + 1)]
    back = [2 * math.pi - inner - (2 * math.pi - 2 * inner) * i / steps for i in range(1, steps)]
    points = [(reach * math.cos(a), reach * math.sin(a)) for a in arc]
    points += [(away + bite * math.cos(a), bite * math.sin(a)) for a in back]
    return tuple(paint.turn([(px + 0.25, py) for px, py in points], -20))


def _heart() -> tuple[paint.Point, ...]:
    angles = [2 * math.pi * i / 48 for i in range(48)]
    return tuple(
        (
            math.sin(a) ** 3 * 1.0,
            -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16.5 - 0.08,
        )
        for a in angles
    )


def _star() -> tuple[paint.Point, ...]:
    radii = (1.1, 0.46)
    return tuple(
        (radii[i % 2] * math.sin(math.pi * i / 5), 0.06 - radii[i % 2] * math.cos(math.pi * i / 5))
        for i in range(10)
    )


def _box(left: float, top: float, right: float, bottom: float) -> tuple[paint.Point, ...]:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _flower() -> tuple[tuple[tuple[paint.Point, ...], float], ...]:
    fifths = [2 * math.pi * i / 5 for i in range(5)]
    petals = [paint.ellipse(0.62 * math.sin(a), -0.62 * math.cos(a), 0.42, 0.42, 28) for a in fifths]
    return (
        *((petal, 0.0) for petal in petals),
        (paint.ellipse(0, 0, 0.42, 0.42, 28), 0.0),
        (paint.ellipse(0, 0, 0.30, 0.30, 28), 0.82),
    )


_BAR = 0.30
# fmt: off
OUTLINES: dict[str, tuple[tuple[tuple[paint.Point, ...], float], ...]] = {
    "circle": ((paint.ellipse(0, 0, 0.95, 0.95, 48), 0.0),),
    "square": ((_box(-0.80, -0.80, 0.80, 0.80), 0.0),),
    "triangle": ((((0, -0.95), (1.0, 0.75), (-1.0, 0.75)), 0.0),),
    "star": ((_star(), 0.0),),
    "heart": ((_heart(), 0.0),),
    "diamond": ((((0, -1.1), (0.72, 0), (0, 1.1), (-0.72, 0)), 0.0),),
    "moon": ((_crescent(), 0.0),),
    "cross": ((((-_BAR, -1), (_BAR, -1), (_BAR, -_BAR), (1, -_BAR), (1, _BAR), (_BAR, _BAR),
                (_BAR, 1), (-_BAR, 1), (-_BAR, _BAR), (-1, _BAR), (-1, -_BAR), (-_BAR, -_BAR)), 0.0),),
    "flower": _flower(),
    "fish": ((((0.25, 0.0), (1.05, -0.58), (0.88, 0.0), (1.05, 0.58)), -0.22),
             (((-0.35, -0.35), (0.05, -0.78), (0.30, -0.25)), -0.22),
             (paint.ellipse(-0.26, 0, 0.80, 0.52, 40), 0.0),
             (paint.ellipse(-0.64, -0.12, 0.15, 0.15, 20), 0.92),
             (paint.ellipse(-0.67, -0.12, 0.075, 0.075, 14), -0.9)),
    "house": ((_box(0.38, -0.80, 0.62, -0.20), -0.38), (_box(-0.72, -0.15, 0.72, 0.88), 0.0),
              (((0, -0.98), (1.02, -0.05), (-1.02, -0.05)), -0.38),
              (_box(-0.50, 0.18, -0.02, 0.88), 0.82), (_box(0.20, 0.20, 0.54, 0.52), 0.82)),
    "tree": ((_box(-0.17, 0.45, 0.17, 1.08), -0.45),
             (((0, -0.25), (0.86, 0.62), (-0.86, 0.62)), 0.0),
             (((0, -0.72), (0.68, 0.14), (-0.68, 0.14)), 0.0),
             (((0, -1.1), (0.50, -0.34), (-0.50, -0.34)), 0.0)),
}
# fmt: on
# How far from its origin a shape goes, in its units.
REACH = {
    name: max(math.hypot(*point) for part, _ in parts for point in part) for name, parts in OUTLINES.items()
}
# Degrees to either side; 12 for the others.
TURNS = {"house": 5, "tree": 6, "diamond": 6, "square": 9, "triangle": 9, "flower": 36}
MIRRORED = ("fish", "moon", "house")


# --- where the objects stand --------------------------------------------------------------------------------

# Centres within the free part of an upright box that is half a picture wide, or (WHOLE) a whole one: -1 to 1 each way.
# The first of each row is the roomiest: the largest objects fit there where jitter finds no place for them.
# fmt: off
HALF = {
    1: (((0, 0),),),
    2: (((0, -1), (0, 1)), ((-0.4, -0.7), (0.4, 0.7)), ((0.4, -0.7), (-0.4, 0.7)), ((0, -0.6), (0, 0.6))),
    3: (((-1, -1), (1, 0), (-1, 1)), ((0, -0.9), (0, 0), (0, 0.9)), ((-0.8, -0.75), (0.8, 0), (-0.8, 0.75)),
        ((0.8, -0.75), (-0.8, 0), (0.8, 0.75))),
    4: (((-1, -1), (1, -0.33), (-1, 0.33), (1, 1)), ((1, -0.8), (-1, -0.27), (1, 0.27), (-1, 0.8)),
        ((-1, -0.5), (1, -0.5), (-1, 0.5), (1, 0.5)), ((0, -0.9), (-1, 0), (1, 0), (0, 0.9))),
}
WHOLE = {
    1: (((0, 0),),),
    2: (((-1, 0), (1, 0)), ((0, -0.8), (0, 0.8)), ((-0.7, -0.7), (0.7, 0.7)), ((0.7, -0.7), (-0.7, 0.7))),
    3: (((0, -1), (-1, 0.8), (1, 0.8)), ((0, 0.8), (-0.85, -0.7), (0.85, -0.7)), ((-1, 0), (0, 0), (1, 0)),
        ((-0.9, -0.9), (0, 0), (0.9, 0.9)), ((0.9, -0.9), (0, 0), (-0.9, 0.9))),
    4: (((-0.7, -0.7), (0.7, -0.7), (-0.7, 0.7), (0.7, 0.7)), ((0, -0.85), (-0.85, 0), (0.85, 0), (0, 0.85)),
        ((-1, -0.35), (-0.33, 0.35), (0.33, -0.35), (1, 0.35)), ((0, -0.8), (-0.9, 0.6), (0, 0.5), (0.9,
                                                                                                    0.6))),
}
# fmt: on


def _boxes(place: str) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the box of a place, in shares of the width."""
    near, far, half = MARGIN, 1 - MARGIN, 0.5
    return {
        "left": (near, near, half - MARGIN / 2, far),
        "right": (half + MARGIN / 2, near, far, far),
        "top": (near, near, far, half - MARGIN / 2),
        "bottom": (near, half + MARGIN / 2, far, far),
        "middle": (near, near, far, far),
    }[place]


def _stand(rng: random.Random, place: str, radii: list[float]) -> list[paint.Point]:
    """Return centres for circles of these radii (shares of the width), all inside the box of the place and `GAP` apart.

    An arrangement is jittered ever less until nothing touches; the first of each row fits without jitter.
    """
    left, top, right, bottom = _boxes(place)
    count, largest = len(radii), max(radii)
    x0, y0 = (left + right) / 2, (top + bottom) / 2
    half_x, half_y = (right - left) / 2, (bottom - top) / 2
    lying = place in ("top", "bottom")
    table = (WHOLE if place == "middle" else HALF)[count]
    tries = 16
    for i in range(tries):
        arrangement = table[0] if i == tries - 1 else rng.choice(table)
        wild = 1 - i / (tries - 1)
        spread = 1 - 0.35 * wild * rng.random()
        centres = []
        for u, v in arrangement:
            # A lone object keeps to the box's long middle, so that "left" can't be read as "top left".
            along = 0.1 if count == 1 and place != "middle" else 0.28
            u = u * spread + rng.uniform(-0.3, 0.3) * wild
            v = v * spread + rng.uniform(-along, along) * wild
            u, v = (v, u) if lying else (u, v)
            # Jitter counts in shares of the free half, so that a centre never leaves it.
            centres.append(
                (x0 + max(-1, min(1, u)) * (half_x - largest), y0 + max(-1, min(1, v)) * (half_y - largest))
            )
        apart = all(
            math.dist(centres[a], centres[b]) >= radii[a] + radii[b] + GAP
            for a in range(count)
            for b in range(a)
        )
        if apart:
            return centres
    raise AssertionError(
        f"no room for circles of {radii} at {place}: the arrangements and DIAMETERS don't agree"
    )


# --- drawing ------------------------------------------------------------------------------------------------


def draw(scene: Scene, size: int | tuple[int, int] = 224):
    """Draw a scene, an RGB image of size x size pixels or of (width, height), 32 to 448, with the same bytes every time.
    Places are shares of width and height; objects keep their proportions."""
    from PIL import ImageDraw

    broad, high = paint.extent(size)
    rng = rng_of(scene.key, "look")
    by = paint.factor(min(broad, high))
    width, extent = min(broad, high) * by, (broad * by, high * by)
    image = paint.gradient(paint.lit_from(*GROUNDS[scene.background], rng.randrange(4)), extent)
    drawn, spots = [], []
    for group in scene.groups:
        low, most = DIAMETERS[group.size]
        if group.count == MOST:
            most = (low + most) / 2  # or two in a row don't fit into half a picture
        diameter = rng.uniform(low, most)
        scales = [diameter * rng.uniform(0.97, 1.0) / 2 for _ in range(group.count)]
        centres = _stand(rng, group.place, [scale * REACH[group.shape] for scale in scales])
        base = paint.shift(PAINTS[group.colour], (rng.randint(-6, 6) for _ in range(3)))
        for scale, (x, y) in zip(scales, centres, strict=True):
            at = (x * extent[0], y * extent[1])
            spots.append((at[0] - 0.42 * scale * width, at[1] - 0.5 * scale * width, 0.55 * scale * width))
            lean = TURNS.get(group.shape, 12)
            degrees = rng.uniform(-lean, lean)
            flip = -1 if group.shape in MIRRORED and rng.random() < 0.5 else 1
            for outline, its_tone in OUTLINES[group.shape]:
                points = paint.turn([(px * flip, py) for px, py in outline], degrees, scale * width, at)
                drawn.append((points, paint.tone(base, its_tone)))
    paint.cast_shadow(
        image,
        [points for points, _ in drawn],
        offset=(0.008 * width, 0.016 * width),
        blur=0.012 * width,
        strength=0.55 if scene.background == "night" else 0.32,
    )
    pen = ImageDraw.Draw(image)
    for points, colour in drawn:
        pen.polygon(points, fill=colour)
    paint.cast_light(image, [points for points, _ in drawn], spots, strength=0.30)
    return paint.shrink(image, by)
