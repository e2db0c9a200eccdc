"""A file of predictions that grows, so that a run that was killed can go on: FILE.partial holds the lines of all windows
of questions that are through, FILE.partial.answers how far that is and the answers to the window at work, batch by batch.
A run that goes on asks the same batches as one that was never stopped, and so writes the same bytes."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from s2h import files
from s2h.growing import Growing, take_back
from s2h.record import RecordError

ANSWERS = ".answers"


class Progress:
    """How far a run has come: `questions` that are through, and `known`, answers to those that come next, by their place
    in the window. Without a path nothing is kept. Only the process that writes notes anything; the others read."""

    def __init__(self, path: str | None = None, arguments: dict | None = None, resume: bool = False) -> None:
        self._output = path
        self.path = None if path is None else files.beside(files.target(path), ".partial")
        self._notes = self.path and files.beside(self.path, ANSWERS)
        self.arguments = json.loads(json.dumps(arguments or {}))
        self.questions, self.bytes, self.last = 0, 0, None
        self.skipped: list[dict] = []
        self.known: dict[int, Any] = {}
        self._file = None
        if resume and self.path is not None and os.path.exists(self._notes):
            self._read()

    def _read(self) -> None:
        with open(self._notes, "rb") as file:
            lines = file.read().split(b"\n")[:-1]  # a line that was cut short is left out
        try:
            head = json.loads(lines[0])
            known = {int(at): found for line in lines[1:] for at, found in json.loads(line)}
            length, through = int(head["bytes"]), int(head["questions"])
            differences = [
                f"{key} was {head['arguments'].get(key)} and is {value}"
                for key, value in self.arguments.items()
                if head["arguments"].get(key) != value
            ]
            last, skipped = head["last"], list(head["skipped"])
        except (ValueError, IndexError, KeyError, TypeError, AttributeError):
            raise RecordError(
                f"{self._notes}: is damaged", remedy="leave --resume out and begin anew"
            ) from None
        if differences:
            raise RecordError(
                f"{self.path} was begun differently: {'; '.join(differences)}",
                remedy="repeat the arguments, or leave --resume out and begin anew",
            )
        if head.get("finishing"):
            take_back(self._output, length)
        if not os.path.exists(self.path) or os.path.getsize(self.path) < length:
            raise RecordError(
                f"{self.path}: is missing or was cut", remedy="leave --resume out and begin anew"
            )
        self.questions, self.bytes, self.last = through, length, last
        self.skipped, self.known = skipped, known

    def done(self) -> Iterator[dict]:
        """The predictions that are there."""
        if self.bytes:
            with open(self.path, "rb") as file:
                left = self.bytes
                while left > 0:
                    line = file.readline()
                    left -= len(line)
                    yield json.loads(line)

    def rest(self, questions: Iterable[tuple[dict, list]]) -> Iterator[tuple[dict, list]]:
        """The questions that are not through. Raises RecordError where those that are were others."""
        questions = iter(questions)
        through = itertools.islice(questions, self.questions)
        last, count = None, 0
        for line, _ in through:
            last, count = line["id"], count + 1
        if count < self.questions or last != self.last:
            raise RecordError(
                f"{self.path} was begun with other questions: number {self.questions} was {self.last}, not {last}",
                remedy="give the same, or leave --resume out and begin anew",
            )
        yield from questions

    def begin(self, writer: Predictions) -> None:
        """From here on this process notes what is done."""
        self._file = writer

    def note(self, found: dict[int, Any]) -> None:
        """Answers of one batch, before their window is through."""
        if self._file is not None and found:
            self._file.note(json.dumps(sorted(found.items())))

    def turn(self, count: int, last: str, skipped: list[RecordError]) -> None:
        """A window of `count` questions is through, and its lines are written."""
        self.questions, self.last, self.known = self.questions + count, last, {}
        self.skipped += [
            {"message": e.message, "field": e.field, "where": e.where, "remedy": e.remedy} for e in skipped
        ]
        if self._file is not None:
            self.bytes = self._file.length()
            self._file.turn(self.head())

    def head(self, finishing: bool = False) -> str:
        """What a later run must know to go on from here; finishing: that the file moves to its place now."""
        kept = ("arguments", "questions", "bytes", "last", "skipped")
        return json.dumps({name: getattr(self, name) for name in kept} | {"finishing": finishing})


class Predictions(Growing):
    """The writer of such a file; what lies there beyond `progress` is made again."""

    def __init__(self, path: str, progress: Progress) -> None:
        self.progress = progress
        super().__init__(path, progress.bytes, sum(1 for _ in progress.done()))
        self._notes = files.beside(self.partial, ANSWERS)
        progress.begin(self)
        self._answers = None

    def note(self, line: str) -> None:
        if self._answers is None:
            self.turn(self.progress.head())
            known = json.dumps(sorted(self.progress.known.items()))
            self._answers.write(known.encode() + b"\n")
        self._answers.write(line.encode() + b"\n")
        self._answers.flush()

    def turn(self, head: str) -> None:
        """Begin the notes of a window; the old ones stay until the new ones have their head."""
        if self._answers is not None:
            self._answers.close()
        beside = files.beside(self.partial, ANSWERS + ".new")
        self._answers = open(beside, "wb")  # noqa: SIM115
        self._answers.write(head.encode() + b"\n")
        self._answers.flush()
        os.replace(beside, self._notes)

    def close(self) -> None:
        if self._answers is not None:
            self.turn(self.progress.head(finishing=True))
        super().close()
        if self._answers is not None:
            self._answers.close()
        for left in (files.beside(self.partial, ANSWERS + ".new"), self._notes):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)

    def discard(self) -> None:
        """The run has failed: what it found stays for a later one."""
        self._file.close()
        if self._answers is not None:
            self._answers.close()
        elif os.path.getsize(self.partial) == 0 and not os.path.exists(self._notes):
            os.unlink(self.partial)
