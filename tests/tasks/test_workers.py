"""Many processes, the same bytes; and runs that are cut short."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from s2h import tasks
from s2h.images.store import Store
from s2h.sources import open_source
from s2h.streams import jsonl
from tests.support.commands import BIN
from tests.support.photos import save
from tests.support.waiting import until


@pytest.mark.parametrize("task", ["arithmetic", "search"])
def test_workers_make_the_same_bytes(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tallies = [Counter(), Counter()]
    one, two = (
        [
            jsonl.dump(pair)
            for pair in tasks.generate(task, n=200, size=32, images=Store("i"), workers=workers, tally=tally)
        ]
        for workers, tally in zip((1, 2), tallies, strict=True)
    )
    assert one == two and len(one) == 200 and tallies[0] == tallies[1]


def test_what_workers_find_unusable_is_counted_once(tmp_path):
    for thing in ("owl", "truck", "tulip"):
        for i in range(20):
            save(tmp_path / "t" / thing / f"{i}.jpg", (thing, i))
    for i in range(4):
        path = tmp_path / "t" / "owl" / f"{i}.jpg"
        path.write_bytes(path.read_bytes()[:200])
    counts = []
    for workers in (1, 3):
        source = open_source(str(tmp_path / "t"))
        made = list(
            tasks.generate("search", n=300, source=source, workers=workers, images=Store(tmp_path / "s"))
        )
        counts.append((len(made), source.excluded["damaged or truncated image"]))
    assert counts[0] == counts[1] and counts[0][1] >= 3


@pytest.mark.parametrize(("task", "kind"), [("arithmetic", "light"), ("vqa", "heavy")])
def test_a_killed_run_goes_on_where_it_was(task, kind, request, tmp_path):
    """vqa asks the bundled model in batches of 32; a kill loses at most one."""
    arguments = [task, "-n", "40", "--size", "32", "--image-dir", "i"] + ["--max-new-tokens", "8"] * (
        task == "vqa"
    )
    server = request.getfixturevalue(kind)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    partial, err = cut / "out.jsonl.partial", tmp_path / "err.txt"
    assert server.run("gen", *arguments, "-o", "out.jsonl", cwd=whole) == 0
    # A run dies before it renames an image: at the first of these at which some pairs are written.
    for at in range(150, 400, 50):
        for path in (partial, *cut.glob("*.part*")):
            path.unlink(missing_ok=True)
        assert server.run("gen", *arguments, "-o", "out.jsonl", cwd=cut, dies_at=at) == -signal.SIGKILL
        if partial.exists() and partial.read_bytes().count(b"\n") >= 5:
            break
        shutil.rmtree(cut / "i")
    assert 5 <= partial.read_bytes().count(b"\n") < 40 and not (cut / "out.jsonl").exists()
    with open(partial, "ab") as file:
        file.write(b'{"id": "half a li')
    again = [*arguments, "--resume", "-o", "out.jsonl"]
    assert server.run("gen", *again, "--seed", "5", cwd=cut, err=str(err)) == 1
    assert "was started with different arguments" in err.read_text()
    assert server.run("gen", *again, cwd=cut, err=str(err)) == 0
    assert "pairs are there; going on from slot" in err.read_text()
    assert (cut / "out.jsonl").read_bytes() == (whole / "out.jsonl").read_bytes() and not partial.exists()


def test_a_file_of_other_pairs_is_not_continued(light, tmp_path):
    (tmp_path / "a.jsonl.partial").write_text('{"id": "mine"}\n')
    told = light.told(
        "s2h-gen", "compare", "-n", "8", "--resume", "-o", "a.jsonl", cwd=tmp_path, status=1
    ).stderr
    assert (
        "a.jsonl.partial: s2h needs this name for a work file, and no earlier run with this output left it"
        in told
    )
    assert (tmp_path / "a.jsonl.partial").read_text() == '{"id": "mine"}\n'


def test_what_a_killed_run_left_outlives_a_run_that_fails_to_start(light, tmp_path):
    partial, whole = tmp_path / "a.jsonl.partial", tmp_path / "whole.jsonl"
    asked = ["compare", "-n", "8", "--size", "32"]
    light.told("s2h-gen", *asked, "-o", "whole.jsonl", cwd=tmp_path)
    assert light.run("gen", *asked, "-o", "a.jsonl", cwd=tmp_path, dies_at=15) == -signal.SIGKILL
    before = partial.read_bytes()
    assert before
    light.told(
        "s2h-gen", "compare", "-n", "8", "--source", "nowhere", "-o", "a.jsonl", cwd=tmp_path, status=1
    )
    light.told(
        "s2h-gen", "compare", "-n", "8", "--size", "64", "--resume", "-o", "a.jsonl", cwd=tmp_path, status=1
    )
    assert partial.read_bytes() == before
    light.told("s2h-gen", *asked, "--resume", "-o", "a.jsonl", cwd=tmp_path)
    assert (tmp_path / "a.jsonl").read_bytes() == whole.read_bytes() and not partial.exists()
    light.told(
        "s2h-gen", "compare", "-n", "8", "--source", "nowhere", "-o", "b.jsonl", cwd=tmp_path, status=1
    )
    assert not list(tmp_path.glob("b.jsonl*")), "and nothing is left by a run that wrote nothing"


def test_a_worker_tells_each_finding_once():
    from s2h.sources.exclusions import Exclusions

    worker, home = Exclusions(), Exclusions()
    worker.parts[0] = Counter({"no caption": 2})
    worker.damaged[0, 3] = "is an empty file"
    home.learn(*worker.hand_over())
    worker.damaged[0, 5] = "is an empty file"
    fresh = worker.hand_over()
    assert fresh == ({}, {(0, 5): "is an empty file"})
    home.learn(*fresh)
    assert dict(home) == {"no caption": 2, "is an empty file": 2}


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(BIN / "s2h-gen"), "compare", "-n", "100000", "--workers", "2", "-o", "cut.jsonl"],
        cwd=tmp_path, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    partial = tmp_path / "cut.jsonl.partial"
    until(lambda: partial.exists() and partial.stat().st_size, process)  # the workers are at work
    found = children.read_text().split()
    process.kill()
    process.wait()
    assert len(found) == 2
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in found))
