"""The commands as processes with standard streams of any kind, a few milliseconds each: a server that has imported them
forks itself for each run, and the child gives itself the streams and Python's own objects for them.

    with Server() as server:
        server.start("filter", "in.jsonl", out="closed", err="err.txt", cwd=folder)
        status = server.wait()
        text = server.told("filter", "in.jsonl", cwd=folder).stdout

tests/conftest.py starts two of them, `light` and `heavy`, once a session. The runs of a server have one hash seed: a test of
bytes that must not depend on it compares them with those of a process of its own (tests/support/commands.py).
"""

from __future__ import annotations

import builtins
import gc
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("s2h.train.trainer", "s2h.train.run_trainer")  # the modules that import torch when they are imported


class Server:
    """Starts runs of the commands, one at a time. imported: more modules than the project's own that the runs find imported;
    "s2h.models.vlm.load=mini" is a call: what that function imports and reads once a process is there too."""

    def __init__(self, *imported: str) -> None:
        self._imported = imported
        self._child = 0

    def __enter__(self) -> Server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        environment |= {
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "CUDA_VISIBLE_DEVICES": "",
        }  # threads and a use of CUDA don't outlive a fork
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._imported],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, name: str, *arguments: str, cwd: Path, dies_at: int = 0, **streams: str) -> int:
        """Start a command and return its process id. dies_at: it is killed at its call of that number, from 1, that changes
        a file of the working directory (see `_doom`). streams: `stdin`, `out` and `err`: a path, "closed", "gone" (a pipe
        without a reader), or a path after "nonblocking:"; a missing one is the null device."""
        self._end()
        said = {
            "name": name,
            "arguments": arguments,
            "cwd": os.path.abspath(cwd),
            "streams": streams,
            "dies_at": dies_at,
            "cache": os.environ.get("XDG_CACHE_HOME", ""),
        }
        self._process.stdin.write(json.dumps(said).encode() + b"\n")
        self._process.stdin.flush()
        self._child = int(self._process.stdout.readline())
        return self._child

    def wait(self) -> int:
        """The exit status of the run that was started last; negative for a signal."""
        self._child = 0
        return int(self._process.stdout.readline())

    def _end(self) -> None:
        """Kill the run of a test that failed before it waited."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            self.wait()

    def run(self, name: str, *arguments: str, cwd: Path, dies_at: int = 0, **streams: str) -> int:
        self.start(name, *arguments, cwd=cwd, dies_at=dies_at, **streams)
        return self.wait()

    def told(
        self, name: str, *arguments: str, cwd: Path, input: str = "", status: int = 0
    ) -> subprocess.CompletedProcess:
        """One run as that of `tests.support.commands.run`: it must end with the status and without a traceback."""
        with tempfile.TemporaryDirectory() as place:
            stdin, out, err = (Path(place, one) for one in ("stdin", "out", "err"))
            stdin.write_text(input)
            name, streams = name.removeprefix("s2h-"), {"stdin": str(stdin), "out": str(out), "err": str(err)}
            ended = self.run(name, *arguments, cwd=cwd, **streams)
            done = subprocess.CompletedProcess([name, *arguments], ended, out.read_text(), err.read_text())
        assert ended == status and "Traceback" not in done.stderr, done.stderr
        return done


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
    if said["cache"]:
        os.environ["XDG_CACHE_HOME"] = said["cache"]
    if said["dies_at"]:
        _doom(said["dies_at"])
    for number, name in enumerate(("stdin", "out", "err")):
        kind = said["streams"].get(name, os.devnull)
        _give(number, kind)
        stream = None if kind == "closed" else open(number, "w" if number else "r", closefd=False)  # noqa: SIM115
        setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
    sys.argv = ["s2h-" + said["name"], *said["arguments"]]
    import_module(f"s2h.cli.{said['name']}").main(prog_name=sys.argv[0])


def _serve() -> None:
    import pkgutil

    from PIL import Image

    import s2h

    gc.disable()  # what is imported stays, and neither this process nor its runs need to look for cycles in it
    house = [found.name for found in pkgutil.walk_packages(s2h.__path__, "s2h.")]
    ours = [name for name in house if name not in HEAVY]
    for name in (*ours, "orjson", "rapidfuzz.distance", "rapidfuzz.fuzz", "rapidfuzz.process", *sys.argv[1:]):
        function, called, argument = name.partition("=")
        module, _, function = function.rpartition(".") if called else (name, "", "")
        imported = import_module(module)
        if called:
            getattr(imported, function)(argument)
    Image.init()
    gc.freeze()
    gc.enable()
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
