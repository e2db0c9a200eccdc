"""One run of a command over hostile files, and what must hold of every run: the exit status is a documented one, no
traceback and no unforeseen error, every record is kept, rejected or counted as skipped, the inputs stay as they were,
nothing is written outside the named places, and what is written is whole and can be read again.

A `Case` is all that a run needs, so that its `repr` is the reproducing example; `keep` writes one as a folder."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import shlex
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from s2h import record
from s2h.images.decoding import open_images
from s2h.streams import jsonl
from tests.support.photos import encoded

SECONDS = 120  # a run of so few records that lasts longer hangs
GROWTH = (
    512 << 20
)  # bytes that the peak of memory may grow in one run, with the libraries that the first one loads
SECRET = encoded("a secret", "PNG")
OUTSIDE = ("secret.png", "elsewhere.jpg", "elsewhere.txt")
tried: Counter = Counter()  # runs by command and "records"; the long run reports it


# What a stage writes anew: references, what it adds, and the short forms of id, prompt and answers.
WRITTEN = {
    "id", "images", "rejected_images", "prompt", "chosen", "rejected", "scores", "stage", "dropped", "grounding",
}  # fmt: skip


class Link(str):
    """A symbolic link to this target."""


class Pipe:
    """A named pipe."""

    def __repr__(self) -> str:
        return "Pipe()"


class Case(NamedTuple):
    """A command line that writes below out/ alone, and the files that it finds. In the files, @ROOT@ stands for the folder
    of the run. read: how many records its inputs have, None where that can't be told; last: whether --on-error skip must
    reach the end, as it must unless a file is of no use as a whole."""

    line: str
    files: dict[str, object]
    read: int | None = None
    last: bool = True


class Hang(BaseException):
    """A run that does not end."""


class Outcome(NamedTuple):
    status: int
    stderr: str
    skipped: int


def lay_out(case: Case, root: Path) -> None:
    """Write the files of a case below a folder."""
    for name, content in {**case.files, "secret.png": SECRET, "elsewhere.jpg": encoded("elsewhere"),
                          "elsewhere.txt": b"A purple lamp."}.items():  # fmt: skip
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(content, Link):
            os.symlink(os.fsencode(content), path)
        elif isinstance(content, Pipe):
            os.mkfifo(path)
        else:
            with open(path, "wb") as file:
                file.write(content.replace(b"@ROOT@", os.fsencode(root)))


def keep(case: Case, folder: Path) -> None:
    """Write a case as a folder, its command in `cmd`."""
    folder.mkdir(parents=True)
    lay_out(case, folder.resolve())
    name, arguments = case.line.split(" ", 1)
    (folder / "cmd").write_text(f"s2h-{name} {arguments}\n", encoding="utf-8", errors="surrogateescape")


def check(case: Case) -> Outcome:
    """Run a case in a folder of its own and check all that must hold."""
    name, *arguments = shlex.split(case.line)
    tried[name] += 1
    tried["records"] += case.read or 0
    with in_folder(case):
        before = _contents()
        peak = _peak()
        done = _run(name, arguments)
        grown = _peak() - peak
        told = f"{case.line}\n{done.stderr}"
        assert done.exception is None or isinstance(done.exception, SystemExit), f"{done.exception!r}: {told}"
        assert done.exit_code in (0, 1, 2, 3), f"status {done.exit_code}: {told}"
        assert "Traceback" not in done.stderr and "unforeseen" not in done.stderr, told
        assert not re.search("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]", done.stderr), (
            f"control characters: {told!r}"
        )
        assert grown < GROWTH, f"{grown >> 20} MiB more: {told}"
        after = _contents()
        assert before.items() <= after.items(), f"an input was changed: {told}"
        beside = {path for path in after.keys() - before.keys() if not path.startswith(b"out/")}
        assert not beside, f"written elsewhere: {beside}: {told}"
        left = {path for path in after if path.startswith(b"out/") and path.endswith((b".part", b".lock"))}
        assert not left, f"left behind: {left}: {told}"
        match = re.search(r": skipped (\d+) records?: ", done.stderr)
        outcome = Outcome(done.exit_code, done.stderr, int(match[1]) if match else 0)
        assert (outcome.skipped > 0) == (outcome.status == 3) or outcome.status == 1, f"status {told}"
        if "--on-error skip" in case.line and case.last:
            assert outcome.status in (0, 3), f"ended: status {outcome.status}: {told}"
        if outcome.status in (0, 3):
            _account(case, name, arguments, outcome, told)
        return outcome


def _run(name: str, arguments: list[str]):
    main = import_module(f"s2h.cli.{name}").main
    with timed():
        return CliRunner().invoke(main, arguments, prog_name=f"s2h-{name}")


@contextmanager
def timed() -> Iterator[None]:
    """Raise Hang in a block that does not end."""

    def hang(*_: object) -> None:
        raise Hang(f"more than {SECONDS} s")

    earlier = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _account(case: Case, name: str, arguments: list[str], outcome: Outcome, told: str) -> None:
    """kept + skipped + rejected = read, and what was kept is sound."""
    if name == "gen":
        _pairs(told)
        return
    written = sum(_count(path) for path in Path("out").glob("*") if path.suffix != ".png")
    if case.read is not None:
        assert written + outcome.skipped == case.read, f"{written} written of {case.read}: {told}"
    if name in ("filter", "mix") and "--to" not in arguments:
        for path in Path("out").glob("*.jsonl"):
            for found in jsonl.read(str(path), check=None):
                record.check(found)
            _untouched(path, told)


def _count(path: Path) -> int:
    """How many records an output holds; 0 where it is a report."""
    if path.name.startswith(("report", "dataset_info")) or path.name.endswith((".meta.json", ".trl.yaml")):
        return 0
    if path.is_dir():
        return sum(map(_count, path.glob("*.jsonl")))
    if path.suffix == ".html":
        return path.read_bytes().count(b"<article")
    if path.suffix == ".json":
        return len(json.loads(path.read_bytes()))
    if path.suffix == ".parquet":
        from pyarrow.parquet import ParquetFile

        return ParquetFile(path).metadata.num_rows
    return sum(
        1 for line in path.read_bytes().split(b"\n") if line and json.loads(line, parse_int=str) is not None
    )


def _untouched(path: Path, told: str) -> None:
    """Every field that no stage adds is as it was read, to the last digit."""

    def fields(line: bytes) -> Iterator[str]:
        def integer(text: str) -> int | str:
            return int(text) if len(text) < 400 else text

        def number(text: str) -> str:
            return float(text).hex() if math.isfinite(float(text)) else text

        found = json.loads(line, parse_float=number, parse_int=integer)
        for one in found if isinstance(found, list) else [found]:  # a file may be one list
            if isinstance(one, dict):
                kept = {name: one[name] for name in one if name not in WRITTEN}
                yield json.dumps(kept, sort_keys=True)

    given: set[str] = set()
    for name in os.listdir("in"):
        data = Path("in", name).read_bytes() if name.endswith(".jsonl") else b""
        for line in data.split(b"\n"):
            try:
                given.update(fields(line.removeprefix(jsonl.BOM)))
            except (ValueError, RecursionError):
                continue
    if given and not any(name.endswith((".gz", ".zst")) for name in os.listdir("in")):
        for line in filter(None, path.read_bytes().split(b"\n")):
            assert given.issuperset(fields(line)), f"changed: {line[:300]!r}: {told}"


def _pairs(told: str) -> None:
    """The pairs of s2h-gen keep the rules, and their images open and come from the source or the store."""
    for path in Path("out").glob("*.jsonl"):
        for pair in jsonl.read(str(path)):
            open_images(pair)
            for reference in pair["images"]:
                assert not reference.endswith("secret.png"), told
    for path in Path("out").rglob("*.png"):
        assert path.read_bytes() != SECRET, f"a file outside the source is in the store: {told}"


@contextmanager
def in_folder(case: Case) -> Iterator[None]:
    """Work in a temporary folder that holds the files of a case."""
    earlier = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="s2h-robust-") as folder:
        lay_out(case, Path(folder))
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(earlier)


def _contents() -> dict[bytes, object]:
    """Path -> contents of every file below the working directory."""
    found: dict[bytes, object] = {}
    for place, folders, names in os.walk(b"."):
        for name in [*names, *folders]:
            path = os.path.join(place, name)
            shown = os.path.relpath(path, b".")
            if os.path.islink(path):
                found[shown] = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[shown] = file.read()
    return found


def _peak() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10
