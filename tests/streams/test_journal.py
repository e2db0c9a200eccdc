"""The journal: what it leaves for a later run, what it refuses to go on with, and that nothing is left at the end."""

import json
import os
from itertools import islice
from pathlib import Path

import pytest

from s2h import streams
from s2h.record import RecordError
from s2h.streams import journal, jsonl
from s2h.streams.journal import Journal

SAID = {"seed": 1}
PATHS = ("out", "no")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def run(paths=PATHS, resume=False, fails_at=10, arguments=SAID) -> Journal:
    """Ten records, every third of which goes to the second output; the run fails before the one of this number."""
    made = Journal(paths, arguments, resume=resume, buffered=True)
    with made.open() as out:
        made.state["twice"] = lambda: 2 * made.position
        for number in islice(range(10), made.position, None):
            if number == fails_at:
                out._file.write(b'{"id": "half a li')  # of which nothing was reached
                raise KeyboardInterrupt
            made.outputs[-(number % 3 == 0)].write({"id": f"r{number}"})
            made.reached(number + 1)
    return made


def failed(fails_at: int, **how) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(fails_at=fails_at, **how)


@pytest.fixture
def whole() -> dict[str, bytes]:
    run()
    found = contents()
    assert sorted(found) == ["no", "out"] and all(found.values())
    for name in found:
        os.unlink(name)
    return found


@pytest.mark.parametrize("every", [0, 100])
@pytest.mark.parametrize("at", [0, 1, 4, 9])
def test_a_run_that_failed_goes_on(whole, monkeypatch, at, every):
    monkeypatch.setattr(journal, "EVERY", every)
    failed(2, arguments={"seed": 9})
    earlier = contents()
    failed(at)
    if at:
        notes = json.loads(Path("out.progress").read_bytes())["notes"]
        assert (notes["position"], notes["said"]) == (at, {"twice": 2 * at})
        assert notes["outputs"] == [[len(b'{"id":"r0"}\n') * n, n] for n in (at - -(-at // 3), -(-at // 3))]
        assert run(resume=True).outputs[0].count == 6
    else:
        assert contents() == earlier | {"out.partial": earlier["out.partial"] + b'{"id": "half a li'}
        run()
    assert contents() == whole


def test_what_an_earlier_run_left_stays_until_the_first_record(whole):
    failed(5)
    before = contents()
    with pytest.raises(ZeroDivisionError), Journal(PATHS, {"seed": 2}).open():
        raise ZeroDivisionError
    assert contents() == before
    with pytest.raises(ZeroDivisionError), Journal(PATHS, SAID, resume=True).open() as out:
        assert [record["id"] for record in out.kept()] == ["r1", "r2", "r4"]
        raise ZeroDivisionError
    assert contents() == before
    run(resume=True)
    assert contents() == whole


def test_a_run_that_wrote_nothing_leaves_nothing():
    with pytest.raises(ZeroDivisionError), Journal(PATHS, SAID).open():
        raise ZeroDivisionError
    with pytest.raises(RecordError, match="cannot be written"):
        Journal(["out", "not/there/out"], SAID).open()
    assert contents() == {}
    with Journal(PATHS, SAID).open():
        pass
    assert contents() == {"out": b"", "no": b""}


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_files_that_were_moving_to_their_places_are_taken_back(whole, monkeypatch, moved):
    """Killed in the middle of `close`, after so many of the outputs were moved."""
    replace, left = os.replace, [2 + moved]  # two notes come before

    def killed(*paths):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return replace(*paths) if len(paths) == 2 else None

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        patched.setattr(os, "unlink", killed)
        failed(10)
    assert ("no" in contents(), "out" in contents()) == (moved > 0, moved > 1)
    assert run(resume=True).position == 10
    assert contents() == whole


def test_partial_answers():
    def asked() -> Journal:
        return Journal(["out"], SAID, resume=True)

    made = asked()
    with pytest.raises(ZeroDivisionError), made.open() as out:
        for answer in ([0, "a"], [1, "é\ud800"]):
            made.add(answer)
        out.write({"id": "a"})
        raise ZeroDivisionError
    with open("out.progress", "ab") as file:
        file.write(b'[2, "half an ans')
    made = asked()
    with pytest.raises(ZeroDivisionError), made.open() as out:
        assert made.since == [[0, "a"], [1, "é\ud800"]] and not out.count
        made.add([2, "c"])
        made.reached(3)
        assert made.since == []
        made.add([3, "d"])
        raise ZeroDivisionError
    made = asked()
    made.read()
    assert (made.position, made.since, made.outputs) == (3, [[3, "d"]], [])
    with made.open():
        made.reached(4)
    assert contents() == {"out": b""}


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "notes",
    [b"", b"[]", b"[]\n", b"{}\n", b"null\n", b'{"notes": {}}\n', b'{"notes": [], "digest": ""}\n', b"\x00\xff\n",
     DEEP, b"changed", b"cut"],
)  # fmt: skip
def test_foreign_notes_are_one_error(notes):
    failed(4)
    found = Path("out.progress").read_bytes()
    changed = {b"changed": found.replace(b'"position": 4', b'"position": 5'), b"cut": found[:-2]}
    Path("out.progress").write_bytes(changed.get(notes, notes))
    before = contents()
    for resume in (True, False):
        with pytest.raises(RecordError, match=r"out.progress: s2h needs this name .* \(move or remove it"):
            run(resume=resume)
        assert contents() == before
    for name in list(before):
        os.unlink(name)
    run()
    assert sorted(contents()) == ["no", "out"]


MINE = b"1\n2\n3\n"


@pytest.mark.parametrize("name", ["out.partial", "out.progress", "out.progress.part", "no.partial"])
@pytest.mark.parametrize("kind", ["file", "link", "pipe", "after another run"])
def test_a_file_of_the_users_own_is_never_a_work_file(name, kind):
    if kind == "after another run":  # whose notes vouch for other files
        with pytest.raises(ZeroDivisionError), Journal(["out"], SAID).open() as out:
            out.write({"id": "a"})
            raise ZeroDivisionError
        if name != "no.partial":
            return
    if kind == "pipe":
        os.mkfifo(name)
    elif kind == "link":
        Path("mine").write_bytes(MINE)
        os.symlink("mine", name)
    else:
        Path(name).write_bytes(MINE)
    there = sorted(os.listdir())
    for resume in (False, kind == "file"):
        with pytest.raises(
            RecordError, match=rf"^{name}: s2h needs this name for a work file, .* \(move or remove"
        ):
            run(resume=resume, arguments=SAID)
    assert sorted(os.listdir()) == there
    if kind != "pipe":
        assert Path(name).read_bytes() == MINE


def test_what_a_kill_cut_is_ours():
    Path("out.progress.part").write_bytes(b'{"dig')
    Path("no.partial").touch()
    run()
    assert sorted(contents()) == ["no", "out"]


def test_what_does_not_belong_together_is_one_error(monkeypatch):
    failed(4)
    before = contents()
    for arguments, said in (
        (
            {"seed": 2},
            "out.partial: was started with different arguments: seed was 1 and is 2 \\(repeat them, or start again",
        ),
        ({"seed": 1, "n": 3}, "n was None and is 3"),
        ({}, "seed was 1 and is None"),
    ):
        with pytest.raises(RecordError, match=said):
            run(resume=True, arguments=arguments)
    with monkeypatch.context() as other, pytest.raises(RecordError, match="by another version of s2h"):
        other.setattr(journal, "VERSION", 4)
        run(resume=True)
    assert contents() == before
    os.truncate("no.partial", 5)
    with pytest.raises(RecordError, match=r"no.partial: is missing or was cut"):
        run(resume=True)
    os.unlink("out.progress")
    with pytest.raises(RecordError, match=r"out.partial: s2h needs this name for a work file"):
        run(resume=True)
    assert contents()["out.partial"] == before["out.partial"]


def test_files_lie_where_links_lead(whole):
    os.mkdir("there")
    os.symlink("there/kept", "out")
    failed(5)
    assert sorted(os.listdir("there")) == ["kept.partial", "kept.progress"]
    run(resume=True)
    assert os.readlink("out") == "there/kept" and os.listdir("there") == ["kept"]
    assert contents() == whole


def test_a_journal_without_outputs_keeps_nothing():
    made = Journal()
    made.reached(3)
    made.add("a")
    assert (made.position, made.since, contents()) == (3, ["a"], {})


def test_what_can_grow():
    Path("there").touch()
    os.mkfifo("pipe")
    names = ("-", "a.gz", "a.zst", "pipe", ".", "there", "new")
    assert [name for name in names if streams.can_grow(name)] == ["there", "new"]


def test_notes_reach_the_disk_after_what_they_vouch_for(monkeypatch):
    """Of a machine that loses its power no note may be left for bytes that are not there."""
    calls, fsync, replace = [], os.fsync, os.replace

    def synced(number):
        calls.append(os.path.basename(os.readlink(f"/proc/self/fd/{number}")))
        fsync(number)

    def replaced(source, target):
        calls.append(f"{source} to {target}")
        replace(source, target)

    monkeypatch.setattr(journal, "EVERY", 0)
    made = Journal(["out"], SAID)
    with made.open() as out:
        out.write({"id": "a"})
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(os, "replace", replaced)
        monkeypatch.setattr(made, "_due", 0)
        made.reached(1)
        noted = ["out.partial", "out.progress.part", "out.progress.part to out.progress"]
        assert calls == noted
    assert calls == [*noted, *noted, "out.partial to out"]


def test_records_are_read_as_jsonl_reads_them(whole):
    Path("out.partial").touch()
    failed(8)
    journal_ = Journal(PATHS, SAID, resume=True)
    with pytest.raises(ZeroDivisionError), journal_.open() as out:
        size = out.size
        kept = Path("kept.jsonl")
        kept.write_bytes(Path("out.partial").read_bytes()[:size])
        assert list(out.kept()) == list(jsonl.read("kept.jsonl", check=None))
        raise ZeroDivisionError
