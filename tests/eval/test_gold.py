"""Right answers in one form, and errors for those that can't be read."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s2h.cli.eval import main
from s2h.eval import gold
from s2h.record import Record, RecordError

LETTERS = {"A": "a cat", "B": "a dog"}


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ({"bench": "pope", "answer": "Yes."}, "yes"),
        ({"bench": "pope", "answer": True}, "yes"),
        ({"bench": "m", "answer": False}, "no"),
        ({"bench": "pope", "answer": "y"}, "yes"),
        ({"bench": "m", "answer": "N"}, "no"),
        ({"bench": "m", "answer": " NO! "}, "no"),
        ({"bench": "pope", "answer": "**No**"}, "no"),
        ({"bench": "pope", "answer": "false"}, "no"),
        ({"bench": "pope", "answer": ""}, None),
        ({"bench": "m", "answer": None}, None),
        ({"bench": "m", "answer": "  ", "answer_type": "number"}, None),
        ({"bench": "m", "answer": "", "choices": LETTERS}, None),
        ({"bench": "m", "answer": []}, None),
        ({"bench": "m", "answer": "7", "answer_type": "number"}, 7),
        ({"bench": "m", "answer": " 1,000 ", "answer_type": "number"}, 1000),
        ({"bench": "m", "answer": "seven", "answer_type": "number"}, 7),
        ({"bench": "m", "answer": "−3", "answer_type": "number"}, -3),
        ({"bench": "m", "answer": "3.5", "answer_type": "number"}, 3.5),
        ({"bench": "m", "answer": 7.0}, 7),
        ({"bench": "m", "answer": 7}, 7),
        ({"bench": "m", "answer": "2", "answer_type": "image"}, 2),
        ({"bench": "m", "answer": "Image 2", "answer_type": "image"}, 2),
        ({"bench": "m", "answer": "None", "answer_type": "image"}, "none"),
        ({"bench": "m", "answer": ["2", 1], "answer_type": "order"}, [2, 1]),
        ({"bench": "m", "answer": "2, 1, 3", "answer_type": "order"}, [2, 1, 3]),
        ({"bench": "m", "answer": 7, "answer_type": "word"}, "7"),
        ({"bench": "m", "answer": ["two", 2], "answer_type": "word"}, ["two", "2"]),
        ({"bench": "m", "answer": "(b)", "choices": LETTERS}, "B"),
        ({"bench": "m", "answer": "A dog.", "choices": LETTERS}, "B"),
        ({"bench": "m", "answer": True, "choices": {"A": "No", "B": "Yes"}}, "B"),
        ({"bench": "m", "answer": "red"}, "red"),
    ],
)
def test_answers_in_one_form(line, answer):
    found = gold.read(line)
    assert found == answer and type(found) is type(answer)


@pytest.mark.parametrize(
    "line",
    [
        {"bench": "pope", "answer": "maybe"},
        {"bench": "pope", "answer": 3},
        {"bench": "m", "answer": 1, "answer_type": "yes/no"},
        {"bench": "m", "answer": "many", "answer_type": "number"},
        {"bench": "m", "answer": "3 or 4", "answer_type": "number"},
        {"bench": "m", "answer": True, "answer_type": "number"},
        {"bench": "m", "answer": "the left one", "answer_type": "image"},
        {"bench": "m", "answer": 0, "answer_type": "image"},
        {"bench": "m", "answer": [1, "x"], "answer_type": "order"},
        {"bench": "m", "answer": "G", "choices": LETTERS},
        {"bench": "m", "answer": {"a": 1}},
        {"bench": "m", "answer": ["x"], "answer_type": "caption"},
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error(line):
    with pytest.raises(RecordError) as error:
        gold.read(Record(line, where="in.jsonl:3"))
    assert error.value.field == "answer" and error.value.where == "in.jsonl:3" and error.value.remedy


def test_score_names_line_and_field_and_writes_the_answer_in_its_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        {"id": "1", "bench": "pope", "answer": "Yes.", "response": "Yes"},
        {"id": "2", "bench": "pope", "answer": "", "response": "Yes"},
        {"id": "3", "bench": "pope", "answer": "perhaps", "response": "Yes"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = CliRunner().invoke(main, ["--score", "in.jsonl", "-o", "out.jsonl"])
    assert (
        run.exit_code == 1
        and "in.jsonl:3" in run.output
        and "answer" in run.output
        and "Traceback" not in run.output
    )
    run = CliRunner().invoke(main, ["--score", "in.jsonl", "-o", "out.jsonl", "--on-error", "skip"])
    assert run.exit_code == 3, run.output
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["answer"], line["parsed"], line["correct"]) for line in made] == [
        ("yes", "yes", True),
        (None, "yes", None),
    ]
