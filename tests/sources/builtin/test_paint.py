"""The shared brushes: geometry that can be checked by hand."""

from __future__ import annotations

import pytest

from s2h.sources.builtin import paint


def test_turn_is_clockwise_then_scales_then_moves():
    ((x, y),) = paint.turn([(1, 0)], 90, 2, (10, 20))
    assert (x, y) == pytest.approx((10, 22))


def test_spline_goes_through_its_points():
    points = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 4.0)]
    line = paint.spline(points, 10)
    assert [line[i * 10] for i in range(4)] == [pytest.approx(p) for p in points]


def test_gradient_meets_its_corners():
    corners = ((10, 20, 30), (200, 20, 30), (10, 220, 30), (10, 20, 230))
    image = paint.gradient(corners, 64)
    for corner, place in zip(corners, ((0, 0), (63, 0), (0, 63), (63, 63)), strict=True):
        assert all(abs(a - b) <= 4 for a, b in zip(image.getpixel(place), corner, strict=True))
    image.putpixel((0, 0), (0, 0, 0))
    assert paint.gradient(corners, 64).getpixel((0, 0)) != (
        0,
        0,
        0,
    )  # what is kept can't be spoilt by painting on it


def test_tones():
    assert paint.tone((100, 150, 200), 0) == (100, 150, 200)
    assert paint.tone((100, 150, 200), 1) == (255, 255, 255)
    assert sum(paint.tone((100, 150, 200), -0.5)) < 450


def test_shadow_darkens_and_light_brightens_only_where_asked():
    from PIL import Image

    square = [(40, 40), (80, 40), (80, 80), (40, 80)]
    image = Image.new("RGB", (128, 128), (120, 120, 120))
    paint.cast_shadow(image, [square], offset=(0, 0), blur=4, strength=0.5)
    assert image.getpixel((60, 60))[0] < 80 and image.getpixel((5, 5)) == (120, 120, 120)
    image = Image.new("RGB", (128, 128), (120, 120, 120))
    paint.cast_light(image, [square], [(60, 60, 40)], strength=0.5)
    assert image.getpixel((60, 60))[0] > 150 and image.getpixel((30, 60)) == (120, 120, 120)
