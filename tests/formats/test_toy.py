"""A format is one file: the recipe's, dropped into the room, it is read, written and listed by the real command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import s2h
from tests.support.commands import BIN
from tests.support.records import pair, pixel

PAGE = Path(s2h.__file__).parent / "README.md"


def recipe() -> str:
    """The file that the page about the package shows."""
    found = re.search(r"`formats/toy.py`:\n\n```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


def test_one_file_is_a_format(tmp_path):
    package = tmp_path / "path/s2h"
    (package / "formats").mkdir(parents=True)
    for here, there in (
        (Path(s2h.__file__).parent, package),
        (Path(s2h.__file__).parent / "formats", package / "formats"),
    ):
        for entry in here.iterdir():
            if entry.name not in ("formats", "__pycache__"):
                (there / entry.name).symlink_to(entry)
    (package / "formats/toy.py").write_text(recipe())

    def run(*arguments: str) -> subprocess.CompletedProcess:
        code = (
            f"import sys; sys.path.insert(0, {str(package.parent)!r}); from s2h.cli.mix import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": "", "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    record = dict(pair("a", [pixel(tmp_path / "a.png"), pixel(tmp_path / "b.png", "blue")]))
    (tmp_path / "ours.jsonl").write_text(json.dumps(record) + "\n")
    assert "toy is a toy" in run("--help").stdout
    done = run("--flat", "ours.jsonl", "--to", "toy", "-o", "data/toy.jsonl")
    assert "next: toy train data/toy.jsonl" in done.stderr
    row = json.loads((tmp_path / "data/toy.jsonl").read_text())
    assert row["ask"] == "Image 1:<image>Image 2:<image>What is the sum of the digits?"
    for named in ([], ["--from", "toy"]):
        done = run("--flat", "data/toy.jsonl", *named)
        assert "data/toy.jsonl: rows are read as toy (a toy)" in done.stderr
        again = json.loads(done.stdout)
        assert [again[name] for name in ("images", "prompt", "chosen", "rejected")] == [
            record[name] for name in ("images", "prompt", "chosen", "rejected")
        ]
    assert not (BIN.parent / "s2h/formats/toy.py").exists()
