import errno
import logging
import sys

import click
import pytest
from click.testing import CliRunner

from s2h.cli import common
from s2h.record import RecordError
from s2h.streams import jsonl
from tests.support.records import lines, pair


def command(body):
    """A command whose work is `body(session)`."""

    @click.command("relay")
    @click.argument("files", nargs=-1)
    @common.stream_options
    def main(files, output, seed, quiet, on_error):
        with common.session(output=output, quiet=quiet, on_error=on_error) as work:
            body(work, files)

    return main


def relay(work, files):
    for record in work.read(files):
        work.write(record)


def run(body, *arguments, data=b""):
    return CliRunner().invoke(command(body), list(arguments), input=data)


def raiser(error):
    def body(work, files):
        raise error

    return body


def test_records_pass():
    result = run(relay, data=lines(3))
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, lines(3), "")


def test_no_input_is_no_error():
    assert run(relay).exit_code == 0


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (RecordError("is missing", "id", "f:3", "add it"), 1, "relay: f:3: id: is missing (add it)"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "relay: No space left on device (free some space",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file", "x/y"), 1, "relay: x/y: No such file"),
        (MemoryError(), 1, "relay: out of memory"),
        (KeyboardInterrupt(), 130, "relay: interrupted"),
        (ZeroDivisionError("by\nzero"), 1, "relay: unforeseen ZeroDivisionError: by zero (S2H_DEBUG=1"),
        (click.UsageError("--clip wants a number"), 2, "Error: --clip wants a number"),
    ],
)
def test_errors_end_with_one_line(error, status, message):
    result = run(raiser(error))
    assert result.exit_code == status
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    if status != 2:
        assert result.stderr.count("\n") == 1


def test_model_errors_keep_their_remedy():
    from s2h.models import ModelError

    result = run(raiser(ModelError("no weights for x: name a folder with --model")))
    assert (result.exit_code, result.stderr) == (1, "relay: no weights for x: name a folder with --model\n")


def test_the_traceback_is_there_for_who_asks(monkeypatch):
    monkeypatch.setenv("S2H_DEBUG", "1")
    assert isinstance(run(raiser(ZeroDivisionError())).exception, ZeroDivisionError)


def test_skips_are_counted_by_reason(tmp_path):
    data = lines(2) + b"{bad\n" + jsonl.dump(pair("x") | {"level": 9}) * 14 + lines(1)
    result = run(relay, "--on-error", "skip", data=data)
    assert result.exit_code == 3
    assert result.stdout_bytes == lines(2) + lines(1)
    told = result.stderr.splitlines()
    assert told[0].startswith("relay: skipped: <stdin>:3: not JSON")
    assert told[-1].startswith("relay: skipped 15 records: 14 level: must be 1, 2 or 3, 1 not JSON")
    assert len(told) == 1 + common.SHOWN_SKIPS + 1
    quiet = run(relay, "--on-error", "skip", "--quiet", data=data)
    assert quiet.exit_code == 3
    assert quiet.stderr.splitlines() == told[-1:]


def test_a_bad_record_ends_the_work_and_keeps_what_was_written():
    result = run(relay, data=lines(2) + b"{bad\n" + lines(1))
    assert (result.exit_code, result.stdout_bytes) == (1, lines(2))
    assert result.stderr.startswith("relay: <stdin>:3: not JSON")


def test_a_missing_file_is_not_skipped(tmp_path):
    result = run(relay, "--on-error", "skip", str(tmp_path / "l9"))
    assert result.exit_code == 1
    assert "no such file" in result.stderr


def test_output_files(tmp_path):
    path = tmp_path / "out.jsonl.gz"
    assert run(relay, "-o", str(path), data=lines(2)).exit_code == 0
    assert len(list(jsonl.read(str(path)))) == 2
    before = path.read_bytes()
    assert run(relay, "-o", str(path), data=lines(1) + b"{bad").exit_code == 1
    assert path.read_bytes() == before
    result = run(relay, "-o", str(tmp_path / "none" / "such" / "out.jsonl"), data=lines(1))
    assert result.exit_code == 1
    assert "none" in result.stderr and ".part" not in result.stderr
    assert run(relay, "-o", str(tmp_path / "new" / "out.jsonl"), data=lines(1)).exit_code == 0
    assert len((tmp_path / "new" / "out.jsonl").read_bytes().splitlines()) == 1


def test_dash_means_the_standard_streams(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl.dump(pair("file", ["/x.png"])))
    result = run(relay, str(path), "-", "-o", "-", data=lines(1))
    assert result.stdout_bytes == path.read_bytes() + lines(1)


def test_say_is_silent_when_quiet():
    def talk(work, files):
        work.say("scored with the bundled model")
        assert sum(work.progress(range(4), label="count")) == 6

    assert run(talk).stderr == "relay: scored with the bundled model\n"
    assert run(talk, "--quiet").stderr == ""


def test_help_and_version():
    for flag in ("-h", "--help"):
        result = run(relay, flag)
        assert result.exit_code == 0
        for option in ("--output", "--seed", "--quiet", "--on-error", "--version", "--help"):
            assert option in result.stdout
    assert run(relay, "--version").stdout.split()[-1].count(".") == 2
    assert run(relay, "--on-error", "perhaps").exit_code == 2
    assert run(relay, "--seed", "one").exit_code == 2


def test_a_command_without_records():
    with common.session(None) as work:
        assert work.writer is None
    assert (
        run(lambda work, files: work.writer.write({"adapter": "runs/a"})).stdout == '{"adapter":"runs/a"}\n'
    )


def test_standard_output_is_for_results_only():
    """DeepSpeed prints when a library imports it, and keeps the stream that it has found."""

    def body(work, files):
        print("[INFO] setting the accelerator")
        logging.StreamHandler(sys.stdout).emit(logging.makeLogRecord({"msg": "[WARNING] no accelerator"}))
        relay(work, files)
        work.print('{"kept": 2}')

    result = run(body, data=lines(2))
    assert result.exit_code == 0 and result.stdout_bytes == lines(2) + b'{"kept": 2}\n'
    assert result.stderr == "[INFO] setting the accelerator\n[WARNING] no accelerator\n"


def test_failures_come_before_skips():
    """A skipped record hides no failed audit."""

    def body(work, files):
        work.on_error(RecordError("is missing", "id", "f:3"))
        work.failures.append("search: the words alone tell")

    result = run(body, "--on-error", "skip")
    assert result.exit_code == 1
    assert "relay: skipped 1 record" in result.stderr and result.stderr.endswith(
        "relay: search: the words alone tell\n"
    )
