"""Faults in the middle of a run: each is one clear line, nothing is lost, and a resumed run has the result of an
uninterrupted one."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file

from s2h.models import ModelError
from s2h.record import RecordError
from s2h.streams import jsonl
from s2h.train.arguments import again
from s2h.train.checkpoints import whole as checkpoints
from s2h.train.dataset import Pairs
from s2h.train.folder import WRITTEN, RunError, read_arguments, read_result
from s2h.train.reference import is_whole
from s2h.train.run import Arguments, Settings, read_metrics, train
from tests.support.architectures import make_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 8)


@pytest.fixture(scope="module")
def whole(llava, pairs, tmp_path_factory):
    """An uninterrupted run, with its cache of reference values."""
    place = tmp_path_factory.mktemp("whole")
    train(pairs, asked(llava), place / "run", Settings(log_steps=1, save_steps=2, cache=place / "cache"))
    return place / "run"


def asked(model, **more) -> Arguments:
    return Arguments(
        str(model),
        **{"batch_size": 1, "grad_accum": 2, "rank": 4, "alpha": 8, "epochs": 2, "lr": 5e-3, **more},
    )


def weights(run) -> dict:
    return load_file(run / "adapter" / "adapter_model.safetensors")


def same(one, other) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all((a[key] == b[key]).all() for key in a)


def test_a_missing_image_is_named_and_the_run_continues_when_it_is_restored(whole, llava, pairs, tmp_path):
    """A worker process prepares the images; its errors would otherwise arrive as tracebacks."""
    run, gone = tmp_path / "run", pairs[5]["images"][1]

    def vanish(line: str) -> None:
        if "reference" in line:  # it is known from the whole run, and all images have been opened
            shutil.move(gone, gone + ".away")

    how = {"log_steps": 1, "workers": 1, "cache": whole.parent / "cache"}
    with pytest.raises(RunError, match=r"colours-0-5: .*data\.jsonl:6: images\[1\]: no such file") as caught:
        train(pairs, asked(llava), run, Settings(**how), say=vanish)
    told = str(caught.value)
    assert "\n" not in told and "Traceback" not in told and "checkpoint-2 is written" in told
    assert [place.name for place in checkpoints(run)] == ["checkpoint-2"]
    shutil.move(gone + ".away", gone)
    train([], asked(llava), run, Settings(resume=True, **how))
    assert same(whole, run)
    assert [m["loss"] for m in read_metrics(whole)] == [m["loss"] for m in read_metrics(run)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("file", ["optimizer.pt", "trainer_state.json"])
def test_a_full_disk_leaves_the_checkpoint_before_it_whole(whole, llava, pairs, tmp_path, file):
    run, how = tmp_path / "run", {"save_steps": 2, "cache": whole.parent / "cache"}
    place = run / "checkpoints" / "checkpoint-4"
    place.mkdir(parents=True)
    (place / file).symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"checkpoint-4 can't be written: .*checkpoint-2 is whole") as caught:
        train(pairs, asked(llava), run, Settings(**how))
    told = str(caught.value)
    assert "\n" not in told and ("No space left" in told or "did not take the whole file" in told)
    assert not place.exists() and [c.name for c in checkpoints(run)] == ["checkpoint-2"]
    said: list[str] = []
    train([], asked(llava), run, Settings(resume=True, **how), say=said.append)
    assert any("going on from checkpoint-2" in line for line in said)
    assert same(whole, run)


def test_an_incomplete_checkpoint_of_a_killed_run_is_skipped(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    newest, before = checkpoints(run)
    state = newest / "trainer_state.json"
    kept = state.read_bytes()
    for left in (b"", kept[: len(kept) // 2]):
        state.write_bytes(left)
        assert checkpoints(run) == [before]
    state.unlink()
    assert checkpoints(run) == [before]
    state.write_bytes(kept)
    (newest / "rng_state.pth").unlink()
    assert checkpoints(run) == [before]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_pairs(llava, pairs, tmp_path):
    with pytest.raises(
        ModelError, match=r"the loss is (nan|inf) after step [1-9], in the batch of colours-0-\d"
    ):
        train(pairs, asked(llava, lr=1e30, warmup=0.0), tmp_path / "run", Settings(log_steps=10))
    assert len(read_metrics(tmp_path / "run")) == 1
    with pytest.raises(ModelError, match="not finite after step 1"):
        train(pairs, asked(llava, lr=1e39, warmup=0.0), tmp_path / "other", Settings(save_steps=1))
    assert not checkpoints(tmp_path / "other")


def test_a_resumed_run_refuses_other_arguments_and_a_damaged_folder(whole, llava, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    said = json.loads((run / "args.json").read_text())
    assert said["processes"] == 1 and said["base"]
    with pytest.raises(RunError, match=r"grad_accum was 2 and is 4; engine was shared and is stock"):
        train([], asked(llava, grad_accum=4, engine="stock"), run, Settings(resume=True))
    (run / "args.json").write_text("{")
    with pytest.raises(RunError, match="is no JSON"):
        train([], asked(llava), run, Settings(resume=True))


class Code:
    """A pickle that runs a command when it is read as pickles are."""

    def __reduce__(self):
        return os.mkdir, ("MARK",)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("optimizer.pt", Code(), "holds a pickle that asks to run code; it was refused"),
        ("rng_state.pth", {"python": Code()}, "holds a pickle that asks to run code; it was refused"),
        ("optimizer.pt", {"step": 1}, "can't be read: 'param_groups'"),
        ("scheduler.pt", b"PK\3\4 cut", "can't be read: "),
    ],
    ids=["optimizer", "rng", "another form", "cut"],
)
def test_a_hostile_checkpoint_is_refused_with_a_clear_error(
    file, content, words, whole, llava, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "result.json").unlink()
    shutil.rmtree(run / "checkpoints" / "checkpoint-8")
    path = run / "checkpoints" / "checkpoint-6" / file
    torch.save(content, path) if not isinstance(content, bytes) else path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        train([], asked(llava), run, Settings(resume=True, cache=whole.parent / "cache"))
    assert f"{path} {words}" in str(caught.value) and not os.path.exists("MARK")
    assert str(caught.value).endswith(f"(remove {path.parent}: --resume then starts from the beginning)")


HOSTILE = ("[]", "null", "3", "{", "[" * 5000, "\xff")


@pytest.mark.parametrize("content", HOSTILE, ids=lambda content: content[:4])
def test_changed_files_of_a_run_folder_are_clear_errors(content, whole, tmp_path):
    data = content.encode("latin-1")
    (tmp_path / "args.json").write_bytes(data)
    (tmp_path / "result.json").write_bytes(data)
    for read in (read_arguments, read_result):
        with pytest.raises(RunError, match=r"(args|result)\.json (is no JSON|holds no JSON object)"):
            read(tmp_path)
    (tmp_path / "data.jsonl").write_bytes(data)
    with pytest.raises(RecordError, match=r"data\.jsonl:1: .*were changed: another -o starts a new run"):
        Pairs(tmp_path / "data.jsonl")
    (tmp_path / "metrics.jsonl").write_bytes(data + b'\n{"step": 1}\n{"step": []}\n')
    assert read_metrics(tmp_path) == [{"step": 1}]
    shutil.copytree(whole / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "checkpoints" / "checkpoint-8" / "trainer_state.json").write_bytes(data)
    (tmp_path / "checkpoints" / "checkpoint-mine").mkdir()
    assert [one.name for one in checkpoints(tmp_path)] == ["checkpoint-6"]


@pytest.mark.parametrize("name", [*WRITTEN, "args.json", "data.jsonl", "val.jsonl"])
def test_a_file_of_the_user_is_not_overwritten(name, llava, pairs, tmp_path):
    """A new run refuses a folder in which a file that no run wrote has a name that the run needs."""
    (tmp_path / name).write_text('{"mine": 1}')
    for resume in (False, True)[: 1 if name == "args.json" else 2]:
        with pytest.raises(
            RunError, match=rf"{name}: a run needs this name, and no run wrote this file \(name a new folder"
        ):
            train(pairs[:2], asked(llava), tmp_path, Settings(resume=resume))
    assert [one.name for one in tmp_path.iterdir()] == [name] and (
        tmp_path / name
    ).read_text() == '{"mine": 1}'


def test_data_that_a_killed_run_left_are_used_again(llava, pairs, whole, tmp_path):
    (tmp_path / "data.jsonl").write_bytes((whole / "data.jsonl").read_bytes())
    records = list(jsonl.read(str(whole / "data.jsonl")))
    train(records, asked(llava, max_steps=1), tmp_path)
    assert (tmp_path / "args.json").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", 3), ("rank", "4"), ("recipe", "none"), ("epochs", [1]), ("seed", None), ("pack", {})],
)
def test_arguments_of_a_run_that_were_changed(field, value, whole):
    said = json.loads((whole / "args.json").read_text())
    assert again(said, {})["model"] == said["model"]
    with pytest.raises(RecordError, match=r"args\.json was changed: .*another -o starts a new run"):
        again({**said, field: value}, {})


def test_reference_values_that_were_changed_are_not_used(whole):
    values = json.loads((whole / "reference.json").read_text())["train"]
    column = next(iter(values))
    assert is_whole(values, values, 8) and not is_whole(values, values, 7)
    for other in (None, [], {}, {**values, column: None}, {**values, column: ["a"] * 8}):
        assert not is_whole(other, values, 8)


def test_a_pair_that_is_too_long_for_the_window_is_named(llava, pairs, tmp_path):
    said: list[str] = []
    result = train(pairs, asked(llava, window=90), tmp_path / "run", say=said.append)
    dropped = [line for line in said if line.startswith("dropped ")]
    assert 0 < len(dropped) < 8 and all("the window is 90" in line for line in dropped)
    assert result["dropped"] == len(dropped)
    with pytest.raises(RecordError, match="no pair fits the window of 5 tokens"):
        train(pairs, asked(llava, window=5), tmp_path / "none")


def test_an_out_of_memory_error_names_its_step_and_a_remedy():
    from s2h.train.trainer import within_memory

    with (
        pytest.raises(
            ModelError, match=r"step 3 does not fit the device's memory: CUDA out of memory.*--gradient-check"
        ),
        within_memory("step 3"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20 GiB.")
