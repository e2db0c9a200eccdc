"""The scripts for many processes: their shards put end to end are one run's bytes."""

import argparse
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
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


GEN = "s2h-gen {} -n 9 --size 32 --image-dir {}"
FILTER = "s2h-filter --edit-distance 0.5: --rejects {}"


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory) -> Path:
    """The folder of two sets and their mix that no engine made."""
    root = tmp_path_factory.mktemp("one")
    run(*shlex.split(GEN.format("kinship", root / "images")), "--quiet", "-o", "l2.jsonl", cwd=root)
    made = run(*shlex.split(GEN.format("search", root / "images")), "--quiet", cwd=root).stdout
    kept = run(
        *shlex.split(FILTER.format("rejects.jsonl")), "--quiet", "-o", "l3.jsonl", cwd=root, input=made
    )
    assert not kept.stdout and (root / "rejects.jsonl").stat().st_size and (root / "l3.jsonl").stat().st_size
    run("s2h-mix", "--curriculum", "l2", "l3", "--quiet", "-o", "mix.jsonl", cwd=root)
    return root


@pytest.fixture(scope="module")
def module():
    pytest.importorskip("datatrove", reason="no datatrove (pip install datatrove)")
    spec = importlib.util.spec_from_file_location("pipeline", CLUSTER / "pipeline.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture()
def pipeline(one_machine, tmp_path):
    """Runs examples/cluster/pipeline.py over two shards into tmp_path/run; (status, what it said)."""
    pytest.importorskip("datatrove", reason="no datatrove (pip install datatrove)")
    images = one_machine / "images"
    sets = [
        f"l2={GEN.format('kinship', images)}",
        f"l3={GEN.format('search', images)} | {FILTER.format('rejects-{shard}.jsonl')}",
    ]

    def start(*options: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(CLUSTER / "pipeline.py"), "run", *sets, "--mix", "s2h-mix --curriculum", "--shards", "2",
             *options],
            cwd=tmp_path, capture_output=True, text=True, timeout=600,
            env={**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}{os.pathsep}{BIN.parent}", **environment},
        )  # fmt: skip
        return done.returncode, done.stderr

    return start


def same(made: Path, expected: Path) -> bool:
    return all(
        (made / f"{n}.jsonl").read_bytes() == (expected / f"{n}.jsonl").read_bytes()
        for n in ("l2", "l3", "mix")
    )


def test_a_pipeline_goes_on_with_what_failed(pipeline, one_machine, tmp_path):
    in_the_way = tmp_path / "rejects-l3-00002-of-00002.jsonl"
    in_the_way.mkdir()
    status, said = pipeline("--workers", "1")
    assert status == 1 and "pipeline: 1 of 2 shards failed" in said
    assert "l3-00002-of-00002: s2h-filter ended with status" in said and in_the_way.name in said
    first = tmp_path / "run" / "l3-00001-of-00002.jsonl"
    before = first.stat()
    assert (
        not (tmp_path / "run" / "l3-00002-of-00002.jsonl").exists()
        and not (tmp_path / "run" / "l3.jsonl").exists()
    )
    in_the_way.rmdir()
    status, said = pipeline("--workers", "2")
    assert status == 0, said
    assert same(tmp_path / "run", one_machine)
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert json.loads((tmp_path / "run" / "logs" / "mix" / "stats.json").read_text())


def test_a_folder_holds_one_pipeline(module, tmp_path):
    """Shards of other options, which the engine would take for completed, don't go into a mix."""
    module.begin(tmp_path, {"shards": 2})
    module.begin(tmp_path, {"shards": 2})
    with pytest.raises(SystemExit, match="was started with different options"):
        module.begin(tmp_path, {"shards": 3})


def test_a_pipeline_over_two_processes_of_ray(pipeline, one_machine, tmp_path):
    pytest.importorskip("ray", reason="no Ray (pip install ray)")
    status, said = pipeline(
        "--on", "ray", "--workers", "2", "--set", "mem_per_cpu_gb=0.1", RAY_USAGE_STATS_ENABLED="0"
    )
    assert status == 0 and same(tmp_path / "run", one_machine), said


# A cluster of one node that runs a job when it is submitted.
SLURM = {
    "sbatch": """for last; do case $last in --export=ALL,*) export "${last#--export=ALL,}" ;; esac; done
if grep -q merge_stats "$last"; then echo "Submitted batch job 0"; exit; fi
range=$(sed -n 's/^#SBATCH --array=0-//p' "$last")
export SLURM_NODELIST=here
for task in $(seq 0 "$range"); do SLURM_ARRAY_TASK_ID=$task bash "$last" >> jobs.log 2>&1; done
echo "Submitted batch job $$" """,
    "srun": """while [ "$1" != launch_pickled_pipeline ]; do shift; done; exec "$@" """,
    "scontrol": "echo here",
}


def test_a_pipeline_as_slurm_jobs(pipeline, one_machine, tmp_path):
    bins = tmp_path / "bin"
    bins.mkdir()
    for name, script in SLURM.items():
        (bins / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
        (bins / name).chmod(0o755)
    path = f"{bins}{os.pathsep}{os.environ['PATH']}"
    status, said = pipeline("--on", "slurm", "--set", "partition=cpu", "--set", "time=1:00:00", PATH=path)
    assert status == 0, said
    assert same(tmp_path / "run", one_machine), (tmp_path / "jobs.log").read_text()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("s2h-gen search", "is not NAME="),
        ("mix=s2h-gen search", "is not NAME="),
        ("l3=s2h-filter --clip 0.2", "a set is s2h-gen, and s2h-filter after it"),
        ("l3=s2h-gen search | sort", "a set is s2h-gen, and s2h-filter after it"),
        ("l3=s2h-gen search --shard 1/2", "leave --shard out"),
        ("l3=s2h-gen search | s2h-filter --dedup", "leave --dedup out (it sees one shard only"),
        ("l3=s2h-gen search | s2h-filter --rejects r.jsonl", "--rejects needs {shard}"),
        ("l3=s2h-gen search | s2h-filter --report=r.json", "--report needs {shard}"),
    ],
)
def test_a_set_that_no_shard_can_make(text, fault, module):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        module.pipe(text)
    assert fault in str(refused.value)


def test_the_table_of_the_guide_is_what_the_script_prints():
    done = subprocess.run([sys.executable, str(CLUSTER / "estimate.py")], capture_output=True, text=True)
    assert done.stdout in (CLUSTER / "README.md").read_text()
