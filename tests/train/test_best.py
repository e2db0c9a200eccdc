"""--keep-best writes the weights that were the most accurate on the held-out pairs."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from s2h.train.arguments import Arguments, Settings
from s2h.train.folder import RunError
from s2h.train.run import read_metrics, train
from tests.support.architectures import make_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 6)


@pytest.mark.parametrize("full", [False, True])
def test_the_best_weights_are_written_in_place_of_the_last_ones(full, architectures, pairs, tmp_path):
    """The held-out pairs have their answers exchanged, so accuracy falls with every step."""
    model, said = str(architectures["llava"]), []
    held_out = copy.deepcopy(pairs)
    for pair in held_out:
        pair["chosen"], pair["rejected"] = pair["rejected"], pair["chosen"]
    asked = Arguments(
        model=model, batch_size=6, grad_accum=1, rank=8, alpha=16, lr=0.02 if not full else 0.002, epochs=7,
        warmup=0.0, scheduler="constant", full=full, keep_best=True,
    )  # fmt: skip
    settings = Settings(log_steps=1, save_steps=1)
    result = train(pairs, asked, tmp_path / "run", settings, held_out=held_out, say=said.append)
    measured = [m for m in read_metrics(tmp_path / "run") if "eval_loss" in m]
    assert [m["step"] for m in measured] == [1, 2, 3, 4, 5, 6, 7]
    best = max(measured, key=lambda m: (m["eval_accuracy"], -m["eval_loss"]))
    assert result["best_step"] == best["step"] < 7 and result["steps"] == 7
    assert result["eval_accuracy"] == best["eval_accuracy"] and result["eval_loss"] == best["eval_loss"]
    assert f"the best weights are those of step {best['step']} (held-out accuracy" in " ".join(said)
    assert f"The weights are those of step {best['step']}," in (tmp_path / "run" / "README.md").read_text()
    name = ("merged", "model.safetensors") if full else ("adapter", "adapter_model.safetensors")
    written = load_file(tmp_path / "run" / name[0] / name[1])

    resumed = Settings(log_steps=1, save_steps=1, resume=True)
    (tmp_path / "run" / "result.json").unlink()
    kept = tmp_path / "run" / "best" / "best.json"
    kept.write_text('{"step": 1}')
    with pytest.raises(RunError, match=r"best\.json was changed.*remove the folder best"):
        train(pairs, asked, tmp_path / "run", resumed, held_out=held_out)
    shutil.rmtree(kept.parent)  # the remedy; of the steps only the last is left to measure
    last = train(pairs, asked, tmp_path / "run", resumed, held_out=held_out)
    assert "best_step" not in last and json.loads(kept.read_text())["step"] == 7

    again = train(pairs, asked, tmp_path / "short", Settings(), held_out=held_out)  # no checkpoints: the same
    assert again["best_step"] == best["step"]
    first = Arguments(**{**vars(asked), "epochs": float(best["step"]), "keep_best": False})
    train(pairs, first, tmp_path / "first", Settings())
    wanted = load_file(tmp_path / "first" / name[0] / name[1])
    assert written.keys() == wanted.keys()
    assert all(torch.equal(written[key], wanted[key]) for key in wanted)


def test_the_last_weights_may_be_the_best(architectures, pairs, tmp_path):
    asked = Arguments(
        model=str(architectures["llava"]), batch_size=6, grad_accum=1, rank=8, alpha=16, lr=0.005, epochs=6,
        warmup=0.0, keep_best=True,
    )  # fmt: skip
    result = train(pairs, asked, tmp_path / "run", Settings(log_steps=1), held_out=pairs)
    assert "best_step" not in result and result["eval_accuracy"] == 1.0
    kept = json.loads((tmp_path / "run" / "best" / "best.json").read_text())
    assert kept["step"] == 6 and kept["eval_loss"] == pytest.approx(result["eval_loss"])


def test_without_held_out_pairs_there_is_no_best(architectures, pairs, tmp_path):
    asked = Arguments(model=str(architectures["llava"]), keep_best=True)
    with pytest.raises(RunError, match="--keep-best needs held-out pairs"):
        train(pairs, asked, tmp_path / "run")
