"""What every reader of folders needs: the pictures below a folder in a fixed order, the folders of the splits, and files of
text as people have them."""

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

from s2h.sources import PICTURES, SourceError, links
from s2h.streams import parse

SPLITS = {"train": ("train", "training"), "heldout": ("val", "validation", "valid", "test", "testing")}
FILE, FOLDER, SPECIAL = "a file", "a folder", "not a regular file"
NOT_UTF8, NO_NAME = "a name that is not UTF-8", "no file_name"
OUTSIDE = "names a file outside the folder"
BAD_ROW = "a row that is not CSV (a quote may be left open)"
MOST_LINES, MOST_SIGNS = 50, 1 << 17  # of one row of a table
UNPACKED = frozenset(("__MACOSX",))  # what unpacking leaves beside the data


def pictures(root: str, unused: Counter | None = None, beside: tuple[str, ...] = ()) -> Iterator[str]:
    """The pictures below a folder, by their names in it, sorted within each folder; links to folders are followed once.
    unused: counts what is neither a picture nor ends with one of `beside`, and what can't be used as a file."""
    unused = Counter() if unused is None else unused
    if links.refused(root):
        unused[links.REFUSED] += 1
        return
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        folder = os.path.join(root, inside)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            unused["a folder that can't be read"] += 1
            continue
        below = []
        for entry in listed:
            name, kind = os.path.join(inside, entry.name), _kind(entry)
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and links.refused(entry.path):
                unused[links.REFUSED] += 1
            elif kind == SPECIAL:
                unused[f"{printable(name)}: {SPECIAL}"] += 1
            elif not is_text(entry.name):
                unused[NOT_UTF8] += kind == FOLDER or is_picture(entry.name)
            elif kind == FOLDER:
                below.append(name)
            elif is_picture(entry.name):
                yield name
            elif not entry.name.lower().endswith(beside):
                unused["not a picture"] += 1
        waiting.extend(reversed(below))


def _kind(entry: os.DirEntry) -> str:
    """Whether an entry is a folder, a special file (a named pipe, a socket, a device), or a file. A link that leads to no
    folder is taken for a file: what is wrong with it is found out when it is opened."""
    try:
        if entry.is_dir():
            return FOLDER
    except OSError:  # a link that leads to itself
        return FILE
    return FILE if entry.is_symlink() or entry.is_file(follow_symlinks=False) else SPECIAL


def folders(root: str, unused: Counter | None = None) -> list[str]:
    """The folders in a folder, sorted; hidden ones are none, nor is a link that leads nowhere or to itself."""
    with os.scandir(root) as entries:
        shown = [e for e in entries if not e.name.startswith(".") and _kind(e) == FOLDER]
    out = {e.name for e in shown if e.is_symlink() and links.refused(e.path)}
    found = sorted(e.name for e in shown if e.name not in out)
    if unused is not None and out:
        unused[links.REFUSED] += len(out)
    named = [name for name in found if is_text(name)]
    if unused is not None and len(named) < len(found):
        unused[NOT_UTF8] += len(found) - len(named)
    return named


def only_folder(root: str) -> str:
    """The one folder in a folder that holds nothing else, as unpacking makes (`photos/photos/`); "" where it isn't so."""
    names = [name for name in os.listdir(root) if not name.startswith(".") and name not in UNPACKED]
    path = os.path.join(root, names[0]) if len(names) == 1 else ""
    return path if os.path.isdir(path) else ""


def is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURES) and not os.path.basename(name).startswith(".")


def is_text(name: str) -> bool:
    """Whether a name can be written into a record: bytes on the disk that are no UTF-8 can't."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """A name from the disk or from data for a message."""
    return name if name.isprintable() else repr(name)[1:-1]


def inside(name: object, root: str, unused: Counter) -> str | None:
    """A file's name as a row has it, as one below `root`; None, and counted, where it is none. It may be absolute and it may
    have `..` in it, as long as it stays in the folder."""
    why = ""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        why = NO_NAME
    elif not is_text(name) or "\ufffd" in name:
        why = NOT_UTF8
    else:
        found = os.path.normpath(name)
        if os.path.isabs(found):
            found = _below(found, os.path.abspath(root)) or _below(
                os.path.realpath(found), os.path.realpath(root)
            )
        elif os.pardir in found.replace("\\", "/").split("/"):
            found = ""
        if found and not links.refused(os.path.join(root, found)):
            return found
        why = links.REFUSED if found else OUTSIDE
    unused[why] += 1
    return None


def _below(path: str, root: str) -> str:
    """A path by its name in `root`, "" where it isn't there."""
    start = os.path.join(root, "")
    return path[len(start) :] if path.startswith(start) else ""


def split_folder(root: str, split: str) -> tuple[str, bool]:
    """The folder of a split where the dataset has one for each (`train/` and `val/`), with whether it does."""
    found = {
        name: next((folder for folder in folders if os.path.isdir(os.path.join(root, folder))), None)
        for name, folders in SPLITS.items()
    }
    if all(found.values()):
        return os.path.join(root, found[split]), True
    only = found["train"] or found["heldout"]
    return (os.path.join(root, only) if only else root), False


def lacking(path: str) -> str:
    """Why a file that is named can't be used, "" where it can."""
    if links.refused(path):
        return links.REFUSED
    return "" if os.path.isfile(path) else "file missing"


def opened(path: str) -> BinaryIO:
    """A regular file, opened to be read. Raises OSError, and never waits at a named pipe."""
    if links.refused(path):
        raise OSError(errno.EPERM, links.REFUSED, path)
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, SPECIAL, path)
    return open(number, "rb")


def lines(path: str, errors: str = "strict") -> Iterator[str]:
    """The lines of a text file with their ends: UTF-8 with or without a byte order mark, or UTF-16 with one. Raises
    SourceError that names it."""
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


def table(path: str, unused: Counter, *columns: str) -> Iterator[dict]:
    """The rows of a CSV file that has a header with these columns. A row that is no CSV, and one whose quote is never
    closed, is counted; bytes that are not UTF-8 become U+FFFD. Raises SourceError."""
    header: list[str] = []
    for text in _records(lines(path, "replace"), unused):
        try:
            if len(text) > MOST_SIGNS:
                raise csv.Error
            cells = next(csv.reader([text], strict=True), [])
        except csv.Error:
            unused[BAD_ROW] += 1
            continue
        if not header:
            header = cells
            if missing := [column for column in columns if column not in header]:
                raise SourceError(
                    f"{path}: {missing[0]}: no such column (there are {', '.join(header) or 'none'})"
                )
        elif len(cells) > len(header):
            unused["a row of a table with too many cells"] += 1
        elif cells:
            yield dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))
    if columns and not header:
        raise SourceError(f"{path}: {columns[0]}: no such column (there are none)")


def _records(told: Iterator[str], unused: Counter) -> Iterator[str]:
    """The rows of a CSV file as they are written, of several lines where a quote goes on. A quote that isn't closed within
    MOST_LINES lines makes a bad row of its first line alone, which is counted."""
    waiting: deque[str] = deque()

    def following() -> str:
        return waiting.popleft() if waiting else next(told, "")

    while line := following():
        held = [line]
        while sum(one.count('"') for one in held) % 2 and len(held) < MOST_LINES and (more := following()):
            held.append(more)
        if sum(one.count('"') for one in held) % 2:
            unused[BAD_ROW] += 1
            waiting.extendleft(reversed(held[1:]))
        else:
            yield "".join(held)


def load_json(path: str) -> object:
    """A whole JSON file, NaN included; bytes that are not UTF-8 become U+FFFD. Raises SourceError that names it."""
    try:
        return loads(as_utf8(_content(path)))
    except ValueError as error:
        raise SourceError(f"{path}: not JSON: {error} (it may be cut short: copy it anew)") from error


def rows(path: str, key: str, unused: Counter, *needed: str) -> list[dict]:
    """The rows of the list that a JSON file has under `key`, as `having` gives them. Raises SourceError where it has no
    such list."""
    content = load_json(path)
    listed = content.get(key) if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise SourceError(f"{path}: {key}: missing (there is no list of that name)")
    return having(listed, key, unused, *needed)


def having(listed: list, what: str, unused: Counter, *needed: str) -> list[dict]:
    """The objects of a list that have the needed fields, none of them a list or an object; others are counted. Raises
    SourceError where there are others only."""

    def usable(row: object) -> bool:
        return isinstance(row, dict) and not any(
            isinstance(row.get(field, []), list | dict) for field in needed
        )

    found = [row for row in listed if usable(row)]
    if len(found) < len(listed):
        if not found:
            raise SourceError(f"{what}: none of {len(listed)} has {' and '.join(needed)}")
        unused[f"{what} without {' or '.join(needed)}"] += len(listed) - len(found)
    return found


def json_rows(path: str, unused: Counter) -> list:
    """The rows of a file that is a JSON list or, whatever its name ends with, has an object on each line. Lines that have
    none are counted. Raises SourceError where nothing can be read."""
    data = _content(path).removeprefix(b"\xef\xbb\xbf")
    try:
        whole = loads(as_utf8(data))
        return whole if isinstance(whole, list) else [whole]
    except ValueError as error:
        wrong: Counter = Counter()
        found = [row for line in data.split(b"\n") if (row := json_line(line, wrong)) is not None]
        if not found:
            remedy = "it may be cut short: copy it anew"
            raise SourceError(f"{path}: neither JSON nor JSON Lines: {error} ({remedy})") from error
    unused.update(wrong)
    return found


def json_line(line: bytes, unused: Counter) -> dict | None:
    """The object that a line holds; a line that holds none is counted, unless it is blank."""
    try:
        row = parse.loads(line)
        if isinstance(row, dict):
            return row
    except parse.LimitError as error:
        unused[f"a line that {error}"] += 1
        return None
    except ValueError:
        row = None
    if line.strip():
        unused["a line that is not JSON" if row is None else "a line that is no object"] += 1
    return None


def as_utf8(data: bytes) -> bytes:
    """The same bytes, with U+FFFD for each that is not UTF-8: one of them may not cost a whole file. Whoever reads the
    values leaves out and counts those that have it."""
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
    """The value of a JSON text. Raises ValueError."""
    import json

    import orjson

    try:
        # A large file is a list of many rows, through which nothing goes by recursion.
        return parse.loads(data, len(data)) if len(data) <= parse.MAX_LINE else orjson.loads(data)
    except parse.LimitError as error:
        raise ValueError(f"it {error}") from None
    except ValueError:
        try:
            return json.loads(data)  # which takes NaN, as Python's own writer leaves it
        except RecursionError:
            raise ValueError(f"it is nested too deeply: more than {parse.MAX_DEPTH} levels") from None
