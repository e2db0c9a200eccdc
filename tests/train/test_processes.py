"""Two processes on the CPU have the numbers of one, with each way of starting them. accelerate reads the shipped files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from s2h.streams import jsonl
from s2h.train.folder import read_metrics
from tests.support.architectures import make_pairs
from tests.support.hybrid_architectures import build_gemma4

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = sorted((ROOT / "examples" / "train").glob("*.yaml"))
# Not the accuracy: before the first step all margins are rounding.
SHOWN = ("loss", "margin", "reward_chosen", "reward_rejected", "grad_norm", "learning_rate")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Seven pairs: the last step of an epoch is a partial one."""
    folder = tmp_path_factory.mktemp("data")
    with jsonl.Writer(str(folder / "data.jsonl")) as writer:
        for i, pair in enumerate(make_pairs(folder / "pictures", 7)):
            if i in (0, 2, 5):  # some batches have rows of rejected images, others none
                pair["rejected_images"] = pair["images"][::-1]
            writer.write(pair)
    return folder / "data.jsonl"


def command(model, *more: str) -> list[str]:
    return ["--model", str(model), "--batch-size", "2", "--step-pairs", "4", "--lora-rank", "4", "--lr", "0.005",
            "--epochs", "2", "--log-steps", "1", "--image-side", "0.5", *more]  # fmt: skip


def start(arguments: list[str], folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)


def test_two_processes_have_the_numbers_of_one(heavy, llava, data, tmp_path):
    """--processes with a stream, against one process. The tests of s2h-eval and s2h-filter use accelerate's launcher."""
    from s2h.cli.train import main

    with pytest.raises(SystemExit) as ended:
        main(command(llava, str(data), "-o", str(tmp_path / "one"), "--quiet"))
    assert not ended.value.code
    two = command(llava, "-o", "two", "--processes", "2")
    done = heavy.told("train", *two, cwd=tmp_path, input=data.read_text())
    [result] = done.stdout.splitlines()
    assert json.loads(result)["steps"] == 4
    assert done.stderr.count("measured now") == 1  # only one process prints
    one, two = (read_metrics(tmp_path / name) for name in ("one", "two"))
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        sides = [(b["image_side"], a["image_side"])] if "image_side" in a else []
        assert ("image_side" in b) == bool(sides)
        for ours, theirs in [
            (b, a),
            *sides,
            *((b["levels"][level], a["levels"][level]) for level in a["levels"]),
        ]:
            wanted = {name: theirs[name] for name in SHOWN if name in theirs}
            assert {name: ours[name] for name in wanted} == pytest.approx(wanted, abs=2e-4)
        assert {level: group["pairs"] for level, group in a["levels"].items()} == {
            level: group["pairs"] for level, group in b["levels"].items()
        }


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_accelerate_reads_the_shipped_configurations(path):
    """Every key is one that accelerate's launcher knows."""
    import yaml
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    config = load_config_from_file(str(path))
    kinds = {"ddp": "MULTI_GPU", "fsdp2": "FSDP"}
    assert config.distributed_type == kinds.get(path.stem, "DEEPSPEED")
    known = vars(launch_command_parser().parse_args(["script.py"]))
    said = yaml.safe_load(path.read_text())
    for name in (*said.get("fsdp_config", {}), *said.get("deepspeed_config", {})):
        assert name in known, name
    assert len(CONFIGURATIONS) == 4


NOISY = """
import os, sys
from s2h.cli import streams
streams.prepare()
os.write(1, b"[Gloo] Rank 0 is connected\\n")
print("result")
streams.flush()
streams.hush()
os.write(1, b"more")
print("more", flush=True)
"""


def test_only_results_are_on_standard_output_of_one_of_several_processes():
    """gloo prints there by itself in some versions of torch (2.8, 2.9)."""
    said = {}
    for count in "12":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "WORLD_SIZE": count}
        done = subprocess.run(
            [sys.executable, "-c", NOISY], env=environment, capture_output=True, text=True, check=True
        )
        said[count] = done.stdout, done.stderr
    assert said["1"] == ("[Gloo] Rank 0 is connected\nresult\n", "")
    assert said["2"] == ("result\n", "[Gloo] Rank 0 is connected\n")


LOADED = """
import os, sys
from s2h import accel
from s2h.train import weights
from s2h.train.arguments import Arguments

with accel.main_first():
    model = weights.read(Arguments(sys.argv[1])).model
sums = accel.gather([sum(float(weight.abs().sum()) for weight in model.parameters())])
assert len(sums) == 2 and sums[0] == sums[1] > 0, sums
assert "FSDP_CPU_RAM_EFFICIENT_LOADING" not in os.environ
accel.leave()
"""


def test_each_process_has_the_weights_whatever_the_configuration_of_fsdp_says(llava, tmp_path, monkeypatch):
    """`accelerate launch --use_fsdp` sets both variables by default."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    (tmp_path / "loaded.py").write_text(LOADED)
    done = start(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "loaded.py",
         str(llava)], tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


# gloo's threads still have work when the process ends, and each piece of work needs the interpreter.
BUSY = """
import atexit
from pathlib import Path
import click, torch
from s2h import accel
from s2h.cli import common

@click.command(cls=common.Command)
def main():
    rank = accel.launched()[0]
    atexit.register(Path(f"process {rank}").write_text, str(accel.gather([rank])))
    for _ in range(1000):
        torch.distributed.all_reduce(torch.ones(1), async_op=True)

main()
"""


def test_gloos_threads_do_not_end_a_process_of_a_run_with_a_signal(tmp_path):
    """SIGABRT ended about half of such processes while Python's finalization ran in them."""
    (tmp_path / "busy.py").write_text(BUSY)
    done = start(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "busy.py"], tmp_path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert [(tmp_path / f"process {rank}").read_text() for rank in "01"] == ["[0, 1]", "[0, 1]"]


@pytest.mark.parametrize(
    ("configuration", "how"),
    [
        ("fsdp2", "GEMMA"),  # its state has buffers
        ("fsdp2", "LLAVA --full --keep-best --batch-size 1"),
        ("fsdp2", "mini --gradient-checkpointing"),  # its embedding and its output layer are one
        ("deepspeed_zero3", "LLAVA --full --keep-best"),
    ],
)
def test_sharded_weights_have_the_numbers_of_whole_ones(llava, data, tmp_path, configuration, how):
    """The shipped configurations. Some steps give one process more rows, or more images, than the other."""
    from s2h.cli.train import main

    if configuration.startswith("deepspeed"):
        pytest.importorskip("deepspeed")
    name, *more = how.split()
    model = build_gemma4(tmp_path / "gemma") if name == "GEMMA" else {"LLAVA": llava}.get(name, name)
    told = command(model, str(data), "--val", str(data), *more)
    with pytest.raises(SystemExit) as ended:
        main([*told, "-o", str(tmp_path / "whole"), "--quiet"])
    assert not ended.value.code
    launched = [
        *(
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            "--num_processes",
            "2",
            "--main_process_port",
            "0",
        ),
        *("--config_file", str(ROOT / f"examples/train/{configuration}.yaml")),
        str(ROOT / "tests/support/shards_on_cpus.py"),
    ]
    done = start([*launched, *told, "-o", "sharded"], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    [count] = set(re.findall(r"^(\d+) parameters are sharded", done.stderr, re.MULTILINE))
    assert int(count) > 20
    assert done.stderr.count("this process has read the weights") == (1 if configuration == "fsdp2" else 2)
    whole, sharded = (read_metrics(tmp_path / name) for name in ("whole", "sharded"))
    assert len(whole) == len(sharded) > 4
    for one, other in zip(whole, sharded, strict=True):
        wanted = {name: one[name] for name in SHOWN if name in one}
        if version("accelerate") == "1.10.1":  # it logs the norm of one process's part
            wanted.pop("grad_norm", None)
        assert {name: other[name] for name in wanted} == pytest.approx(wanted, abs=2e-4)
    kept, found = (weights_of(tmp_path / name) for name in ("whole", "sharded"))
    assert kept.keys() == found.keys() and kept
    assert max((kept[name] - found[name]).abs().max().item() for name in kept) < 1e-4


def weights_of(run: Path) -> dict:
    from safetensors.torch import load_file

    [place] = [*run.glob("adapter/*.safetensors"), *run.glob("merged/*.safetensors")]
    return load_file(place)
