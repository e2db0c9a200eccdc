"""Photographs that were saved again, scaled or cropped are known as the same picture, and no others are."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from s2h import tasks
from s2h.images.decoding import ImageError, reduced
from s2h.images.store import Store
from s2h.sources import open_source
from s2h.sources.near_duplicates import near, perceptual_hash_of

SIDES = ((0, 0), (1, 0), (0, 1), (1, 1))


def photographs() -> list[Image.Image]:
    """Eight quarters of two photographs."""
    found = []
    for pixels in load_sample_images().images:
        photo = Image.fromarray(pixels)
        w, h = photo.width // 2, photo.height // 2
        found += [photo.crop((x * w, y * h, x * w + w, y * h + h)) for x, y in SIDES]
    return found


def saved(image: Image.Image, kind: str = "JPEG", **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def look_of(data: bytes) -> int:
    return perceptual_hash_of(reduced(data))


def test_copies_of_a_photograph_are_near_and_others_are_not():
    photos = photographs()
    looks = [look_of(saved(photo, "PNG")) for photo in photos]
    assert not any(near(one, other) for one, other in combinations(looks, 2))
    for photo, look in zip(photos, looks, strict=True):
        turned = Image.Exif()
        turned[0x0112] = 6  # to be turned by 90 degrees when it is shown
        upright = photo.transpose(Image.Transpose.ROTATE_90)
        for copy in (
            saved(photo, quality=40),
            saved(photo.resize((photo.width * 2 // 3, photo.height * 2 // 3)), quality=80),
            saved(photo.crop((3, 2, photo.width - 3, photo.height - 2)), "WEBP"),
            saved(ImageOps.autocontrast(photo), "PNG"),
            saved(upright, exif=turned),
            saved(photo.convert("CMYK")),
        ):
            assert near(look_of(copy), look)


def test_pictures_of_one_colour_are_like_nothing():
    looks = [look_of(saved(Image.new("RGB", (40 + i, 60), "red"))) for i in range(2)]
    assert looks == [0, 0] and not near(*looks)
    with pytest.raises(ImageError, match="damaged"):
        look_of(saved(photographs()[0])[:900])


def test_two_pictures_of_a_prompt_are_no_near_duplicates(tmp_path):
    """Each photograph is there twice, the second time smaller and under other words."""
    root = tmp_path / "photos"
    root.mkdir()
    things = ("temple", "roof", "flower", "petal", "stem", "wall", "tower", "leaf")
    for i, (photo, thing) in enumerate(zip(photographs(), things, strict=True)):
        photo.save(root / f"{i}.png")
        (root / f"{i}.txt").write_text(f"A {thing} in the sun, seen on day {i}.")
        photo.resize((200, 140)).save(root / f"{i}-again.jpg", quality=60)
        (root / f"{i}-again.txt").write_text(f"A garden with a fence, seen on day {i}.")
    made = list(tasks.generate("search", n=60, source=open_source(str(root)), images=Store(tmp_path / "s")))
    assert len(made) == 60
    for pair in made:
        numbers = [Path(reference).stem.removesuffix("-again") for reference in pair["images"]]
        assert len(set(numbers)) == len(numbers)
