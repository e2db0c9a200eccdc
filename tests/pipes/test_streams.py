"""What only real processes show: pipes that end early or late, full disks, kills. Tried with the relay, which is nothing but
the session that every command runs in, and with the two commands that need no model for it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s2h.streams import jsonl
from tests.support.records import lines, pair
from tests.support.waiting import MOST, until

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "relay": f"{sys.executable} {ROOT / 'tests' / 'support' / 'relay.py'}",
    "filter": f"{sys.executable} {ROOT / 'bin' / 's2h-filter'} --length-ratio 0.1:10",
    "mix": f"{sys.executable} {ROOT / 'bin' / 's2h-mix'} --flat",
}
every = pytest.mark.parametrize("name", list(COMMANDS))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(script: str, data: bytes = b"", it: str = "relay") -> subprocess.CompletedProcess:
    """Runs a pipe in bash; {it} stands for one of the commands."""
    script = script.replace("{it}", COMMANDS[it])
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], input=data, capture_output=True, timeout=MOST
    )


def told(done: subprocess.CompletedProcess) -> list[str]:
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr, done.stderr.decode()
    return done.stderr.decode().splitlines()


@every
def test_a_reader_that_leaves(name):
    Path("in.jsonl").write_bytes(lines(3000))
    done = shell("{it} in.jsonl | head -n 1; echo ${PIPESTATUS[0]}", it=name)
    assert told(done) == []
    record, status = done.stdout.splitlines()
    assert record.startswith(b'{"id":"r')
    assert status == b"141"


@every
def test_a_bad_line(name):
    data = lines(16) + b"{bad\n" + jsonl.dump(pair("last"))
    done = shell("{it}", data, it=name)
    assert done.returncode == 1
    assert len(told(done)) == 1
    assert "<stdin>:17: not JSON" in told(done)[0]
    Path("l1.jsonl").write_bytes(data)
    assert "l1.jsonl:17: not JSON" in told(shell("{it} l1", it=name))[0]
    done = shell("{it} --on-error skip", data, it=name)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 17
    assert "skipped 1 record: 1 not JSON" in told(done)[-1]


@pytest.mark.parametrize("name", ["relay", "filter"])
def test_what_was_written_before_a_bad_line_stays(name):
    assert len(shell("{it}", lines(16) + b"{bad\n", it=name).stdout.splitlines()) == 16


@every
def test_an_empty_stream(name):
    done = shell("{it} < /dev/null", it=name)
    assert (done.returncode, done.stdout) == (0, b"")


@every
def test_line_separators_in_strings(name):
    data = jsonl.dump(pair("a", note="x\u2028y\u2029z\x85w"))
    done = shell("{it}", data, it=name)
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1
    assert b"x\xe2\x80\xa8y\xe2\x80\xa9z\xc2\x85w" in done.stdout


@pytest.mark.parametrize("name", ["relay", "filter"])
def test_output_flows_before_input_ends(name):
    command = COMMANDS[name].split()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        process.stdin.write(lines(1))
        assert b'"id":"r0"' in process.stdout.readline()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(MOST) == 0


@every
def test_a_producer_that_is_killed(name):
    Path("in").write_bytes(lines(200))
    done = shell("(head -c 5000 in; kill -9 $BASHPID) | {it}; echo ${PIPESTATUS[*]} >&2", it=name)
    assert told(done)[-1] == "137 1"
    assert "<stdin>:" in told(done)[-2] and "not JSON" in told(done)[-2]


@every
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk(name):
    for script in ("{it} > /dev/full", "{it} -o /dev/full"):
        done = shell(script, lines(50), it=name)
        assert done.returncode == 1
        assert [line for line in told(done) if "No space left on device" in line] == told(done)[-1:]


def test_a_kill_in_the_middle_of_a_file():
    Path("out.jsonl").write_bytes(b"old")
    Path("in.jsonl").write_bytes(lines(2000))
    command = [*COMMANDS["relay"].split(), "in.jsonl", "--pause", "1", "-o", "out.jsonl"]
    with subprocess.Popen(command) as process:
        until(lambda: list(Path().glob(".out.jsonl.*.part")), process)
        process.kill()
    assert Path("out.jsonl").read_bytes() == b"old"
    leftover = list(Path().glob(".*.part"))
    assert leftover
    # What is left over neither is found by a name nor stands in the way of the next run.
    assert shell("{it} -o out.jsonl", lines(3)).returncode == 0
    assert len(list(jsonl.read("out"))) == 3


def test_an_interrupt():
    Path("in.jsonl").write_bytes(lines(2000))
    command = [*COMMANDS["relay"].split(), "in.jsonl", "--pause", "1", "-o", "out.jsonl"]
    # A script's background jobs, as which these tests may run, ignore interrupts and hand that on.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, **heard) as process:
        # Past the imports: Python forgets an interrupt that comes in a callback of theirs.
        until(lambda: any(part.stat().st_size for part in Path().glob(".*.part")), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(MOST) == 130
        assert process.stderr.read().decode() == "relay.py: interrupted\n"
    assert os.listdir() == ["in.jsonl"]


def test_a_fault_of_the_program_leaves_the_old_file():
    Path("out.jsonl").write_bytes(b"old")
    done = shell("{it} --break-at 3 -o out.jsonl", lines(5))
    assert done.returncode == 1
    assert "unforeseen KeyError" in told(done)[0]
    assert Path("out.jsonl").read_bytes() == b"old"
    assert b"Traceback" in shell("S2H_DEBUG=1 {it} --break-at 3", lines(5)).stderr


@every
def test_files_and_streams_give_the_same(name):
    Path("a.jsonl").write_bytes(lines(5))
    assert (
        shell("{it} a.jsonl -o b.jsonl.gz && {it} b -o c.jsonl.zst && {it} c -o a.jsonl", it=name).returncode
        == 0
    )
    assert sorted(record["id"] for record in jsonl.read("c")) == [f"r{i}" for i in range(5)]
    streamed = shell("{it} < a.jsonl", it=name).stdout
    assert streamed.count(b"\n") == 5
    assert shell("{it} a.jsonl -o d.jsonl.gz && zcat d.jsonl.gz", it=name).stdout == streamed


def test_closed_streams():
    done = shell("{it} <&-")
    assert (done.returncode, told(done)) == (
        1,
        ["relay.py: standard input is closed (name a file, or pipe records in)"],
    )
    done = shell("{it} >&-", lines(1))
    assert (done.returncode, told(done)) == (1, ["relay.py: standard output is closed (use -o FILE)"])


def test_a_missing_file():
    done = shell("{it} l9")
    assert done.returncode == 1
    assert told(done)[0].startswith("relay.py: no such file: l9 ")
    assert shell("{it} --no-such-option").returncode == 2


def test_standard_output_and_errors_both_gone():
    Path("in.jsonl").write_bytes(lines(3000) + b"{bad\n")
    done = shell("{it} in.jsonl 2>&1 | head -n 1; echo ${PIPESTATUS[0]}")
    assert done.stdout.splitlines()[-1] == b"141"


@pytest.mark.skipif(not shutil.which("jq"), reason="no jq")
def test_records_pass_through_other_tools():
    done = shell("{it} | jq -c . | {it} | jq -r .id | tail -n 1", lines(20))
    assert (done.returncode, done.stdout) == (0, b"r19\n")
