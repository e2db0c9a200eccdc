"""Scenes: their labels are about uniform, and what the labels say is what the picture shows."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import subprocess
import sys
from collections import Counter

import numpy
import pytest
from scipy import ndimage

from s2h.seeds import rng
from s2h.sources.builtin import scenes


def drawn_many(n, **wanted):
    return [scenes.sample(rng(5, "scene", i), f"scene {i}", **wanted) for i in range(n)]


def lab(colour):
    """CIELAB (D65) of an sRGB colour, by the CIE's formulas."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)]
    rows = (
        (0.4124, 0.3576, 0.1805, 0.95047),
        (0.2126, 0.7152, 0.0722, 1.0),
        (0.0193, 0.1192, 0.9505, 1.08883),
    )
    x, y, z = (sum(m * v for m, v in zip(row, linear, strict=False)) / row[3] for row in rows)
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def foreground(scene, size=224):
    """Where the picture is neither background nor shadow: whiteness and shadow leave the hue of a grey scene alone,
    so a white background and strongly coloured objects make this a matter of saturation."""
    plain = scenes.Scene(scene.key, "white", scene.groups)
    pixels = numpy.asarray(scenes.draw(plain, size)).astype(int)
    return pixels.max(axis=2) - pixels.min(axis=2) > 40


def test_labels_are_about_uniform():
    many = drawn_many(6000)
    groups = [group for scene in many for group in scene.groups]
    for of, known, values in (
        ("shape", scenes.SHAPES, [g.shape for g in groups]),
        ("colour", scenes.COLOURS, [g.colour for g in groups]),
        ("count", (1, 2, 3, 4), [g.count for g in groups]),
        ("place", scenes.PLACES, [g.place for g in groups]),
        ("background", scenes.BACKGROUNDS, [s.background for s in many]),
    ):
        shares = {value: n * len(known) / len(values) for value, n in Counter(values).items()}
        assert set(shares) == set(known), of
        assert all(0.85 < share < 1.15 for share in shares.values()), (of, shares)
    # Many large objects don't fit, so sizes can't be even for every count; over all they nearly are.
    assert 0.37 < sum(g.size == "large" for g in groups) / len(groups) < 0.5


def test_wanted_and_avoided():
    avoid = frozenset(("house", "tree", "fish"))
    ats = set()
    for scene in drawn_many(300, shape="star", colour="blue", avoid=avoid):
        which = [i for i, g in enumerate(scene.groups) if (g.shape, g.colour) == ("star", "blue")]
        assert len(which) == 1
        ats.add((len(scene.groups), which[0]))
        others = [g for g in scene.groups if (g.shape, g.colour) != ("star", "blue")]
        assert all(g.shape != "star" and g.colour != "blue" and g.shape not in avoid for g in others)
    assert ats == {(1, 0), (2, 0), (2, 1)}
    only = drawn_many(20, avoid=frozenset(scenes.SHAPES) - {"moon"})
    assert all([g.shape for g in scene.groups] == ["moon"] for scene in only)
    for wrong in (
        {"shape": "star", "avoid": {"star"}},
        {"shape": "cube"},
        {"colour": "teal"},
        {"avoid": scenes.SHAPES},
    ):
        with pytest.raises(ValueError):
            scenes.sample(random.Random(0), "x", **wrong)


def test_impossible_scenes_are_refused():
    star = scenes.Group("star", "red", "small", 2, "left")
    for groups in (
        (star,),
        (star, scenes.Group("star", "blue", "small", 1, "right")),
        (star, scenes.Group("moon", "red", "small", 1, "right")),
        (star, scenes.Group("moon", "blue", "large", 3, "right")),
        (star, scenes.Group("moon", "blue", "small", 1, "bottom")),
    ):
        with pytest.raises(ValueError):
            scenes.Scene("x", "white", groups)
    with pytest.raises(ValueError, match="count"):
        scenes.Group("star", "red", "small", 5, "left")


def test_colours_are_far_apart():
    paints = {name: lab(colour) for name, colour in scenes.PAINTS.items()}
    grounds = [lab(colour) for pair in scenes.GROUNDS.values() for colour in pair]
    assert all(math.dist(a, b) > 35 for a, b in itertools.combinations(paints.values(), 2))
    assert all(math.dist(a, b) > 40 for a in paints.values() for b in grounds)


def test_as_many_objects_as_the_labels_say():
    """Every object is one patch of the foreground, apart from all others and clear of the picture's edge."""
    for scene in drawn_many(250):
        mask = foreground(scene)
        # The white of eyes, doors and pistils lies within the objects.
        labels, found = ndimage.label(ndimage.binary_fill_holes(mask))
        areas = ndimage.sum_labels(mask, labels, range(1, found + 1))
        assert (areas > 60).sum() == sum(g.count for g in scene.groups), scene
        assert not (mask[:3].any() or mask[-3:].any() or mask[:, :3].any() or mask[:, -3:].any()), scene


def test_groups_keep_to_their_halves_and_have_their_colours():
    for scene in drawn_many(200):
        if len(scene.groups) == 1:
            continue
        pixels = numpy.asarray(scenes.draw(scenes.Scene(scene.key, "white", scene.groups), 224)).astype(int)
        mask = foreground(scene)
        if scene.groups[0].place == "top":
            pixels, mask = pixels.transpose(1, 0, 2), mask.T
        assert not mask[:, 110:114].any(), scene
        for group, half in zip(scene.groups, (slice(0, 112), slice(112, 224)), strict=True):
            inside = pixels[:, half][mask[:, half]]
            middle = numpy.median(inside, axis=0)
            nearest = min(scenes.COLOURS, key=lambda c, m=middle: math.dist(lab(m), lab(scenes.PAINTS[c])))
            assert nearest == group.colour, (scene, middle)


def test_large_objects_are_larger_than_small_ones():
    for shape in scenes.SHAPES:
        areas = {}
        for size in scenes.SIZES:
            one = [
                scenes.Scene(f"{shape} {i}", "white", (scenes.Group(shape, "red", size, 1, "middle"),))
                for i in range(12)
            ]
            areas[size] = [foreground(scene, 64).sum() for scene in one]
        assert 1.5 * max(areas["small"]) < min(areas["large"]), shape


def test_every_arrangement_has_room():
    """The roomiest arrangement takes the largest objects of every shape, at every place, without an error."""
    for place in scenes.PLACES:
        groups = 1 if place == "middle" else 2
        for size, shape, count in itertools.product(scenes.SIZES, scenes.SHAPES, range(1, scenes.MOST + 1)):
            if size == "large" and count > scenes.MOST_LARGE[groups]:
                continue
            low, high = scenes.DIAMETERS[size]
            high = (low + high) / 2 if count == scenes.MOST else high
            for i in range(20):
                radii = [high / 2 * scenes.REACH[shape]] * count
                for x, y in scenes._stand(random.Random(i), place, radii):
                    left, top, right, bottom = scenes._boxes(place)
                    assert left - 1e-9 <= x - radii[0] and x + radii[0] <= right + 1e-9
                    assert top - 1e-9 <= y - radii[0] and y + radii[0] <= bottom + 1e-9


@pytest.mark.parametrize("size", [32, 33, 48, 64, 100, 113, 224, 336, 447, 448])
def test_any_size(size):
    for scene in drawn_many(6):
        picture = scenes.draw(scene, size)
        assert picture.size == (size, size) and picture.mode == "RGB"


@pytest.mark.parametrize("size", [0, 31, 449])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="size"):
        scenes.draw(drawn_many(1)[0], size)


def test_same_scene_at_every_size():
    for scene in drawn_many(20):
        large = numpy.asarray(scenes.draw(scene, 256).reduce(4)).astype(int)
        small = numpy.asarray(scenes.draw(scene, 64)).astype(int)
        assert abs(large - small).mean() < 2


def test_same_bytes_in_another_process():
    script = (
        "import hashlib; from s2h.seeds import rng; from s2h.sources.builtin import scenes\n"
        "h = hashlib.sha256()\n"
        "for i in range(12):\n"
        "    one = scenes.sample(rng(5, 'scene', i), f'scene {i}')\n"
        "    h.update(scenes.draw(one, 64 + 40 * (i % 3)).tobytes())\n"
        "print(h.hexdigest())"
    )
    digest = hashlib.sha256()
    for i, scene in enumerate(drawn_many(12)):
        digest.update(scenes.draw(scene, 64 + 40 * (i % 3)).tobytes())
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest.hexdigest()
