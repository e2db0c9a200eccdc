"""Reproduction cards, and the option that sets all settings of an evaluator."""

from __future__ import annotations

import json

import pytest

from s2h import parsers, registry
from s2h.eval import card, like
from s2h.eval.questions import styles
from s2h.record import RecordError
from tests.support import benchmarks
from tests.support.lines import read, write

NAMES = registry.names("bench")


@pytest.mark.parametrize("name", NAMES)
def test_a_card_tells_all_that_the_benchmark_knows(name):
    bench, told = registry.load("bench", name), card.text(name)
    assert told.startswith(f"{name}: {bench.title}\n") and "chance" in told and "clusters" in told
    assert max(map(len, told.splitlines())) <= 140 and "None" not in told
    for evaluator in bench.like:
        assert f"--like {evaluator} ({like.EVALUATORS[evaluator].title})" in told
    assert all(one.row in told and one.source in told for one in bench.published)
    assert bench.draw is not None or all(style in told for style in styles.STYLES)


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluator_s_settings_are_values_of_the_options(name):
    bench = registry.load("bench", name)
    for evaluator in bench.like:
        found = like.settings(name, evaluator)
        assert found.style in styles.STYLES and found.parser in parsers.NAMES and found.place in styles.PLACES
    assert all(one.like in ("", *bench.like) for one in bench.published)
    metrics = {one.metric for one in bench.published}
    assert metrics <= {"", "mean of eight scores", "mean of tasks"}


def test_the_card_of_the_command(run):
    told = run("--card", "VLM2-Bench")
    assert "vlm2bench: VLM2-Bench" in told and "55.9  Qwen2.5-VL-7B: mean of eight scores" in told
    assert "--max-new-tokens              192          512         2048" in told
    assert "unknown benchmark 'blimk': did you mean blink?" in run("--card", "blimk", status=2)


def test_like_sets_all_options_and_the_report_says_what_differs(run, tmp_path, llava):
    benchmarks.muirbench(tmp_path / "MUIR")
    asked = ("--model", llava, "--bench", "muirbench=MUIR", "--limit", 1, "--like", "lmms")
    run(*asked, "-o", "l.jsonl", "--report", "l.json")
    report = json.loads((tmp_path / "l.json").read_text())
    assert (report["like"], report["prompt_style"], report["parser"]) == ("lmms", "lmms", "lmms")
    told = [note for note in report["notes"] if "compared with lmms" in note]
    assert len(told) == 1 and "image size" in told[0]
    more = ("--max-new-tokens", 2, "--parser", "robust", "--report", "m.md")
    told = run(*asked, "-o", "m.jsonl", *more)
    assert "muirbench, compared with lmms: --max-new-tokens is 2, where it has 16" in told
    assert "muirbench, compared with lmms: --parser is robust, where it has lmms" in told
    assert "compared with lmms: --parser is robust" in (tmp_path / "m.md").read_text()


def test_like_reads_earlier_replies_by_an_evaluator_s_parser(run, tmp_path):
    lines = [
        {"id": "1", "bench": "pope", "answer": "yes", "response": "Yes, there is."},
        {"id": "2", "bench": "mihbench", "answer": "yes", "response": "yes"},
    ]
    write(tmp_path / "p.jsonl", lines)
    told = run("--score", "p.jsonl", "--like", "lmms", "-o", "s.jsonl")
    scored = read(tmp_path / "s.jsonl")
    assert [line["parsed"] for line in scored] == [None, "yes"] and scored[0]["parser"] == "lmms"
    assert "note: mihbench: the settings of lmms are not known for mihbench" in told
    assert "--prompt-style" not in told  # how the replies were asked for is not known


def test_settings_that_contradict_or_are_not_known_are_errors():
    with pytest.raises(RecordError, match=r"not known for nlvr2 [(]known are those of paper"):
        like.settings("nlvr2", "lmms")
    with pytest.raises(
        RecordError, match=r"--max-new-tokens 1024 for blink, and 128 for pope [(]ask them in two"
    ):
        like.common(["blink", "pope"], "lmms")
    assert like.common(["blink", "mmstar"], "lmms").tokens == 1024


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "mini", "--like", "lmms"], "--like goes with --bench NAME"),
        (["--model", "mini", "--bench", "mihbench", "--like", "paper"], "no evaluator's are: give the options one by one"),
        (["--model", "mini", "--bench", "mine=x.jsonl", "--like", "paper"], "are not known for mine"),
        (["--compare", "a", "b", "--like", "paper"], "--compare takes no --questions and no --like"),
    ],
)  # fmt: skip
def test_wrong_uses_of_like(run, arguments, message):
    assert message in " ".join(run(*arguments, status=2).split())
