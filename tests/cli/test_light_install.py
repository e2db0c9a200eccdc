"""What works after `pip install s2h` alone, without torch: pairs, mixes, pages and scores; and the one line of a command
that needs an extra. Packages are hidden here, not missing (tests/support/lean.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("-n", "3", "--size", "32")
WORK = [
    ["s2h-gen", "kinship", *SMALL, "-o", "l2.jsonl"],
    ["s2h-gen", "arithmetic", *SMALL, "-o", "l2-digits.jsonl"],
    ["s2h-gen", "compare", *SMALL, "-o", "l2-compare.jsonl"],
    ["s2h-gen", "search", *SMALL, "-o", "l3.jsonl"],
    ["s2h-gen", "vqa", *SMALL, "--negative", "other-image", "-o", "l1.jsonl"],
    ["s2h-mix", "--flat", "l1", "l2", "l3", "-o", "mix.jsonl"],
    ["s2h-mix", "--flat", "mix", "--to", "trl", "-o", "trl.parquet"],
    ["s2h-view", "mix.jsonl", "-o", "gallery.html"],
    ["s2h-eval", "--list"],
    ["s2h-eval", "--score", "p.jsonl", "-o", "s.jsonl", "--report", "r.json"],
    ["s2h-eval", "--compare", "s.jsonl", "s.jsonl", "--report", "c.json", "--plot", "c.png"],
    ["s2h-filter", "l2.jsonl", "-o", "checked.jsonl"],
]
LACKING = [
    (["s2h-filter", "l2.jsonl", "--clip", "0.25"], "filter"),
    (["s2h-filter", "l2.jsonl", "--mpnet", "0:1"], "filter"),
    (["s2h-filter", "l2.jsonl", "--ref", "mini"], "filter"),
    (["s2h-train", "--model", "mini", "mix.jsonl", "-o", "run"], "train"),
    (["s2h-train", "--model", "mini", "mix.jsonl", "--plan"], "train"),
    (["s2h-eval", "--model", "mini", "-n", "1"], "eval"),
    (["s2h-gen", "vqa", *SMALL], "filter"),
    (["s2h-gen", "search", *SMALL, "--distractors", "similar"], "filter"),
]


def results(extras: str, commands: list, folder: Path) -> list:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.lean", extras],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return json.loads(done.stdout)


def test_commands_without_models_need_no_extra_and_others_name_theirs(tmp_path):
    pytest.importorskip("tomllib", reason="before Python 3.11")
    line = {"id": "a", "bench": "x", "answer": "A", "response": "A", "choices": {"A": "one", "B": "two"}}
    (tmp_path / "p.jsonl").write_text(json.dumps(line) + "\n")
    said = results("", [*WORK, *(command for command, _ in LACKING)], tmp_path)
    for command, (status, told) in zip(WORK, said[: len(WORK)], strict=True):
        assert status == 0, (command, told)
    for (command, extra), (status, told) in zip(LACKING, said[len(WORK) :], strict=True):
        last = told.splitlines()[-1]
        assert status == 1 and "Traceback" not in told, (command, told)
        assert last.startswith(f"{command[0]}: the package ") and "is missing in this Python" in last
        assert f'pip install "s2h[{extra}]" brings it' in last, (command, told)
    assert not (tmp_path / "run").exists()
