"""A task is one file: the one that s2h/README.md shows is added to the package and used from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2h import record
from s2h.eval.questions.pairs import question_of
from tests.support import parts

NAME = "tasks/even_one.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def run(folder):
    """Run a command with the new part."""
    return parts.commands(folder, NAME)


def test_help_and_errors_name_it(run):
    told = " ".join(run("gen", "--help").stdout.split())
    assert "even-one level 2: the one even or odd digit among several" in told
    assert "even-one: wrong-image." in told and "--parity KIND=WEIGHT even-one: even or odd" in told
    assert (
        "--parity is for even-one, not for kinship"
        in run("gen", "kinship", "--parity", "odd", status=2).stderr
    )


def test_its_pairs_are_made_and_its_replies_are_read(run, folder):
    made = run("gen", "even-one", "-n", "4", "--twins", "--size", "32", "--parity", "odd", "-o", "p.jsonl")
    assert "8 pairs of level 2 (even-one)" in made.stderr
    pairs = [json.loads(line) for line in (folder / "p.jsonl").read_text().splitlines()]
    for pair in pairs:
        record.check(pair)
        odd = [at for at, labels in enumerate(pair["facts"]["labels"]) if labels["value"] % 2]
        assert pair["task"] == "even-one" and pair["target"] == odd == [pair["facts"]["answer"] - 1]
    lines = [question_of(record.Record(pair))[0] for pair in pairs]
    for line, reply in zip(lines, ("Of 3, it is no. 2!", "No. 1", "none", "2 or 1?") * 2, strict=True):
        line.pop("_pair")
        line["response"] = reply
    (folder / "replies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("eval", "--score", "replies.jsonl", "--report", "report.json", "-o", "scored.jsonl")
    scored = [json.loads(line) for line in (folder / "scored.jsonl").read_text().splitlines()]
    assert [line["parsed"] for line in scored] == [2, 1, None, 1] * 2
    assert [line["correct"] for line in scored] == [line["parsed"] == line["answer"] for line in scored]
    (row,) = json.loads((folder / "report.json").read_text())["rows"]
    assert row["chance"] == pytest.approx(sum(1 / len(pair["images"]) for pair in pairs) / 8)
