"""Read text, CSV and JSON files that may be truncated, in other encodings, or have invalid rows. Rows that can't be used are
counted by reason, and the rest is read."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import os
import stat
from collections import Counter, deque
from collections.abc import Iterator
from typing import BinaryIO

from s2h.sources import symlinks
from s2h.sources.items import SourceError
from s2h.sources.picture_folders import SPECIAL
from s2h.streams import parse

BAD_ROW = "a row that is not CSV (a quote may be left open)"
MOST_LINES, MOST_SIGNS = 50, 1 << 17  # lines and characters of the longest row of a table


def opened(path: str) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for a named pipe, on which it does not block."""
    if symlinks.refused(path):
        raise OSError(errno.EPERM, symlinks.REFUSED, path)
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, SPECIAL, path)
    return open(number, "rb")


def lines(path: str, errors: str = "strict") -> Iterator[str]:
    """Yield the lines of a text file with their line ends. The encoding is UTF-8, or UTF-16 with a byte order mark. Raises
    SourceError."""
    try:
        with opened(path) as raw:
            utf16 = raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            raw.seek(0)
            encoding = "utf-16" if utf16 else "utf-8-sig"
            with io.TextIOWrapper(raw, newline="", encoding=encoding, errors=errors) as file:
                yield from file
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8: {error.reason} (save it as UTF-8)") from error


def table(path: str, excluded: Counter[str], *columns: str) -> Iterator[dict]:
    """Yield the rows of a CSV file as dictionaries. columns: those that the header must have. Invalid rows and rows with an
    unclosed quote are counted; bytes that are not UTF-8 become U+FFFD. Raises SourceError."""
    header: list[str] = []
    for text in _csv_rows(lines(path, "replace"), excluded):
        try:
            if len(text) > MOST_SIGNS:
                raise csv.Error
            cells = next(csv.reader([text], strict=True), [])
        except csv.Error:
            excluded[BAD_ROW] += 1
            continue
        if not header:
            header = cells
            if missing := [column for column in columns if column not in header]:
                raise SourceError(
                    f"{path}: {missing[0]}: no such column (there are {', '.join(header) or 'none'})"
                )
        elif len(cells) > len(header):
            excluded["a row of a table with too many cells"] += 1
        elif cells:
            yield dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))
    if columns and not header:
        raise SourceError(f"{path}: {columns[0]}: no such column (there are none)")


def _csv_rows(lines: Iterator[str], excluded: Counter[str]) -> Iterator[str]:
    """Yield the rows of a CSV file as texts; a row has several lines if a quoted cell has line breaks. If a quote is not
    closed within MOST_LINES lines, its first line is counted as a bad row and reading continues with the next."""
    waiting: deque[str] = deque()

    def following() -> str:
        return waiting.popleft() if waiting else next(lines, "")

    while line := following():
        held = [line]
        while sum(one.count('"') for one in held) % 2 and len(held) < MOST_LINES and (more := following()):
            held.append(more)
        if sum(one.count('"') for one in held) % 2:
            excluded[BAD_ROW] += 1
            waiting.extendleft(reversed(held[1:]))
        else:
            yield "".join(held)


def load_json(path: str) -> object:
    """Return the content of a JSON file, NaN included; bytes that are not UTF-8 become U+FFFD. Raises SourceError."""
    try:
        return loads(as_utf8(_content(path)))
    except ValueError as error:
        raise SourceError(f"{path}: not JSON: {error} (it may be cut short: copy it anew)") from error


def rows(path: str, key: str, excluded: Counter[str], *needed: str) -> list[dict]:
    """Return the rows of the list under `key` in a JSON file, filtered by `having`. Raises SourceError if there is no such
    list."""
    content = load_json(path)
    listed = content.get(key) if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise SourceError(f"{path}: {key}: missing (there is no list of that name)")
    return having(listed, key, excluded, *needed)


def having(listed: list, what: str, excluded: Counter[str], *needed: str) -> list[dict]:
    """Return the objects of a list that have all needed fields, none of them a list or an object, and count the other
    entries. Raises SourceError if there are only others."""

    def usable(row: object) -> bool:
        return isinstance(row, dict) and not any(
            isinstance(row.get(field, []), list | dict) for field in needed
        )

    found = [row for row in listed if usable(row)]
    if len(found) < len(listed):
        if not found:
            raise SourceError(f"{what}: none of {len(listed)} has {' and '.join(needed)}")
        excluded[f"{what} without {' or '.join(needed)}"] += len(listed) - len(found)
    return found


def json_rows(path: str, excluded: Counter[str]) -> list:
    """Return the rows of a file that holds a JSON list or an object on each line, whatever its name. Lines without an
    object are counted. Raises SourceError if nothing can be read."""
    data = _content(path).removeprefix(b"\xef\xbb\xbf")
    try:
        whole = loads(as_utf8(data))
        return whole if isinstance(whole, list) else [whole]
    except ValueError as error:
        wrong: Counter[str] = Counter()
        found = [row for line in data.split(b"\n") if (row := json_line(line, wrong)) is not None]
        if not found:
            remedy = "it may be cut short: copy it anew"
            raise SourceError(f"{path}: neither JSON nor JSON Lines: {error} ({remedy})") from error
    excluded.update(wrong)
    return found


def json_line(line: bytes, excluded: Counter[str]) -> dict | None:
    """Return the object on a line, None if there is none. A line without an object is counted unless it is blank."""
    try:
        row = parse.loads(line)
        if isinstance(row, dict):
            return row
    except parse.LimitError as error:
        excluded[f"a line that {error}"] += 1
        return None
    except ValueError:
        row = None
    if line.strip():
        excluded["a line that is not JSON" if row is None else "a line that is no object"] += 1
    return None


def as_utf8(data: bytes) -> bytes:
    """Return data with bytes that are not UTF-8 replaced by U+FFFD, so that one bad byte does not make a whole file
    unusable. Readers leave out and count values with a U+FFFD."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def _content(path: str) -> bytes:
    try:
        with opened(path) as file:
            return file.read()
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error


def loads(data: bytes) -> object:
    """Return the value of a JSON text. Raises ValueError."""
    import json

    import orjson

    try:
        # A file above MAX_LINE is a list of many rows, for which the limits of one line do not hold.
        return parse.loads(data, len(data)) if len(data) <= parse.MAX_LINE else orjson.loads(data)
    except parse.LimitError as error:
        raise ValueError(f"it {error}") from None
    except ValueError:
        try:
            return json.loads(data)  # accepts NaN, which Python's json writes
        except RecursionError:
            raise ValueError(f"it is nested too deeply: more than {parse.MAX_DEPTH} levels") from None
