"""The command line overrides the recipe, the recipe the model's preset, and the preset the default."""

from __future__ import annotations

from dataclasses import asdict

import click
import pytest

from s2h.cli import train as command
from s2h.errors import WrongUsage
from s2h.record import RecordError
from s2h.train.arguments import RECIPES, STAGES, Arguments, Settings, again, check, fill, read_losses


def test_defaults_are_the_papers():
    made = fill({"model": "some/model"})
    assert (made.beta, made.lr, made.epochs, made.rank, made.alpha, made.loss) == (
        0.1,
        5e-5,
        3,
        128,
        256,
        "sigmoid",
    )
    assert made.batch_size * made.grad_accum == 64 and made.window == 0 and not made.full


def test_presets_are_those_of_the_name_and_of_its_hub_id():
    assert fill({"model": "mini"}).rank == 64
    assert fill({"model": "llava-1.5-7b"}).window == 4096
    assert fill({"model": "llava-hf/llava-1.5-7b-hf"}).window == 4096


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_a_step_has_the_same_number_of_pairs_for_any_number_of_processes(processes):
    made = fill({"model": "mini", "batch_size": 4, "step": 64}, processes=processes)
    assert made.batch_size * made.grad_accum * processes == 64
    assert fill({"model": "mini", "grad_accum": 3}, processes=processes).grad_accum == 3


def test_options_override_the_recipe():
    mia = fill({"model": "mini", "recipe": "mia-dpo"})
    assert (mia.rank, mia.alpha, mia.lr, mia.beta, mia.window, mia.stages) == (
        128,
        256,
        5e-5,
        0.1,
        4096,
        "off",
    )
    assert mia.batch_size * mia.grad_accum == 64
    curriculum = fill({"model": "mini", "recipe": "s2h-curriculum", "lr": 1e-4, "schedule_per_stage": False})
    assert (curriculum.stages, curriculum.lr, curriculum.schedule_per_stage) == ("level", 1e-4, False)
    assert fill({"model": "mini", "recipe": "ccdpo"}).schedule_per_stage
    assert fill({"model": "mini", "recipe": "s2h-flat", "rank": 8}).alpha == 16


def test_a_resumed_run_has_its_own_arguments_and_the_options_given_now():
    said = {
        **asdict(fill({"model": "mini", "lr": 1e-3, "recipe": "s2h-flat"})),
        "data": "abc",
        "processes": 1,
    }
    assert asdict(fill(again(said, {}))) == asdict(fill({"model": "mini", "lr": 1e-3, "recipe": "s2h-flat"}))
    assert fill(again(said, {"beta": 0.5})).beta == 0.5
    assert fill(again(said, {"recipe": "s2h-flat"})).lr == 5e-5  # so that the run refuses it
    assert fill(again(said, {"step": 16, "batch_size": 8})).grad_accum == 2


def test_arguments_that_exclude_each_other_are_wrong_usage():
    with pytest.raises(WrongUsage, match="--full and --quantize"):
        check(Arguments("mini", full=True, quantize="4bit"))
    with pytest.raises(WrongUsage, match="needs stages"):
        check(Arguments("mini", stages="off", schedule_per_stage=True))


def test_losses_have_weights():
    assert read_losses("sigmoid=0.8, bco_pair=0.2,sft") == {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}
    assert Arguments("mini", loss="ipo", sft=0.5).losses() == {"ipo": 1.0, "sft": 0.5}
    assert fill({"model": "mini", "recipe": "mpo"}).losses() == {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}
    with pytest.raises(WrongUsage, match="--sft and --loss sft=W"):
        check(Arguments("mini", loss="sigmoid,sft=2", sft=1.0))
    with pytest.raises(RecordError, match=r"args\.json was changed: 'dpo' is no loss"):
        again({**asdict(Arguments("mini")), "loss": "dpo"}, {})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("dpo", "no loss"), ("ipo=0", "above 0"), ("ipo=x", "above 0"), ("ipo=nan", "above 0"), ("ipo=inf", "above 0"),
        ("ipo=", "above 0"), ("", "'' is no loss"), ("exo_pair", "no loss of s2h-train"),
        ("sigmod", "Did you mean 'sigmoid'"),
    ],
)  # fmt: skip
def test_a_wrong_loss_is_wrong_usage(wrong, why):
    with pytest.raises(click.BadParameter, match=why):
        command.main.make_context("s2h-train", ["--loss", "sigmoid", "--loss", wrong])
    with pytest.raises(click.BadParameter, match="duplicate loss sigmoid"):
        command.main.make_context("s2h-train", ["--loss", "sigmoid", "--loss", "sigmoid=2"])


def test_losses_of_the_command_line_are_one_argument():
    asked = command.main.make_context("s2h-train", ["--loss", "sigmoid=0.8", "--loss", "bco_pair=0.2"]).params
    assert asked["loss"] == "sigmoid=0.8,bco_pair=0.2"
    assert command.main.make_context("s2h-train", []).params["loss"] is None


def test_the_command_knows_the_same_names():
    options = {parameter.name: parameter for parameter in command.main.params}
    assert (
        set(options["recipe"].type.choices) == set(RECIPES)
        and tuple(options["stages"].type.choices) == STAGES
    )
    fields = set(asdict(Arguments("mini"))) - {"model", "seed"}
    assert fields <= set(options)
    assert set(asdict(Settings())) - {"progress"} <= set(options)


def test_an_option_that_is_not_given_overrides_neither_recipe_nor_run():
    """A flag's default does not switch off a recipe's schedule or a resumed run's --full."""
    asked = command.main.make_context("s2h-train", ["--model", "mini", "--recipe", "s2h-curriculum"]).params
    given = {name: asked[name] for name in asdict(Arguments("")) if asked.get(name) is not None}
    assert given == {"model": "mini", "recipe": "s2h-curriculum", "seed": 0}
    assert fill(given).schedule_per_stage
    off = command.main.make_context("s2h-train", ["--schedule-over-all", "--lora"]).params
    assert off["schedule_per_stage"] is False and off["full"] is False


def test_the_help_shows_the_defaults_of_the_run():
    text = " ".join(command.main.get_help(click.Context(command.main)).split())
    for shown in ("[default: 64, mini 32]", "[default: 5e-5]", "[default: lora]", "[default: 200; x>=1]"):
        assert shown in text
