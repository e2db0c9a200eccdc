"""How far a run that filters into a file has come, so that a later one goes on there: what it keeps grows as FILE.partial
and what it drops as REJECTS.partial, and FILE.progress says up to which pair of the input both are whole. All three are
there until the run has ended well; a run that is killed judges its last second again."""

from __future__ import annotations

import contextlib
import os
import time
from hashlib import blake2b
from typing import Any

from s2h import jsonl
from s2h.record import RecordError

VERSION = 1
EVERY = 1.0  # seconds
BUFFER = 1 << 18


class Growing(jsonl.Writer):
    """A writer of `path` whose file grows beside it, from a length that is kept, and moves to its place when it is whole.
    What an earlier run has left stays until this one's first record comes."""

    def __init__(self, path: str, length: int = 0) -> None:
        if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path) or "."):
            raise RecordError(f"cannot be written: {path}", remedy="name a file in a folder that exists")
        self.path, self.partial = path, path + ".partial"
        self._cut: int | None = length
        self._file = open(self.partial, "r+b" if os.path.exists(self.partial) else "wb", BUFFER)  # noqa: SIM115
        super().__init__(self._file)
        self.base = os.path.dirname(path)

    def put(self, lines: bytes, count: int = 1) -> None:
        if self._cut is not None:
            self._make_room()
        try:
            self._file.write(lines)
        except OSError as error:
            error.filename = error.filename or self.partial
            raise
        self.count += count

    def _make_room(self) -> None:
        """Take off what is not kept, after the word that it was whole."""
        if self._cut == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + ".progress")
        if self._cut is not None:
            self._file.truncate(self._cut)
            self._file.seek(self._cut)
            self._cut = None

    def length(self) -> int:
        """How many bytes are in the file, once they are all there."""
        self._make_room()
        self._file.flush()
        return self._file.tell()

    def close(self) -> None:
        self._make_room()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.partial, self.path)

    def discard(self) -> None:
        """The run has failed: what was written stays, unless it is nothing."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            if os.path.getsize(self.partial) == 0:
                os.unlink(self.partial)


class Progress:
    """The progress file of an output. arguments: what the run's result depends on, in a form that JSON has.

    last: the place (FILE:LINE) of the last pair that was dealt with, "" for none; lengths: of output and rejects then;
    said: what else the run noted. Raises RecordError where the file is of another run.
    """

    def __init__(self, path: str, arguments: Any, resume: bool) -> None:
        import orjson

        self.path = path + ".progress"
        self.arguments = blake2b(orjson.dumps(arguments, default=str), digest_size=8).hexdigest()
        self.last, self.lengths, self.said = "", [0, 0], {}
        self._noted = time.monotonic()
        if not resume or not os.path.exists(path + ".partial"):
            return
        try:
            with open(self.path, "rb") as file:
                found = orjson.loads(file.read())
            version, arguments = found["version"], found["arguments"]
            last, lengths, said = found["last"], found["lengths"], found["said"]
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return  # killed before its first note
        if version != VERSION or arguments != self.arguments:
            raise RecordError(
                f"{path}.partial: was begun by other arguments",
                remedy="repeat them, or leave --resume out and begin anew",
            )
        if os.path.getsize(path + ".partial") < lengths[0]:
            raise RecordError(
                f"{path}.partial: is shorter than it was", remedy="leave --resume out and begin anew"
            )
        self.last, self.lengths, self.said = last, lengths, said

    def due(self) -> bool:
        return time.monotonic() - self._noted >= EVERY

    def note(self, last: str, writers: list[Growing], said: dict[str, Any]) -> None:
        """Note that all up to the pair at `last` is in the files."""
        import orjson

        lengths = [writer.length() for writer in writers]
        found = {
            "version": VERSION,
            "arguments": self.arguments,
            "last": last,
            "lengths": lengths,
            "said": said,
        }
        beside = f"{self.path}.part"
        with open(beside, "wb") as file:
            file.write(orjson.dumps(found))
        os.replace(beside, self.path)
        self._noted = time.monotonic()

    def remove(self) -> None:
        for path in (self.path, f"{self.path}.part"):
            with contextlib.suppress(OSError):
                os.unlink(path)
