"""The command on benchmarks: ask, score again, compare; each fault is one line."""

from __future__ import annotations

import json

import pytest

from s2h import parsers, registry
from tests.support import benchmarks
from tests.support.architectures import make_pairs
from tests.support.lines import read, write


def test_help_names_every_benchmark(run):
    told = " ".join(run("--help").split())
    assert ", ".join(registry.names("bench")) in told


def test_benchmarks_are_asked_read_anew_and_compared(run, tmp_path, llava):
    benchmarks.blink(tmp_path / "data" / "BLINK")
    benchmarks.pope(tmp_path / "data" / "POPE", count=2)
    benchmarks.muirbench(tmp_path / "data" / "MUIRBENCH")
    (tmp_path / "out").mkdir()
    told = run(
        "--model", llava, "--data", "data", "--bench", "blink", "--bench", "POPE", "--bench", "muirbench=data/MUIRBENCH",
        "--max-new-tokens", 4, "-o", "out/base.jsonl", "--report", "base.json", "--prompt-style", "official",
    )  # fmt: skip
    lines = read(tmp_path / "out" / "base.jsonl")
    assert len(lines) == 6 + 6 + 3 and {"parsed", "correct", "response", "parser"} <= lines[0].keys()
    assert all((tmp_path / "out" / image).is_file() for line in lines for image in line["images"])
    assert (
        "pope, pooled" in told
        and "blink, mean of sub-tasks" in told
        and "published, not measured here" in told
    )
    report = json.loads((tmp_path / "base.json").read_text())
    assert (
        report["prompt_style"] == "official"
        and report["images"] == "interleaved"
        and report["parser"] == "robust"
    )
    assert report["benchmarks"]["pope"]["adversarial"].keys() == {
        "accuracy",
        "precision",
        "recall",
        "f1",
        "yes-ratio",
    }
    # A tuned model that gets two more right and one less.
    tuned = [dict(line, model="tuned") for line in lines]
    for line, right in zip(tuned, [True, True, *[False] * 13], strict=True):
        line["response"] = f"({line['answer']})" if right else "I can't say"
        line["images"] = [str(tmp_path / "out" / image) for image in line["images"]]
    write(tmp_path / "tuned.jsonl", tuned)
    run("--score", "tuned.jsonl", "--parser", "official", "-o", "scored.jsonl", "--report", "scored.md")
    assert [line["correct"] for line in read(tmp_path / "scored.jsonl")][:2] == [True, True]
    assert "| blink | 6 | 33.3 |" in (tmp_path / "scored.md").read_text()
    run("--score", "out/base.jsonl", "--parser", "official", "-o", "base.jsonl")
    told = run(
        "--compare",
        "base.jsonl",
        "scored.jsonl",
        "--report",
        "c.md",
        "--plot",
        "c.png",
        "--gallery",
        "c.html",
    )
    assert "all" in told and "single images: kept if" in told
    assert "one image: kept or lost" in (tmp_path / "c.md").read_text()
    page = (tmp_path / "c.html").read_text()
    assert page.count("<article") >= 2 and "blink/val_Counting_1" in page


def test_a_corrupt_image_in_the_middle_is_left_out(run, tmp_path, llava):
    benchmarks.pope(tmp_path / "POPE", count=3)
    import pyarrow.parquet

    path = tmp_path / "POPE" / "data" / "test-00000-of-00001.parquet"
    rows = pyarrow.parquet.read_table(path).to_pylist()
    whole = rows[4]["image"]["bytes"]
    rows[4]["image"]["bytes"] = whole[:-30]
    benchmarks.parquet(path, rows)
    arguments = ("--model", llava, "--bench", "pope=POPE", "--max-new-tokens", 2, "-o", "p.jsonl")
    told = run(*arguments, status=1)
    assert "test-00000-of-00001.parquet: row 5: images[0]: damaged or truncated image" in told
    told = run(*arguments, "--on-error", "skip", status=3)
    assert len(read(tmp_path / "p.jsonl")) == 8 and "skipped 1 record" in told


def test_a_hidden_split_is_answered_and_not_scored(run, tmp_path, llava):
    benchmarks.blink(tmp_path / "BLINK", count=1)
    told = run(
        "--model", llava, "--bench", "blink=BLINK", "--split", "test", "--max-new-tokens", 2, "-o", "t.jsonl",
        "--heatmap", "h.png",
    )  # fmt: skip
    lines = read(tmp_path / "t.jsonl")
    assert [line["correct"] for line in lines] == [None, None] and all(
        line["response"] is not None for line in lines
    )
    assert "answers hidden" in told and "no score" in told and "no heat map" in told


def test_pairs_and_questions_are_benchmarks(run, tmp_path, llava):
    pairs = make_pairs(tmp_path / "set", 3)
    for pair in pairs:  # relative to their file
        pair["images"] = [image.removeprefix(f"{tmp_path}/set/") for image in pair["images"]]
    question = {
        "images": pairs[0]["images"],
        "question": "Which? <image>",
        "choices": ["a", "b"],
        "answer": "B",
        "target": [1],
    }
    (tmp_path / "set" / "mixed.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in [*pairs, question])
    )
    told = run(
        "--model",
        llava,
        "--bench",
        "set/mixed.jsonl",
        "--max-new-tokens",
        2,
        "-o",
        "m.jsonl",
        "--heatmap",
        "h.png",
    )
    lines = read(tmp_path / "m.jsonl")
    assert [line["bench"] for line in lines] == ["pairs"] * 3 + ["mixed"]
    assert all((tmp_path / image).is_file() for line in lines for image in line["images"])
    assert (tmp_path / "h.png").read_bytes()[:4] == b"\x89PNG" and "mixed" in told
    write(tmp_path / "set" / "pairs.jsonl", pairs)
    run("--model", llava, "set/pairs.jsonl", "--scoring", "likelihood", "-o", "l.jsonl")
    assert all(
        line["correct"] == (line["logp"]["chosen"] > line["logp"]["rejected"])
        for line in read(tmp_path / "l.jsonl")
    )


def test_score_needs_four_fields_only(run, tmp_path):
    lines = [
        {
            "id": 1,
            "bench": "BLINK",
            "answer": "(B)",
            "response": "The answer is B",
            "choices": {"A": "x", "B": "y"},
        },
        {"id": 2, "bench": "POPE", "answer": "yes", "response": "Yes."},
        {"id": 3, "bench": "mmstar", "answer": "B", "response": "x", "choices": ["x", "y"]},
    ]
    write(tmp_path / "p.jsonl", lines)
    parsed = {}
    for parser in parsers.NAMES:
        run("--score", "p.jsonl", "--parser", parser, "-o", "s.jsonl")
        parsed[parser] = [(line["parsed"], line["correct"]) for line in read(tmp_path / "s.jsonl")]
    assert parsed["robust"] == [("B", True), ("yes", True), ("A", False)]
    assert parsed["vlmevalkit"] == [("B", True), ("yes", True), ("A", False)]
    assert parsed["lmms"] == [("B", True), (None, False), (None, False)]
    assert parsed["official"] == [(None, False), ("yes", True), (None, False)]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--model", "mini", "--bench", "blimk"], 2, "unknown benchmark 'blimk': did you mean blink"),
        (["--model", "mini", "--bench", "blink=none"], 1, "no such file or folder: none"),
        (["--model", "mini", "--bench", "blink", "--data", "."], 1, "no copy of blink in .: it holds"),
        (["--model", "mini", "--bench", "pope", "--split", "val"], 1, "pope has no split 'val': it has test"),
        (["--model", "mini", "--bench", "blink=empty"], 1, "no file of the benchmark in this folder: empty"),
        (["--model", "mini", "--bench", "pope", "-o", "x.jsonl"], 1, "can't be loaded from the Hub"),
        (["--model", "mini", "--bench", "x.jsonl"], 1, "no such file: x.jsonl"),
        (["--model", "mini", "--report", "no/such/x.json"], 1, "cannot be written: no/such/x.json"),
        (["--score", "bad.jsonl"], 1, "bad.jsonl:1: answer: is none of the choices: 'Q' of A, B"),
        (["--score", "short.jsonl"], 1, "short.jsonl:1: response: is missing"),
        (["--compare", "bad.jsonl", "short.jsonl"], 1, "bad.jsonl:1: correct: is missing"),
        (["--score", "bad.jsonl", "--gallery", "g.html"], 2, "--gallery goes with --compare"),
        (["--score", "bad.jsonl", "--limit", "1"], 2, "--limit goes with --model or --questions FILE"),
        (["--score", "bad.jsonl", "--batch-size", "2"], 2, "--batch-size goes with --model"),
        (["--compare", "bad.jsonl", "short.jsonl", "--parser", "lmms"], 2, "--parser goes with --model or --score"),
        (["--compare", "bad.jsonl", "short.jsonl", "--heatmap", "h.png"], 2, "--heatmap"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(run, tmp_path, arguments, status, message):
    (tmp_path / "empty").mkdir()
    good = {"id": "1", "bench": "x", "answer": "Q", "response": "A", "choices": {"A": "x", "B": "y"}}
    (tmp_path / "bad.jsonl").write_text(json.dumps(good) + "\n")
    (tmp_path / "short.jsonl").write_text(
        json.dumps({k: v for k, v in good.items() if k != "response"}) + "\n"
    )
    told = run(*arguments, status=status)
    assert message in told
    assert sum(line.startswith("s2h-eval: ") or line.startswith("Error: ") for line in told.splitlines()) <= 1


@pytest.mark.parametrize(
    "more", [(), ("--scoring", "cosine"), ("--parser", "lmms"), ("--report", "r.md", "--heatmap", "h.png")]
)
def test_an_empty_stream_of_predictions_is_said_and_makes_no_table(run, tmp_path, more):
    said = "no prediction came in"
    if "--report" in more:
        said += "; no report is written; no heat map is written"
    assert run("--score", *more) == f"main: {said}\n"
    assert not list(tmp_path.iterdir())
