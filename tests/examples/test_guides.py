"""Each guide's script runs to its end over the built-in world and leaves the files that it names. The one of mix runs the
commands that are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.shims import shims

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LEAVES = {
    "pairs": ("l1.jsonl", "l2.jsonl", "l3.jsonl", "audit.json", "audit.png", "gallery.html"),
    "filter": ("kept.jsonl", "rejects.jsonl", "rejects.html", "report.json", "report.png"),
    "mix": (
        "flat.jsonl",
        "flat.val.jsonl",
        "curriculum.jsonl",
        "llama-factory/pairs.json",
        "carry/mix.jsonl",
    ),
    "evaluate": ("replies.jsonl", "report.md", "heatmap.png", "compare.json", "compare.png", "changed.html"),
}


@pytest.mark.parametrize("guide", LEAVES)
def test_the_script_of_a_guide_runs_to_its_end(guide, heavy, tmp_path):
    installed = nullcontext(Path(sys.executable).parent)
    with installed if guide == "mix" else shims(heavy) as commands:
        done = run(guide, commands, tmp_path)
    assert done.returncode == 0, done.stderr
    missing = [name for name in LEAVES[guide] if not (tmp_path / "out" / name).stat().st_size]
    assert not missing
    assert all(Path(name).name in done.stderr.splitlines()[-1] for name in LEAVES[guide] if "/" not in name)


def test_the_script_of_the_guide_to_servers_asks_a_server(served, heavy, tmp_path):
    with shims(heavy) as commands:
        done = run("servers", commands, tmp_path, S2H_URL=served.url, S2H_MODEL=served.name, S2H_N="1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "l1.jsonl, replies.jsonl, report.md"
    assert all(
        (tmp_path / "out" / name).stat().st_size for name in ("l1.jsonl", "replies.jsonl", "report.md")
    )
    assert served.url in (tmp_path / "out" / "report.md").read_text()


def run(guide: str, commands: Path, tmp_path: Path, **more: str) -> subprocess.CompletedProcess:
    env = {
        **os.environ,
        "S2H_N": "20" if guide == "mix" else "3",
        "S2H_OUT": str(tmp_path / "out"),
        "S2H_VENV": str(commands.parent),
        **more,
    }
    return subprocess.run(
        ["bash", str(EXAMPLES / guide / "run.sh")], cwd=tmp_path, env=env, capture_output=True, text=True
    )
