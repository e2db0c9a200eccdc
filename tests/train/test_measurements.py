"""The measurements of a run by level and task, and its warnings."""

from __future__ import annotations

import pytest

from s2h import progress, record
from s2h.train import card, diagnostics, measurements, plot
from s2h.train.dataset import Pairs, store
from s2h.train.run import Arguments, Settings, read_metrics, train
from tests.support.architectures import make_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 12)


@pytest.mark.parametrize(
    "more", [{}, {"loss": "ipo", "sft": 0.5}, {"loss": "sigmoid=0.8,bco_pair=0.2,sft=1"}, {"loss": "sft"}]
)
def test_levels_and_tasks_add_up_to_the_whole(llava, pairs, tmp_path, more):
    arguments = Arguments(
        str(llava), batch_size=3, grad_accum=2, rank=4, alpha=8, epochs=2, lr=5e-3, warmup=0.0, **more
    )
    train(pairs, arguments, tmp_path / "run", Settings(log_steps=1), held_out=pairs[:5])
    lines = read_metrics(tmp_path / "run")
    trained = [line for line in lines if "loss" in line]
    held = [line for line in lines if "eval_loss" in line]
    assert len(trained) == 4 and held
    speeds = [line["speed"] for line in trained]
    # A pair has 2 to 5 images of 16 tokens, and words.
    assert all(40 < one["tokens_per_second"] / one["pairs_per_second"] < 250 for one in speeds)
    assert all(0.1 < one["peak_gib"] < 64 for one in speeds) and not any("speed" in line for line in held)
    for line, prefix, count in [(line, "", 6) for line in trained] + [(held[-1], "eval_", 5)]:
        levels, tasks = line[f"{prefix}levels"], line[f"{prefix}tasks"]
        assert set(levels) == {"1", "2", "3"} and set(tasks) == {"vqa", "compare", "search"}
        assert levels["1"] == tasks["vqa"] and levels["3"] == tasks["search"]
        assert sum(group["pairs"] for group in levels.values()) == count
        for name in ("margin", "accuracy", "reward_chosen", "reward_rejected", "loss"):
            # The cross-entropy is a mean over tokens, and the trainer weighs held-out batches alike.
            if name == "loss" and (more or prefix):
                continue
            mean = sum(group["pairs"] * group[name] for group in levels.values()) / count
            assert mean == pytest.approx(line[prefix + name], abs=1e-5), (line, name)
    if not more:
        import math

        one = trained[-1]["levels"]["1"]
        assert (
            one["loss"] >= -math.log(1 / (1 + math.exp(-one["margin"]))) - 1e-6
        )  # Jensen: of the mean, at most


def test_a_run_without_a_terminal_reports_its_progress(llava, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0)
    told: list[str] = []
    arguments = Arguments(str(llava), batch_size=3, grad_accum=2, rank=4, alpha=8, epochs=1)
    train(pairs, arguments, tmp_path / "run", Settings(cache=tmp_path / "cache"), say=told.append)
    assert "reference (train): 12 of 12 pairs, about 0 s left" in told
    assert "training: 2 of 2 steps, about 0 s left" in told


def test_the_loss_of_a_group_is_the_loss_of_its_pairs(llava, pairs, tmp_path):
    """Before its first step, a run on level-1 pairs alone measures the loss that a mixed run has for level 1."""
    arguments = Arguments(
        str(llava), batch_size=12, grad_accum=1, rank=4, alpha=8, epochs=1, loss="hinge", sft=1.0
    )
    train(pairs, arguments, tmp_path / "mixed", Settings(log_steps=1))
    train([pair for pair in pairs if pair["level"] == 1], arguments, tmp_path / "one", Settings(log_steps=1))
    mixed, one = (read_metrics(tmp_path / name)[0] for name in ("mixed", "one"))
    assert mixed["levels"]["1"]["loss"] == pytest.approx(one["loss"], abs=1e-4)
    assert one["loss"] == pytest.approx(one["levels"]["1"]["loss"], abs=1e-4) and one["loss"] > 1.5


def test_flat_names_become_objects():
    logs = {"loss": 0.5, "levels/1/loss": 0.25, "levels/2/loss": 0.75, "tasks/a/margin": 1.0, "entropy": 3.0}
    assert measurements.line(4, 0.5, 2, logs) == {
        "step": 4, "epoch": 0.5, "stage": 2, "loss": 0.5,
        "levels": {"1": {"loss": 0.25}, "2": {"loss": 0.75}}, "tasks": {"a": {"margin": 1.0}},
    }  # fmt: skip
    assert measurements.line(4, 0.5, None, {"train_runtime": 1.0}) is None
    logs = {"eval_loss": 0.5, "eval_tasks/set/one/loss": 0.25}  # the name of a task of other data
    assert measurements.line(4, 0.5, None, logs, "eval_")["eval_tasks"] == {"set/one": {"loss": 0.25}}


def test_names_from_the_data_break_neither_the_card_nor_the_plot(tmp_path, drawn):
    [row] = [row for row in card._table({"tasks": {"a|b": {"loss": 0.5}}}, {}) if "task" in row]
    assert row.startswith("| training, task a\\|b | 0.500 |")
    line = {"step": 1, "loss": 0.5, "margin": 0.0, "accuracy": 0.5}
    plot.draw([line], tmp_path / "plot.png", r"model $\nothing$: 1 step")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_a_collapse_of_the_chosen_answers_is_one_warning():
    said: list[str] = []
    watch = diagnostics.CollapseWatch(said.append, beta=0.1, has_sft=False)
    for step, now in enumerate([-20, -21, -31, -20, -31, -32, -33, -60, -61, -62]):
        watch.see(step, {"loss": 0.1, "logps/chosen": now, "rewards/chosen": 0.1 * (now + 20)})
    assert len(said) == 1 and "step 6" in said[0] and "--sft 1" in said[0] and "-20.0 at the start" in said[0]
    watch.see(11, {"train_runtime": 1.0})


def test_answers_that_words_alone_tell_apart_are_a_warning(pairs, tmp_path):
    telling = []
    for i in range(60):
        pair = pairs[i % 12].copy()
        pair |= {
            "id": f"p{i}",
            "chosen": record.assistant(f"Yes, it is {i}."),
            "rejected": record.assistant("No."),
        }
        telling.append(pair)
    even = [pair.copy() for pair in telling]
    for i, pair in enumerate(even):
        sides = [record.assistant("Yes."), record.assistant("No.")]
        pair["chosen"], pair["rejected"] = sides if i % 2 else sides[::-1]
    for name, data in (("telling", telling), ("even", even)):
        store(data, tmp_path / f"{name}.jsonl")
    found, warning = diagnostics.words_alone(Pairs(tmp_path / "telling.jsonl"), 0)
    assert found.auc > 0.95 and "words alone" in warning
    found, warning = diagnostics.words_alone(Pairs(tmp_path / "even.jsonl"), 0)
    assert found.low < 0.6 and warning is None
    assert diagnostics.words_alone(Pairs(tmp_path / "even.jsonl"), 0)[0] == found
