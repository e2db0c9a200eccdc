"""The script for who has a GPU runs whole on a CPU, with tiny models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_check_of_a_gpu_runs_whole_on_a_cpu(tmp_path):
    out = tmp_path / "check.json"
    command = [
        "bash",
        str(ROOT / "examples/gpu/check.sh"),
        "--tiny",
        "--model",
        "llava-1.5-7b",
        "--pairs",
        "3",
    ]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "scratch"), "-o", str(out)],
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
    assert not any(each["agrees"] for how, each in found["exact"].items() if how not in ("split", "mask"))
    # Random weights say nothing that could be a wrong answer: s2h-gen --model makes no pair, and says why.
    failed = [each["command"] for each in found["commands"] if each["status"] != 0]
    assert len(found["commands"]) == 7 and len(failed) == 1 and "--model" in failed[0]
    assert "step checkpointing split" in " ".join(done.stdout.split())
