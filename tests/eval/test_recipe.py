"""A benchmark is one file: the one that s2h/README.md shows is added to the package and used from the command line."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.support import benchmarks, parts

NAME = "eval/benches/odd_one.py"
LETTERS = {"A": "the first", "B": "the second", "C": "the third"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with questions of the new benchmark."""
    folder = tmp_path_factory.mktemp("package")
    rows = []
    for i in range(4):
        for colour in ("red", "blue"):
            (folder / f"{colour}.png").write_bytes(benchmarks.picture(colour))
        pictures = ["red.png"] * 3
        pictures[i % 3] = "blue.png"
        rows.append(
            {
                "id": i,
                "pictures": pictures,
                "asks": "Which is unlike?",
                "letters": LETTERS,
                "right": "ABC"[i % 3],
                "kind": ("colour", "size")[i % 2],
            }
        )
    rows[3]["pictures"] = None
    (folder / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def evaluate(folder):
    """Run s2h-eval with the new part, in the folder with its questions."""
    return partial(parts.commands(folder, NAME), "eval")


def test_help_the_list_and_errors_name_it(evaluate):
    assert "nlvr2, odd-one, pope" in " ".join(evaluate("--help").stdout.split())
    assert "odd-one         Odd one out: which of three pictures" in evaluate("--list").stdout
    told = evaluate("--model", "mini", "--bench", "odd-on", status=2).stderr
    assert "did you mean odd-one" in told


def test_a_model_is_asked(evaluate, folder):
    asked = (
        "--model",
        "mini",
        "--bench",
        "odd-one=odd.jsonl",
        "--prompt-style",
        "official",
        "--parser",
        "official",
    )
    told = evaluate(*asked, "--on-error", "skip", "-o", "out.jsonl", status=3).stderr
    assert "odd.jsonl:4: images: is missing" in told and "odd-one, mean of kinds" in told
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["odd-one/0", "odd-one/1", "odd-one/2"]
    assert all(line["choices"] == LETTERS and len(line["images"]) == 3 for line in lines)


def test_replies_are_scored_by_its_rules(evaluate, folder):
    lines = [
        {
            "id": str(i),
            "bench": "Odd_One",
            "category": "ab"[i % 2],
            "answer": "B",
            "choices": LETTERS,
            "response": reply,
        }
        for i, reply in enumerate(("A, no, b", "c", "B", "none"))
    ]
    (folder / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    evaluate("--score", "p.jsonl", "--parser", "official", "--report", "r.json", "-o", "s.jsonl")
    scored = [json.loads(line) for line in (folder / "s.jsonl").read_text().splitlines()]
    assert [line["parsed"] for line in scored] == ["B", "C", "B", None]
    report = json.loads((folder / "r.json").read_text())
    assert report["benchmarks"]["odd-one"]["accuracy"] == 0.5
    assert report["benchmarks"]["odd-one"]["mean of kinds"] == 0.5
