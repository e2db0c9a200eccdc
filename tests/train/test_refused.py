"""A record that the model's processor refuses is named, or skipped, before any forward pass, in each stage with a model.
Errors about the model or an option come before anything is written."""

from __future__ import annotations

import errno
import json
import os

import pytest
from click.testing import CliRunner
from PIL import Image

from s2h import accel
from s2h.cli.eval import main as eval_main
from s2h.cli.filter import main as filter_main
from s2h.cli.train import main as train_main
from s2h.models.causes import unavailable
from s2h.record import assistant
from s2h.streams import jsonl
from tests.support.records import pair


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "red").save("plain.png")
    Image.new("RGB", (2500, 10), "red").save("wide.png")


def write(*changes: dict) -> None:
    with jsonl.Writer("in.jsonl") as out:
        for i, change in enumerate(changes):
            content = [{"type": "image"}, {"type": "text", "text": "What is shown?"}]
            plain = {
                "images": ["plain.png"], "prompt": [{"role": "user", "content": content}], "target": [0],
                "chosen": assistant(f"A red box {i}."), "rejected": assistant("A blue box."), "grounding": None,
            }  # fmt: skip
            record = {**pair(f"r{i}"), **plain, **change}
            out.write({key: value for key, value in record.items() if value is not None})


def run(main, *arguments: str):
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr, done.stdout


TRAIN = (
    "--max-steps",
    "1",
    "--step-pairs",
    "2",
    "--batch-size",
    "2",
    "--lora-rank",
    "4",
    "--reference-cache",
    "refc",
)
MARK = {"chosen": assistant("Use the <image> tag.")}
LONG = {"chosen": assistant("red " * 20_000)}


def test_a_pair_that_holds_an_image_mark_is_skipped_by_name(folder):
    write({}, MARK, {})
    refused = "in.jsonl:2: chosen: holds a control token of the model: '<image>'"
    code, said, _ = run(train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl")
    assert code == 1 and refused in said and not os.path.exists("run/args.json")
    code, said, out = run(
        train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl", "--on-error", "skip"
    )
    assert code == 3 and refused in said and json.loads(out)["steps"] == 1
    code, said, out = run(filter_main, "--ref", "mini", "in.jsonl", "--on-error", "skip")
    assert code == 3 and refused in said and len(out.splitlines()) == 2


def test_an_answer_beyond_the_window_is_dropped_before_the_first_check(folder):
    write(LONG, {}, {})
    code, said, out = run(train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl")
    assert code == 0 and "dropped r0: 20032 tokens with 1 image, and the window is 2048" in said
    assert json.loads(out)["dropped"] == 1
    code, said, out = run(filter_main, "--ref", "mini", "in.jsonl", "--on-error", "skip")
    assert code == 3 and "in.jsonl:1: does not fit the model's window: 20032 tokens" in said
    assert len(out.splitlines()) == 2


def test_an_image_that_the_processor_refuses_is_skipped_by_name(qwen25vl):
    write({}, {}, {"images": ["wide.png"]})
    model, skip = str(qwen25vl), ("in.jsonl", "--on-error", "skip")
    for main, more in (
        (train_main, ("--model", model, *TRAIN, "-o", "run")),
        (filter_main, ("--ref", model)),
        (eval_main, ("--model", model, "--max-new-tokens", "2", "--bench", "in.jsonl")),
    ):
        code, said, _ = run(main, *more, *(skip if main is not eval_main else skip[1:]))
        assert code == 3 and "in.jsonl:3: " in said and "aspect ratio" in said, said


def test_identical_answers_are_counted(folder):
    write({"chosen": assistant("A blue box.")}, {}, {})
    _, said, _ = run(train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl")
    assert "1 pair has the same answer as chosen and rejected" in said


def test_a_run_without_a_step_is_started_again(folder):
    write({}, {}, {})
    _, _, first = run(train_main, "--model", "mini", *TRAIN, "-o", "other", "in.jsonl")
    os.mkdir("run")
    for name in ("args.json", "data.jsonl"):
        os.link(f"other/{name}", f"run/{name}")
    os.link("plain.png", "run/mine.png")
    code, said, out = run(train_main, "--model", "mini", *TRAIN, "--seed", "3", "-o", "run", "in.jsonl")
    assert code == 0 and json.loads(out)["steps"] == 1 and os.path.exists("run/mine.png"), said
    code, said, _ = run(train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl")
    assert code == 1 and "holds a run already" in said and json.loads(first)["steps"] == 1


def test_a_reference_cache_that_cannot_be_written_is_a_warning(folder):
    write({}, {})
    with open("file", "w"):
        pass
    options = [*TRAIN[:-1], "file/cache"]
    code, said, _ = run(train_main, "--model", "mini", *options, "-o", "run", "in.jsonl")
    assert code == 0 and "warning: file/cache: Not a directory" in said


def test_lora_targets_that_match_nothing_or_the_vision_tower(folder):
    write({}, {})
    for targets, wanted in (
        ("*q_proj[", "'*q_proj[' is no regular expression"),
        ("nothing_here", "--lora-targets 'nothing_here' matches no module of model 'mini'"),
    ):
        code, said, _ = run(
            train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl", "--lora-targets", targets
        )
        assert code == 2 and wanted in said and not os.path.exists("run")
    code, said, _ = run(
        train_main, "--model", "mini", *TRAIN, "-o", "run", "in.jsonl", "--lora-targets", ".*q_proj"
    )
    assert code == 0 and "4 of the modules that --lora-targets matches lie in the vision tower" in said
    with open("run/README.md") as card:
        assert "4 modules of the vision tower adapted too" in card.read()


@pytest.mark.parametrize("option", ["--lr", "--beta", "--sft", "--warmup", "--epochs"])
def test_an_option_that_is_not_a_number_is_a_usage_error(option):
    code, said, _ = run(train_main, "--model", "mini", option, "nan", "in.jsonl")
    assert code == 2 and option in said


def test_a_base_in_a_local_folder_is_named_by_its_absolute_path(llava):
    write({}, {})
    os.symlink(llava, "base")
    code, said, _ = run(train_main, "--model", "base", *TRAIN, "-o", "run", "in.jsonl")
    assert code == 0, said
    with open("run/args.json") as told, open("run/adapter/adapter_config.json") as adapter:
        assert (
            json.load(told)["model"]
            == json.load(adapter)["base_model_name_or_path"]
            == os.path.abspath("base")
        )


def test_a_process_by_itself_sees_one_gpu(monkeypatch):
    import torch

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert accel.one_gpu() == 0 and "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for before, after in (("", "0"), ("2,3", "2"), ("GPU-ab,GPU-cd", "GPU-ab")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
        assert accel.one_gpu() == 4 and os.environ["CUDA_VISIBLE_DEVICES"] == after
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert accel.one_gpu() == 0


def wrapped(cause: Exception) -> Exception:
    """Wrap an error of the Hub's client as transformers does."""
    try:
        try:
            raise cause
        except Exception as inner:
            raise OSError("We couldn't connect to the Hub, check your internet connection") from inner
    except OSError as error:
        return error


def test_the_real_cause_of_a_model_that_cannot_be_loaded():
    from types import SimpleNamespace

    from huggingface_hub import errors

    answer = SimpleNamespace(headers={}, request=None)
    for cause, wanted in (
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk"),
        (errors.GatedRepoError("403", response=answer), "is gated: accept its terms"),
        (errors.RepositoryNotFoundError("404", response=answer), "the Hub has no such model"),
        (
            ModuleNotFoundError("No module named 'timm'", name="timm"),
            r"needs the package timm \(pip install timm\)",
        ),
        (errors.OfflineModeIsEnabled("HF_HUB_OFFLINE is set"), "the Hub can't be reached"),
        (ConnectionError("name not known"), "the Hub can't be reached"),
        (ValueError("config is odd"), "can't be loaded: We couldn't connect"),
    ):
        with pytest.raises(RuntimeError, match=wanted):
            raise RuntimeError(unavailable("some/model", "some/model", wrapped(cause)))
