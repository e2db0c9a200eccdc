"""How far a run that filters into a file has come, so that a later one goes on there: what it keeps grows as FILE.partial
and what it drops as REJECTS.partial, and FILE.progress says up to which pair of the input both are whole. All three are
there until the run has ended well; a run that is killed judges its last second again."""

from __future__ import annotations

import contextlib
import os
import time
from hashlib import blake2b
from typing import Any

from s2h import files
from s2h.growing import Growing, take_back
from s2h.record import RecordError

VERSION = 1
EVERY = 1.0  # seconds


class Output(Growing):
    """The output, or the rejects, of such a run."""

    def __init__(self, path: str, length: int = 0) -> None:
        super().__init__(path, length, buffered=True)

    def _make_room(self) -> None:
        """What is not kept goes after the word that it was whole."""
        if self._cut == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(files.beside(self.path, ".progress"))
        super()._make_room()


class Progress:
    """The progress file of an output. arguments: what the run's result depends on, in a form that JSON has.

    last: the place (FILE:LINE) of the last pair that was dealt with, "" for none; lengths: of output and rejects then;
    said: what else the run noted. rejects: the file of the rejects, "" for none. Raises RecordError where the file is of
    another run.
    """

    def __init__(self, path: str, arguments: Any, resume: bool, rejects: str = "") -> None:
        import orjson

        path = files.target(path)
        partial = files.beside(path, ".partial")
        self.path = files.beside(path, ".progress")
        self.arguments = blake2b(orjson.dumps(arguments, default=str), digest_size=8).hexdigest()
        self.last, self.lengths, self.said = "", [0, 0], {}
        self._noted = time.monotonic()
        if not resume:
            return
        try:
            with open(self.path, "rb") as file:
                found = orjson.loads(file.read())
            version, arguments = found["version"], found["arguments"]
            last, lengths, said = found["last"], found["lengths"], found["said"]
            outputs = list(zip((path, rejects), map(int, lengths), strict=False))
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return  # killed before its first note
        if not (os.path.exists(partial) or found.get("finishing")):
            return
        if version != VERSION or arguments != self.arguments:
            raise RecordError(
                f"{partial}: was begun by other arguments",
                remedy="repeat them, or leave --resume out and begin anew",
            )
        for output, length in outputs:
            if found.get("finishing"):
                take_back(output, length)
            work = files.beside(files.target(output), ".partial")
            if length and not (os.path.isfile(work) and os.path.getsize(work) >= length):
                raise RecordError(
                    f"{work}: is missing or was cut", remedy="leave --resume out and begin anew"
                )
        if not os.path.exists(partial):
            return
        self.last, self.lengths, self.said = last, lengths, said

    def due(self) -> bool:
        return time.monotonic() - self._noted >= EVERY

    def note(
        self, last: str, writers: list[Output], said: dict[str, Any], *, finishing: bool = False
    ) -> None:
        """Note that all up to the pair at `last` is in the files; finishing: that they move to their places now."""
        import orjson

        lengths = [writer.length() for writer in writers]
        found = {
            "version": VERSION,
            "arguments": self.arguments,
            "last": last,
            "lengths": lengths,
            "said": said,
            "finishing": finishing,
        }
        work = files.beside(self.path, ".part")
        with open(work, "wb") as file:
            file.write(orjson.dumps(found))
        os.replace(work, self.path)
        self._noted = time.monotonic()

    def remove(self) -> None:
        for path in (self.path, files.beside(self.path, ".part")):
            with contextlib.suppress(OSError):
                os.unlink(path)
