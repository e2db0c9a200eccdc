"""A judgement is one file: the one that s2h/README.md shows is added to the package and used from the command line."""

import json

import pytest

from s2h.record import assistant
from tests.support import parts
from tests.support.records import pair

NAME = "filters/word_count.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def run(folder):
    """Run a command with the new part."""
    return parts.commands(folder, NAME)


def test_help_lists_its_option(run):
    told = run("filter", "--help").stdout
    section = told[told.index("The two answers:") :].partition("\n\n")[0]
    assert "--word-count N" in section and "at most N words" in " ".join(section.split())
    assert "|word-count]" in told, "--score takes it"


def test_it_drops_scores_and_reports(run, folder):
    answers = ("The sum is 3.", "Yes.", "One sees seven red birds in both of the pictures.")
    records = [pair(f"r{i}", chosen=assistant(text)) for i, text in enumerate(answers)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    asked = ["--word-count", "4", "--rejects", "bad.jsonl", "--report", "report.json"]
    done = run("filter", *asked, input=lines)
    kept = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["scores"] for record in kept] == [
        {"word_count": {"value": 4}}, {"word_count": {"value": 1}},
    ]  # fmt: skip
    (bad,) = map(json.loads, (folder / "bad.jsonl").read_text().splitlines())
    assert bad["dropped"] == ["word count above 4"] and bad["scores"] == {"word_count": {"value": 10}}
    report = json.loads((folder / "report.json").read_text())
    column = report["measures"]["word count"]
    assert (column["pairs"], column["most"], column["most_seen"]) == (3, 4, 10)
    assert sum(column["dropped"]) == 1


def test_its_options_are_checked(run):
    assert "'none' is no whole number from 1" in run("filter", "--word-count", "none", status=2).stderr
