"""Two models and more on the same questions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from s2h.eval import comparison, comparison_report, matching
from s2h.record import RecordError


def lines(right: list[bool], bench: str = "b", **more) -> list[dict]:
    return [
        {
            "id": f"{bench}/{i}",
            "bench": bench,
            "answer": "yes",
            "response": "yes" if r else "no",
            "correct": r,
            **more,
        }
        for i, r in enumerate(right)
    ]


def test_gains_and_losses_are_counted():
    before, after = (
        lines([True] * 30 + [False] * 70),
        lines([True] * 20 + [False] * 10 + [True] * 40 + [False] * 30),
    )
    (row,) = comparison.compare(before, after, ("a", "b"))
    assert (row["gained"], row["lost"], row["n"]) == (40, 10, 100)
    assert row["gain"] == pytest.approx(0.30)
    assert row["p"] == pytest.approx(binomtest(40, 50, 0.5).pvalue)
    assert row["low"] < 0.30 < row["high"] and row["low"] > 0.1
    rng = np.random.default_rng(0)
    differences = np.array([1] * 40 + [-1] * 10 + [0] * 50)
    drawn = [rng.choice(differences, 100).mean() for _ in range(4000)]
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.02)


def test_the_same_is_no_difference():
    (row,) = comparison.compare(lines([True, False] * 10), lines([True, False] * 10), ("a", "b"))
    assert (
        row["gain"] == 0 and row["p"] == 1.0 and row["low"] == row["high"] == 0 and row["verdict"] == "kept"
    )


def test_benchmarks_have_rows_and_one_over_all_and_single_images_stand_apart():
    before = lines([True, False] * 20, "blink") + lines([False] * 10, "mantis") + lines([True] * 40, "pope")
    after = (
        lines([True] * 40, "blink")
        + lines([True] + [False] * 9, "mantis")
        + lines([False] * 9 + [True] * 31, "pope")
    )
    rows = {row["name"]: row for row in comparison.compare(before, after, ("a", "b"))}
    assert rows["all"]["n"] == 50 and rows["all"]["gained"] == 21  # without the single-image benchmark
    assert (
        rows["pope"]["single"] and rows["pope"]["verdict"] == "lost" and rows["blink"]["verdict"] == "gained"
    )
    table = comparison_report.rows_table(list(rows.values())).splitlines()
    assert [line.split()[0] for line in table[1:5]] == ["blink", "mantis", "all", "pope"]
    assert table[4].endswith("  lost")
    told = comparison_report.rows_markdown(list(rows.values()), ("base", "tuned"))
    assert "| one image: kept or lost |" in told and told.count("| pope |") == 1


def test_other_questions_are_refused_or_left_out():
    with pytest.raises(RecordError, match="different questions: 1 of 4"):
        comparison.compare(lines([True] * 3), lines([True] * 4), ("a", "b"))
    told: list[Exception] = []
    (row,) = comparison.compare(lines([True] * 3), lines([True] * 4), ("a", "b"), on_error=told.append)
    assert row["n"] == 3 and len(told) == 1
    with pytest.raises(RecordError, match="no question in common"):
        comparison.compare(lines([True], "x"), lines([True], "y"), ("a", "b"), on_error=told.append)
    with pytest.raises(RecordError, match="another answer"):
        comparison.compare(lines([True]), [lines([True])[0] | {"answer": "no"}], ("a", "b"))
    with pytest.raises(RecordError, match="another parser"):
        comparison.compare(lines([True], parser="lmms"), lines([True]), ("a", "b"))
    with pytest.raises(RecordError, match="duplicate"):
        comparison.compare(lines([True]) * 2, lines([True]), ("a", "b"))
    with pytest.raises(RecordError, match="correct: is missing"):
        comparison.compare([{"id": "1", "bench": "x"}], lines([True]), ("a", "b"))


def test_a_right_answer_that_can_not_be_read_is_left_out():
    before, after = lines([True] * 4), lines([False] * 4)
    for side in (before, after):
        side[1] |= {"answer": "perhaps", "answer_type": "yes/no"}
    told: list[RecordError] = []
    (row,) = comparison.compare(before, after, ("a", "b"), on_error=told.append)
    assert row["n"] == 3 and [error.field for error in told] == ["answer", "answer"]
    with pytest.raises(RecordError, match="answer: can't be read as yes/no: 'perhaps'"):
        comparison.compare(before, after, ("a", "b"))


@pytest.mark.parametrize("without", [{}, {"choices": None}, {"choices": []}])
def test_a_line_of_type_choice_without_choices_is_left_out(without):
    asked = {"answer": "B", "answer_type": "choice"}
    before, after = lines([True] * 4, choices=["x", "y"], **asked), lines([False] * 4, **asked, **without)
    for line in after[1:]:
        line["choices"] = {"A": "x", "B": "y"}
    told: list[RecordError] = []
    (row,) = comparison.compare(before, after, ("a", "b"), on_error=told.append)
    assert row["n"] == 3 and told[0].field == "choices" and "is missing" in str(told[0])
    with pytest.raises(RecordError, match=r"choices: is missing \(add an object of letters or a list"):
        comparison.compare(before, after, ("a", "b"))


def test_hidden_answers_are_left_out():
    before, after = lines([True] * 4), lines([False] * 4)
    before[0]["correct"] = after[0]["correct"] = None
    assert comparison.compare(before, after, ("a", "b"))[0]["n"] == 3


def test_changed_questions_have_both_replies():
    changed = matching.changed(lines([True, False, True]), lines([False, True, True]), ("a", "b"))
    assert [(one["id"], one["change"], one["before"]) for one in changed] == [
        ("b/1", "gained", {"response": "no", "correct": False}),
        ("b/0", "lost", {"response": "yes", "correct": True}),
    ]


def test_several_models_are_drawn_side_by_side(tmp_path):
    base = lines([True, False] * 10)
    compared = [
        {"before": "base", "after": name, "rows": comparison.compare(base, lines(right), ("a", name))}
        for name, right in (("one", [True] * 20), ("two", [False] * 20))
    ]
    rows = comparison_report.side_by_side(compared)
    assert [row["name"] for row in rows] == ["b (one)", "b (two)"]
    compared[1]["rows"] = [
        {"name": "a", "n": 1},
        *compared[1]["rows"],
    ]  # questions that the first comparison lacks
    names = [row["name"] for row in comparison_report.side_by_side(compared)]
    assert names == ["b (one)", "b (two)", "a (two)"]
    comparison_report.draw_rows(rows, str(tmp_path / "p.png"), ("base", "others"))
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
