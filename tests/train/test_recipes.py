"""The baselines' scripts run from nothing to a trained adapter."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.shims import shims

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "recipes"


def test_mia_dpo_makes_its_three_layouts_and_trains_on_them(heavy, tmp_path):
    with shims(heavy) as commands:
        env = {**os.environ, "S2H_N": "6", "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", str(RECIPES / "mia_dpo.sh"), "--epochs", "1", "--step-pairs", "6"],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == 3
    pairs = map(json.loads, (tmp_path / "mia-dpo" / "mix.jsonl").read_text().splitlines())
    layouts = [(pair["facts"].get("layout") or {"kind": "sequence"})["kind"] for pair in pairs]
    assert {kind: layouts.count(kind) for kind in layouts} == {"sequence": 6, "grid": 6, "pip": 6}
    settings = json.loads((tmp_path / "mia-dpo" / "run" / "args.json").read_text())
    assert settings["window"] == 4096 and settings["rank"] == 128
