"""Captions of photographs have no exact check: they stay unscored, or a text model compares them and the line says so."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s2h.cli.eval import main
from s2h.eval import cosine, reading
from s2h.eval.questions.pairs import question_of
from s2h.record import Record
from tests.support.records import pair

PHOTO = {"bench": "pairs", "category": "search", "answer_type": "caption", "level": 3}


def test_a_caption_over_a_photograph_has_no_exact_score():
    line = {**PHOTO, "answer": "A dog runs on grass."}
    assert reading.read({**line, "response": "A dog runs on grass."}) == ("A dog runs on grass.", None)
    assert reading.read({**line, "response": "Image 1 shows no dog.\nA dog runs."}) == ("A dog runs.", None)
    assert reading.read({**line, "response": "<think>a dog?"}) == (None, None)
    # Whether any image shows it is a question with one answer.
    absent = {**PHOTO, "answer": "none"}
    assert reading.read({**absent, "response": "None of the images shows a dog."}) == ("none", True)
    assert reading.read({**absent, "response": "A dog runs."}) == ("A dog runs.", False)


@pytest.fixture
def scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        {**PHOTO, "id": "same", "answer": "Two small red stars.", "response": "Two small red stars."},
        {**PHOTO, "id": "near", "answer": "Two small red stars.", "response": "Three red stars."},
        {**PHOTO, "id": "silent", "answer": "Two small red stars.", "response": ""},
        {**PHOTO, "id": "absent", "answer": "none", "response": "None of the images shows it."},
        {"id": "letter", "bench": "m", "answer": "B", "choices": {"A": "x", "B": "y"}, "response": "B"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(*arguments):
        return CliRunner().invoke(main, ["--score", "in.jsonl", "-o", "out.jsonl", *arguments])

    return run


def test_scoring_by_cosine_is_labelled(scored, tmp_path):
    run = scored("--scoring", "cosine", "--text-model", "mini-text", "--report", "r.json")
    assert run.exit_code == 0, run.output
    made = {line["id"]: line for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert list(made) == ["same", "near", "silent", "absent", "letter"]
    assert made["same"]["cosine"] == pytest.approx(1, abs=1e-3) and made["silent"]["cosine"] == 0.0
    assert 0 < made["near"]["cosine"] < made["same"]["cosine"]
    for name in ("same", "near", "silent"):
        assert made[name]["scoring"] == "cosine" and made[name]["text_model"] == "mini-text"
        assert made[name]["correct"] is None
    assert "cosine" not in made["absent"] and made["absent"]["correct"] is True
    assert "cosine" not in made["letter"] and made["letter"]["correct"] is True
    (row,) = json.loads((tmp_path / "r.json").read_text())["cosine"]
    assert row["n"] == 3 and row["model"] == "mini-text" and row["scoring"] == "cosine"
    assert row["cosine"] == pytest.approx(
        sum(made[name]["cosine"] for name in ("same", "near", "silent")) / 3
    )
    assert "mean cosine" in run.output and "mini-text" in run.output
    for form in ("r.md", "r.html", "r.tex"):
        CliRunner().invoke(main, ["--score", "out.jsonl", "-o", "again.jsonl", "--report", form])
        told = (tmp_path / form).read_text()
        assert "mean cosine" in told and f"{row['cosine']:.3f}" in told, form


def test_captions_without_an_exact_check_are_not_called_hidden(scored, tmp_path):
    run = scored("--report", "r.md")
    assert run.exit_code == 0, run.output
    for told in (run.output, (tmp_path / "r.md").read_text()):
        assert "3 captions without an exact check (--scoring likelihood or cosine)" in told
        assert "hidden" not in told


def test_a_comparison_shows_the_change_of_the_cosines(scored, tmp_path):
    scored("--scoring", "cosine", "--text-model", "mini-text")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    better = [line | {"cosine": line["cosine"] + 0.1} if "cosine" in line else line for line in lines]
    (tmp_path / "better.jsonl").write_text("".join(json.dumps(line) + "\n" for line in better))
    run = CliRunner().invoke(main, ["--compare", "out.jsonl", "better.jsonl", "--report", "c.json"])
    assert run.exit_code == 0, run.output
    told = json.loads((tmp_path / "c.json").read_text())
    (row,) = told["cosine"]
    assert row["n"] == 3 and row["model"] == "mini-text" and row["gain"] == pytest.approx(0.1)
    assert (
        sum(one["n"] for one in told["rows"] if one["name"] != "all") >= 2
    )  # the two exact ones stand apart
    assert "mean cosine" in run.output and "+0.100" in run.output
    # Captions alone are compared too, and without a common text model there is nothing to compare.
    for name, some in (
        ("a", lines),
        ("b", better),
        ("c", [line | {"text_model": "other"} for line in better]),
    ):
        kept = [line for line in some if "cosine" in line]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    run = CliRunner().invoke(main, ["--compare", "a.jsonl", "b.jsonl", "--report", "c.md", "--plot", "c.png"])
    assert run.exit_code == 0 and "no plot" in run.output and "+0.100" in (tmp_path / "c.md").read_text()
    for form in ("c.html", "c.tex"):
        CliRunner().invoke(main, ["--compare", "a.jsonl", "b.jsonl", "--report", form])
        told = (tmp_path / form).read_text()
        assert "mean cosine" in told and "+0.100" in told and "points" not in told, form
    assert CliRunner().invoke(main, ["--compare", "a.jsonl", "c.jsonl"]).exit_code == 1


def test_cosines_of_other_models_are_counted_and_names_are_shown_without_control_characters():
    def line(name, cosine, model="mini"):
        return {"id": name, "bench": "b|\x1b[31m", "scoring": "cosine", "cosine": cosine, "text_model": model}

    pairs = [
        (line("1", 1), line("1", 0)),
        (line("2", 0.5), line("2", 0.7)),
        (line("3", 0.1), line("3", 0.2, "other")),
    ]
    rows = cosine.compared(pairs, 0)
    assert [row["n"] for row in rows] == [2] and rows[0]["before"] == 0.75  # 1 and 0 are numbers, too
    assert cosine.notes(pairs) == ["1 caption left out: its cosines are of different text models"]
    one = cosine.rows(first for first, _ in pairs[:2])
    told = [
        cosine.table(one),
        cosine.markdown(one),
        cosine.compared_table(rows),
        cosine.compared_markdown(rows),
    ]
    assert all("\x1b" not in text for text in told)
    assert all("b\\|" in text for text in (told[1], told[3]))


def test_the_interval_of_a_mean_cosine_is_over_clusters():
    lines = [
        {"bench": "b", "scoring": "cosine", "text_model": "m", "cosine": value, "images": [f"{at // 2}.png"]}
        for at, value in enumerate((0.2, 0.2, 0.4, 0.4, 0.6, 0.6))
    ]
    (row,) = cosine.rows(lines)
    (single,) = cosine.rows(lines[::2])  # copies tell nothing new
    assert (row["n"], single["n"]) == (6, 3)
    assert [row[key] for key in ("cosine", "low", "high")] == pytest.approx(
        [single[key] for key in ("cosine", "low", "high")]
    )
    assert (row["low"], row["high"]) == pytest.approx(
        (0.4 - 1.96 * 0.2 / 3**0.5, 0.4 + 1.96 * 0.2 / 3**0.5), abs=1e-4
    )
    assert [cosine.rows(lines[:2])[0][key] for key in ("low", "high")] == [-1, 1]


def test_the_report_names_the_parsers_version(scored, tmp_path):
    run = scored("--parser", "lmms", "--report", "r.json")
    assert run.exit_code == 0 and "lmms-eval 0.7.3" in run.output
    assert json.loads((tmp_path / "r.json").read_text())["parser_rules"] == "lmms-eval 0.7.3"
    assert "lmms-eval 0.7.3" in CliRunner().invoke(main, ["--help"], terminal_width=200).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--text-model", "mini-text"], "--scoring cosine"), (["--scoring", "likelihood"], "--model")],
)
def test_options_that_would_do_nothing_are_refused(scored, arguments, message):
    run = scored(*arguments)
    assert run.exit_code == 2 and message in run.output


def test_batches_give_the_same_cosines_as_single_lines():
    from s2h.models import text

    def lines():
        said = ("A red star.", "", "Three fish.", "A blue star.")
        return [{**PHOTO, "answer": "Two stars.", "parsed": one, "correct": None} for one in said]

    model = text.load("mini-text")
    single, together = (list(cosine.scored(lines(), lambda: model, batch)) for batch in (1, 3))
    assert [line["cosine"] for line in single] == pytest.approx(
        [line["cosine"] for line in together], abs=2e-4
    )
    assert single[1]["cosine"] == 0.0 and len({line["cosine"] for line in single}) == 4
    assert [row["n"] for row in cosine.rows(single)] == [4]


@pytest.mark.parametrize(
    "labels",
    [True, "x", {"0": 1}, [3], [{}], [{"kind": []}], [{"kind": "scene"}], [{"kind": "face", "person": 3}]],
)
def test_labels_that_are_none_leave_a_caption_unscored(labels):
    asked = Record(pair("a", images=["a.png"]) | {"target": [0], "facts": {"labels": labels}})
    line, _ = question_of(asked)
    assert reading.read(line | {"response": "Two red circles and a man."})[1] is None
