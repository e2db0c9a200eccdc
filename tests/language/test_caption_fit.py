"""Whether a caption may be true of a picture, by meaning."""

from __future__ import annotations

import pytest

from s2h.language.caption_fit import Claim, claims, may_fit, may_show


def test_a_caption_claims_things_with_attributes_and_numbers():
    assert claims("Two big brown dogs chase a red ball.") == {
        Claim("dog", frozenset({"large", "brown"}), 2),
        Claim("ball", frozenset({"red"})),
    }
    assert claims("No dogs on the beach") == {Claim("beach")}


@pytest.mark.parametrize(
    ("caption", "others", "fits"),
    [
        ("A guy on a couch.", ["A man sits on a sofa."], True),
        (
            "A guy walks barefoot along the beach with children.",
            ["A man walks along the beach with kids."],
            True,
        ),
        ("A person riding a brown horse on a trail.", ["A woman rides a horse along a dirt road."], True),
        ("A collie", ["A dog runs."], True),
        ("Two dogs", ["Some dogs play in the park.", "A park."], True),
        ("A couple of ducks floating on a lake.", ["Two ducks swim across a pond."], True),
        ("2 dogs", ["Two dogs play."], True),
        ("A grey cat", ["A gray cat sleeps."], True),
        ("Something nice", ["A dog."], True),
        ("A bird sitting on a tree limb.", ["A bird perches on a branch."], True),
        ("A man with his hands up under a cloudy sky", ["A man on a beach"], True),
        ("A boat at a pier", ["A boat in a marina"], True),
        ("A cat with a ball on the floor", ["A cat naps."], False),
        ("Two dogs play.", ["A cat sleeps on a bed."], False),
        ("Three dogs", ["Two dogs on grass"], False),
        ("A red car.", ["A blue car on a street."], False),
        ("A woman on a horse", ["A man on a horse"], False),
        ("A hot dog", ["A dog on grass"], False),
        ("A dog and a cat", ["A dog on grass"], False),
        ("A dog near a fence", ["A dog on grass"], True),
        ("A dog near a fence", ["A dog on a rug"], False),
        ("A man wearing a watch", ["A man reads a book."], True),
        ("A goat eats a hat", ["A goat on a rock"], False),
        ("A cat beside a lamp", ["A cat on a bed"], True),
        ("A cat beside a lamp", ["A cat on a roof"], False),
        ("A fork beside a cake", ["A cake with candles"], True),
        ("A lighthouse above the sea", ["A lighthouse on a cliff near a boat"], True),
        ("A goat on a cliff", ["A mountain goat on a ledge"], True),
        ("A woman cooks food in a kitchen.", ["A lady stirs a pot on the stove."], True),
        ("A red stop sign near a car", ["A stop sign stands at the corner of two streets."], True),
        ("A stop sign near a bed", ["A stop sign stands at the corner of two streets."], False),
        ("Three giraffes walk across the savanna.", ["Several giraffes in tall grass."], True),
        ("An airliner at an airport terminal.", ["A plane sits on the runway."], True),
        ("A boat on a lake", ["A boat on a trailer in a driveway"], False),
        ("A surfer on a beach", ["A surfer waxes his board in a parking lot."], False),
        ("A tabby on a couch", ["A cat sleeps on a sofa."], True),
        ("A dinner for two", ["A plate with steak and potatoes"], True),
        ("A dog", [], False),
    ],
)
def test_a_caption_may_fit_a_picture_with_other_captions(caption, others, fits):
    assert may_fit(caption, others) is fits


@pytest.mark.parametrize(
    ("caption", "others", "fits"),
    [
        ("An Egyptian mummy in a museum", ["A mummy lies in a painted coffin."], True),
        ("People harvest grapes in a vineyard.", ["Workers pick grapes."], True),
        ("A heron on a beach", ["A heron in a kitchen"], False),
        ("A fork truck in a factory", ["A forklift lifts pallets."], True),
    ],
)
def test_captions_may_leave_out_where_they_are(caption, others, fits):
    assert may_fit(caption, others) is fits


@pytest.mark.parametrize(
    ("concept", "things", "shown"),
    [
        ("collie", ["dog", "grass"], True),
        ("rice terraces", ["rice", "field"], True),  # a common noun
        ("robot arm", ["robot", "car"], True),
        ("pillow", ["bed", "lamp"], True),  # it belongs to the scene
        ("hands", ["man", "guitar"], True),  # a part of somebody
        ("hands", ["guitar", "stage"], False),
        ("pillow", ["street", "bus"], False),
        ("stop sign", ["kitchen", "cat"], False),
        ("nurses", ["parade", "drone"], True),  # an event has people, whoever they are
        ("man", ["kite", "crowded", "beach"], True),
        ("girl", ["platform"], True),  # everybody may be in public places
        ("nurses", ["platform"], False),
        ("man", ["kitchen", "oven"], False),
        ("hands", ["someone"], True),
        ("wheel", ["car"], True),
        ("water", ["swim", "bear"], True),
        ("roof", ["city", "house"], True),
    ],
)
def test_what_a_picture_may_show_beside_what_its_captions_mention(concept, things, shown):
    assert may_show(concept, things) is shown
