"""s2h-eval asking a model, as real processes: parts, several processes, a kill, and models that can't be loaded."""

from __future__ import annotations

import json
import os
import signal

import pytest
from click.testing import CliRunner

from s2h.cli.eval import main
from s2h.streams import jsonl
from tests.support.architectures import make_pairs
from tests.support.waiting import until


@pytest.fixture(scope="module")
def place(tmp_path_factory, llava):
    """A folder with a file of 40 pairs, and the predictions of one undisturbed run."""
    folder = tmp_path_factory.mktemp("place")
    with jsonl.Writer(str(folder / "pairs.jsonl")) as writer:
        for pair in make_pairs(folder / "images", 40):
            writer.write(pair)
    options = ["pairs.jsonl", "--model", str(llava), "--batch-size", "4", "--max-new-tokens", "12"]
    before = os.getcwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(main, [*options, "-o", "whole.jsonl", "--report", "whole.json"])
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.output
    return folder, options


def test_the_report_says_where_images_stood(place):
    folder, _ = place
    assert json.loads((folder / "whole.json").read_text())["template"] == "images in their places"
    assert len((folder / "whole.jsonl").read_bytes().splitlines()) == 40


def test_several_processes_write_what_one_writes_and_report_once(heavy, place):
    """accelerate's launcher starts s2h-filter in its test; --processes uses it too."""
    folder, options = place
    lines = (folder / "pairs.jsonl").read_text().splitlines()
    broken = json.loads(lines[3])
    broken["images"][0] = "gone.png"
    lines[3] = json.dumps(broken)
    (folder / "broken.jsonl").write_text("\n".join(lines) + "\n")
    asked = ["eval", "broken.jsonl", *options[1:], "--on-error", "skip"]
    said = {}
    for name, more in (("one", ()), ("two", ("--processes", "2"))):
        outputs = ["-o", f"{name}.jsonl", "--report", f"{name}.json"]
        said[name] = heavy.told(*asked, *outputs, *more, cwd=folder, status=3).stderr
    assert said["two"].count(f"broken.jsonl:4: images[0]: no such file: {folder / 'gone.png'}") == 1
    assert said["two"].count("level 2") == said["one"].count("level 2") == 1
    for name in ("one.jsonl", "one.json"):
        assert (folder / name).read_bytes() == (folder / name.replace("one", "two")).read_bytes() != b""
    assert not list(folder.glob("*two.jsonl?*"))


def test_a_killed_run_goes_on(heavy, place):
    folder, options = place
    process = heavy.start("eval", *options, "-o", "killed.jsonl", cwd=folder)
    notes = folder / "killed.jsonl.progress"
    partial = folder / "killed.jsonl.partial"
    until(lambda: notes.exists() and partial.read_bytes().count(b"\n") >= 2, every=0.002)
    os.kill(process, signal.SIGKILL)
    assert heavy.wait() == -signal.SIGKILL
    assert not (folder / "killed.jsonl").exists()
    through = json.loads(notes.read_bytes().split(b"\n")[0])["notes"]["position"]
    answered = sum(len(json.loads(line)) for line in notes.read_bytes().split(b"\n")[1:-1])
    assert through + answered >= partial.read_bytes().count(b"\n")
    said = heavy.told("eval", *options, "-o", "killed.jsonl", "--resume", cwd=folder).stderr
    assert f"{through} questions are done, and {answered} replies to the next ones are kept" in said
    assert (folder / "killed.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert not list(folder.glob("*killed.jsonl?*"))


def test_shards_end_to_end_are_the_whole(place, monkeypatch):
    folder, options = place
    monkeypatch.chdir(folder)
    made = b""
    for number in (1, 2, 3):
        name = f"shard{number}.jsonl"
        done = CliRunner().invoke(main, [*options, "--shard", f"{number}/3", "-o", name, "--batch-size", "5"])
        assert done.exit_code == 0, done.output
        made += (folder / name).read_bytes()
    assert made == (folder / "whole.jsonl").read_bytes()
    done = CliRunner().invoke(main, [*options, "--limit", "7", "-o", "seven.jsonl"])
    assert done.exit_code == 0 and (folder / "seven.jsonl").read_bytes() == b"".join(
        made.splitlines(True)[:7]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "mini", "--resume"], "--resume needs"),
        (["--model", "mini", "--resume", "-o", "out.jsonl.gz"], "--resume needs"),
        (["--score", "x.jsonl", "--resume", "-o", "out.jsonl"], "--resume needs"),
        (["-", "--model", "mini", "--processes", "2"], "standard input"),
        (["--model", "mini", "--shard", "3/2"], "no shard"),
    ],
)
def test_wrong_usage_is_one_line(arguments, message):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and message in done.output
