"""Benchmarks whose questions count in groups: NaturalBench and HallusionBench, on small files of their layouts."""

from __future__ import annotations

import pytest

from s2h.eval import accuracy, clusters, reading, report
from tests.support import benchmarks


def replied(lines: list[dict], right: list[bool], parser: str = "robust") -> list[dict]:
    other = {"yes": "no", "Yes": "no", "no": "yes", "A": "B", "B": "A"}
    made = []
    for line, good in zip(lines, right, strict=True):
        one = line | {"response": line["answer"] if good else other[line["answer"]]}
        one["parsed"], one["correct"] = reading.read(one, parser)
        made.append(accuracy.slim(one))
    return made


def text(messages: list[dict]) -> str:
    return messages[0]["content"][-1]["text"]


def test_naturalbench(ask, tmp_path):
    made = ask("naturalbench", benchmarks.naturalbench(tmp_path / "NaturalBench"), style="lmms")
    lines = [line for line, _ in made]
    assert [line["answer"] for line in lines] == ["yes", "no", "no", "yes", "A", "B", "B", "A"]
    assert lines[4]["choices"] == {"A": "left", "B": "right"} and lines[7]["id"] == "naturalbench/7"
    assert text(made[0][1]) == "Is it 0? Please answer Yes or No."
    assert text(made[4][1]).endswith("B:right; Please output the letter corresponding to the correct option.")
    told = replied(lines, [True] * 4 + [True, False, True, True])
    # Of the second group one question and one image are right as a whole.
    found = {
        metric.name: (metric.score, metric.n, metric.chance)
        for metric in report.metrics("naturalbench", told)
    }
    assert found == {
        "question accuracy": (0.75, 4, 0.25), "image accuracy": (0.75, 4, 0.25), "group accuracy": (0.5, 2, 0.0625),
    }  # fmt: skip
    assert len(set(clusters.labels(told))) == 2
    table = report.table(report.make(told))
    line = next(line for line in table.splitlines() if line.startswith("naturalbench, group accuracy"))
    assert line.split()[3:] == ["2", "50.0", *line.split()[5:8], "6.2"]


def test_an_incomplete_group_counts_in_the_accuracy_only(ask, tmp_path):
    lines = [line for line, _ in ask("naturalbench", benchmarks.naturalbench(tmp_path / "NaturalBench"))]
    told = replied(lines[:7], [True] * 7)
    assert {metric.n for metric in report.metrics("naturalbench", told)} == {1, 2}


@pytest.mark.parametrize(
    ("kind", "reply", "parsed"),
    [
        ("yes/no", "No, though yes is close", "no"),
        ("yes/no", "Nobody knows", None),
        ("choice", "b) it is, not A", "B"),
        ("choice", "It is a dog", "A"),  # any letter that is a word
        ("choice", "C", None),
    ],
)
def test_naturalbench_is_read_by_its_own_script(kind, reply, parsed):
    line = {"bench": "NaturalBench", "answer": None, "answer_type": kind, "response": reply}
    if kind == "choice":
        line["choices"] = {"A": "left", "B": "right"}
    assert {reading.read(line, parser)[0] for parser in ("official", "lmms")} == {parsed}


def test_hallusionbench(ask, tmp_path):
    made = ask("hallusionbench", benchmarks.hallusionbench(tmp_path / "HallusionBench"), style="official")
    lines = [line for line, _ in made]
    assert [line["answer"] for line in lines] == ["no", "yes", "yes", "no"]
    assert lines[3]["id"] == "hallusionbench/VD_illusion_0_1_1" and text(made[0][1]) == "Are both alike? 0"
    table = ask("hallusionbench", benchmarks.hallusionbench_tsv(tmp_path / "HallusionBench.tsv"))
    for some in (lines, [line for line, _ in table]):
        told = replied(some, [True, True, True, False])
        found = {
            metric.name: (metric.score, metric.chance) for metric in report.metrics("hallusionbench", told)
        }
        assert found == {"qAcc": (0.5, 0.25), "fAcc": (0.5, 0.25)}
        assert accuracy.row("", told)["score"] == 0.75 and len(set(clusters.labels(told))) == 1
    line = lines[0] | {"response": "no"}
    assert reading.read(line)[1] is True and reading.read(line, "official")[0] is None
