"""Resume a command after a kill, with the same output bytes as an uninterrupted run. s2h-gen, s2h-filter and s2h-eval use
it. During a run, and after a kill, these files are beside its output NAME:

    NAME.partial    the records written so far; the rejects have such a file too
    NAME.progress   the notes: one line of JSON, and after it a line for each partial answer
    .NAME.lock      held by the session of the command (s2h/streams/locks.py), which opens and closes the journal under it

The notes hold the arguments of the run, its position in the input, and how many bytes each output has for that position.
They are replaced as a whole, after these bytes have reached the disk. Later bytes of an output are written again.

    journal = Journal(["kept.jsonl", "rejects.jsonl"], {"seed": 0}, resume=True)
    with journal.open() as kept:
        for number, record in islice(enumerate(records, 1), journal.position, None):
            (kept if good(record) else journal.outputs[1]).write(record)
            journal.reached(number, record.where)
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, BinaryIO

from s2h.record import Record, RecordError
from s2h.streams import PARTIAL, WORK, files, jsonl, parse

VERSION = 3
EVERY = 1.0  # seconds between two notes
SHARE = 50  # a run works at least so many times longer than it waits for its notes to reach the disk
BUFFER = 1 << 18
_HEAD = b'{"digest": "'  # the beginning of notes
START_AGAIN = "start again without --resume"
_MARK = attrgetter("size", "count")  # bytes and records of an output


class Journal:
    """The outputs of a run and the notes about them. Without paths it keeps nothing.

    paths: the outputs, the main one first; `open` opens them. arguments: all that the result depends on; a run can be
    resumed only with the same ones. buffered: whether records may wait in memory until the next note. image_dir: that of the
    outputs (jsonl.Writer).

    position: number of inputs (records, questions, slots) that are done. last: a text for the input there, by which a later
    run checks that the input is the same. state: other values for a later run; a function among them is called when a
    note is written. since: the partial answers after `position`. name: path of the main output's partial file.
    """

    def __init__(
        self,
        paths: Sequence[str] = (),
        arguments: dict[str, Any] | None = None,
        *,
        resume: bool = False,
        buffered: bool = False,
        image_dir: str = "",
    ) -> None:
        self._paths, self._resume, self.buffered = list(paths), resume, buffered
        self.image_dir = image_dir
        self.arguments = json.loads(json.dumps(arguments or {}, default=str))
        self.state: dict[str, Any] = {}
        self.since: list[Any] = []
        self.outputs: list[Growing] = []
        # Position, last, bytes and records of each output there: one value, so that no interrupt comes between them.
        self._at = 0, "", [(0, 0)] * len(self._paths)
        self._noted: int | None = None  # the position in the notes, None while they are an earlier run's
        self._file: Any = None  # the open notes, to which answers can be added
        self._due = time.monotonic() + EVERY
        if self._paths:
            self.name, self._notes, self._draft = (_beside(paths[0], suffix) for suffix in WORK)

    @property
    def position(self) -> int:
        return self._at[0]

    @property
    def last(self) -> str:
        return self._at[1]

    def read(self) -> bool:
        """Read the notes of the run to resume, if there are any. Return whether that run was moving its files to their
        places. Raises RecordError if the notes are damaged or those of another run."""
        if not self._resume or not self._paths:
            return False
        self._refuse_foreign()
        try:
            with open(self._notes, "rb") as file:
                notes = _opened(file.readline(jsonl.MAX_LINE))
                rest = file.read() if notes else b""
        except FileNotFoundError:
            return False
        if notes is None:  # another process has changed them since they were checked
            raise RecordError(f"{self._notes}: is damaged", remedy=START_AGAIN)
        if notes["version"] != VERSION:
            raise RecordError(f"{self._notes}: was written by another version of s2h", remedy=START_AGAIN)
        if differences := list(_differences(notes["arguments"], self.arguments)):
            raise RecordError(
                f"{self.name}: was started with different arguments: {'; '.join(differences)}",
                remedy=f"repeat them, or {START_AGAIN}",
            )
        self._at = notes["position"], notes["last"], notes["outputs"]
        self._noted, self.state, self.since = self.position, notes["said"], list(_whole(rest))
        return notes["finishing"]

    def open(self) -> Growing:
        """Open the outputs, at the end of what an earlier run wrote if this one resumes it. Return the main output, whose
        `close` and `discard` are the journal's. Raises RecordError, OSError."""
        if not self._resume:
            self._refuse_foreign()
        finishing = self.read()
        try:
            for path, (length, count) in zip(self._paths, self._at[2], strict=True):
                self.outputs.append(Growing(path, self, length, count, finishing))
        except BaseException:
            self.discard()
            raise
        return self.outputs[0]

    def _refuse_foreign(self) -> None:
        """Raise RecordError if a file beside the outputs has the name of a work file and is not from an earlier run with the
        same outputs. A partial file of such a run is empty, or its notes name it."""
        if not self._paths:
            return
        vouched: list[str] = []

        def is_notes(file: BinaryIO) -> bool:
            notes = _opened(file.readline(jsonl.MAX_LINE))
            vouched.extend(notes.get("names", self._names()) if notes else ())
            return notes is not None

        files.refuse_foreign(self._notes, is_notes)
        files.refuse_foreign(self._draft, _begins_notes)
        for path, name in zip(self._paths, self._names(), strict=True):
            is_ours = _is_any if name in vouched else _is_empty
            files.refuse_foreign(_beside(path, PARTIAL), is_ours)

    def _names(self) -> list[str]:
        """Return the paths of the partial files, relative to the folder of the notes."""
        folder = os.path.dirname(self._notes) or "."
        return [os.path.relpath(_beside(path, PARTIAL), folder) for path in self._paths]

    def reached(self, position: int, last: str = "", since: Iterable[Any] = ()) -> None:
        """Note, once a second, that the input before this position is done and its results are written. since: the partial
        answers after it that are known."""
        if position == self._at[0]:
            return
        self._at = position, last, self._marks()
        self.since = list(since)
        if self.outputs and time.monotonic() >= self._due:
            self._note()

    def add(self, answer: Any) -> None:
        """Note a partial answer about the input after the position."""
        self.since.append(answer)
        if not self.outputs:
            return
        if self._file is None or self._noted != self.position:
            self._note()
        else:
            self._write(_line(answer))

    def begin(self) -> None:
        """Write this run's first note, before it cuts off what an earlier run wrote."""
        if self._noted is None:
            self._note()

    def close(self) -> None:
        """Move the outputs to their places, the main one last, and remove the notes. They tell a later run that a kill came
        in between."""
        for output in self.outputs:
            output.make_room()
        self._at = self.position, self.last, self._marks()
        self._note(finishing=True)
        for output in reversed(self.outputs):
            output.finish()
        self._file.close()
        for left in (self._draft, self._notes):
            with contextlib.suppress(OSError):
                os.unlink(left)

    def discard(self) -> None:
        """Close the files of a run that has failed. A later run can resume from its position, or from an earlier run's."""
        with contextlib.suppress(OSError):  # a full disk has its own message already
            if self._noted not in (None, self.position):
                self._note()
        if self._file is not None:
            self._file.close()
        for output in self.outputs:
            output.give_up()
        with contextlib.suppress(OSError):
            os.unlink(self._draft)

    def _marks(self) -> list[tuple[int, int]]:
        return list(map(_MARK, self.outputs))

    def _note(self, finishing: bool = False) -> None:
        """Replace the notes, after the bytes that they count have reached the disk."""
        started = time.monotonic()
        for output in self.outputs:
            output.sync()
        notes = {
            "version": VERSION, "names": self._names(), "arguments": self.arguments, "position": self.position,
            "last": self.last, "outputs": self._at[2], "said": self.state, "finishing": finishing,
        }  # fmt: skip
        if self._file is not None:
            self._file.close()
        self._file = open(self._draft, "wb")  # noqa: SIM115
        self._write(b"".join([_sealed(notes), *map(_line, self.since)]))
        os.fsync(self._file.fileno())
        os.replace(self._draft, self._notes)
        self._noted = self.position
        now = time.monotonic()
        self._due = now + max(EVERY, SHARE * (now - started))

    def _write(self, lines: bytes) -> None:
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError as error:
            error.filename = error.filename or self._notes
            raise


class Growing(jsonl.Writer):
    """One output of a journal. It keeps the first `length` bytes, `count` records, of an earlier run; the rest is cut off
    when this run writes its first record. finishing: whether the earlier run was moving its files to their places. Raises
    RecordError, OSError."""

    def __init__(self, path: str, journal: Journal, length: int, count: int, finishing: bool) -> None:
        self.path = files.prepare(path)
        self.partial = files.beside(self.path, PARTIAL)
        if finishing and not _size(self.partial) and os.path.isfile(self.path) and _size(self.path) == length:
            os.replace(self.path, self.partial)
        if _size(self.partial) < length:
            raise RecordError(f"{self.partial}: is missing or was cut", remedy=START_AGAIN)
        self._journal, self._buffered, self._kept = journal, journal.buffered, length
        self._cut: int | None = length  # where the first new record goes, None once it is written
        self._file = open(self.partial, "ab", BUFFER)  # noqa: SIM115
        super().__init__(self._file, journal.image_dir)
        self.base, self.size, self.count = os.path.dirname(self.path), length, count

    def kept(self) -> Iterator[Record]:
        """Yield the records of an earlier run that are kept."""
        with open(self.partial, "rb") as file:
            at = 0
            for number, line in enumerate(file, 1):
                if at >= self._kept:
                    return
                at += len(line)
                yield Record(parse.loads(line), where=f"{self.partial}:{number}", base=self.base)

    def put(self, lines: bytes, count: int = 1) -> None:
        if self._cut is not None:
            self.make_room()
        try:
            self._file.write(lines)
            if not self._buffered:
                self._file.flush()
        except OSError as error:
            error.filename = error.filename or self.partial
            raise
        self.size += len(lines)
        self.count += count

    def make_room(self) -> None:
        """Cut off the earlier run's records that this run writes again. Called with the first new record."""
        if self._cut is not None:
            self._journal.begin()
            self._file.truncate(self._cut)
            self._cut = None

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Move the file, which must be synced, to its place."""
        self._file.close()
        os.replace(self.partial, self.path)

    def give_up(self) -> None:
        """Close the file, and remove it if it is empty."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            if not os.path.getsize(self.partial):
                os.unlink(self.partial)

    def close(self) -> None:
        self._journal.close()

    def discard(self) -> None:
        self._journal.discard()


def _beside(path: str, suffix: str) -> str:
    return files.beside(files.target(path), suffix)


def _size(path: str) -> int:
    """Return the size of a file in bytes, 0 if there is none."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _line(value: Any, default: Callable | None = None) -> bytes:
    return json.dumps(value, default=default).encode() + b"\n"


def _sealed(notes: dict) -> bytes:
    """Return the first line of the notes, with a digest that shows that `_sealed` has written them."""
    from hashlib import blake2b

    text = _line(notes, lambda function: function())
    return _line({"digest": blake2b(text, digest_size=16).hexdigest(), "notes": json.loads(text)})


def _opened(line: bytes) -> dict | None:
    """Return the notes in a line of `_sealed`, None for any other line."""
    try:
        notes = json.loads(line)["notes"]
        return notes if _sealed(notes) == line else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_any(file: BinaryIO) -> bool:
    return True


def _is_empty(file: BinaryIO) -> bool:
    return not file.read(1)


def _begins_notes(file: BinaryIO) -> bool:
    """Return whether a file, which a kill may have cut, begins like notes."""
    head = file.read(len(_HEAD))
    return _HEAD.startswith(head)


def _whole(rest: bytes) -> Iterator[Any]:
    """Yield the partial answers, without a last one that a kill has cut."""
    for line in rest.split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except ValueError:
            return


def _differences(before: dict, now: dict) -> Iterator[str]:
    for key in {**before, **now}:
        if before.get(key) != now.get(key):
            yield f"{key} was {str(before.get(key))[:80]} and is {str(now.get(key))[:80]}"
