"""Marks that a person made on a page choose what comes into a mix."""

from pathlib import Path

import pytest

from tests.support.mixing import names, run, write

MARKS = '{"id": "a-1", "mark": "good"}\n\n{"id": "a-0", "mark": "bad"}\n{"id": "b-2", "mark": "bad", "by": "me"}\n'


@pytest.fixture(autouse=True)
def files():
    write("a.jsonl", [f"a-{i}" for i in range(3)])
    write("b.jsonl", [f"b-{i}" for i in range(3)])
    Path("marks.jsonl").write_text(MARKS)


@pytest.mark.parametrize("order", ["--flat", "--curriculum", "--interleave"])
def test_what_is_marked_bad_is_left_out_or_what_is_marked_good_is_kept(order):
    said = run(order, "a", "b", "--drop", "marks.jsonl", "-o", "mix.jsonl").stderr
    assert sorted(names("mix")) == ["a-1", "a-2", "b-0", "b-1"]
    assert "2 of 6 pairs are marked bad and left out" in said and "no input" not in said
    said = run(order, "a", "b", "--keep", "marks", "-o", "mix.jsonl").stderr
    assert names("mix") == ["a-1"] and "1 of 6 pairs is marked good and kept" in said


def test_the_rest_keeps_its_order_and_its_bytes():
    run("--flat", "a", "b", "-o", "whole.jsonl")
    run("--flat", "a", "b", "--drop", "marks", "-o", "mix.jsonl")
    whole = Path("whole.jsonl").read_bytes().splitlines()
    left = Path("mix.jsonl").read_bytes().splitlines()
    assert left == [line for line in whole if b'"a-0"' not in line and b'"b-2"' not in line]


@pytest.mark.parametrize("order", ["--flat", "--interleave"])
def test_the_last_mark_counts_and_ids_of_no_input_are_told(order):
    more = "".join(f'{{"id": "z-{i}", "mark": "bad"}}\n' for i in range(7))
    Path("marks.jsonl").write_text(MARKS + '{"id": "b-2", "mark": "good"}\n' + more)
    said = run(order, "a", "b", "--drop", "marks", "--quiet", "-o", "mix.jsonl").stderr
    assert sorted(names("mix")) == ["a-1", "a-2", "b-0", "b-1", "b-2"]
    assert "7 marked ids are in no input: z-0, z-1, z-2, z-3, z-4, and 2 more" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bad", "marks.jsonl:5: "),
        ('{"mark": "bad"}', "marks.jsonl:5: id: is missing"),
        ('{"id": 3, "mark": "bad"}', "marks.jsonl:5: id: must be a string"),
        ('{"id": "a-2"}', "marks.jsonl:5: mark: is missing"),
        ('{"id": "a-2", "mark": "BAD"}', "marks.jsonl:5: mark: is 'BAD' (must be good or bad)"),
    ],
)
def test_a_line_that_is_no_mark(line, said):
    Path("marks.jsonl").write_text(MARKS + line + "\n")
    assert said in run("--flat", "a", "--drop", "marks", "-o", "mix.jsonl", status=1).stderr
    assert not Path("mix.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--drop", "marks", "--keep", "marks"], "Give --drop or --keep"),
        (["--keep", "-"], "need a file"),
        (["--keep", "marks", "-o", "marks.jsonl"], "-o marks.jsonl is an input"),
    ],
)
def test_wrong_usage(arguments, said):
    assert said in run("--flat", "a", *arguments, status=2).stderr
    assert Path("marks.jsonl").read_text() == MARKS
