"""Read VLMEvalKit's tables: tab-separated values with doubled quotes, as pandas writes them, and images as base64. An
unclosed quote would swallow rows, and a row with too few fields would shift its values; both are errors that name the
line."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from string import ascii_uppercase

from s2h.eval.benches import Question
from s2h.record import Record, RecordError

REFERENCE = 64  # characters of the longest `image` that is the index of another row
_READ = {"index", "image", "image_path", "question", "hint", "answer", "category", *"ABCDEFGH"}
_REMEDY = "write a quote inside a field twice, and put the field in quotes"


def question(row: Record) -> Question:
    """Make a question of a row. Its options are the columns A to Z that are not empty."""
    options = {letter: row[letter] for letter in ascii_uppercase if letter in row}
    l2 = row.get("l2-category") or row.get("l2_category")
    return Question(
        id=row.get("index"),
        category=row.get("category", ""),
        text=row.get("question"),
        options=options or None,
        answer=row.get("answer"),
        images=row.get("image") or [],
        hint=row.get("hint"),
        fields={"l2_category": l2} if l2 else {},
    )


def read(
    name: str, demand: Callable[[list[str]], None], on_error: Callable[[RecordError], None]
) -> Iterator[Record]:
    """Yield rows with the fields that are not empty: an empty option is left out, but an option may be the word None. An
    `image` that is the index of another row is replaced by the image of that row. demand: raises RecordError if a column is
    missing. An error in a row goes to on_error; an error in the file is raised."""
    shared = _Shared(name)
    for where, fields in table(name, demand):
        try:
            if isinstance(fields, RecordError):
                raise fields
            row = Record(
                {k: v for k, v in fields.items() if v != ""}, where=where, base=os.path.dirname(name)
            )
            if "image" in row:
                listed = _list(row["image"], where)
                listed = [shared.image(one, where) if len(one) <= REFERENCE else one for one in listed]
                row["image"] = [_decoded(one, where) for one in listed]
            else:
                row["image"] = [_found(one, name) for one in _list(row.get("image_path", "[]"), where)]
        except RecordError as error:
            on_error(error)
        else:
            yield row


def table(
    name: str, demand: Callable[[list[str]], None] = lambda columns: None
) -> Iterator[tuple[str, dict[str, str] | RecordError]]:
    """Yield (FILE:LINE, fields by column) of a table, with a RecordError in place of a row that has more or fewer fields
    than there are columns. Raises RecordError for an unclosed quote, text after a closing quote, or a duplicate column."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # for the whole process: a field holds images
    following = 1  # the line in which the next row begins
    try:
        with open(name, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter="\t", strict=True)
            columns = next(lines, [])
            duplicate = next((one for one in columns if one and columns.count(one) > 1), None)
            if duplicate is not None:
                raise RecordError(f"duplicate column: {duplicate[:60]!r}", where=f"{name}:1")
            _check_names(columns, name)
            demand(columns)
            following = lines.line_num + 1
            for fields in lines:
                line, following = following, lines.line_num + 1
                if not fields:  # an empty line
                    continue
                if following - line > 1:
                    _check_quotes(fields, len(columns), name, line)
                where = f"{name}:{line}"
                if len(fields) == len(columns):
                    yield where, dict(zip(columns, fields, strict=True))
                else:
                    yield where, _wrong_number(len(fields), len(columns), where)
    except csv.Error as error:
        raise _quote_fault(error, name, following) from None
    except UnicodeDecodeError as error:
        raise RecordError(f"can't be read as TSV: {error}", where=f"{name}:{following}") from None


def _wrong_number(fields: int, columns: int, where: str) -> RecordError:
    """Return the error about a row with more or fewer fields than there are columns."""
    few = fields < columns
    remedy = "a row that was cut?" if few else "a tab inside a field needs quotes"
    return RecordError(
        f"too {'few' if few else 'many'} fields: {fields} in {columns} columns", where=where, remedy=remedy
    )


def _check_names(columns: list[str], name: str) -> None:
    """Raise RecordError for a misspelt column ('Answer', 'A '). Otherwise answers and options would be missing silently."""
    for column in columns:
        plain = column.strip()
        meant = plain.upper() if len(plain) == 1 else plain.lower()
        if column != meant and meant in _READ and meant not in columns:
            raise RecordError(
                f"the column is not named {meant!r} but {column[:60]!r}",
                where=f"{name}:1",
                remedy="rename it",
            )


def _check_quotes(fields: list[str], columns: int, name: str, line: int) -> None:
    """Raise RecordError if a field of several lines has swallowed rows, because the quote at its start is part of the text:
    a line inside it is a whole row, or its first line is the end of a row and its last line the beginning of another."""
    for at, field in enumerate(fields):
        tabs = [inside.count("\t") for inside in field.split("\n")]
        joined = columns > 4 and (tabs[0], tabs[-1]) == (columns - 1 - at, at)
        if len(tabs) > 1 and (columns - 1 in tabs[1:] or joined):
            raise RecordError(
                f"a quote opened in line {line} is not closed before the next row", where=f"{name}:{line}",
                remedy=_REMEDY,
            )  # fmt: skip
        line += len(tabs) - 1


def _quote_fault(error: csv.Error, name: str, first: int) -> RecordError:
    """Return an error that names the line of the fault. csv does not say where the fault is, so the characters are read
    again. first: the line in which the row begins."""
    opened = 0
    with open(name, encoding="utf-8-sig", newline="") as file:
        for number, line in enumerate(file, 1):
            if number < first:
                continue
            at = 0
            while at < len(line):
                if opened:
                    quote = line.find('"', at)
                    if quote < 0:
                        break
                    at = quote + 1
                    if line[at : at + 1] == '"':
                        at += 1
                        continue
                    if line[at : at + 1] in ("\t", "\r", "\n", ""):
                        opened = 0
                    elif opened == number:
                        return RecordError(
                            f"text after a closing quote in line {number}", where=f"{name}:{number}",
                            remedy=_REMEDY,
                        )  # fmt: skip
                    else:  # the quote that seemed to close the field belongs to a later row
                        return _unclosed(name, opened)
                elif line[at] == '"':
                    opened, at = number, at + 1
                else:
                    tab = line.find("\t", at)
                    at = len(line) if tab < 0 else tab + 1
    if opened:
        return _unclosed(name, opened)
    return RecordError(f"can't be read as TSV: {error}", where=f"{name}:{first}")


def _unclosed(name: str, line: int) -> RecordError:
    return RecordError(f"a quote opened in line {line} is not closed", where=f"{name}:{line}", remedy=_REMEDY)


def _decoded(text: str, where: str) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError(f"damaged base64: {error}", "image", where) from None


def _found(path: str, name: str) -> str:
    """Find an `image_path` below the TSV's folder, or in images/NAME/, where VLMEvalKit unpacks images."""
    root, stem = os.path.dirname(name), os.path.basename(name).removesuffix(".tsv")
    tried = [path, os.path.join("images", stem, path), os.path.join("images", path)]
    return next((one for one in tried if os.path.isfile(os.path.join(root, one))), path)


def _list(value: str, where: str) -> list[str]:
    """Read a field that holds one text or a Python list of texts."""
    import ast

    if not (value.startswith("[") and value.endswith("]")):
        return [value]
    try:
        listed = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise RecordError("must be a list of texts", "image", where)
    return listed


class _Shared:
    """The images of a TSV to which other rows refer by index. Only these are kept, in a temporary file."""

    def __init__(self, name: str) -> None:
        wanted: set[str] = set()
        for where, fields in table(name):
            if isinstance(fields, RecordError):
                continue
            with contextlib.suppress(RecordError):  # raised when the row is read
                listed = _list(fields.get("image") or "[]", where)
                wanted.update(one for one in listed if len(one) <= REFERENCE)
        self.held = tempfile.TemporaryFile()  # noqa: SIM115
        self.places: dict[str, tuple[int, int]] = {}
        for _, fields in table(name) if wanted else ():
            if isinstance(fields, RecordError):
                continue
            image, index = fields.get("image") or "", fields.get("index") or ""
            if index in wanted and len(image) > REFERENCE:
                data = image.encode()
                self.places[index] = (self.held.tell(), len(data))
                self.held.write(data)

    def image(self, index: str, where: str) -> str:
        """Return the image of the row with this index. Raises RecordError if it has none or several."""
        if index not in self.places:
            raise RecordError(f"refers to a row without its own image: index {index}", "image", where)
        start, length = self.places[index]
        self.held.seek(start)
        found = _list(self.held.read(length).decode(), where)
        if len(found) != 1:
            raise RecordError(f"refers to a row with several images: index {index}", "image", where)
        return found[0]
