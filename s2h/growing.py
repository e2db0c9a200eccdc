"""Files of records that grow under a name of their own (`NAME.partial`) and move to their place when they are whole, so that
a run that was killed can go on where it was. What is kept of an earlier run, each command says: s2h-gen by its slots
(levels/resume.py), s2h-filter and s2h-eval by notes beside the file (filters/progress.py, eval/resume.py)."""

from __future__ import annotations

import contextlib
import os

from s2h import files, jsonl

BUFFER = 1 << 18


class Growing(jsonl.Writer):
    """A writer of `path` that keeps `length` bytes, `count` records, of what an earlier run has left. The rest of that stays
    as well until this run's first record comes. Each record is flushed, unless `buffered`. Errors: RecordError, OSError."""

    def __init__(self, path: str, length: int = 0, count: int = 0, *, buffered: bool = False) -> None:
        self.path = files.prepare(path)
        self.partial = files.beside(self.path, ".partial")
        self._cut: int | None = length  # where the first new record goes, until it has come
        self._buffered = buffered
        self._file = open(self.partial, "r+b" if os.path.exists(self.partial) else "wb", BUFFER)  # noqa: SIM115
        super().__init__(self._file)
        self.base, self.count = os.path.dirname(path), count

    def put(self, lines: bytes, count: int = 1) -> None:
        self._make_room()
        try:
            self._file.write(lines)
            if not self._buffered:
                self._file.flush()
        except OSError as error:
            error.filename = error.filename or self.partial
            raise
        self.count += count

    def _make_room(self) -> None:
        """Take off what this run makes again, now that it is known to have something to put there."""
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
        """The run has failed: what this run or an earlier one wrote stays, unless it is nothing."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            if os.path.getsize(self.partial) == 0:
                os.unlink(self.partial)


def take_back(path: str, length: int) -> None:
    """Make a finished file of just this length the work file again: its run noted that it was finishing, and was killed
    before all its files were in their places or before it removed its notes."""
    path = files.target(path)
    partial = files.beside(path, ".partial")
    if not os.path.exists(partial) and os.path.isfile(path) and os.path.getsize(path) == length:
        os.replace(path, partial)


def can_grow(path: str) -> bool:
    """Whether a file of this name can be continued: one on a disk that isn't compressed."""
    return (
        path != "-"
        and not path.endswith((".gz", ".zst"))
        and (os.path.isfile(path) or not os.path.exists(path))
    )
