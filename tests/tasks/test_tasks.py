"""Every level on the built-in world: records, indices, seeds, phrasings and the share of each form."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from s2h import record, tasks
from s2h.images.store import Store
from s2h.record import text_of
from s2h.sources import SourceError
from s2h.sources.builtin import words
from s2h.tasks import arithmetic, compare, kinship, search_words, vqa
from tests.support.undrawn import undrawn

TASKS = tuple(tasks.by_level())
SHOW = {
    "kinship": kinship.SHOW,
    "arithmetic": arithmetic.SHOW,
    "compare": compare.SHOW,
    "search": search_words.SHOW,
}


def test_records_meet_the_contract(pairs):
    for task, made in pairs.items():
        assert len(made) == 400 and len({pair["id"] for pair in made}) == 400
        for pair in made:
            record.check(pair)
            assert (
                pair["task"] == task
                and pair["level"] == tasks.by_level()[task].level
                and pair["source"] == "builtin"
            )
            assert text_of(pair["chosen"]) != text_of(pair["rejected"])
            assert 2 <= len(pair["images"]) <= 5 and len(pair["facts"]["labels"]) == len(pair["images"])
            json.dumps(pair, allow_nan=False)


def test_every_number_of_images_and_every_position_occurs_equally(pairs):
    from scipy.stats import chisquare

    for task, made in pairs.items():
        for n in (2, 3, 4, 5):
            some = [pair for pair in made if len(pair["images"]) == n]
            assert len(some) > 60, (task, n)
            at = Counter(position for pair in some for position in pair["target"])
            assert chisquare([at[p] for p in range(n)]).pvalue > 1e-4, (task, n, at)


@pytest.mark.parametrize("task", TASKS)
def test_places_take_turns(task, tmp_path):
    """Of a run's slots each number of images and each place of a target has its share by construction."""
    forms = {"forms": {"caption": 1}} if task == "search" else {}
    with undrawn():
        made = list(tasks.generate(task, n=1200, images=Store(tmp_path), **forms))
    sizes = Counter(len(pair["images"]) for pair in made)
    assert set(sizes) == {2, 3, 4, 5} and max(sizes.values()) - min(sizes.values()) <= 2
    if task in ("vqa", "kinship", "search"):
        for n in (3, 4, 5):
            places = Counter(p for pair in made if len(pair["images"]) == n for p in pair["target"])
            assert max(places.values()) - min(places.values()) <= 12, (n, places)


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
def test_twins_turn_the_answers_round(task, tmp_path):
    made = list(tasks.generate(task, n=60, twins=True, images=Store(tmp_path), size=32))
    assert len(made) == 120
    for pair, twin in zip(made[::2], made[1::2], strict=True):
        record.check(twin)
        assert pair["facts"]["twin"] == twin["facts"]["twin"] == pair["id"] != twin["id"]
        assert pair["prompt"] == twin["prompt"] and pair["images"] != twin["images"]
        assert (pair["chosen"], pair["rejected"]) == (twin["rejected"], twin["chosen"])
        assert pair["grounding"]["chosen"] == twin["grounding"]["rejected"]
        if task == "arithmetic":
            assert [label["value"] for label in twin["facts"]["labels"]] == twin["facts"]["values"]
        if task == "search" and twin["facts"]["answer_type"] == "caption" and twin["facts"]["shown_by"]:
            (at,) = twin["target"]
            assert words.holds(text_of(twin["chosen"]).splitlines()[-1], twin["facts"]["labels"][at])
        if task == "kinship" and twin["facts"]["answer_type"] == "image":
            facts = twin["facts"]
            assert str(facts["answer"]) in text_of(twin["chosen"]).split(". ")[-1]


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
@pytest.mark.parametrize("layout", ["sequence", "grid"])
def test_an_image_side_has_the_images_of_the_twin(task, layout, tmp_path):
    settings = {"n": 8, "twins": True, "layout": layout, "images": Store(tmp_path), "size": 32}
    couples = list(tasks.generate(task, **settings))
    made = list(tasks.generate(task, **settings, image_side=True, workers=1))
    assert len(couples) == 16 and len(made) == 8
    for pair, twin, one in zip(couples[::2], couples[1::2], made, strict=True):
        record.check(one)
        pair["facts"].pop("twin")
        assert one == {**pair, "rejected_images": twin["images"]}


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
def test_what_is_chosen_is_rejected_as_often(task, tmp_path):
    """The conclusions of right and wrong answers come from one distribution, so that no answer is wrong by its words."""
    from scipy.stats import chi2_contingency

    forms = {"forms": {"locate": 1, "count": 1, "absent": 1}} if task == "search" else {}
    sides = [Counter(), Counter()]
    with undrawn():
        made = list(tasks.generate(task, n=3000, images=Store(tmp_path), **forms))
    for pair in made:
        kind = pair["facts"].get("operation") or pair["facts"]["form"]
        for side, which in zip(sides, ("chosen", "rejected"), strict=True):
            final = text_of(pair[which]).splitlines()[-1].split(". ")[-1]
            concluded = re.sub(r"an? [a-z ]+\.$|(?<=with )an? .*(?= is )", "it", final)
            side[
                kind, concluded if len(concluded) < 80 and not concluded.endswith("background.") else "text"
            ] += 1
    common = [key for key in sides[0] | sides[1] if sides[0][key] + sides[1][key] >= 20]
    table = [[side[key] for key in common] for side in sides]
    assert len(common) > 10 and chi2_contingency(table).pvalue > 1e-3


def test_what_is_not_there_is_named_without_its_article():
    for concept, said in (
        ("a fish", "no fish"),
        ("an old man", "no old man"),
        ("dogs", "no dogs"),
        ("apple pies", "no apple pies"),
    ):
        assert search_words.absent(concept) == said


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_prompts_that_ask_for_the_working(task, share, tmp_path):
    with undrawn():
        made = list(tasks.generate(task, n=120, working=share, images=Store(tmp_path)))
    asked = [pair["facts"]["working"] for pair in made]
    assert abs(sum(asked) / len(asked) - share) < (0.15 if share == 0.5 else 1e-9)
    for pair in made:
        if task == "search":
            told = text_of(pair["chosen"]).count("\n") == 1
        else:  # a conclusion that names an image says 'shows' once as well
            told = len(re.findall(r"Image \d+ shows", text_of(pair["chosen"]))) >= 2
        assert told == pair["facts"]["working"], text_of(pair["chosen"])
        if share == 0.5 and not pair["facts"]["working"]:
            assert not any(text_of(pair["prompt"]).endswith(ask) for ask in SHOW[task])


def test_the_default_said_aloud_gives_the_same_records(tmp_path):
    store = Store(tmp_path)
    silent, aloud = (
        list(tasks.generate("search", n=6, working=working, images=store, size=32)) for working in (None, 0.5)
    )
    assert silent == aloud


def test_at_least_ten_phrasings():
    assert len(set(vqa.FRAMES)) >= 10
    for maker in (arithmetic, kinship, compare, search_words):
        for asks in maker.ASKS.values():
            assert len(set(asks)) >= 10


def test_phrasings_of_kinship_keep_the_direction():
    """Both directions are asked; in every phrasing of is-parent {a} is the parent."""
    for ask in kinship.ASKS["is-elder"]:
        first = ask.index("{a}") < ask.index("{b}")
        assert first or "{younger}" in ask, ask


@pytest.mark.parametrize("task", TASKS)
def test_same_seed_same_bytes_and_shards_make_the_whole(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def made(**more) -> list[str]:
        return [json.dumps(pair) for pair in tasks.generate(task, n=10, size=32, images=Store("i"), **more)]

    whole = made(seed=5)
    assert whole == made(seed=5)
    assert whole == [line for i in (1, 2, 3, 4) for line in made(seed=5, shard=(i, 4))]
    assert not set(whole) & set(made(seed=6))


def test_held_out_shares_no_image_and_no_family_with_train(tmp_path):
    store = Store(tmp_path)
    for task in TASKS:
        train, held = (
            [pair for pair in tasks.generate(task, n=20, images=store, size=32, split=split)]
            for split in ("train", "heldout")
        )
        assert not {i for p in train for i in p["images"]} & {i for p in held for i in p["images"]}
        assert not {i for p in train for i in p["facts"].get("families", ())} & {
            i for p in held for i in p["facts"].get("families", ())
        }


def test_negatives_can_be_chosen_and_unknown_ones_are_refused(tmp_path):
    made = tasks.generate("search", n=12, negatives={"generic": 1.0}, images=Store(tmp_path), size=32)
    assert {pair["negative"] for pair in made} == {"generic"}
    with pytest.raises(SourceError, match="no negatives of kind 'rude'"):
        next(tasks.generate("search", n=1, negatives={"rude": 1.0}, images=Store(tmp_path)))
