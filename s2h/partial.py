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
    """A writer of `path` that a later run can continue."""

    def __init__(self, path: str, resume: bool = False) -> None:
        self.path, self.partial = path, path + ".partial"
        self._cut: int | None = None  # where the first new record goes, if not at the end
        self.prefix = ""  # of the ids of the records that are there already
        self.slots: list[
            tuple[int, int]
        ] = []  # of each record that is there: its slot, and where its line begins
        if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path) or "."):
            raise RecordError(f"cannot be written: {path}", remedy="name a file in a folder that exists")
        kept = self._read() if resume and os.path.exists(self.partial) else 0
        self._file = open(self.partial, "r+b" if kept else "wb")  # noqa: SIM115
        self._file.truncate(kept)
        self._file.seek(kept)
        super().__init__(self._file)
        self.base = os.path.dirname(path)

    def _read(self) -> int:
        """Find the records that are there; returns the length of their whole lines."""
        import orjson

        length = 0
        with open(self.partial, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    found = _SLOT.fullmatch(orjson.loads(line)["id"])
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    break
                if not found or (self.prefix and found[1] != self.prefix):
                    raise RecordError(
                        f"{self.partial}: holds pairs that s2h-gen didn't write", remedy="remove it"
                    )
                self.prefix = found[1]
                self.slots.append((int(found[2]), length))
                length += len(line)
        return length

    def continue_from(self, block: int) -> int:
        """The first slot that is to be made: the last one that is there, or the first of its block, is made again, as it may
        be cut short. Its records are taken off when the first new one comes."""
        if not self.slots:
            return 0
        first = self.slots[-1][0] // block * block
        kept = next(length for slot, length in self.slots if slot >= first)
        self.count = sum(slot < first for slot, _ in self.slots)
        self._cut = kept
        return first

    def write(self, record: dict) -> None:
        if self.prefix and not record["id"].startswith(self.prefix + "-"):
            raise RecordError(
                f"{self.partial}: was begun by other arguments: its pairs are {self.prefix}-…, this run's "
                f"{record['id']}",
                remedy="repeat them, or leave --resume out and begin anew",
            )
        if self._cut is not None:  # now that it is known to be the same run
            self._file.truncate(self._cut)
            self._file.seek(self._cut)
            self._cut = None
        super().write(record)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.partial, self.path)

    def discard(self) -> None:
        """The run has failed: what it wrote stays in the partial file, which goes if there is nothing in it."""
        empty = self._file.tell() == 0 and not self.slots
        self._file.close()
        if empty:
            with contextlib.suppress(OSError):
                os.unlink(self.partial)
