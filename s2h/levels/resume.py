"""Where a run of s2h-gen goes on that was killed: at the block of slots that the last pair in its file is of, as that may be
cut short. At most one batch is made again."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from s2h import files
from s2h.growing import Growing
from s2h.levels import BLOCK
from s2h.record import RecordError

_SLOT = re.compile(r"(.+)-(\d{6,})(?:-twin)?")


class Place(NamedTuple):
    """first: the slot to begin with; length and count: bytes and records of the file that stay; prefix: of their ids."""

    first: int = 0
    length: int = 0
    count: int = 0
    prefix: str = ""


class Partial(Growing):
    """A writer of `path` that a later run can continue. first: the slot to begin with."""

    def __init__(self, path: str, resume: bool = False) -> None:
        partial = files.beside(files.target(path), ".partial")
        place = find(partial) if resume and os.path.exists(partial) else Place()
        super().__init__(path, place.length, place.count)
        self.first, self._prefix = place.first, place.prefix

    def write(self, record: dict) -> None:
        if self._prefix and not record["id"].startswith(self._prefix + "-"):
            raise RecordError(
                f"{self.partial}: was begun by other arguments: its pairs are {self._prefix}-…, this run's "
                f"{record['id']}",
                remedy="repeat them, or leave --resume out and begin anew",
            )
        super().write(record)


def find(path: str) -> Place:
    """The block of the last whole record of a file. Raises RecordError where the pairs aren't s2h-gen's."""
    import orjson

    place, prefix, length = Place(), "", 0
    with open(path, "rb") as file:
        for number, line in enumerate(file):
            if not line.endswith(b"\n"):
                break
            try:
                found = _SLOT.fullmatch(orjson.loads(line)["id"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                break
            if not found or (prefix and found[1] != prefix):
                raise RecordError(f"{path}: holds pairs that s2h-gen didn't write", remedy="remove it")
            prefix = found[1]
            block = int(found[2]) // BLOCK * BLOCK
            if block > place.first:
                place = Place(block, length, number)
            length += len(line)
    return place._replace(prefix=prefix)
