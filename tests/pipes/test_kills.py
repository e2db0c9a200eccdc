"""Runs that are killed at any call that changes a file: a write (of which half is done), a cut, a sync, a rename, a removal.
What can be resumed goes on with --resume to the bytes of an undisturbed run and leaves nothing else behind; of what can't,
the old file or the new one is whole, and the next run finds no obstacle."""

from __future__ import annotations

import json
import shutil
from itertools import count
from pathlib import Path

import pytest
from PIL import Image

from s2h.record import assistant
from tests.support.forks import Server
from tests.support.records import pair

SAID = ("two red kites", "a cat", "a long and winding road through the hills")
FILTER = ("filter", "in.jsonl", "--length-ratio", "0.3:3")
GROWING = {
    "filter": (*FILTER, "--rejects", "no.jsonl", "-o", "out.jsonl"),
    "drawn": ("gen", "kinship", "-n", "1", "--size", "32", "-o", "out.jsonl"),
    "stored": ("gen", "kinship", "-n", "34", "--size", "32", "-o", "out.jsonl"),  # its images are there
    "eval": ("eval", "--model", "mini", "--bench", "in.jsonl", "--limit", "2", "--batch-size", "1",
             "--max-new-tokens", "2", "-o", "out.jsonl"),
}  # fmt: skip
# Of the calls. Those of eval are the journal's, as those of filter, which is killed at every one.
STEPS = {"stored": 6, "eval": 3}
WHOLE = {
    "view": ("view", "in.jsonl", "-o", "out"),
    "mix": ("mix", "--flat", "in.jsonl", "--val", "0.3", "--val-output", "held", "-o", "out"),
    "interleave": ("mix", "--interleave", "in.jsonl", "-o", "out.gz"),
    "pack": ("mix", "--flat", "in.jsonl", "--pack", "out"),
    "report": (*FILTER, "--report", "report.json", "-o", "/dev/null"),
}


@pytest.fixture
def server(request, name):
    return request.getfixturevalue("heavy" if name == "eval" else "light")


class Folder:
    """The folder in which the commands find their inputs. Its name is always the same: paths of images stand in pairs."""

    def __init__(self, parent: Path) -> None:
        self.inputs, self.place = parent / "inputs", parent / "place"
        self.inputs.mkdir()
        for colour, name in (("red", "one.png"), ("blue", "two.png")):
            Image.new("RGB", (16, 16), colour).save(self.inputs / name)
        made = [pair(f"p{n}", rejected=assistant(SAID[n % 3])) for n in range(3)]
        (self.inputs / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))

    def anew(self) -> Path:
        shutil.rmtree(self.place, ignore_errors=True)
        return shutil.copytree(self.inputs, self.place)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    """All files but those that the image store leaves of a kill, which nothing reads."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not ("s2h-images" in path.parts and path.suffix == ".part")
    }


def ends(server: Server, command: tuple, place: Path) -> dict[str, bytes]:
    """Run a command to its end, without an error."""
    status = server.run(command[0], *command[1:], cwd=place, err="../err.txt")
    assert status == 0, (place.parent / "err.txt").read_text()
    return files(place)


@pytest.mark.parametrize("name", GROWING)
def test_a_killed_run_is_resumed(server, name, folder):
    command = GROWING[name]
    whole = ends(server, command, folder.anew())
    if name == "stored":
        shutil.copytree(folder.place / "s2h-images", folder.inputs / "s2h-images")
    for at in count(1, STEPS.get(name, 1)):
        place = folder.anew()
        status = server.run(*command, cwd=place, dies_at=at)
        if status != -9:
            break
        workers = ("--workers", "2") if command[0] == "gen" and at % 20 == 0 else ()
        assert ends(server, (*command, "--resume", *workers), place) == whole, at
    assert status == 0 and files(place) == whole
    assert at > 20, "some calls were there to be killed at"


@pytest.mark.parametrize("name", [name for name in GROWING if name != "eval"])
def test_a_run_that_is_killed_over_and_over(server, name, folder):
    command = GROWING[name]
    whole = ends(server, command, folder.anew())
    if name == "stored":
        shutil.copytree(folder.place / "s2h-images", folder.inputs / "s2h-images")
    place = folder.anew()
    for at in count(1, 7 if name == "stored" else 3):
        status = server.run(*command, "--resume", cwd=place, dies_at=at)
        if status != -9:
            break
    assert status == 0 and at > 6
    assert files(place) == whole


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_written_whole_or_not_at_all(server, name, folder):
    """What a kill leaves stays there for the next run, which is killed one call later."""
    command, place = WHOLE[name], folder.anew()

    def outputs() -> dict[str, bytes]:
        found = files(place)
        return {path: found[path] for path in found if path not in inputs and not path.startswith(".")}

    inputs = files(place)
    ends(server, command, place)
    new = outputs()
    data = (place / "in.jsonl").read_bytes()
    (place / "in.jsonl").write_bytes(b"".join(data.splitlines(True)[:2]))  # an earlier run had fewer pairs
    ends(server, command, place)
    old = outputs()
    (place / "in.jsonl").write_bytes(data)
    assert old.keys() <= new.keys() and old != new
    for at in count(1):
        status = server.run(*command, cwd=place, dies_at=at)
        found = outputs()
        if name == "pack":
            assert found in (old, new), at
        assert found.keys() == new.keys(), at
        assert all(found[path] in (old[path], new[path]) for path in found), at
        if status != -9:
            break
    assert status == 0 and at > 4 and found == new


@pytest.mark.parametrize("at", [16, 40])
def test_a_resumed_filter_knows_its_place_and_what_it_has_skipped(light, folder, at):
    """A file that is named twice has each of its lines at two places; a pair that could not be judged is counted once."""
    judging = ("--dedup", "--length-ratio", "0.3:3", "--on-error", "skip")
    command = ("filter", "in.jsonl", "in.jsonl", *judging, "--rejects", "no.jsonl", "-o", "out.jsonl")
    broken = (folder.inputs / "in.jsonl").read_text().replace('"one.png"', '"gone.png"', 1)
    (folder.inputs / "in.jsonl").write_text(broken)

    def ended(*more: str) -> tuple:
        status = light.run(*command, *more, cwd=folder.place, err="../err.txt")
        return status, files(folder.place), (folder.inputs.parent / "err.txt").read_text().splitlines()[-1]

    folder.anew()
    whole = ended()
    assert whole[0] == 3 and "skipped 2 records: 2 images[]: no such file" in whole[2]
    assert light.run(*command, cwd=folder.anew(), dies_at=at) == -9
    (folder.inputs.parent / "err.txt").unlink()
    assert ended("--resume") == whole
