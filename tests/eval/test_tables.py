"""Damaged and unusual tables of questions: no row is lost, no value shifted, and no option mistaken without an error."""

from __future__ import annotations

import json

import pytest

from s2h.eval.benches import Question
from s2h.eval.questions import Settings, any_lines, copies, lines, tables
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.record import Record, RecordError
from tests.support import benchmarks

COLUMNS = ("index", "image", "question", "A", "B", "C", "answer")


def written(path, *made: tuple, columns: tuple = COLUMNS):
    """A TSV as it stands: fields are written without quoting."""
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in (columns, *made)), encoding="utf-8")
    return path


@pytest.fixture()
def ask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(path, name: str = "mmstar", **options) -> list[dict]:
        located = copies.locate(name, str(path))
        return [line for line, _ in copies.read(name, located, Settings(store=Store("images"), **options))]

    return read


def row(i: int, question: str = "Plain?", **more) -> tuple:
    fields = dict(zip(COLUMNS, (i, benchmarks.b64("red"), question, "Yes", "No", "", "A"), strict=True))
    return tuple((fields | more).values())


@pytest.mark.parametrize(
    ("questions_", "line", "message"),
    [
        (('"Open quote?', "Plain?", "Plain?"), 2, "a quote opened in line 2 is not closed"),
        (("Plain?", '"Open?', "Plain?"), 3, "a quote opened in line 3 is not closed"),
        (('"Open?', "Plain?", '"a ""closed"" one"'), 2, "a quote opened in line 2 is not closed"),
        (('"Open?', 'How many 5"'), 2, "a quote opened in line 2 is not closed before the next row"),
        (('"Open?', "Plain?", 'How many 5"'), 2, "a quote opened in line 2 is not closed before the next row"),
        (("Plain?", '"two\nlines"', '"Open" he said'), 5, "text after a closing quote in line 5"),
        (("Plain?", "\"two\nlines\"", '"Open\nagain'), 5, "a quote opened in line 5 is not closed"),
    ],
)  # fmt: skip
def test_a_quote_that_is_not_closed_is_told_by_its_line(ask, tmp_path, questions_, line, message):
    path = written(tmp_path / "m.tsv", *(row(i, question) for i, question in enumerate(questions_)))
    with pytest.raises(RecordError, match=f"m.tsv:{line}: {message}"):
        ask(path)


def test_quotes_of_pandas_are_read(ask, tmp_path):
    path = written(
        tmp_path / "m.tsv", row(1, '"Say ""hi"",\tand\nno more?"'), row(2, "a 5\" pipe or 'this'?"), row(3)
    )
    assert [line["question"] for line in ask(path)] == [
        'Say "hi",\tand\nno more?',
        "a 5\" pipe or 'this'?",
        "Plain?",
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(1)[:-2], "m.tsv:3: too few fields: 5 in 7 columns"),
        ((*row(1), "x"), "m.tsv:3: too many fields: 8 in 7 columns"),
        (row(0), "m.tsv:3: id: duplicate: mmstar/0"),
        (row(1, C="", answer="C"), "m.tsv:3: answer: is none of the choices: 'C' of A, B"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_counted(ask, tmp_path, bad, message):
    path = written(tmp_path / "m.tsv", row(0), bad, row(2))
    with pytest.raises(RecordError, match=message):
        ask(path)
    told: list[Exception] = []
    assert [line["id"] for line in ask(path, on_error=told.append)] == ["mmstar/0", "mmstar/2"] and len(
        told
    ) == 1


def test_a_column_that_stands_twice_is_told(ask, tmp_path):
    path = written(tmp_path / "m.tsv", row(0), columns=(*COLUMNS[:5], "B", "answer"))
    with pytest.raises(RecordError, match=r"m.tsv:1: duplicate column: 'B'"):
        ask(path)


@pytest.mark.parametrize(
    ("written_as", "meant"), [("Answer", "answer"), ("answer ", "answer"), ("b", "B"), (" A", "A"), ("INDEX", "index")]
)  # fmt: skip
def test_a_column_that_is_written_otherwise_is_told(ask, tmp_path, written_as, meant):
    columns = [written_as if one == meant else one for one in COLUMNS]
    told: list[RecordError] = []
    assert ask(written(tmp_path / "m.tsv", row(0), columns=columns), on_error=told.append) == []
    assert f"m.tsv:1: the column is not named {meant!r} but {written_as!r}" in str(told[0])


@pytest.mark.parametrize("name", ["m.tsv", "m.parquet", "m.json", "m.jsonl"])
def test_an_empty_file_is_an_error(ask, tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(RecordError, match=rf"{name}: is empty \(a failed download\?\)"):
        ask(tmp_path / name)


def test_a_file_without_rows_is_an_error(ask, tmp_path):
    (tmp_path / "m.json").write_text("[]")
    for path in (written(tmp_path / "m.tsv"), tmp_path / "m.json"):
        told: list[Exception] = []
        assert ask(path, on_error=told.append) == []
        assert [str(error) for error in told] == [f"{path}: holds no rows (a failed download?)"]
    told = []
    assert ask(written(tmp_path / "m.tsv", row(0)[:3]), on_error=told.append) == []
    assert len(told) == 1 and "too few fields" in str(told[0])  # is not told twice


def test_an_empty_option_keeps_the_others_letters(ask, tmp_path):
    path = written(
        tmp_path / "m.tsv",
        row(0, A="None", B="", C="NA", answer="C"),
        row(1, A="", B="left", C=" ", answer="B"),
        row(2, A="", B="", C="", answer="2"),
    )
    first, second, third = ask(path)
    assert (first["choices"], first["answer"]) == ({"A": "None", "C": "NA"}, "C")
    assert (second["choices"], second["answer"]) == ({"B": "left"}, "B")
    assert "choices" not in third


@pytest.mark.parametrize(
    ("options", "answer", "choices", "letter"),
    [
        (["red", None, "blue"], "C", {"A": "red", "C": "blue"}, "C"),
        (["red", "None", ""], "None", {"A": "red", "B": "None"}, "B"),
        (["red", "None"], "none", {"A": "red", "B": "None"}, "B"),
        ({"A": "red", "B": None, "C": "none"}, "C", {"A": "red", "C": "none"}, "C"),
        ([3, 4, 5], 4, {"A": "3", "B": "4", "C": "5"}, "B"),
        ([True, False], False, {"A": "True", "B": "False"}, "B"),
        (["1. red", "2. blue"], "2", {"A": "red", "B": "blue"}, "B"),
        (["1) red", "2) blue"], 2, {"A": "red", "B": "blue"}, "B"),
        (["1. red", "2. blue"], "2. blue", {"A": "red", "B": "blue"}, "B"),
        (["1. red", "2. blue"], "blue", {"A": "red", "B": "blue"}, "B"),
        (["1. red", "2. blue"], "(A)", {"A": "red", "B": "blue"}, "A"),
        (["(1) 5", "(2) 7"], 7, {"A": "5", "B": "7"}, "B"),
        (["2. red", "1. blue"], "2. red", {"A": "2. red", "B": "1. blue"}, "A"),  # in no order: not numbered
        ({"1": "red", "2": "blue"}, 2, {"A": "red", "B": "blue"}, "B"),
        ({"2": "red", "10": "blue"}, "10", {"A": "red", "B": "blue"}, "B"),
        (["red", "blue"], None, {"A": "red", "B": "blue"}, None),
        (["red", "blue"], float("nan"), {"A": "red", "B": "blue"}, None),
    ],
)
def test_options_have_their_letters(options, answer, choices, letter):
    asked = Question(id="1", text="Q?", images=["x.png"], options=options, answer=answer)
    made, _ = lines.line("x", Record(where="q.jsonl:1"), asked, Settings())
    assert (made["choices"], made["answer"], made["answer_type"]) == (choices, letter, "choice")


@pytest.mark.parametrize(
    ("options", "answer", "message"),
    [
        (["1. 2", "2. 1"], "1", "answer: names an option by its number and another by its text: '1'"),
        (["red", "blue"], 1, "answer: is none of the choices: '1'"),
        (["1. red", "2. blue"], 3, "answer: is none of the choices: '3'"),
        ({"one": "red", "two": "blue"}, "one", "choices: must have letters as labels: 'one'"),
        ([["red"], "blue"], "B", r"choices\[A\]: must be a text or a number"),
        ("red, blue", "red", "choices: must be an object of letters or a list"),
    ],
)
def test_options_that_can_be_read_in_two_ways_are_refused(options, answer, message):
    asked = {
        "question": "Q?",
        "options": options,
        "answer": answer,
        "id": "1",
        "category": "",
        "images": ["x.png"],
    }
    record = Record(asked | {"choices": options}, where="q.jsonl:1")
    with pytest.raises(RecordError, match=f"q.jsonl:1: {message}"):
        list(any_lines.read([record], Settings()))


def test_a_file_with_a_name_like_base64_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = tmp_path / ("x" + "y" * 70)
    long.mkdir()
    (long / "blob").write_bytes(benchmarks.picture())
    inline = benchmarks.b64("blue")
    records = [
        Record({"id": str(i), "images": [image], "question": "Q?", "choices": ["red", "blue"], "answer": "A"})
        for i, image in enumerate((f"{long.name}/blob", str(long / "blob"), inline))
    ]
    made = [line for line, _ in any_lines.read(records, Settings(store=Store("images")))]
    assert [line["images"][0].startswith("images/") for line in made] == [False, False, True]
    assert all(open_images(line["_pair"])[0].size == (24, 20) for line in made)


def test_what_joins_questions_is_kept(tmp_path):
    (tmp_path / "q.jsonl").write_text(
        json.dumps({"images": ["x.png"], "question": "Q?", "answer": "yes", "group": 3, "twin": "a"}) + "\n"
    )
    (_, record), = tables.read([str(tmp_path / "q.jsonl")])  # fmt: skip
    (line, _), = any_lines.read([record], Settings())  # fmt: skip
    assert (line["group"], line["twin"]) == (3, "a")
