"""The scripts for many processes: their shards put end to end are one run's bytes."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import BIN, run

CLUSTER = BIN.parent / "examples" / "cluster"


@pytest.fixture()
def options(tmp_path) -> list[str]:
    return ["--size", "32", "--image-dir", str(tmp_path / "images")]  # the same from every folder


@pytest.fixture()
def whole(tmp_path, options) -> bytes:
    run("s2h-gen", "search", "-n", "40", *options, "--quiet", "-o", "whole.jsonl", cwd=tmp_path)
    return (tmp_path / "whole.jsonl").read_bytes()


def test_parallel(tmp_path, whole, options):
    done = subprocess.run(
        ["bash", str(CLUSTER / "gen_parallel.sh"), "search", "40", "out.jsonl", *options],
        cwd=tmp_path, env={**os.environ, "SHARDS": "3"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_a_slurm_array_whose_first_task_was_killed(light, tmp_path, whole, options):
    def task(index: int) -> None:
        array = {"SLURM_ARRAY_TASK_ID": index, "SLURM_ARRAY_TASK_COUNT": 3, "SLURM_ARRAY_TASK_MIN": 0}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", str(CLUSTER / "gen_slurm.sh"), "search", "40", "shards", *options],
            cwd=tmp_path, env={**os.environ, "PATH": path} | {k: str(v) for k, v in array.items()},
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    first = tmp_path / "shards" / "00000.jsonl"
    first.parent.mkdir()
    shard = ["--shard", "1/3", *options, "-o", str(first.relative_to(tmp_path))]
    assert light.run("gen", "search", "-n", "40", *shard, cwd=tmp_path, dies_at=12) == -signal.SIGKILL
    assert Path(f"{first}.partial").stat().st_size and not first.exists()
    for index in (0, 1, 2):
        task(index)
    shards = sorted((tmp_path / "shards").glob("*.jsonl"))
    assert b"".join(path.read_bytes() for path in shards) == whole
