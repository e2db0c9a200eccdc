"""The check for GPUs, examples/gpu/check.sh, runs on a CPU with tiny models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_check_of_a_gpu_runs_on_a_cpu(tmp_path):
    """Check the steps and the numbers. `--only` runs one command in place of all, since commands take long to start."""
    out = tmp_path / "check.json"
    command = [
        "bash",
        str(ROOT / "examples/gpu/check.sh"),
        "--tiny",
        "--model",
        "llava-1.5-7b",
        "--pairs",
        "2",
    ]
    done = subprocess.run(
        [*command, "--only", "s2h-gen compare", "--folder", str(tmp_path / "scratch"), "-o", str(out)],
        env={**os.environ, "PYTHON": sys.executable},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["models"]["llava-1.5-7b"]
    for label in ("plain", "checkpointing"):
        ways = found["step"][label]
        assert all(ways[way]["first"] > 0 for way in ("trl", "stock", "mask", "split"))
        assert "CUDA" in ways["varlen"]["refused"]
    assert all(found["exact"][how]["agrees"] for how in ("split", "mask"))
    controls = [each for how, each in found["exact"].items() if how not in ("split", "mask")]
    assert len(controls) == 4 and not any(each["agrees"] for each in controls)
    assert [each["status"] for each in found["commands"]] == [0]
    assert "step checkpointing split" in " ".join(done.stdout.split())
