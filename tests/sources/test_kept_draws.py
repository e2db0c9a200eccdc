"""What is kept to make pairs faster gives what the plain computation gives."""

from __future__ import annotations

from random import Random

import pytest

from s2h import seeds
from s2h.language import kept_answers, unmentioned_things
from s2h.language.kept_answers import Kept
from s2h.sources.photo_odds import KindOdds, WeighedOdds

NOUNS = (
    "kite",
    "beach",
    "room",
    "person",
    "dog",
    "plate",
    "lunch",
    "pizza",
    "hat",
    "kitchen",
    "car",
    "bed",
    "cook",
)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 1000, 2**33 + 1])
def test_below_draws_as_randrange_and_choice_do(n):
    ours, plain, chosen = Random(n), Random(n), Random(n)
    drawn = [seeds.below(ours, n) for _ in range(50)]
    assert drawn == [plain.randrange(n) for _ in range(50)] == [chosen.choice(range(n)) for _ in range(50)]
    assert ours.getstate() == plain.getstate()


def test_below_needs_a_number():
    with pytest.raises(ValueError, match="no number"):
        seeds.below(Random(0), 0)


def test_answers_are_computed_once_and_forgotten_beyond_a_bound():
    asked: list[int] = []
    kept = Kept(lambda n: asked.append(n) or n % 2 == 0)
    numbers = range(kept_answers.MOST + 1)
    assert [kept[n] for n in numbers] == [n % 2 == 0 for n in numbers] and kept[kept_answers.MOST]
    assert asked == list(numbers) and len(kept) == 1


@pytest.mark.parametrize(
    "thing", ["kite", "person", "grass", "fork", "hat", "dinner", "car", "pillow", "table", "sky"]
)
def test_one_thing_tells_what_all_things_tell_unless_others_rule_it_out(thing):
    scenes = unmentioned_things.scenes_of(thing)
    for one in NOUNS:
        for other in NOUNS:
            alone = unmentioned_things.tells(thing, one) or unmentioned_things.tells(thing, other)
            there = unmentioned_things.is_in_scene(scenes, (one, other))
            assert unmentioned_things.belongs_there(thing, (one, other)) is (alone or there)


def test_an_answer_that_is_settled_is_drawn_alike_and_not_tested_again():
    tested: list[int] = []
    odds = KindOdds(
        WeighedOdds({"a dog": 3.0, "a cat": 1.0}, lambda rng, value: rng.randrange(9)),
        lambda at: bool(tested.append(at)),
    )
    plain, quick = Random(1), Random(1)
    drawn = [odds.draw(plain) for _ in range(40)]
    assert len(tested) == 40 and set(drawn) == {"a dog", "a cat"}
    assert [odds.draw(quick, {"a dog"}) for _ in range(40)] == drawn
    assert len(tested) == 40 + drawn.count("a cat") and quick.getstate() == plain.getstate()
