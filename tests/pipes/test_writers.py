"""Two runs with one output: the second says who writes it, in every command; what a kill leaves behind is no obstacle."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h.record import RecordError
from s2h.streams import locks
from s2h.streams.locks import Lock
from tests.support.commands import BIN
from tests.support.records import lines
from tests.support.waiting import until

PREDICTION = {
    "id": "q",
    "bench": "b",
    "answer": "A",
    "response": "A",
    "choices": {"A": "x"},
    "parsed": "A",
    "correct": True,
}
COMMANDS = {
    "gen kinship -n 2 --size 32 -o out": "out",
    "filter in.jsonl -o out": "out",
    "filter in.jsonl --length-ratio 0.1: --rejects out -o other": "out",
    "filter in.jsonl --report out.json -o other": "out.json",
    "filter in.jsonl --audit out.json -o other": "out.json",
    "mix --flat in.jsonl -o out.gz": "out.gz",
    "mix --interleave in.jsonl -o out": "out",
    "mix --flat in.jsonl --val 0.5 --val-output out -o other": "out",
    "mix --flat in.jsonl --pack out": "out",
    "eval --score told.jsonl -o out": "out",
    "eval --score told.jsonl --report out.md -o other": "out.md",
    "eval --compare told.jsonl told.jsonl --gallery out": "out",
    "view in.jsonl -o out": "out",
    "train --model mini in.jsonl -o out": "out",
    "train --model mini in.jsonl -o new/out": "new/out",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_bytes(lines(2))
    Path("told.jsonl").write_text(json.dumps(PREDICTION) + "\n")


def run(line: str):
    name, *arguments = line.split()
    return CliRunner().invoke(import_module(f"s2h.cli.{name}").main, arguments)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_second_run_says_who_holds_the_output(line):
    out = COMMANDS[line]
    Path(out).parent.mkdir(exist_ok=True)
    held = Lock(out)
    done = run(line)
    assert done.exit_code == 1
    assert (
        f"{out}: another run writes it: process {os.getpid()} on {os.uname().nodename}, since 2"
        in done.output
    )
    assert not Path(out).exists()
    held.release()
    assert not [name for name in os.listdir() if name.endswith(".lock")]


@pytest.mark.parametrize("kind", ["file", "link", "folder", "pipe"])
def test_a_file_of_the_users_own_is_never_a_lock(kind):
    lock, mine = Path(".out.jsonl.lock"), Path("mine")
    mine.write_text("locked by me\n")
    makes = {
        "file": lambda: lock.write_text("locked by me\n"), "link": lambda: lock.symlink_to(mine), "folder": lock.mkdir,
        "pipe": lambda: os.mkfifo(lock),
    }  # fmt: skip
    makes[kind]()
    done = run("filter in.jsonl -o out.jsonl")
    assert done.exit_code == 1 and ".out.jsonl.lock: s2h needs this name for a work file" in done.stderr
    assert not Path("out.jsonl").exists() and mine.read_text() == "locked by me\n"
    assert lock.lstat() and (kind != "file" or lock.read_text() == mine.read_text())


def test_two_processes():
    """The first one waits for its input; the second one ends; then the first one's bytes are all there."""
    command = [
        sys.executable,
        str(BIN / "s2h-filter"),
        "-",
        "--length-ratio",
        "0.1:10",
        "--quiet",
        "-o",
        "out.jsonl",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as first:
        until(lambda: Path(".out.jsonl.lock").exists() and Path(".out.jsonl.lock").stat().st_size, first)
        os.symlink("out.jsonl", "link")
        second = subprocess.run([*command[:-1], "link"], input=lines(5), capture_output=True)
        assert (
            second.returncode == 1
            and f"link: another run writes it: process {first.pid} on".encode() in second.stderr
        )
        first.stdin.write(lines(3))
        first.stdin.close()
        assert first.wait() == 0
    assert Path("out.jsonl").read_bytes().count(b"\n") == 3
    assert not Path(".out.jsonl.lock").exists()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as killed:
        until(lambda: Path(".out.jsonl.lock").exists() and Path(".out.jsonl.lock").stat().st_size, killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert Path(".out.jsonl.lock").exists()
    assert run("filter in.jsonl -o out.jsonl").exit_code == 0
    assert not Path(".out.jsonl.lock").exists()


def test_a_lock_is_one_file_s_by_all_its_names():
    Path("x").mkdir()
    os.symlink("x", "y")
    kept = Lock("x/out"), Lock("x/other")
    with pytest.raises(RecordError, match="y/out: another run writes it"):
        Lock("y/out")
    for one in kept:
        one.release()
    assert os.listdir("x") == []


def test_what_has_no_lock():
    for path in ("-", os.devnull):
        first, second = Lock(path), Lock(path)
        first.release()
        second.release()
    os.mkfifo("pipe")
    Lock("pipe")
    assert sorted(os.listdir()) == ["in.jsonl", "pipe", "told.jsonl"]


def test_a_child_holds_no_lock():
    held = Lock("out")
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)  # until the parent closes its end
        os._exit(0)
    try:
        until(lambda: not holds(child, held.path))
        held._close()  # as a kill does
        Lock("out").release()
    finally:
        os.close(write)
        os.waitpid(child, 0)


def holds(process: int, path: str) -> bool:
    """Whether a process has a file open."""
    return any(os.path.realpath(entry) == path for entry in Path(f"/proc/{process}/fd").iterdir())


def test_a_file_system_without_locks(monkeypatch):
    def refuse(number, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    said = []
    Lock("out", said.append).release()
    assert len(said) == 1 and said[0].startswith("warning: out: can't be locked (No locks available)")
    assert locks.WITHOUT
