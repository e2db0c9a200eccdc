"""The error that every stage raises about a record, the default handler, which stops at the first one, the exception for a
draw that gives no pair, and the words that messages share."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHOWN = 6  # faults of one record in a message


class RecordError(ValueError):
    """A fault of a record. `str()` is one line with the place, the field, the fault and the remedy.

    message: the kind of fault, then a colon and the details. Skipped records are counted by `reason`, which leaves the
    details out. others: further faults of the same record.
    """

    def __init__(self, message: str, field: str = "", where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.field, self.where, self.remedy = message, field, where, remedy
        self.others: tuple[RecordError, ...] = ()

    def __str__(self) -> str:
        text = "; ".join([self._text(), *(other._text() for other in self.others[: SHOWN - 1])])
        if len(self.others) >= SHOWN:
            text += f"; and {len(self.others) - SHOWN + 1} more"
        text = f"{self.where}: {text}" if self.where else text
        # Names come from data: no line breaks, no escape codes.
        return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text)

    def _text(self) -> str:
        text = ": ".join(part for part in (self.field, self.message) if part)
        return f"{text} ({self.remedy})" if self.remedy else text

    @property
    def reason(self) -> str:
        """The fault without its details: 'images[]: no such file'."""
        field = re.sub(r"\[\d+\]", "[]", self.field)
        return ": ".join(part for part in (field, self.message.split(":")[0].strip()) if part)


class WrongUsage(Exception):
    """A name on the command line that can't be right, such as one that is mistyped: the command ends with status 2. Errors
    of a room are derived from it too."""


class LeftOut(RecordError):
    """A row of another tool's file that holds no pair, such as a question without an image. It is counted and left out,
    and never stops a run, because nothing is wrong with it."""


class NoPair(Exception):
    """A draw gives no pair. The message is the reason; it is counted, and the slot is drawn again."""


def plural(count: int, one: str, several: str = "") -> str:
    """Return the word that follows a count: `one` after 1, else `several`, by default `one` with an s."""
    return one if count == 1 else several or f"{one}s"


def counted(count: int, one: str, several: str = "") -> str:
    """Return a count and its word: 1 pair, 20 pairs."""
    return f"{count} {plural(count, one, several)}"


def one_line(error: BaseException, most: int = 200) -> str:
    """Return an error of a library as a part of one line, with at most so many characters; the name of its class if it has
    no text."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 3] + "..."


def suggestion(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return the end of a message about a name that is not known, with a space before it: " Did you mean 'kinship'?"; "" if
    none of the known names is like it. likeness: the least ratio of equal letters, 0 to 1."""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), list(known), n=2, cutoff=likeness)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def first_of(faults: list[RecordError]) -> RecordError:
    """Return the first of a record's faults, with the others in its `others`."""
    faults[0].others = tuple(faults[1:])
    return faults[0]


def fail(error: Exception) -> None:
    """Raise the error: the default `on_error` of every stage, so that the first bad record ends the work."""
    raise error
