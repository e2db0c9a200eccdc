"""Names that may mean one thing."""

from __future__ import annotations

import pytest

from s2h.language.noun_categories import is_person
from s2h.language.related_names import may_be, parse, same

SAME = """sofa/couch TV/television restroom/bathroom grey/gray guy/man men/guys kid/child bike/bicycle plane/jet lady/woman
    cellphone/smartphone fridge/refrigerator motorbike/motorcycle purse/handbag donut/doughnut elderly_man/old_man
    grey_wall/gray_wall big_dog/large_dog a_couch/the_sofas store/shop road/road trousers/pants"""
NOT_SAME = """bike/motorcycle toilet/bathroom turtle/turtleneck snow/nose_candy seat/rear_end jersey/t-shirt
    glove/baseball_glove pepper/black_pepper banana/banana_tree airplane/aircraft rails/runway
    whale/hulk stall/cubicle hot_dog/dog man/woman dog/cat truck/car teddy_bear/bear boy/girl
    red_car/blue_car collie/dog cup/plate bat/ball sea_lion/lion wine/glass"""
BROADER = """collie/dog man/person swan/bird dog/animal woman/person child/person panda/animal duck/bird cow/animal
    great_pyramid/monument brown_dog/dog polar_bears/bear surfer/person boys/child race_car/car toy_truck/toy gray/color
    tulip/flower oak/tree pizza/food sedan/vehicle labrador/animal"""
MAY_BE = """woman/soldier woman/actor man/soldier guy/people
    surfer/man surfer/woman woman/lady car/truck table/desk family/woman couple/man boy/man man/people
    chair/couch lake/water husky/dog police/man puppy/collie dog/dogs street/road baby/child person/rider toddler/girl
    boy/racer construction_worker/builder mother/zebra herd/elephant lioness/big_cat black_cat/kitten lamp/desk_light"""
NOT_MAY_BE = """man/woman dog/cat person/dog kite/umbrella plane/bird horse/zebra pizza/banana train/elephant boy/woman
    toy_truck/truck stop_sign/zebra king/queen"""


def pairs(names: str) -> list[list[str]]:
    return [[name.replace("_", " ") for name in pair.split("/")] for pair in names.split()]


@pytest.mark.parametrize(
    ("test", "right", "wrong"),
    [(same, SAME, NOT_SAME), (may_be, f"{BROADER} {MAY_BE}", NOT_MAY_BE)],
    ids=["same", "may_be"],
)
def test_names_are_told_apart_by_meaning(test, right, wrong):
    assert [pair for pair in pairs(right) if not test(*pair)] == []
    assert [pair for pair in pairs(wrong) if test(*pair)] == []


def test_what_is_the_same_or_broader_may_be_one_thing_both_ways():
    for one, other in pairs(f"{SAME} {BROADER} {MAY_BE}"):
        assert may_be(one, other) and may_be(other, one), (one, other)
    for one, other in pairs(SAME):
        assert same(other, one), (one, other)
    for one, other in pairs(NOT_MAY_BE):
        assert not may_be(other, one), (one, other)


def test_the_head_is_taken_with_what_makes_another_thing_of_it():
    assert parse("Two brown teddy bears") == ("teddy bear", {"brown"})
    assert parse("a toy truck")[0] == "toy truck"
    assert parse("a black cat") == ("cat", {"black"})  # in the tables a marten
    assert parse("a black swan")[0] == "black swan"
    assert parse("the old wooden table") == ("table", {"old", "wooden"})


def test_containers_and_machines_are_no_people():
    for name in ("stroller", "planter", "toaster", "poster", "hanger"):
        assert not is_person(name) and not may_be(name, "man"), name
    assert may_be("stroller", "pram") and is_person("walker")


def test_a_noun_that_is_written_as_two_words_is_the_noun():
    heads = {"wine glasses": "wine glass", "light house": "lighthouse", "green house": "house"}
    assert {name: parse(name)[0] for name in heads} == heads
