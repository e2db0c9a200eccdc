"""s2h-filter as a command: its options, what it says, and what it writes."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from s2h.cli.filter import main
from s2h.record import assistant
from s2h.streams import jsonl
from tests.support import clips
from tests.support.records import pair


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(clips.build(tmp_path_factory.mktemp("clip")))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("one", "two")):
        Image.effect_noise((32, 32), 40 + 60 * i).convert("RGB").save(f"{name}.png")
    with jsonl.Writer("in.jsonl") as out:
        for i in range(6):
            said = assistant(
                "The sum is 3!" if i % 2 else "The sum is seventeen, as one sees in both of the pictures."
            )
            out.write(pair(f"r{i}", chosen=said, task="arithmetic" if i < 3 else "kinship"))


def run(*arguments: str):
    done = CliRunner().invoke(main, arguments, prog_name="s2h-filter")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


def ids(name: str) -> list[str]:
    return [record["id"] for record in jsonl.read(name)]


def test_a_table_says_what_went_and_why():
    status, said = run(
        "in", "--length-ratio", ":2", "--edit-distance", "0.05:", "-o", "out.jsonl", "--rejects", "bad.jsonl"
    )
    assert status == 0
    assert ids("out.jsonl") == ["r1", "r3", "r5"] and ids("bad.jsonl") == ["r0", "r2", "r4"]
    [first, *_] = jsonl.read("bad.jsonl")
    assert first["dropped"] == ["length ratio above 2"]
    assert set(first["scores"]) == {"length_ratio", "edit_distance"}
    assert {k: v for k, v in first.items() if k not in ("scores", "dropped")} == dict(next(jsonl.read("in")))
    lines = [re.sub(" +", " ", line.removeprefix("s2h-filter:").strip()) for line in said.splitlines()]
    assert lines == [
        "kept 3 of 6 pairs (50%)", "task kept length ratio above 2", "arithmetic 1 2", "kinship 2 1", "all 3 3",
    ]  # fmt: skip


def test_rejects_of_rejects_keep_their_reasons():
    run("in", "--length-ratio", ":2", "-o", "out.jsonl", "--rejects", "bad.jsonl")
    run("bad", "--edit-distance", ":0.1", "-o", "out.jsonl", "--rejects", "worse.jsonl")
    assert next(jsonl.read("worse"))["dropped"] == ["length ratio above 2", "edit distance above 0.1"]


def test_clip_by_a_folder_and_again_from_the_record(model):
    status, said = run("in", "--clip", "-1", "--clip-model", model, "-o", "out.jsonl")
    assert (status, f"CLIP scores by {model}" in said) == (0, True)
    assert len(ids("out.jsonl")) == 6
    Path("one.png").unlink()  # the scores are in the records now
    status, said = run("out", "--clip", "1", "--clip-model", model, "-o", "none.jsonl")
    assert (status, ids("none.jsonl"), "CLIP scores" in said) == (0, [], False)
    assert "kept 0 of 6 pairs (0%)" in said
    status, said = run("out", "--clip", "1", "-o", "none.jsonl")
    assert status == 1
    assert "out.jsonl:1: scores.clip: was measured by another model" in said
    status, said = run("in", "--clip", "-1", "--clip-model", model, "-o", "out.jsonl")
    assert status == 1 and "in.jsonl:1: images[0]: no such file: " in said and len(said.splitlines()) == 2


def test_annotate_drops_nothing(model):
    status, said = run(
        "in", "--annotate", "--clip", "1", "--clip-model", model, "--length-ratio", "9:", "-o", "out.jsonl"
    )
    assert status == 0
    assert "6 pairs annotated, none dropped; the thresholds would keep 0" in said
    assert [set(record["scores"]) for record in jsonl.read("out")] == [{"clip", "length_ratio"}] * 6
    assert not any("dropped" in record for record in jsonl.read("out"))


def test_annotate_alone_needs_no_model():
    status, said = run("in", "--annotate", "-o", "out.jsonl")
    assert status == 0 and said == "s2h-filter: 6 pairs annotated, none dropped\n"
    assert [set(record["scores"]) for record in jsonl.read("out")] == [{"length_ratio", "edit_distance"}] * 6
    run("out", "--annotate", "--score", "repetition", "--score", "refusal", "-o", "more.jsonl")
    assert [record["scores"]["refusal"] for record in jsonl.read("more")] == [{"value": 0.0}] * 6


def test_a_report_of_what_was_measured(model):
    import json

    asked = ["in", "--clip-rank", "--clip-margin", "-1", "--clip-model", model, "--length-ratio", ":2"]
    status, said = run(*asked, "--report", "report.json", "-o", "out.jsonl")
    assert status == 0 and "report: report.json and report.png" in said
    found = json.loads(Path("report.json").read_text())
    assert sum(sum(reasons.values()) for reasons in found["tasks"].values()) == 6
    assert list(found["measures"]) == [
        "length ratio",
        "clip of chosen",
        "clip of rejected",
        "clip margin",
        "clip lead of target",
    ]
    length = found["measures"]["length ratio"]
    assert length["most"] == 2 and length["pairs"] == 6 and sum(length["dropped"] + length["kept"]) == 6
    assert len(length["edges"]) == len(length["kept"]) + 1
    with Image.open("report.png") as page:
        assert page.size[0] > 1000
    assert run("in", "--report", "no/such/x.json")[0] == 1 and run("in", "--report", "x.png")[0] == 2


def test_the_cache_is_used_by_the_command(model):
    asked = ["in", "--clip", "-1", "--clip-model", model, "--cache", "kept"]
    assert "CLIP scores by" in run(*asked, "-o", "one.jsonl")[1]
    assert "CLIP scores by" not in run(*asked, "-o", "two.jsonl")[1]
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    for file in Path("kept").glob("*.sqlite"):
        file.write_bytes(file.read_bytes()[:300])
    status, said = run(*asked, "-o", "three.jsonl")
    assert status == 0 and said.count("malformed: it is replaced by a new one") == 2
    assert Path("three.jsonl").read_bytes() == Path("one.jsonl").read_bytes()
    Path("file").write_text("")
    assert "is a file" in run(*asked[:-1], "file")[1]


def test_no_judgement():
    status, said = run("in", "-o", "out.jsonl")
    assert status == 0 and "6 pairs checked and passed on (no judgement was asked for" in said
    assert Path("out.jsonl").read_bytes() == Path("in.jsonl").read_bytes()
    Path("empty.jsonl").write_bytes(b"")
    assert run("empty", "--clip", "0.25", "-o", "out.jsonl") == (0, "s2h-filter: no pairs came in\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--clip", "high"], "'high' is no number from -1 to 1"),
        (["--clip", "nan"], "'nan' is no number"),
        (["--clip-margin", "3"], "no number from -2 to 2"),
        (["--mpnet", "0.9:0.3"], "LO is more than HI"),
        (["--mpnet", "0.9"], "no band LO:HI"),
        (["--mpnet", "a:1"], "'a' is no number"),
        (["--mpnet", "2:3"], "keeps nothing: the values go from -1 to 1"),
        (["--length-ratio", "-2:-1"], "keeps nothing: the values go from 0 up"),
        (["--clip-model", "mini-clip"], "--clip-model is for --clip"),
        (["--text-model", "mini-text", "--clip", "0.2"], "--text-model is for --mpnet"),
        (["--annotate", "--rejects", "x"], "--annotate drops nothing"),
        (["--near-images", "4"], "--near-images and --near-text are for --dedup"),
        (["--blind-margin", "1"], "need --ref MODEL"),
        (["--resume", "--clip", "0.2"], "--resume needs -o FILE"),
        (["--margin", "3:1"], "LO is more than HI"),
        (["--rejects", "x", "-o", "x"], "name the same file"),
        (["--rejects", "./x", "-o", "x"], "name the same file"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_wrong_usage(arguments, said):
    status, told = run("in", *arguments)
    assert status == 2
    assert said in told


def test_what_is_missing():
    assert run("nowhere") == (
        1,
        "s2h-filter: no such file: nowhere (also not with .jsonl, .jsonl.gz, .jsonl.zst added)\n",
    )
    status, said = run("in", "--clip", "0.2", "--clip-model", "nonsense")
    assert status == 1 and "--clip-model nonsense: no such model" in said and len(said.splitlines()) == 1


def test_tasks_from_the_data_do_not_flood_or_steer_the_terminal():
    with jsonl.Writer("many.jsonl") as out:
        for i in range(100):
            out.write(pair(f"r{i}", task=f"t{i}\x1b[31m\nx" if i else "common"))
        for i in range(100, 103):
            out.write(pair(f"r{i}", task="common"))
    status, said = run("many", "--edit-distance", "1:", "-o", "out.jsonl")
    assert status == 0 and "\x1b" not in said
    lines = [line.split() for line in said.splitlines()]
    assert len(lines) == 24 and ["s2h-filter:", "80", "other", "tasks", "0", "80"] in lines
    assert ["s2h-filter:", "common", "0", "4"] in lines and lines[-1] == ["s2h-filter:", "all", "0", "103"]


def test_texts_that_clip_cuts_are_counted():
    same = "a red circle on a sand background " * 20
    claims = {"chosen": [[0, f"{same}dog"]], "rejected": [[0, f"{same}cat"]]}
    with jsonl.Writer("long.jsonl") as out:
        for i in range(3):
            out.write(pair(f"r{i}", grounding=claims))
    code, said = run("long.jsonl", "--clip", "-1", "--clip-model", "mini-clip")
    assert code == 0 and "2 distinct texts were cut at the length that CLIP reads" in said
    assert "were cut" not in run("in.jsonl", "--clip", "-1", "--clip-model", "mini-clip")[1]


def test_a_run_with_skips_leaves_no_notes():
    Path("bad.jsonl").write_text(Path("in.jsonl").read_text() + "{}\n")
    before = set(Path().iterdir())
    code, said = run(
        "bad.jsonl", "--length-ratio", "0:9", "-o", "out.jsonl", "--rejects", "no.jsonl", "--on-error", "skip"
    )
    assert code == 3 and "skipped 1 record" in said
    assert {path.name for path in set(Path().iterdir()) - before} == {"out.jsonl", "no.jsonl"}


def test_a_bad_line_of_the_pairs_that_are_not_to_be_repeated_is_skipped():
    Path("bad.jsonl").write_text("null\n" + Path("in.jsonl").read_text().split("\n")[0] + "\n")
    assert run("in.jsonl", "--dedup-against", "bad.jsonl")[0] == 1
    code, said = run("in.jsonl", "--dedup-against", "bad.jsonl", "--on-error", "skip")
    assert (
        code == 3
        and "bad.jsonl:1: not a JSON object" in said
        and "1 pair of bad.jsonl is not repeated" in said
    )
