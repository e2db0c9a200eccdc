"""Keep the position of every record in columns, 24 bytes a record whatever its size. The records stay in their files, which
are kept open; those from streams and compressed files wait in one temporary file, the spool."""

from __future__ import annotations

import bisect
import contextlib
import os
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from s2h import shorthand
from s2h.mix.scan import Found, Kind, Wanted, order_key, read_whole
from s2h.record import Record, RecordError
from s2h.streams import parse

if TYPE_CHECKING:
    import numpy

BLOCK = 1 << 22  # bytes that are read at a time to count lines


@dataclass
class Input:
    """One input. name: its name in messages. base: the folder that its references start at. file: the descriptor of the open
    file with its lines. begin: the offset of the first line. first: the row of its first record. state: size and
    modification time of the file, None for lines in the spool."""

    name: str
    base: str
    file: int
    begin: int = 0
    first: int = -1
    state: tuple[int, int] | None = None


class Index:
    """The records of all inputs. A row is a position in the columns. A context manager that closes the files.

    offset, length: of the line. order: the 64-bit key by which the row is shuffled. kind: a position in `kinds`. margins:
    chosen - rejected of the scores, by name; empty if not wanted. links: a file of `linked` entries (scan.LINK), one for
    everything that a row may share with others. Rows from `copied` on are copies of the row that `origin` names, in the
    order in which they were made; their ids are those of `copy_name`.
    """

    def __init__(self, wanted: Wanted, spool: BinaryIO, links: BinaryIO | None = None) -> None:
        self.wanted, self.spool, self.links, self.linked, self.spooled = wanted, spool, links, 0, 0
        self.offset, self.length = array("q"), array("I")
        self.order, self.kind = array("Q"), array("I")
        self.margins = {"ref": array("f"), "clip": array("f")} if wanted.margins else {}
        self.kinds: dict[Kind, int] = {}
        self._in_layout: list[bool] = []  # by kind: whether its lines are completed when they are read
        self.inputs: list[Input] = []
        self.dropped: set[int] = set()
        self.origin, self.number = array("I"), array("H")
        self.copied = 0xFFFFFFFF
        # Input, and the offset up to which its lines were counted, with their number.
        self._counted: tuple[Input, int, int] | None = None
        self._open = contextlib.ExitStack()

    def __len__(self) -> int:
        return len(self.offset)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open(self, name: str, base: str, path: str | None) -> Input:
        """Add an input: the file at `path`, or None for lines that will be in the spool."""
        one = Input(name, base, self.spool.fileno())
        if path is not None:
            one.file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            self._open.callback(os.close, one.file)
            one.state = _state(one.file)
        self.inputs.append(one)
        return one

    def add(self, found: Found) -> None:
        """Add the columns of a span of the newest input."""
        import numpy as np

        self.offset.frombytes(found.offset.tobytes())
        self.length.frombytes(found.length.tobytes())
        self.order.frombytes(found.order.astype("<u8").tobytes())
        known = [self.kinds.setdefault(kind, len(self.kinds)) for kind in found.kinds]
        self._in_layout = [kind.layout is not None for kind in self.kinds]
        self.kind.frombytes(np.array(known, "<u4")[found.kind].tobytes())
        if self.wanted.margins:
            self.margins["ref"].frombytes(found.ref.tobytes())
            self.margins["clip"].frombytes(found.clip.tobytes())
        if len(found.links):
            links = found.links.copy()
            links["row"] += len(self) - len(found.offset)
            assert self.links is not None  # links are looked for where there is a file for them
            self.links.write(links.tobytes())
            self.linked += len(links)

    def rows(self) -> numpy.ndarray:
        """Return every row but the dropped ones, uint32, in the order in which they were read."""
        import numpy as np

        rows = np.arange(len(self), dtype=np.uint32)
        return np.delete(rows, sorted(self.dropped)) if self.dropped else rows

    def column(self, name: str) -> numpy.ndarray:
        """Return a column as a numpy array that shares its memory."""
        import numpy as np

        column = self.margins[name] if name in self.margins else getattr(self, name)
        return np.frombuffer(column, column.typecode) if column else np.empty(0, column.typecode)

    def numbers_of(self, name: str) -> numpy.ndarray:
        """Return for each kind a number for its `level`, `task` or `source`. A level is itself, 0 if there is none; others
        are counted from 0."""
        import numpy as np

        values = [getattr(kind, name) for kind in self.kinds]
        known = {
            value: (value or 0) if name == "level" else at for at, value in enumerate(dict.fromkeys(values))
        }
        return np.array([known[value] for value in values], np.uint32)

    def inputs_of(self, rows: numpy.ndarray) -> numpy.ndarray:
        """Return for each row, none of them a copy, the position of its input."""
        import numpy as np

        firsts = np.array([one.first for one in self.inputs])
        return np.searchsorted(firsts, rows, side="right") - 1

    def originals(self, rows: numpy.ndarray) -> numpy.ndarray:
        """Replace each copy by its original."""
        import numpy as np

        if not self.origin:
            return rows
        rows = rows.copy()
        copies = rows >= self.copied
        rows[copies] = np.frombuffer(self.origin, np.uint32)[rows[copies] - self.copied]
        return rows

    def copy(self, row: int, number: int) -> int:
        """Add a row, copy `number` (from 2) of another. Its key follows from its id."""
        if not self.origin:
            self.copied = len(self)
        self.origin.append(row)
        self.number.append(number)
        self.offset.append(self.offset[row])
        self.length.append(self.length[row])
        self.kind.append(self.kind[row])
        for margins in self.margins.values():
            margins.append(margins[row])
        name = copy_name(self.record(row)["id"], number)
        self.order.append(order_key(self.wanted.seed, name))
        return len(self) - 1

    def where(self, row: int) -> str:
        """Return FILE:LINE of a row. Lines are counted only when this is called."""
        row = self.origin[row - self.copied] if row >= self.copied else row
        source = self._input(row)
        line, place = 1, source.begin
        known = self._counted
        if known is not None and known[0] is source and known[1] <= self.offset[row]:
            _, place, line = known
        while place < self.offset[row]:
            data = os.pread(source.file, min(BLOCK, self.offset[row] - place), place)
            if not data:
                break
            line, place = line + data.count(b"\n"), place + len(data)
        self._counted = (source, place, line)
        return f"{source.name}:{line}"

    def record(self, row: int) -> Record:
        """Read the record of a row. It has its base but not its place (see `where`). Raises OSError, RecordError."""
        original = self.origin[row - self.copied] if row >= self.copied else row
        source = self._input(original)
        fields = parse.loads(read_whole(source.file, self.offset[row], self.length[row]))
        found = Record(fields, base=source.base)
        if self._in_layout[self.kind[row]]:
            shorthand.complete(found, self.wanted.layout)
        if row >= self.copied:
            found["id"] = copy_name(found["id"], self.number[row - self.copied])
        return found

    def _input(self, row: int) -> Input:
        """Return the input of a row that is no copy."""
        return self.inputs[bisect.bisect_right(self.inputs, row, key=lambda one: one.first) - 1]

    def check_unchanged(self) -> None:
        """Raise RecordError if a file was changed since it was read: its lines may have moved."""
        for one in self.inputs:
            if one.state is not None and one.state != _state(one.file):
                raise RecordError(
                    "was changed while it was mixed", where=one.name, remedy="run s2h-mix again"
                )


def copy_name(name: str, number: int) -> str:
    """Return the id of a copy; the first copy has number 2."""
    return f"{name}~{number}"


def _state(file: int) -> tuple[int, int]:
    status = os.fstat(file)
    return status.st_size, status.st_mtime_ns
