"""Curricula: the order of training, the steps that a stage ends with, and the learning rate."""

from __future__ import annotations

from collections import Counter

import pytest

from s2h.train import stages
from s2h.train.dataset import Pairs, Stored, emptied, store
from s2h.train.folder import RunError
from s2h.train.run import Arguments, Settings, read_metrics, train
from tests.support.architectures import make_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 12)


def rows_of(pairs, folder, numbers=None) -> Pairs:
    for i, number in enumerate(numbers or []):
        pairs[i] = pairs[i].copy()
        if number is not None:
            pairs[i]["stage"] = number
    store(pairs, folder / "data.jsonl")
    return Pairs(folder / "data.jsonl")


def test_each_stage_has_all_its_epochs_in_the_order_of_the_file(pairs, tmp_path):
    rows = rows_of(list(pairs), tmp_path, [2, 1, 2, 1] * 3)
    order, parts = stages.training_order(rows, Arguments("m", epochs=2), 4)
    first, second = [1, 3, 5, 7, 9, 11], [0, 2, 4, 6, 8, 10]
    assert order == first + first + second + second
    assert [(part.number, part.pairs, part.end) for part in parts] == [(1, 6, 3), (2, 6, 6)]
    assert [stages.at(parts, step) for step in (1, 3, 4, 6, 7)] == [1, 1, 2, 2, 2]
    half, _ = stages.training_order(rows, Arguments("m", epochs=1.5), 4)
    assert half == first + first[:3] + second + second[:3]
    rows.kept = rows.kept[2:]
    assert stages.training_order(rows, Arguments("m", epochs=1), 4)[0] == first[1:] + second[1:]
    # A stage by itself has the same order and number of steps.
    rows.kept = second
    assert stages.training_order(rows, Arguments("m", epochs=2), 4) == (
        second + second,
        [stages.Stage(2, 6, 3)],
    )
    off = Arguments("m", epochs=2, stages="off")
    assert stages.training_order(rows, off, 4) == (None, [stages.Stage(0, 6, 4)])


def test_levels_are_stages_with_stages_level(pairs, tmp_path):
    rows = rows_of(list(pairs), tmp_path)
    assert stages.training_order(rows, Arguments("m", epochs=1), 4) == (None, [stages.Stage(0, 12, 3)])
    order, parts = stages.training_order(rows, Arguments("m", epochs=1, stages="level"), 4)
    assert [rows.levels[row] for row in order] == [1] * 4 + [2] * 4 + [3] * 4
    assert [part.end for part in parts] == [1, 2, 3]
    assert stages.training_order(rows, Arguments("m", epochs=1, max_steps=2), 4)[1][-1].end == 2


def test_a_pair_without_a_stage_among_others_is_named(pairs, tmp_path):
    rows = rows_of(list(pairs), tmp_path, [1, None, 2])
    with pytest.raises(RunError, match=r"data.jsonl:2: stage: is missing in colours-0-1"):
        stages.check(rows, "record")
    stages.check(rows, "level")


def test_a_curriculum_runs_with_a_schedule_for_each_stage(llava, pairs, tmp_path):
    rates = {}
    for anew in (False, True):
        arguments = Arguments(
            str(llava), batch_size=2, grad_accum=1, rank=4, alpha=8, lr=1e-3, epochs=1, warmup=0.0, stages="level",
            schedule_per_stage=anew, scheduler="linear",
        )  # fmt: skip
        said: list[str] = []
        train(pairs, arguments, tmp_path / str(anew), Settings(log_steps=1), say=said.append)
        metrics = read_metrics(tmp_path / str(anew))
        assert [m["stage"] for m in metrics] == [1, 1, 2, 2, 3, 3] and metrics[-1]["epoch"] == 1
        assert [list(m["levels"]) for m in metrics] == [["1"]] * 2 + [["2"]] * 2 + [["3"]] * 2
        assert any("stages one after another" in line for line in said)
        rates[anew] = [m["learning_rate"] / 1e-3 for m in metrics]
    assert rates[False] == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert rates[True] == pytest.approx([1, 0.5] * 3)


def test_a_stage_without_a_pair_that_fits_is_a_warning_and_the_others_are_trained(llava, pairs, tmp_path):
    given = [pair.copy() for pair in pairs[:6]]
    for i, pair in enumerate(given):
        pair["stage"] = 1 + i % 2
        if not i % 2:
            pair["chosen"] = [{"role": "assistant", "content": [{"type": "text", "text": "red " * 150}]}]
    said: list[str] = []
    arguments = Arguments(str(llava), batch_size=2, grad_accum=1, rank=4, alpha=8, epochs=2, window=200)
    train(given, arguments, tmp_path / "run", Settings(log_steps=1), say=said.append)
    metrics = read_metrics(tmp_path / "run")
    assert sum(line.startswith("dropped") for line in said) == 3
    assert "warning: stage 1 is not trained: none of its 3 pairs fits the window of 200 tokens" in said
    assert "stages one after another, each 2 times: 2 (3 pairs, to step 3)" in said
    assert [line["stage"] for line in metrics] == [2, 2, 2]
    assert [line["epoch"] for line in metrics] == pytest.approx([2 / 3, 4 / 3, 2], abs=1e-4)


@pytest.mark.parametrize(
    ("by", "found"), [("record", {1: 2}), ("level", {1: 2, 3: 1}), ("off", {})]
)  # fmt: skip
def test_stages_whose_pairs_were_all_dropped(by, found):
    stored = Stored(stages=Counter({(2, 2): 4}), dropped_stages=Counter({(1, 2): 2, (2, 2): 1, (None, 3): 1}))
    assert emptied(stored, by) == found
