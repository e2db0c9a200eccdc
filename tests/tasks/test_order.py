"""Every stretch of a run is in balance, at any number of pairs, shard and number of images; and the wording of answers."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import nullcontext

import pytest

from s2h import record, tasks
from s2h.eval import reading
from s2h.images.store import Store
from s2h.tasks.slots import Stratum
from tests.support.undrawn import undrawn

STRETCH = 20


def make(task: str, tmp_path, *, drawn: bool = False, **more) -> list[dict]:
    with nullcontext() if drawn else undrawn():
        return list(tasks.generate(task, images=Store(tmp_path), **more))


def yes_in_stretches(pairs: list[dict]) -> list[float]:
    """The share of yes in every 20 yes/no questions in a row, and in every 20 pairs in a row that hold some of them."""
    asked = [p["facts"]["answer"] == "yes" for p in pairs if p["facts"]["answer_type"] == "yes/no"]
    shares = [sum(asked[at : at + STRETCH]) / STRETCH for at in range(len(asked) - STRETCH + 1)]
    for at in range(len(pairs) - STRETCH + 1):
        some = [p["facts"] for p in pairs[at : at + STRETCH] if p["facts"]["answer_type"] == "yes/no"]
        if len(some) >= 4:
            shares.append(sum(facts["answer"] == "yes" for facts in some) / len(some))
    return shares


@pytest.mark.parametrize("task", ["kinship", "compare"])
@pytest.mark.parametrize("per_prompt", [(2, 2), (2, 5), (3, 4), (2, 12)])
def test_yes_and_no_are_in_balance_in_every_stretch(task, per_prompt, tmp_path):
    for seed in (0, 7):
        for n in (20, 50, 200):
            shares = yes_in_stretches(make(task, tmp_path, n=n, seed=seed, per_prompt=per_prompt))
            assert shares and all(0.35 <= share <= 0.65 for share in shares), (seed, n)


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
def test_kinds_forms_and_numbers_of_images_are_in_balance_in_every_stretch(task, tmp_path):
    made = make(task, tmp_path, n=200, seed=3)
    for what in (lambda p: len(p["images"]), lambda p: p["facts"].get("operation") or p["facts"]["form"]):
        whole = Counter(map(what, made))
        for at in range(0, 200, 40):
            stretch = Counter(map(what, made[at : at + 40]))
            for value, count in whole.items():
                assert abs(stretch[value] - count / 5) <= 5, (task, value, at)


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
def test_shards_and_twins_keep_the_order(task, tmp_path):
    whole = make(task, tmp_path, n=21, seed=2)
    assert whole == [p for i in (1, 2, 3) for p in make(task, tmp_path, n=21, seed=2, shard=(i, 3))]
    assert whole[5:] == make(task, tmp_path, n=21, seed=2, first=5)
    twins = make(task, tmp_path, n=20, seed=2, twins=True)
    shares = yes_in_stretches(twins)
    assert all(0.35 <= share <= 0.65 for share in shares)


@pytest.mark.parametrize("weights", [(1, 1), (0.5, 0.2, 0.15, 0.15), (3, 0, 1), (0.4, 0.6), (1,) * 12])
def test_each_option_is_dealt_by_its_weight_and_counted(weights):
    seen: Counter = Counter()
    for k in range(300):
        stratum = Stratum(5, "test", k)
        assert [stratum.within("x", weights, option).place for option in range(len(weights))] == [
            seen[option] for option in range(len(weights))
        ]
        option = stratum.deal("x", weights)
        assert stratum.within("x", weights, option).place == seen[option]
        seen[option] += 1
        for at, weight in enumerate(weights):
            assert abs(seen[at] - (k + 1) * weight / sum(weights)) < len(weights) / 2 + 1


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare"])
def test_answers_have_the_length_that_is_asked_for_and_are_read_as_right(task, tmp_path):
    for pair in make(task, tmp_path, n=250, seed=4, per_prompt=(2, 12)):
        asked = record.text_of(pair["prompt"]).rsplit("\n", 1)[-1]
        chosen, rejected = (record.text_of(pair[side]) for side in ("chosen", "rejected"))
        if asked.endswith("Answer with the result only."):
            assert re.fullmatch(r"\d+|Image \d+", chosen) and re.fullmatch(r"\d+|Image \d+", rejected)
        elif asked.endswith(("Give a short answer.", "Answer briefly.")):
            assert re.fullmatch(r"(Yes|No|\d+|(Image \d+(, )?)+)\.", chosen), chosen
        assert not re.search(r"\ba (8|11|18)\b", asked)
        if pair["task"] == "arithmetic" and len(pair["target"]) == 2:
            assert not re.search(r"largest|smallest|lowest|biggest", asked + chosen)
        line = {k: pair["facts"][k] for k in ("answer", "answer_type")}
        assert reading.read({**line, "response": chosen})[1] is True, (asked, chosen)
        assert reading.read({**line, "response": rejected})[1] is False, (asked, rejected)


def test_sums_and_differences_take_as_many_images_as_there_are(tmp_path):
    taken = {"sum": set(), "difference": set()}
    for pair in make("arithmetic", tmp_path, n=400, seed=1, per_prompt=(2, 12)):
        if (operation := pair["facts"]["operation"]) in taken:
            taken[operation].add(len(pair["target"]))
            wrong = int(re.findall(r"\d+", record.text_of(pair["rejected"]))[-1])
            most = 9 * len(pair["target"]) if operation == "sum" else 9
            assert 0 <= wrong <= most
    assert all(sizes >= set(range(2, 10)) for sizes in taken.values())


@pytest.mark.parametrize("task", ["vqa", "kinship", "arithmetic", "compare", "search"])
def test_twelve_images(task, tmp_path):
    assert [len(p["images"]) for p in make(task, tmp_path, n=6, per_prompt=(12, 12))] == [12] * 6


def test_a_range_of_sizes_draws_several_in_one_prompt(tmp_path):
    from s2h.images.decoding import open_images
    from s2h.tasks import item_pair

    for task in ("search", "arithmetic", "kinship"):
        sides: set = set()
        for pair in make(task, tmp_path, n=6, size=(48, 96), twins=True, drawn=True):
            shapes = [picture.size for picture in open_images(pair)]
            assert len(set(shapes)) > 1 and all(48 <= side <= 96 for shape in shapes for side in shape)
            sides.update(shapes)
        assert any(width > 1.3 * height for width, height in sides)
        assert any(height > 1.3 * width for width, height in sides)
    assert make("search", tmp_path, n=3, size=(48, 96)) == make("search", tmp_path, n=3, size=(48, 96))
    item = item_pair.Item("x", {})
    assert item_pair.drawn_size(item, 64) == 64


def test_a_wide_picture_is_not_stretched():
    """The ink of a digit is as broad and as tall in a wide picture as in the square of its height."""
    from random import Random

    from s2h.sources.builtin import numerals

    digit = numerals.sample(Random(1), "key", value=8, hand="printed")
    square, wide = numerals.draw(digit, 96), numerals.draw(digit, (192, 96))

    def ink(picture):
        grey = picture.convert("L").point(lambda v: 255 * (v < 110))
        left, top, right, bottom = grey.getbbox()
        return right - left, bottom - top

    assert all(abs(a - b) <= 1 for a, b in zip(ink(square), ink(wide), strict=True))
