"""False attributes that only the picture can refute."""

from __future__ import annotations

from collections import Counter

import pytest

from s2h import seeds
from s2h.language.attribute_swaps import Swaps, places_of
from s2h.sources import NoPair

HORSES = [
    f"A {colour} horse in a field." for colour in ("brown", "brown", "brown", "white", "white", "black")
]
PLAIN = [
    "A green field behind a house.",
    "Green grass on a hill.",
    "A red stop sign.",
    "A green car.",
    "A red car.",
]


def swapped(swaps: Swaps, caption: str, concept: str = "") -> list[str]:
    """What a caption becomes in 60 draws, without those that were given up."""
    made = []
    for number in range(60):
        try:
            made.append(swaps.swap(seeds.rng("swap", caption, number), caption, concept))
        except NoPair:
            continue
    return made


def test_a_value_is_exchanged_only_for_one_that_the_captions_have_with_the_noun():
    swaps = Swaps(HORSES + PLAIN)
    assert set(swapped(swaps, "A person riding a brown horse.")) == {
        "A person riding a white horse.",
        "A person riding a black horse.",
    }
    assert set(swapped(swaps, "A green car.")) == {"A red car."}
    for caption in ("Green grass on a hill.", "A red stop sign with graffiti on it.", "A brown dog."):
        assert set(swapped(swaps, caption)) == {None}


def test_a_swap_is_as_likely_as_its_reverse():
    captions = HORSES * 40
    swaps, there = Swaps(captions), Counter()
    for number, caption in enumerate(captions):
        for draw in range(8):
            try:
                new = swaps.swap(seeds.rng(number, draw), caption, "")
            except NoPair:
                continue
            there[caption.split()[1], new.split()[1]] += 1
    for one, other in (("brown", "white"), ("white", "black"), ("brown", "black")):
        many, few = there[one, other], there[other, one]
        assert many > 40 and abs(many - few) < 4 * (many + few) ** 0.5, there


def test_a_swap_leaves_the_concept_and_the_grammar_alone():
    swaps = Swaps(
        [
            "A red apple.",
            "An orange apple.",
            "Two dogs.",
            "Three dogs.",
            "A black and white cat.",
            "A brown cat.",
        ]
    )
    assert set(swapped(swaps, "A red apple on a table.")) == {"An orange apple on a table."}
    assert set(swapped(swaps, "A red apple.", "red apple")) == {None}
    assert set(swapped(swaps, "Two dogs.")) == {"Three dogs."}
    assert set(swapped(swaps, "A black and white cat.")) == {None}


@pytest.mark.parametrize(
    ("caption", "new"),
    [
        ("A man holds an umbrella.", "A woman holds an umbrella."),
        ("A man adjusts his tie in front of a mirror.", None),
        ("A man and a woman share a pizza.", None),
        ("A bearded man reads.", None),
    ],
)
def test_a_man_becomes_a_woman_only_where_nothing_else_depends_on_it(caption, new):
    swaps = Swaps(["A man walks.", "A woman walks."])
    assert set(swapped(swaps, caption)) == {new}


def test_a_rare_noun_keeps_its_values_among_many_captions(monkeypatch):
    monkeypatch.setattr("s2h.language.attribute_swaps.PARSED", 60)
    many = [f"A {('red', 'blue', 'red')[i % 3]} car near a tree." for i in range(900)]
    swaps = Swaps([*many[:450], "A green kayak.", *many[450:], "A white kayak."])
    assert set(swaps.counts["kayak"]) == {"green", "white"}
    cars = swaps.counts["car"]
    total = sum(cars.values())
    assert 890 < total < 910 and 0.5 < cars["red"] / total < 0.85
    assert set(swapped(swaps, "A green kayak on a lake.")) == {"A white kayak on a lake."}


def test_no_swap_makes_nonsense_or_may_be_true_as_well():
    swaps = Swaps(
        [*HORSES, "A big boy.", "A little boy.", "A big dog.", "A little dog.", "A man.", "A woman."]
    )
    for caption in (
        "A light brown horse in a field.",
        "A little boy beside a tree.",
        "A dog and a woman in a sari.",
    ):
        assert set(swapped(swaps, caption)) == {None}
    assert set(swapped(swaps, "A little dog beside a tree.")) == {"A big dog beside a tree."}


def test_what_is_also_written_as_one_word_is_not_taken_apart():
    assert not places_of("People paddle through white water.")
    assert [place.word for place in places_of("People swim in blue water.")] == ["blue"]
