"""The commands as processes with standard streams of any kind, a few milliseconds each: a server that has imported them
forks itself for each run, and the child gives itself the streams and Python's own objects for them.

    with Server() as server:
        run = server.start("filter", "in.jsonl", out="closed", err="err.txt", cwd=folder)
        status = run.wait()
"""

from __future__ import annotations

import builtins
import io
import itertools
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("gen", "filter", "mix", "eval", "view", "train")


class Server:
    """Starts runs of the commands, one at a time. imported: more modules that the runs find imported."""

    def __init__(self, *imported: str) -> None:
        self._imported = imported

    def __enter__(self) -> Server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._imported],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, name: str, *arguments: str, cwd: Path, dies_at: int = 0, **streams: str) -> int:
        """Start a command and return its process id. dies_at: it is killed at its call of that number, from 1, that changes
        a file of the working directory (see `_doom`). streams: `stdin`, `out` and `err`: a path, "closed", "gone" (a pipe
        without a reader), or a path after "nonblocking:"; a missing one is the null device."""
        said = {"name": name, "arguments": arguments, "cwd": str(cwd), "streams": streams, "dies_at": dies_at}
        self._process.stdin.write(json.dumps(said).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        """The exit status of the run that was started last; negative for a signal."""
        return int(self._process.stdout.readline())

    def run(self, name: str, *arguments: str, cwd: Path, dies_at: int = 0, **streams: str) -> int:
        self.start(name, *arguments, cwd=cwd, dies_at=dies_at, **streams)
        return self.wait()


def _give(number: int, kind: str) -> None:
    """Make a descriptor what the test wants it to be."""
    if kind == "closed":
        os.close(number)
        return
    if kind == "gone":
        reader, made = os.pipe()
        os.close(reader)
    else:
        place = kind.removeprefix("nonblocking:")
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        made = os.open(place, flags)
        os.set_blocking(made, place == kind)
    os.dup2(made, number)
    os.close(made)


_left = itertools.repeat(1)


def _is_last() -> bool:
    return not next(_left)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Doomed(io.FileIO):
    """A file of which every write and cut counts. The write at which the process dies is half done."""

    def write(self, data) -> int:
        if _is_last():
            super().write(memoryview(data)[: len(data) // 2])
            _die()
        return super().write(data)

    def truncate(self, size=None) -> int:
        if _is_last():
            _die()
        return super().truncate(size)


def _doom(at: int) -> None:
    """Kill this process at its call number `at` of those that change a file of the working directory, its name, its length
    or its durability. Journals note all that they can."""
    global _left
    from s2h.streams import journal

    _left = itertools.count(at - 1, -1)
    journal.EVERY = journal.SHARE = 0
    for name in ("replace", "rename", "unlink", "fsync", "truncate", "ftruncate", "write", "pwrite"):
        real = getattr(os, name)

        def call(*arguments, real=real, **named):
            if _is_last():
                _die()
            return real(*arguments, **named)

        setattr(os, name, call)
    real_open, here = open, os.getcwd() + os.sep

    def opened(file, mode="r", buffering=-1, *more, **named):
        ours = not isinstance(file, int) and os.path.realpath(file).startswith(here)
        if not ours or not set(mode) & set("wxa+"):
            return real_open(file, mode, buffering, *more, **named)
        buffered = io.BufferedRandom if "+" in mode else io.BufferedWriter
        raw = buffered(_Doomed(file, mode.replace("b", "").replace("t", "")))
        return raw if "b" in mode else io.TextIOWrapper(raw, *more, **named)

    builtins.open = io.open = opened


def _run(said: dict) -> None:
    os.chdir(said["cwd"])
    if said["dies_at"]:
        _doom(said["dies_at"])
    for number, name in enumerate(("stdin", "out", "err")):
        kind = said["streams"].get(name, os.devnull)
        _give(number, kind)
        stream = None if kind == "closed" else open(number, "w" if number else "r", closefd=False)  # noqa: SIM115
        setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
    sys.argv = ["s2h-" + said["name"], *said["arguments"]]
    import_module(f"s2h.cli.{said['name']}").main(prog_name=sys.argv[0])


def killed(name: str, *arguments: str, cwd: Path, dies_at: int) -> None:
    """Run a command, by itself, that is killed at its call number `dies_at` that changes a file."""
    said = {"name": name, "arguments": arguments, "cwd": str(cwd), "streams": {}, "dies_at": dies_at}
    code = "import json, sys; from tests.support import forks; forks._run(json.loads(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, json.dumps(said)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL


def _serve() -> None:
    for name in COMMANDS:
        import_module(f"s2h.cli.{name}")
    for name in (
        "s2h.mix",
        "s2h.filters.asked",
        "s2h.filters.engine",
        "s2h.levels",
        "s2h.eval.report",
        "s2h.view.gallery",
        *sys.argv[1:],
    ):
        import_module(name)
    for line in os.fdopen(os.dup(0), "rb"):
        child = os.fork()
        if not child:
            try:
                _run(json.loads(line))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 99
            else:
                code = 0
            for stream in (sys.stdout, sys.stderr):  # as Python does at its end
                try:
                    if stream is not None:
                        stream.flush()
                except OSError:
                    code = 120
            os._exit(code)
        os.write(1, b"%d\n" % child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(1, b"%d\n" % status)


if __name__ == "__main__":
    _serve()
