"""The source that s2h/README.md shows in full, added as one file; and the guide's table of sources."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

from s2h import registry
from tests.support import parts
from tests.support.photos import save

GUIDE = Path(__file__).resolve().parents[2] / "examples" / "pairs" / "README.md"
THINGS = ("truck", "tulip", "spoon", "whale", "castle", "frog", "peacock", "kite", "violin", "ladder")
PLACES = ("on a lawn", "seen from afar", "in the morning sun", "behind a fence")


def test_a_source_is_one_file(tmp_path):
    photos = tmp_path / "photos"
    lines = []
    for number in range(40):
        save(photos / f"{number}.png", number)
        lines.append(f"{number}.png\tA {THINGS[number % 10]} {PLACES[number // 10]}.\n")
    (photos / "0.png").write_bytes(b"no image")
    (photos / "pictures.tsv").write_text("".join([*lines, "gone.png\tA tree\n", "../39.png\tA tree\n"]))
    gen = partial(parts.commands(tmp_path, "sources/picture_list.py"), "gen")

    for spec in ("picture-list:photos", "photos"):
        done = gen("search", "--source", spec, "-n", "4")
        pairs = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(pairs) == 4 and all(pair["source"] == spec for pair in pairs)
        assert "1 names a file outside the folder" in done.stderr
    assert "picture-list" in " ".join(gen("--help").stdout.split())
    assert "picture-list" in gen("search", "--source", "nowhere", status=1).stderr
    lacking = gen("search", "--source", "picture-list:.", status=1).stderr
    assert "no pictures.tsv there (put one beside the pictures)" in lacking


def test_the_guide_has_every_source():
    table = GUIDE.read_text(encoding="utf-8").partition("## Sources")[2].partition("\n\nA source says")[0]
    rows = re.findall(r"^\| (`.*?`\)?) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    sources = registry.values("source")
    assert named == {*sources, *(alias for one in sources.values() for alias in one.aliases)} - {"builtin"}
