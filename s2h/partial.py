"""A file of records that grows under a name of its own (`NAME.partial`) and moves to its place when it is whole, so that
a run that was killed can go on where it was: what it had written is kept, at most its last batch is made again."""

from __future__ import annotations

import contextlib
import os
import re

from s2h import jsonl
from s2h.record import RecordError

_SLOT = re.compile(r"(.+)-(\d{6,})(?:-twin)?")


class Partial(jsonl.Writer):
    """A writer of `path` that a later run can continue.

    first: the slot to begin with: 0, or with `resume` the first of the block that the last record there is of, as that may
    be cut short. What is in the partial file stays there until this run's first record comes.
    """

    def __init__(self, path: str, resume: bool = False) -> None:
        self.path, self.partial = path, path + ".partial"
        self.first, self._prefix = 0, ""  # of the ids of the records that are there already
        self._cut: int | None = 0  # where the first new record goes, until it has come
        kept = 0
        if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path) or "."):
            raise RecordError(f"cannot be written: {path}", remedy="name a file in a folder that exists")
        if resume and os.path.exists(self.partial):
            kept = self._find_place()
        self._file = open(self.partial, "ab")  # noqa: SIM115
        super().__init__(self._file)
        self.base, self.count = os.path.dirname(path), kept

    def _find_place(self) -> int:
        """Find the block of the last whole record; returns the number of records before it."""
        import orjson

        from s2h.levels import BLOCK

        length = 0
        kept = 0
        with open(self.partial, "rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                try:
                    found = _SLOT.fullmatch(orjson.loads(line)["id"])
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    break
                if not found or (self._prefix and found[1] != self._prefix):
                    raise RecordError(
                        f"{self.partial}: holds pairs that s2h-gen didn't write", remedy="remove it"
                    )
                self._prefix = found[1]
                block = int(found[2]) // BLOCK * BLOCK
                if block > self.first:
                    self.first, self._cut, kept = block, length, number
                length += len(line)
        return kept

    def write(self, record: dict) -> None:
        if self._prefix and not record["id"].startswith(self._prefix + "-"):
            raise RecordError(
                f"{self.partial}: was begun by other arguments: its pairs are {self._prefix}-…, this run's "
                f"{record['id']}",
                remedy="repeat them, or leave --resume out and begin anew",
            )
        self._make_room()
        super().write(record)

    def _make_room(self) -> None:
        """Take off what this run makes again, now that it is known to have something to put there."""
        if self._cut is not None:
            self._file.truncate(self._cut)
            self._cut = None

    def close(self) -> None:
        self._make_room()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.partial, self.path)

    def discard(self) -> None:
        """The run has failed: the partial file stays, with what this run or an earlier one wrote, unless it is empty."""
        self._file.close()
        with contextlib.suppress(OSError):
            if os.path.getsize(self.partial) == 0:
                os.unlink(self.partial)
