"""Images are brought within bounds of pixels, and keep their shape."""

import pytest
from PIL import Image

from s2h.images.decoding import open_image
from s2h.images.resizing import WHOLE, Pixels

SIZES = ((4000, 3000), (640, 480), (37, 1200), (1, 9000), (9000, 1), (1, 1), (333, 333))
BOUNDS = (
    Pixels(most=1),
    Pixels(most=50_000),
    Pixels(10_000, 10_000),
    Pixels(least=200_000),
    Pixels(90_000, 100_000),
)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes_lie_within_the_bounds_and_keep_their_shape(size, bounds):
    width, height = bounds.size(size)
    area = width * height
    assert width >= 1 and height >= 1 and area <= (bounds.most or area)
    if bounds.least != bounds.most and min(width, height) > 1:
        assert area >= bounds.least
    if min(width, height) > 1:  # the nearest pixel of the same shape
        assert abs(width - height * size[0] / size[1]) <= max(1, size[0] / size[1]) + 1
    inside = bounds.least <= size[0] * size[1] <= (bounds.most or area)
    assert ((width, height) == size) or not inside


def test_an_opened_image_is_the_file_resized(tmp_path):
    Image.effect_noise((400, 300), 60).convert("RGB").save(tmp_path / "a.png")
    reference, bounds = str(tmp_path / "a.png"), Pixels(most=7_600)
    whole = open_image(reference)
    assert bounds.size((400, 300)) == (100, 75)
    by_hand = whole.resize((100, 75), Image.Resampling.BICUBIC)
    assert open_image(reference, pixels=bounds).tobytes() == by_hand.tobytes()
    assert open_image(reference, pixels=WHOLE).tobytes() == whole.tobytes()
    assert Pixels(120_000, 120_000).fit(whole) is whole


def test_bounds_that_exclude_each_other_have_a_fault():
    assert "--min-pixels 9 is above --max-pixels 8" in Pixels(9, 8).fault
    assert "the most pixels that an image may have" in Pixels(least=10**9).fault
    assert not Pixels(8, 8).fault and not WHOLE.fault and not Pixels(least=5).completed(WHOLE).fault
    assert Pixels(least=5).completed(Pixels(1, 9)) == Pixels(5, 9)
