"""A user's own questions and pairs, in every kind of file that `--bench NAME=FILE` accepts."""

from __future__ import annotations

import json

import pytest

from s2h.eval.questions import Settings, request
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.record import RecordError
from tests.support import benchmarks

QUESTION = {"question": "Which? <image> <image>", "choices": ["left", "right"], "answer": "right"}


@pytest.fixture()
def ask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(benchmarks.picture(colour))

    def read(name: str, **options) -> list[tuple[dict, list[dict]]]:
        places = request.locate([request.parse(name)], None, None)
        return list(request.questions_of(places, None, Settings(store=Store("images"), **options)))

    return read


def write(path, kind: str):
    rows = [QUESTION | {"images": ["red.png", "blue.png"]}] * 2
    packed = [QUESTION | {"images": [benchmarks.packed("red"), benchmarks.packed("blue")]}] * 2
    if kind == "parquet":
        benchmarks.parquet(path, packed)
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "tsv":
        shown = str([benchmarks.b64("red"), benchmarks.b64("blue")])
        row = {"image": shown, "question": QUESTION["question"], "A": "left", "B": "right", "answer": "B"}
        benchmarks.tsv(path, [{"index": at + 1, **row} for at in range(2)])
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "tsv"])
@pytest.mark.parametrize("named", ["mine=set.{}", "set.{}"])
def test_questions_in_every_kind_of_file(ask, tmp_path, kind, named):
    write(tmp_path / f"set.{kind}", kind)
    made = ask(named.format(kind))
    bench = "mine" if "=" in named else "set"
    assert [line["id"] for line, _ in made] == [f"{bench}/1", f"{bench}/2"]
    line, messages = made[1]
    assert line["bench"] == bench and line["choices"] == {"A": "left", "B": "right"} and line["answer"] == "B"
    assert len(open_images(line["_pair"])) == 2 and messages[0]["content"][1]["type"] == "image"


def test_pairs_in_parquet(ask, tmp_path):
    pair = {
        "images": [benchmarks.packed("red")], "prompt": "Colour?", "chosen": "It is red.", "rejected": "It is blue.",
    }  # fmt: skip
    benchmarks.parquet(tmp_path / "set.parquet", [pair])
    (line, messages), = ask("mine=set.parquet")  # fmt: skip
    assert line["bench"] == "pairs" and line["answer"] == "It is red." and line["question"] == "Colour?"
    assert open_images(line["_pair"])[0].size == (24, 20) and messages[0]["content"][0]["type"] == "image"


def test_an_empty_or_damaged_file_is_told(ask, tmp_path):
    benchmarks.parquet(tmp_path / "none.parquet", [{"question": "x"}])
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "none.parquet").read_bytes()[:40])
    for name, message in (
        ("none.parquet", "none.parquet:1: images: is missing (a question has images"),
        ("cut.parquet", "cut.parquet"),
        ("no.parquet", "no such file: no.parquet"),
    ):
        with pytest.raises(RecordError, match=message.replace("(", r"\(")):
            ask(name)
