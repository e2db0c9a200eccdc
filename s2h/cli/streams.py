"""The standard streams of a command, also if they are closed, full, non-blocking, or a pipe whose reader has gone."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import sys

from s2h import accel
from s2h.record import RecordError
from s2h.streams import files


def prepare() -> None:
    """Make the standard streams safe to use. Call it before anything else is opened.

    A closed descriptor 0, 1 or 2 becomes the null device. Otherwise a file that is opened later could get its number, and
    messages of libraries would go into it. Non-blocking streams are made to wait, as the commands expect. In a run of
    several processes, only s2h writes to standard output: gloo's messages about connections go to standard error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # open returns the lowest free number
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stdin = _patient(sys.stdin, 0)
    if accel.launched()[1] > 1 and _is(sys.stdout, 1):
        own = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = open(own, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: SIM115
        sys.stdout = _patient(sys.stdout, own)
    else:
        sys.stdout = _patient(sys.stdout, 1)
    sys.stderr = _patient(sys.stderr, 2)


_kept: list = []  # standard output, while libraries have standard error in its place


@contextlib.contextmanager
def kept_from_libraries():
    """Keep standard output for the command's results: what libraries print in the block goes to standard error. DeepSpeed,
    for example, logs to standard output once a library imports it, and a reader would take that for a record."""
    _kept.append(sys.stdout)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = _kept.pop()


def output():
    """Return standard output as Python's stream, None if it is closed."""
    return _kept[-1] if _kept else sys.stdout


def _patient(stream, number: int):
    """Return the stream, or one like it that waits if the descriptor is non-blocking."""
    if stream is None or not _is(stream, number) or os.get_blocking(number):
        return stream
    raw = files.Patient(number, "r" if number == 0 else "w")
    buffer = io.BufferedReader(raw) if number == 0 else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=stream.line_buffering
    )


def _is(stream, number: int) -> bool:
    """Return whether a text stream writes to this descriptor, and is not one that a test has put there."""
    try:
        return stream.fileno() == number
    except (AttributeError, OSError, ValueError):
        return False


def standard_input(say):
    """Return standard input as a binary stream. say: gets a message if it is a terminal. Raises RecordError if
    it is closed."""
    if sys.stdin is None:
        raise RecordError("standard input is closed", remedy="name a file, or pipe records in")
    if sys.stdin.isatty():
        say("reading records from the terminal; Ctrl-D ends them, --help explains")
    return sys.stdin.buffer


def standard_output(remedy: str = "use -o FILE"):
    """Return standard output without Python's buffers, so that a failed write leaves nothing to flush. Raises RecordError if
    it is closed."""
    if (stream := output()) is None:
        raise RecordError("standard output is closed", remedy=remedy)
    stream.flush()
    return getattr(stream.buffer, "raw", stream.buffer)


def tell(line: str) -> None:
    """Write a line to standard error. If that fails (a full disk, a reader that has gone), drop the line and let the work go
    on."""
    if sys.stderr is None:
        return
    try:
        if "tqdm" in sys.modules:  # a bar may be on the screen
            sys.modules["tqdm"].tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)
        sys.stderr.flush()
    except (OSError, ValueError):
        _to_null(2)


def flush() -> None:
    """Flush standard output, while an error can still be reported."""
    if (stream := output()) is not None:
        stream.flush()


def end(status: int) -> None:
    """End a process that was in a group of processes, with this exit status. What is registered with atexit runs first.
    Python's finalization does not run: gloo's threads, which outlive the group as long as anything refers to it, may need
    the interpreter then, and that ends the process with SIGABRT (pytorch/pytorch#190489). A group on GPUs has gloo's
    threads too."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # None, full, closed
            stream.flush()
    os._exit(status)


def hush() -> None:
    """Point standard output, and standard error if it is gone too, at the null device, so that Python's last flush doesn't
    complain about a reader that has left."""
    _to_null(1)
    if accel.launched()[1] > 1 and (stream := output()) is not None:
        with contextlib.suppress(OSError, ValueError):
            _to_null(stream.fileno())
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _to_null(2)


def _to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError):
        os.dup2(null, number)
    os.close(null)
