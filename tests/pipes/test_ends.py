"""Standard streams of every kind under every command: closed, full, without a reader, non-blocking, slow. The output is
written as it would be into a file, or there is one error and a status that says so."""

import array
import fcntl
import json
import os
import termios
from pathlib import Path

import pytest
from PIL import Image

from tests.support.records import lines
from tests.support.waiting import until

PREDICTION = {
    "correct": True,
    "parsed": "A",
    "id": "q",
    "bench": "mine",
    "answer": "A",
    "response": "A" * 900,
    "choices": {"A": "x", "B": "y"},
}
COMMANDS = {
    "gen": "gen kinship -n 4 --size 32 --quiet",
    "filter": "filter in.jsonl --length-ratio 0.1:10 --quiet",
    "mix": "mix --flat in.jsonl --quiet",
    "interleave": "mix --interleave in.jsonl --quiet",
    "score": "eval --score before.jsonl --quiet",
    "compare": "eval --compare before.jsonl after.jsonl --quiet",
    "list": "eval --list",
    "view": "view in.jsonl --quiet",
    "help": "gen --help",
}
every = pytest.mark.parametrize("name", COMMANDS)
SMALL = 4096  # bytes that a pipe holds in these tests


@pytest.fixture(scope="module")
def server(light):
    return light


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("ends")
    (made / "in.jsonl").write_bytes(lines(30))
    for name in ("one", "two"):
        Image.new("RGB", (32, 32)).save(made / f"{name}.png")
    for name in ("before", "after"):
        told = ({**PREDICTION, "id": f"q{i}", "model": name} for i in range(6))
        (made / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    return made


@pytest.fixture(scope="module")
def expected(server, folder):
    """What each command writes into a file."""
    found = {}
    for name, line in COMMANDS.items():
        assert server.run(*line.split(), cwd=folder, out=f"{name}.out", err=f"{name}.err") == 0
        assert (folder / f"{name}.err").read_text() == ""
        found[name] = (folder / f"{name}.out").read_bytes()
        assert len(found[name]) > 400
    return found


@pytest.fixture
def run(server, folder, tmp_path):
    """Run a command with its messages in a file; returns its status and these."""

    def start(line: str, **streams) -> tuple[int, list[str]]:
        err = tmp_path / "err"
        err.touch()
        status = server.run(*line.split(), cwd=folder, **{"err": str(err), **streams})
        return status, err.read_text().splitlines()

    return start


@every
def test_standard_output_is_closed(run, name):
    status, told = run(COMMANDS[name], out="closed")
    assert status == 1 and len(told) == 1 and "standard output is closed" in told[0]


def test_a_training_run_whose_result_would_be_lost_does_not_begin(run, folder):
    status, told = run("train --model mini in.jsonl -o run", out="closed")
    assert status == 1 and "standard output is closed" in told[0] and not (folder / "run").exists()


@every
def test_standard_output_is_full(run, name):
    status, told = run(COMMANDS[name], out="/dev/full")
    assert status == 1 and len(told) == 1 and "No space left on device" in told[0]


@every
def test_the_reader_has_gone(run, name):
    assert run(COMMANDS[name], out="gone") == (141, [])


@every
@pytest.mark.parametrize("kind", ["closed", "/dev/full", "gone"])
def test_standard_error_is_of_no_use(run, expected, tmp_path, name, kind):
    out = tmp_path / "out"
    line = COMMANDS[name].replace(" --quiet", "")
    assert run(line, out=str(out), err=kind)[0] == 0
    assert out.read_bytes() == expected[name]


@every
def test_all_streams_are_closed_and_files_are_written_all_the_same(run, expected, folder, name):
    if name in ("list", "help", "compare"):
        pytest.skip("writes standard output only")
    closed = dict.fromkeys(("stdin", "out", "err"), "closed")
    assert run(f"{COMMANDS[name]} -o {name}.closed".replace(" --quiet", ""), **closed)[0] == 0
    assert (folder / f"{name}.closed").read_bytes() == expected[name]


@every
@pytest.mark.parametrize("kind", ["", "nonblocking:"])
def test_the_reader_is_slow(server, expected, folder, tmp_path, name, kind):
    pipe, err = str(tmp_path / "pipe"), tmp_path / "err"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, SMALL)
    child = server.start(*COMMANDS[name].split(), cwd=folder, out=kind + pipe, err=str(err))
    need = min(SMALL - 2000, len(expected[name]))  # a line that doesn't fit is not begun
    until(lambda: waiting_in(reader) >= need or gone(child))
    os.set_blocking(reader, True)
    found = b""
    while piece := os.read(reader, 100):
        found += piece
    os.close(reader)
    assert (server.wait(), err.read_text()) == (0, "")
    assert found == expected[name]


@pytest.mark.parametrize("name", ["filter", "mix", "interleave", "view"])
def test_standard_input_is_non_blocking(server, folder, expected, tmp_path, name):
    pipe, out = str(tmp_path / "pipe"), tmp_path / "out"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    server.start(
        *COMMANDS[name].replace("in.jsonl", "-").split(),
        cwd=folder,
        stdin=f"nonblocking:{pipe}",
        out=str(out),
    )
    data = (folder / "in.jsonl").read_bytes()
    for start in range(0, len(data), 700):  # lines in pieces
        os.write(held, data[start : start + 700])
        until(lambda: waiting_in(held) == 0)
    os.close(held)
    assert server.wait() == 0
    assert len(out.read_bytes()) == len(expected[name])


def waiting_in(pipe: int) -> int:
    """Bytes in a pipe that nobody has read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def gone(child: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
