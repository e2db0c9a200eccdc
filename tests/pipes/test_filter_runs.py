"""s2h-filter as processes: several of them that share one run, and one that is killed and goes on."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from array import array
from pathlib import Path
from typing import IO

import pytest

from s2h.record import assistant
from s2h.streams import jsonl
from tests.support.commands import BIN, run
from tests.support.records import lines, pair
from tests.support.waiting import MOST, until

SCRIPT = BIN.parent / "examples" / "cluster" / "filter_slurm.sh"
SRUN = """#!/usr/bin/env bash
pids=()
for node in $(seq 0 $((SLURM_NNODES - 1))); do SLURM_NODEID=$node "$@" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || exit; done
"""


@pytest.fixture
def cluster(tmp_path) -> dict:
    """The environment of a job on two nodes, which are both this machine."""
    import socket

    tools = tmp_path / "tools"
    tools.mkdir()
    # The launcher alone: accelerate's command imports what its other commands need too.
    accelerate = f'[ "$1" = launch ] && shift && exec {sys.executable} -m accelerate.commands.launch "$@"\n'
    for name, text in (
        ("srun", SRUN),
        ("scontrol", "#!/bin/sh\necho 127.0.0.1\n"),
        ("accelerate", "#!/bin/sh\n" + accelerate),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(BIN.parent), "PORT": str(port),
        "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "both", "SLURM_GPUS_ON_NODE": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def test_two_nodes_write_what_one_process_writes(heavy, tmp_path, cluster):
    made = heavy.told("s2h-gen", "search", "-n", "40", "--size", "32", "--quiet", cwd=tmp_path)
    gone = pair("gone", images=["/nowhere/one.png", "/nowhere/two.png"])
    (tmp_path / "in.jsonl").write_bytes(made.stdout.encode() + jsonl.dump(gone))
    asked = ["in", "--clip", "0.1", "--clip-rank", "--on-error", "skip"]
    one = [*asked, "--rejects", "bad1", "-o", "one", "--batch-size", "50"]
    heavy.told("s2h-filter", *one, cwd=tmp_path, status=3)
    done = subprocess.run(
        ["bash", str(SCRIPT), *asked, "--rejects", "bad2", "-o", "two", "--batch-size", "50"],
        cwd=tmp_path, env=cluster, capture_output=True, text=True, timeout=MOST,
    )  # fmt: skip
    assert "skipped 1 record" in done.stderr, done.stderr
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes() != b""
    assert (tmp_path / "bad2").read_bytes() == (tmp_path / "bad1").read_bytes()
    assert done.stderr.count("CLIP scores by") == 1, "one process speaks"


def begin(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(BIN / "s2h-filter"), *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def waiting_in(pipe: IO[bytes]) -> int:
    """The number of bytes in a pipe that its reader has not taken yet."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def test_a_killed_run_goes_on(tmp_path):
    from PIL import Image

    for name in ("one", "two"):
        Image.effect_noise((16, 16), 50).save(tmp_path / f"{name}.png")
    said = [assistant("The sum is seventeen." if i % 3 else "It is 3.") for i in range(400)]
    stream = b"".join(jsonl.dump(pair(f"r{i}", chosen=text, note=i % 300)) for i, text in enumerate(said))
    asked = ["--length-ratio", "1:", "--dedup", "--rejects", "bad.jsonl", "-o", "out.jsonl"]
    run("s2h-filter", *asked, cwd=tmp_path, input=stream.decode())
    whole = [(tmp_path / name).read_bytes() for name in ("out.jsonl", "bad.jsonl")]
    assert all(whole)
    for name in ("out.jsonl", "bad.jsonl"):
        (tmp_path / name).unlink()
    process = begin(tmp_path, *asked)
    cut = stream.index(b'"r250"')
    process.stdin.write(stream[:cut])
    process.stdin.flush()
    rest, notes = iter(stream[cut:].splitlines(keepends=True)[:-1]), tmp_path / "out.jsonl.progress"

    def noted() -> bool:
        """It notes once a second, when a pair comes: give it another once it has taken all that were given."""
        done = notes.exists() and json.loads(notes.read_bytes())["notes"]["position"]
        if not done and not waiting_in(process.stdin):
            process.stdin.write(next(rest))
            process.stdin.flush()
        return bool(done)

    until(noted, process, every=0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "out.jsonl.partial").exists() and not (tmp_path / "out.jsonl").exists()
    wrong = run(
        "s2h-filter",
        *asked,
        "--edit-distance",
        ":1",
        "--resume",
        cwd=tmp_path,
        input=stream.decode(),
        status=1,
    )
    assert "out.jsonl.partial: was started with different arguments" in wrong.stderr
    other = run("s2h-filter", *asked, "--resume", cwd=tmp_path, input=lines(3).decode(), status=1)
    assert "which the input doesn't have" in other.stderr
    done = run("s2h-filter", *asked, "--resume", cwd=tmp_path, input=stream.decode())
    assert "going on after <stdin>:" in done.stderr and "of 400 pairs" in done.stderr
    assert [(tmp_path / name).read_bytes() for name in ("out.jsonl", "bad.jsonl")] == whole
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jsonl", ".jsonl", ".png", ".png"]


def test_an_error_leaves_what_was_written_and_says_one_line(tmp_path):
    stream = lines(20) + b"nonsense\n" + lines(1)
    failed = run(
        "s2h-filter", "--length-ratio", "0:", "-o", "out.jsonl", cwd=tmp_path, input=stream.decode(), status=1
    )
    assert len(failed.stderr.splitlines()) == 1 and "<stdin>:21: not JSON" in failed.stderr
    assert (tmp_path / "out.jsonl.partial").read_bytes().count(b"\n") == 20
    mended = stream.replace(b"nonsense\n", b"\n").replace(b'"r0"', b'"s0"')
    run(
        "s2h-filter",
        "--length-ratio",
        "0:",
        "-o",
        "out.jsonl",
        "--resume",
        cwd=tmp_path,
        input=mended.decode(),
    )
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == 21
