"""A judgement is one file: the one that s2h/README.md shows is added to the package and used from the command line."""

import json
import subprocess
import sys

import pytest

from s2h.record import assistant
from tests.support import parts
from tests.support.records import pair

NAME = "filters/word_count.py"


@pytest.fixture(scope="module")
def filter_with_part(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    environment = parts.with_file(folder, NAME, parts.recipe(NAME))

    def run(*arguments: str, input: str = "") -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "s2h.cli.filter", *arguments],
            input=input, cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip

    run.folder = folder
    return run


def test_help_lists_its_option(filter_with_part):
    told = filter_with_part("--help").stdout
    section = told[told.index("The two answers:") :].partition("\n\n")[0]
    assert "--word-count N" in section and "at most N words" in " ".join(section.split())
    assert "|word-count]" in told, "--score takes it"


def test_it_drops_scores_and_reports(filter_with_part):
    answers = ("The sum is 3.", "Yes.", "One sees seven red birds in both of the pictures.")
    records = [pair(f"r{i}", chosen=assistant(text)) for i, text in enumerate(answers)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    asked = ["--word-count", "4", "--rejects", "bad.jsonl", "--report", "report.json"]
    done = filter_with_part(*asked, input=lines)
    kept = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["scores"] for record in kept] == [
        {"word_count": {"value": 4}}, {"word_count": {"value": 1}},
    ]  # fmt: skip
    (bad,) = map(json.loads, (filter_with_part.folder / "bad.jsonl").read_text().splitlines())
    assert bad["dropped"] == ["word count above 4"] and bad["scores"] == {"word_count": {"value": 10}}
    report = json.loads((filter_with_part.folder / "report.json").read_text())
    column = report["measures"]["word count"]
    assert (column["pairs"], column["most"], column["most_seen"]) == (3, 4, 10)
    assert sum(column["dropped"]) == 1


def test_its_options_are_checked(filter_with_part):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        filter_with_part("--word-count", "none")
    assert failed.value.returncode == 2 and "'none' is no whole number from 1" in failed.value.stderr
