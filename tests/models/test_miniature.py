"""The scripts that make the miniatures run: a few steps of the CLIP on a pool of a few pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from s2h.models import clip, names

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object) -> str:
    more = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pool_is_drawn_and_the_clip_goes_on_from_the_one_that_ships(tmp_path):
    scripts = ROOT / "examples" / "miniature"
    run(scripts / "pool.py", tmp_path / "pool", "--scenes", 12, "--faces", 8, "--digits", 8)
    out = tmp_path / "out"
    shipped = names.bundled("mini-clip")
    said = run(
        scripts / "clip.py",
        tmp_path / "pool",
        out,
        "--from",
        shipped,
        "--steps",
        2,
        "--batch",
        8,
        "--lr",
        1e-4,
    )
    assert "step 1 of 2" in said
    assert {file.name for file in out.iterdir()} == {file.name for file in shipped.iterdir()}
    texts = [
        "a picture of four trees",
        "the face of an old woman with curly red hair, brown skin and green eyes",
    ]
    before, after = clip.load("mini-clip").texts(texts), clip.load(str(out)).texts(texts)
    moved = abs(before - after).max()
    assert 0 < moved < 0.1  # trained, and from what ships
