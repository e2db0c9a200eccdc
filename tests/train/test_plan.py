"""The output of s2h-train beside the trained weights: a plan, a merged model, cards, dashboards."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s2h.cli.train import main
from s2h.images.decoding import open_images
from s2h.models import names
from s2h.record import RecordError
from s2h.streams import jsonl
from s2h.train import plan
from s2h.train.arguments import fill
from s2h.train.dataset import Pairs
from tests.support.architectures import make_pairs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with jsonl.Writer(str(folder / "data.jsonl")) as writer:
        for pair in make_pairs(folder / "pictures", 8):
            writer.write(pair)
    return folder / "data.jsonl"


def run(*arguments: str, status: int = 0):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_plan_with_the_model(llava, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(
        "--model",
        llava,
        data,
        "--plan",
        "--epochs",
        "2",
        "--batch-size",
        "2",
        "--step-pairs",
        "4",
        "--stages",
        "level",
    )
    made = json.loads(done.stdout)
    assert (made["pairs"], made["steps"], made["pairs_per_step"], made["window"]) == (8, 4, 4, 4096)
    assert [stage["pairs"] for stage in made["stages"]] == [3, 3, 2]
    images = sum(len(pair["images"]) for pair in jsonl.read(str(data))) / 8
    assert made["tokens"]["images"] == pytest.approx(16 * images, abs=0.1)
    assert made["time"]["training_pairs_per_second"] > 0 and made["memory_gib"]["estimate"] > 0
    assert "4 steps of 4 pairs" in done.stderr and not list(tmp_path.iterdir())


def test_a_plan_from_the_shape_of_a_model_that_is_not_here(data, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = plan.plan_run(
        jsonl.read(str(data)), fill({"model": "llava-1.5-7b", "gradient_checkpointing": True})
    )
    pairs = list(jsonl.read(str(data)))
    assert made["tokens"]["images"] == pytest.approx(576 * sum(len(p["images"]) for p in pairs) / 8, abs=0.1)
    # 7 billion weights of 2 bytes; LoRA of rank 128 on a 7B Llama has 320 million.
    assert made["memory_gib"]["weights"] == pytest.approx(13.15, abs=0.05)
    assert made["memory_gib"]["training"] == pytest.approx(320e6 * 16 / 2**30, rel=0.01)
    assert made["steps"] == 3 and made["time"]["hours_at_200_tflops"] > 0
    shape = names.PRESETS["qwen2.5-vl-7b"].shape
    assert plan._covered(shape, 672, 672) == 576 and plan._covered(shape, 10, 10) == 4
    assert "hours_here" not in made["time"]


def test_a_plan_opens_a_sample_and_reports_its_size(llava, data, tmp_path, monkeypatch):
    """The seed and the ids decide which pairs are drawn. The longest row is searched among the longest pairs."""
    monkeypatch.setattr(plan, "SAMPLE", 3)
    monkeypatch.setattr(plan, "BULKY", 1)
    pairs = list(jsonl.read(str(data)))
    longest = max(pairs, key=lambda pair: len(pair["images"]))
    longest["chosen"] = [{"role": "assistant", "content": [{"type": "text", "text": "red and blue " * 40}]}]
    opened: list[list[str]] = []
    monkeypatch.setattr(
        "s2h.train.plan.open_images",
        lambda pair, bounds: opened.append(pair["id"]) or open_images(pair, bounds),
    )
    said: list[str] = []
    made = plan.plan_run(pairs, fill({"model": str(llava)}), say=said.append)
    assert (made["pairs"], made["sampled"], made["opened"]) == (8, 3, 4) and longest["id"] in opened
    assert made["tokens"]["longest_row"] > 200 > made["tokens"]["median_row"]
    assert (
        "measured on 3 pairs drawn at random and, for the longest row, on the 1 with the most images"
        in said[0]
    )
    first, opened[:] = set(opened), []
    plan.plan_run(pairs[::-1], fill({"model": str(llava)}))
    assert set(opened) == first
    assert len({tuple(plan._sample(Pairs(data), seed)[0]) for seed in range(5)}) > 1


def test_a_plan_names_a_bad_image_of_its_sample(llava, data, tmp_path):
    pairs = list(jsonl.read(str(data)))
    pairs[5] = pairs[5].copy()
    pairs[5]["images"] = [str(tmp_path / "gone.png"), *pairs[5]["images"][1:]]
    with pytest.raises(RecordError, match=r"images\[0\]"):
        plan.plan_run(pairs, fill({"model": str(llava)}))
    errors: list[Exception] = []
    assert plan.plan_run(pairs, fill({"model": str(llava)}), on_error=errors.append)["sampled"] == 7
    assert len(errors) == 1


def test_a_run_with_a_dashboard_and_a_merged_model(llava, data, tmp_path):
    out = tmp_path / "run"
    asked = [
        "--model",
        llava,
        data,
        "-o",
        out,
        "--batch-size",
        "4",
        "--step-pairs",
        "8",
        "--lora-rank",
        "4",
        "--epochs",
        "1",
    ]
    result = json.loads(run(*asked, "--report-to", "tensorboard", "--log-steps", "1").stdout)
    assert list(out.rglob("events.out.tfevents.*"))
    assert "merged" not in result
    # A finished run needs only its folder.
    again = json.loads(run("--merge", "-o", out).stdout)
    assert again["merged"] == str(out / "merged") and (out / "merged" / "model.safetensors").is_file()
    assert json.loads(run("--resume", "-o", out).stdout) == again
    assert "is needed" in run("--resume", "-o", tmp_path / "none", status=2).stderr
    assert "holds a run already" in run(*asked, status=1).stderr
    assert "lr was 5e-05 and is 0.1" in run("--resume", "-o", out, "--lr", "0.1", status=1).stderr


def test_a_dashboard_that_is_not_installed_is_one_clear_error(monkeypatch):
    import importlib.util

    from s2h.cli import train

    if importlib.util.find_spec("trackio"):
        pytest.skip("trackio is installed")
    with pytest.raises(RecordError, match="needs the package trackio"):
        train._check_installed("trackio")
