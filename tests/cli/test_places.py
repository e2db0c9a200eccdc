"""Inputs that are named as outputs: every command and option, by every kind of name, before anything is opened."""

import os
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from s2h.cli import places
from tests.support.records import lines

DATA = lines(3)
# Command, its arguments, and what is an input: {in} is a name of the input and {out} another file.
OPTIONS = {
    "gen -o": "gen search --source llava:in.jsonl -o {in}",
    "gen --captions": "gen search --source llava:in.jsonl --captioner m --captions {in} -o {out}",
    "gen --image-dir": "gen search --source pics --image-dir {pics} -o {out}",
    "filter -o": "filter in.jsonl -o {in}",
    "filter -o of a second file": "filter {out} in -o {in}",
    "filter --rejects": "filter in.jsonl --length-ratio 0.1:10 --rejects {in} -o {out}",
    "filter --report": "filter in.jsonl --report {in} -o {out}",
    "filter --audit": "filter in.jsonl --audit {in} -o {out}",
    "filter --dedup-against": "filter {out} --dedup-against in.jsonl -o {in}",
    "filter --against": "filter {out} --against in.jsonl -o {in}",
    "filter --cache": "filter in.jsonl --against pics --cache {pics} -o {out}",
    "mix -o": "mix --flat in -o {in}",
    "mix --interleave -o": "mix --interleave in.jsonl -o {in}",
    "mix --val-output": "mix --flat in.jsonl --val 0.2 --val-output {in} -o {out}",
    "eval -o": "eval --model m in.jsonl -o {in}",
    "eval --bench -o": "eval --model m --bench mine=in.jsonl -o {in}",
    "eval --score -o": "eval --score in.jsonl -o {in}",
    "eval --report": "eval --score in.jsonl --report {in} -o {out}",
    "eval --heatmap": "eval --score in.jsonl --heatmap {in} -o {out}",
    "eval --plot": "eval --compare in.jsonl {out} --plot {in}",
    "eval --gallery": "eval --compare {out} in.jsonl --gallery {in}",
    "view -o": "view in.jsonl -o {in}",
    "train --reference-cache": "train --model pics in.jsonl --reference-cache {pics} -o run",
}
WAYS = {
    "the same": lambda name: name,
    "dotted": lambda name: f"./x/../{name}",
    "absolute": os.path.abspath,
    "symbolic": lambda name: link(os.symlink, name),
    "hard": lambda name: link(os.link, name),
    "through a linked folder": lambda name: link(os.symlink, ".") + f"/{name}",
}


def link(make, name: str) -> str:
    make(name, "linked")
    return "linked"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x").mkdir()
    Path("pics").mkdir()
    Path("in.jsonl").write_bytes(DATA)
    Path("other.jsonl").write_bytes(DATA)


def run(line: str, data: bytes = b""):
    name, *arguments = line.split()
    return CliRunner().invoke(import_module(f"s2h.cli.{name}").main, arguments, input=data)


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("option", OPTIONS)
def test_an_input_is_no_output(option, way):
    if "{pics}" in OPTIONS[option] and way == "hard":
        pytest.skip("folders have no hard links")
    named = WAYS[way]("pics" if "{pics}" in OPTIONS[option] else "in.jsonl")
    line = OPTIONS[option].replace("{in}", named).replace("{pics}", named).replace("{out}", "other.jsonl")
    before = contents()
    done = run(line)
    assert done.exit_code == 2, done.output
    assert "is an input" in done.stderr and named in done.stderr
    assert contents() == before


@pytest.mark.parametrize("suffix", [".partial", ".progress", ".progress.part"])
@pytest.mark.parametrize("how", ["as it is", "hard", "symbolic"])
@pytest.mark.parametrize("line", ["filter {in} -o z.jsonl", "filter {in} --clip 0.1 --rejects z.jsonl -o o",
                                  "eval --model m {in} -o z.jsonl",
                                  "gen search --source llava:{in} -o z.jsonl"])  # fmt: skip
def test_an_input_is_no_work_file(line, how, suffix):
    os.rename("in.jsonl", "z.jsonl" + suffix)
    named = "z.jsonl" + suffix
    if how != "as it is":
        {"hard": os.link, "symbolic": os.symlink}[how](named, named := "linked.jsonl")
    done = run(line.replace("{in}", named))
    assert done.exit_code == 2
    assert "z.jsonl is an input: " + named in done.stderr and "a work file of" in done.stderr
    assert Path(named).read_bytes() == DATA


def test_an_output_through_a_link_has_its_work_files_at_the_target():
    os.symlink("x/target.jsonl", "out.jsonl")
    os.rename("in.jsonl", "x/target.jsonl.partial")
    assert "a work file of -o out.jsonl" in run("filter x/target.jsonl.partial -o out.jsonl").stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("filter in.jsonl --length-ratio 0: --rejects o -o o", "-o o and --rejects o name the same file"),
        ("filter in.jsonl --length-ratio 0: --rejects ./x/../o -o o", "name the same file"),
        ("filter in.jsonl --length-ratio 0: --rejects o.partial -o o", "a work file of -o o and --rejects o.partial"),
        ("filter in.jsonl --report o -o o", "name the same file"),
        ("filter in.jsonl --report a.json --audit a.jsonl -o o", "the picture beside"),
        ("filter in.jsonl --report a.json -o a.png", "the picture beside"),
        ("filter in.jsonl --length-ratio 0: --rejects -", "name the same file"),
        ("mix --flat in.jsonl --val 0.5 --val-output o -o o", "name the same file"),
        ("mix --flat in.jsonl --to llama-factory -o dataset_info.json", "name the same file"),
        ("eval --score in.jsonl --report o -o o", "name the same file"),
        ("eval --score in.jsonl --report o --heatmap o", "name the same file"),
        ("eval --compare in.jsonl other.jsonl --report o --plot o", "name the same file"),
        ("gen search --source pics --captioner m --captions o -o o", "name the same file"),
    ],
)  # fmt: skip
def test_two_outputs_are_two_files(line, said):
    before = contents()
    done = run(line)
    assert done.exit_code == 2 and said in done.stderr, done.output
    assert contents() == before


def test_a_picture_beside_a_report_is_no_input():
    os.rename("in.jsonl", "a.png")
    assert (
        "the picture beside --report a.json is an input: a.png" in run("filter a.png --report a.json").stderr
    )


@pytest.mark.parametrize("name", places.RUN)
def test_what_a_run_folder_holds_is_no_input_of_another_run(name):
    os.rename("in.jsonl", f"x/{name}")
    done = run(f"train --model m x/{name} -o x")
    assert done.exit_code == 2 and f"-o x: its {name} is an input" in done.stderr
    assert run(f"train --model m other.jsonl --val x/{name} -o x").exit_code == 2


def test_a_model_is_not_trained_in_its_own_folder():
    assert "-o x is an input" in run("train --model ./x in.jsonl -o x").stderr


def test_a_folder_that_is_replaced_holds_no_input():
    os.rename("in.jsonl", "x/mix.jsonl")
    done = run("mix --flat x/mix.jsonl --pack x")
    assert done.exit_code == 2 and "is replaced, and an input is in it" in done.stderr


@pytest.mark.parametrize(("line", "own"), [
    ("gen search --source classes:pics -o pics/{}", "notes.txt"),
    ("gen search --source pics -o pics/deep/{}", "metadata.jsonl"),
    ("filter in.jsonl --against pics -o pics/{}", "a.png"),
    ("filter in.jsonl --against pics --report pics/a.json -o o", "a.png"),
    ("eval --model pics in.jsonl -o pics/{}", "config.json"),
    ("eval --model m --bench pope --data pics --report pics/{}", "table.json"),
    ("eval --model m --bench pope --data pics -o pics/{}", "pairs.jsonl"),
])  # fmt: skip
def test_a_file_of_a_source_is_no_output(line, own):
    """An output inside a folder that is read is fine, unless the file is there and no earlier run wrote it."""
    path = Path("pics/deep" if "deep" in line else "pics", own)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(DATA if own == "pairs.jsonl" else b'{"file_name": "a.png"}\n')
    done = run(line.format(own))
    assert done.exit_code == 2, done.output
    assert "is one of the files in pics, which is read" in done.stderr


def test_a_file_that_a_source_links_to_is_no_output():
    os.rename("other.jsonl", "x/blob")
    Path("x/blob").write_bytes(b"PAR1")
    os.symlink("../x/blob", "pics/a.parquet")
    assert "is one of the files in pics" in run("gen search --source pics -o x/blob").stderr


@pytest.mark.parametrize(("written", "ours"), [
    (b"", "chosen"), (DATA, "chosen"), (b'{"response": "A"}\n', "response"),
    (b'{\n "rows": [],\n "metrics": []\n}\n', "response"), (b"# Evaluation\n\n", "response"),
    (b'{"image": "0", "model": "m", "prompt": "p", "caption": "c"}\n', "chosen"),
])  # fmt: skip
def test_what_an_earlier_run_wrote_into_a_source_is_written_again(written, ours):
    Path("pics/out").write_bytes(written)
    places.check(["pics"], {"-o": "pics/out"}, ours=ours)
    Path("pics/out").write_bytes(b"user's own")
    with pytest.raises(click.UsageError):
        places.check(["pics"], {"-o": "pics/out"}, ours=ours)


def test_what_is_fine():
    Path("pics/a.png").write_bytes(b"x")
    os.symlink("..", "pics/up")  # a loop
    places.check(
        ["in.jsonl", "pics", "nowhere"],
        {"-o": "pics/new.jsonl", "--rejects": "new", "--cache": "x"},
        grow=("-o",),
    )
    places.check(["-"], {"-o": "-", "--report": "/dev/null", "--audit": "/dev/null"})
    places.check(["in.jsonl"], {"-o": "in.jsonl.partial"})


def test_standard_streams_that_are_files(monkeypatch):
    with open("in.jsonl", "r+") as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(click.UsageError, match=r"--rejects in.jsonl is an input: -\."):
            places.check(["-"], {"-o": "-", "--rejects": "in.jsonl"})
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(click.UsageError, match=r"standard output is an input: in.jsonl\."):
            places.check(["in"], {"-o": "-"})
        with pytest.raises(
            click.UsageError, match=r"standard output and --rejects in.jsonl name the same file"
        ):
            places.check(["other"], {"-o": "-", "--rejects": "in.jsonl"})


@pytest.mark.parametrize("option", ["--report", "--audit"])
def test_a_picture_that_s2h_has_not_drawn_stays(option):
    """Beside a report goes its picture, whose name nobody gave; one of an earlier run is drawn anew."""
    from PIL import Image

    Image.new("RGB", (2, 2)).save("r.png")
    before = contents()
    done = run(f"filter in.jsonl --length-ratio 0: {option} r.json -o o.jsonl")
    assert (
        done.exit_code == 2
        and f"the picture beside {option} r.json would take the place of r.png" in done.stderr
    )
    assert contents() == before
    os.unlink("r.png")
    line = f"filter in.jsonl --length-ratio 0: {option} r.json -o o.jsonl"
    assert [run(line).exit_code for _ in range(2)] == [0, 0] and Path("r.png").exists()
