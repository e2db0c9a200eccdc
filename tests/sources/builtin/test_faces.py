"""Portraits: what the labels say can be seen, at any size; what the view adds tells nothing about the person."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from dataclasses import replace
from statistics import median

import numpy
import pytest

from s2h.seeds import rng
from s2h.sources.builtin import faces, families

KINDS = list(itertools.product(families.SEXES, families.AGES))
PLAIN = {
    "skin": "tan", "hair": "brown", "eyes": "blue", "face": "round", "nose": "broad", "brows": "thin",
    "texture": "straight", "freckles": "none",
}  # fmt: skip


def someone(sex="female", age="adult", key="somebody", **traits) -> families.Person:
    return families.Person(key, "family", "stranger", sex, age, tuple((PLAIN | traits).items()))


def pixels(person, view="view 1", size=64) -> numpy.ndarray:
    return numpy.asarray(faces.draw(person, families.View(view), size)).astype(int)


def fingerprint() -> str:
    """A hash over portraits of every kind of person, at several sizes."""
    found = hashlib.sha256()
    for i, (sex, age) in enumerate(KINDS):
        person = families.person(rng("print", i), f"print {i}", sex=sex, age=age)
        for size in (32, 64, 97, 224):
            found.update(faces.draw(person, families.View(f"view {i}"), size).tobytes())
    return found.hexdigest()


def test_the_bytes_are_the_same_in_another_process():
    code = (
        "import importlib.util as u; s = u.spec_from_file_location('t', "
        f"{__file__!r}); m = u.module_from_spec(s); s.loader.exec_module(m); print(m.fingerprint())"
    )
    # Another hash seed, so that an order taken from a set would show.
    environment = os.environ | {
        "PYTHONHASHSEED": "12345",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == fingerprint()


def test_every_size_from_32_to_448():
    person = someone()
    for size in range(32, 449):
        picture = faces.draw(person, families.View("sizes"), size)
        assert (picture.mode, picture.size) == ("RGB", (size, size))


@pytest.mark.parametrize("size", [0, 31, 449])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="size"):
        faces.draw(someone(), families.View("sizes"), size)


@pytest.mark.parametrize(("sex", "age"), KINDS)
def test_a_portrait_is_the_same_picture_at_every_size(sex, age):
    from PIL import Image

    view = families.View("one view")
    small = pixels(someone(sex, age), "one view")
    for size in (96, 224, 448):
        large = faces.draw(someone(sex, age), view, size).resize((64, 64), Image.Resampling.BOX)
        assert numpy.abs(numpy.asarray(large).astype(int) - small).mean() < 6


def seen(one: numpy.ndarray, other: numpy.ndarray) -> int:
    """How many pixels differ so much that one could see it."""
    return int((numpy.abs(one - other).max(axis=2) > 20).sum())


@pytest.mark.parametrize(("sex", "age"), KINDS)
@pytest.mark.parametrize("trait", families.TRAITS)
def test_changing_one_trait_changes_the_drawing(sex, age, trait):
    for size in (32, 64, 224):
        drawn = [pixels(someone(sex, age, **{trait: v}), size=size) for v in families.TRAITS[trait]]
        assert all((one != other).any() for one, other in itertools.combinations(drawn, 2))


@pytest.mark.parametrize(("sex", "age"), KINDS)
@pytest.mark.parametrize("trait", [trait for trait in families.TRAITS if trait != "nose"])
def test_changing_one_trait_shows_at_64_pixels(sex, age, trait):
    drawn = {value: pixels(someone(sex, age, **{trait: value})) for value in families.TRAITS[trait]}
    for one, other in itertools.combinations(drawn, 2):
        assert seen(drawn[one], drawn[other]) >= 10, (one, other)


def test_noses_show_at_64_pixels_on_every_skin():
    for (sex, age), skin in itertools.product(KINDS, families.TRAITS["skin"]):
        drawn = {n: pixels(someone(sex, age, skin=skin, nose=n)) for n in families.TRAITS["nose"]}
        for one, other in itertools.combinations(drawn, 2):
            assert seen(drawn[one], drawn[other]) >= 10, (sex, age, skin, one, other)


def test_brows_show_at_64_pixels_on_every_skin():
    pairs = itertools.product(families.TRAITS["skin"], families.TRAITS["hair"])
    for (sex, age), (skin, hair) in itertools.product(KINDS, pairs):
        thin, thick = (pixels(someone(sex, age, skin=skin, hair=hair, brows=b)) for b in ("thin", "thick"))
        assert seen(thin, thick) >= 10, (sex, age, skin, hair)


def test_sex_and_age_show_at_64_pixels():
    drawn = {kind: pixels(someone(*kind)) for kind in KINDS}
    for one, other in itertools.combinations(KINDS, 2):
        assert seen(drawn[one], drawn[other]) >= 100, (one, other)


def test_skin_is_told_apart_in_every_light():
    """The five skins in order of lightness, none as light in any view as the next lighter one in any other."""

    def lightness(skin: str, view: int) -> float:
        picture = pixels(someone("male", skin=skin), f"light {view}", 224)
        return median(picture[74:83, 103:121].sum(axis=2).flat)  # the forehead between hair and brows

    ranges = [[lightness(skin, view) for view in range(40)] for skin in families.TRAITS["skin"]]
    for lighter, darker in itertools.pairwise(ranges):
        assert min(lighter) > max(darker)


def test_the_colours_of_hair_are_told_apart_at_every_age_and_in_every_light():
    """The colour of most of a person's hair is closer to the one that the words name, as adults have it, than to any other:
    grey strands and light don't change it."""

    def colours(age: str, hair: str) -> list[numpy.ndarray]:
        found = []
        for view in range(8):
            black, blond, asked = (
                pixels(someone("female", age, hair=h), f"hair {view}") for h in ("black", "blond", hair)
            )
            at = numpy.abs(black - blond).sum(axis=2) > 250
            found.append(numpy.median(asked[at], axis=0))
        return found

    middle = {hair: numpy.mean(colours("adult", hair), axis=0) for hair in families.TRAITS["hair"]}
    for age, hair in itertools.product(families.AGES, families.TRAITS["hair"]):
        for one in colours(age, hair):
            assert min(middle, key=lambda name: numpy.abs(middle[name] - one).sum()) == hair


def test_background_and_clothes_belong_to_the_view_and_not_to_the_person():
    crowd = [
        families.person(rng("crowd", i), f"crowd {i}", sex=sex, age=age)
        for i, (sex, age) in enumerate(KINDS * 4)
    ]
    for view in ("a", "b", "c", "d", "e", "f"):
        first, *others = (pixels(person, view, 128) for person in crowd)
        for other in others:
            assert (other[:38, :10] == first[:38, :10]).all()
            assert (other[:38, -10:] == first[:38, -10:]).all()
            assert (other[-2:, 40:52] == first[-2:, 40:52]).all()  # clothes, beside the neckline


def test_family_and_role_are_not_drawn():
    person = someone()
    adopted = replace(person, family="another family", role="mother", parents=("one", "two"))
    assert (pixels(person) == pixels(adopted)).all()


def test_views_differ_in_background_clothes_and_pose():
    drawn = [pixels(someone(), f"differ {i}") for i in range(40)]
    assert len({tuple(picture[0, 0]) for picture in drawn}) >= 8
    assert len({tuple(picture[-1, 22]) for picture in drawn}) >= 6
    assert len({picture.tobytes() for picture in drawn}) == 40
