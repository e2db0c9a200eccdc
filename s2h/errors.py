"""The error that every stage raises about a record, and the default way to meet it: the first one ends the work."""

from __future__ import annotations

import re

SHOWN = 6  # faults of one record in a message


class RecordError(ValueError):
    """What is wrong with a record, where, and what would mend it; `str()` is one line.

    message says the kind of fault first and the particulars after a colon, so that `reason`, by which skipped records
    are counted, can be told from it. others: further faults of the same record.
    """

    def __init__(self, message: str, field: str = "", where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.field, self.where, self.remedy = message, field, where, remedy
        self.others: tuple[RecordError, ...] = ()

    def __str__(self) -> str:
        text = "; ".join([self._said(), *(other._said() for other in self.others[: SHOWN - 1])])
        if len(self.others) >= SHOWN:
            text += f"; and {len(self.others) - SHOWN + 1} more"
        text = f"{self.where}: {text}" if self.where else text
        # Names come from data: no line breaks, no escape codes.
        return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text)

    def _said(self) -> str:
        text = ": ".join(part for part in (self.field, self.message) if part)
        return f"{text} ({self.remedy})" if self.remedy else text

    @property
    def reason(self) -> str:
        """The fault without its particulars: 'images[]: no such file'."""
        field = re.sub(r"\[\d+\]", "[]", self.field)
        return ": ".join(part for part in (field, self.message.split(":")[0].strip()) if part)


class LeftOut(RecordError):
    """A row of another tool's file that holds no pair, such as a question without an image. It is counted and left out, and
    never ends the work: nothing is wrong with it."""


def plural(count: int, one: str, several: str = "") -> str:
    """Return the word that follows a count: `one` after 1, else `several`, by default `one` with an s."""
    return one if count == 1 else several or f"{one}s"


def counted(count: int, one: str, several: str = "") -> str:
    """Return a count and its word: 1 pair, 20 pairs."""
    return f"{count} {plural(count, one, several)}"


def first_of(faults: list[RecordError]) -> RecordError:
    """Return the first of a record's faults, with the others beside it."""
    faults[0].others = tuple(faults[1:])
    return faults[0]


def fail(error: Exception) -> None:
    """Raise the error: the default `on_error` of every stage, so that the first bad record ends the work."""
    raise error
