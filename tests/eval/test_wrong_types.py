"""Predictions and tables with fields of wrong types give an error with the line, never a traceback."""

from __future__ import annotations

import pytest

from s2h import seeds
from s2h.eval import accuracy, predictions, reading, report
from s2h.eval.questions import Settings, any_lines, tables
from s2h.images.decoding import ImageError, read_bytes
from s2h.record import Record, RecordError
from tests.support.records import pair
from tests.support.scored import predictions as made


@pytest.mark.parametrize("value", [0, True, 3.5, [], {}, ["a"], None])
def test_what_is_no_reference_is_no_image(value):
    with pytest.raises(ImageError, match="no image reference"):
        read_bytes(value)


def test_an_unknown_type_of_answer_is_refused_where_predictions_are_read():
    line = Record(id="a", bench="b", answer="A", response="A", answer_type="choices")
    with pytest.raises(RecordError, match=r"answer_type: unknown: 'choices' \(one of number, yes/no"):
        predictions.read(line)


WRONG = [
    ("candidates", 7, "candidates: must be a list of texts"),
    ("candidates", [1], r"candidates\[0\]: must be a text"),
    ("twin", {}, "twin: must be a text"),
    ("about", [1], "about: must be a text"),
]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        *WRONG,
        ("target", 3, "target: must be a list of image positions from 0"),
        ("target", ["a"], r"target\[0\]: must be an image position from 0"),
        ("target", [-1], r"target\[0\]: must be an image position from 0"),
        ("target", [0, 2], r"target: 2 is no position from 0 of 2 images \(the first image has position 0"),
        ("level", 9.5, "level: must be a text"),
        ("group", [2], "group: must be a text"),
        ("category", ["a"], "category: must be a text"),
        ("bench", {}, "bench: must be a text"),
        ("id", [1], "id: must be a text"),
        ("question", "What is \ud800?", "has a text that is not UTF-8"),
    ],
)
def test_a_field_that_no_score_can_use_is_refused_before_a_model_is_asked(field, value, message):
    asked = {"id": "q", "images": ["x.png", "y.png"], "question": "Q?", "answer": "red", field: value}
    with pytest.raises(RecordError, match=f"q.jsonl:1: {message}"):
        list(any_lines.read([Record(asked, where="q.jsonl:1")], Settings()))


@pytest.mark.parametrize("bench", ["pope", "mihbench", "hallusionbench"])
@pytest.mark.parametrize("kind", [{}, {"answer_type": "word"}])
def test_an_answer_that_its_benchmark_can_not_count_is_refused(bench, kind):
    asked = {"id": "q", "bench": bench, "images": ["x.png"], "question": "Q?", "answer": "yesyes", **kind}
    told: list[RecordError] = []
    assert not list(any_lines.read([Record(asked, where="q.jsonl:1")], Settings(on_error=told.append)))
    assert not list(reading.rescore([Record(asked, response="yes", where="q.jsonl:1")], on_error=told.append))
    assert [str(fault) for fault in told] == [
        'q.jsonl:1: answer: can\'t be read as yes/no: \'yesyes\' (write "yes" or "no")'
    ] * 2


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
def test_the_facts_of_a_pair_are_refused_before_a_model_is_asked(field, value, message):
    asked = pair("p", facts={"question": "Q?", "answer": "red", "answer_type": "word", field: value})
    with pytest.raises(RecordError, match=rf"q.jsonl:1: facts\.{message}"):
        list(any_lines.read([Record(asked, where="q.jsonl:1")], Settings()))


def test_choices_as_a_list_count_as_those_by_letter():
    listed = [one for one in made(1, 0.5) if one["bench"] == "muirbench"]
    for one in listed:
        one["choices"] = list(one["choices"].values())
    lettered = [one for one in made(1, 0.5) if one["bench"] == "muirbench"]
    told = [report.metrics("muirbench", [accuracy.slim(one) for one in some]) for some in (listed, lettered)]
    assert told[0] == told[1]


@pytest.mark.parametrize("seed", [-1, -(2**63), 2**32, 2**70])
def test_any_integer_is_a_seed(seed):
    lines = [accuracy.slim(one) for one in made(1, 0.5)]
    assert report.make(lines, seed=seed)["rows"]
    assert 0 <= seeds.within(seed, 32) < 2**32 and 0 <= seeds.within(seed, 64) < 2**64


def test_seeds_that_fit_are_taken_as_they_are():
    assert [seeds.within(seed, 32) for seed in (0, 7, 2**32 - 1)] == [0, 7, 2**32 - 1]
    assert len({seeds.within(-seed, 32) for seed in range(1, 100)}) == 99


def test_a_file_without_a_sound_line_is_not_called_empty():
    faults, skipped = [], [0]

    def read(name):
        skipped[0] += name == "bad.jsonl"
        return iter(())

    list(predictions.lines(["bad.jsonl", "empty.jsonl"], read, faults.append, lambda: skipped[0]))
    assert [str(fault) for fault in faults] == [
        "empty.jsonl: holds no lines (a failed download, or a run that ended early?)"
    ]


def test_a_parquet_file_whose_bytes_are_no_text_or_whose_name_is_not_utf8(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = str(tmp_path / "caf\udce9.parquet")
    table = pyarrow.table({"question": pyarrow.array([b"\x89PNG", b"ok"]).cast(pyarrow.binary())})
    broken = pyarrow.Table.from_arrays(
        [table["question"].combine_chunks().view(pyarrow.string())], ["question"]
    )
    with open(path, "wb") as file:
        pyarrow.parquet.write_table(broken, file)
    faults: list = []
    assert list(tables.read([path], on_error=faults.append)) == []
    assert len(faults) == 1 and "can't be read: 'utf-8' codec can't decode" in str(faults[0])
