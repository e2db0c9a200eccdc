"""What every reader of folders needs: the pictures below a folder in a fixed order, the folders of the splits, and files of
text as people have them."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator

from s2h.sources import PICTURES, SourceError

SPLITS = {"train": ("train", "training"), "heldout": ("val", "validation", "valid", "test", "testing")}
UNPACKED = frozenset(("__MACOSX",))  # what unpacking leaves beside the data


def pictures(root: str, unused: Counter | None = None, beside: tuple[str, ...] = ()) -> Iterator[str]:
    """The pictures below a folder, by their names in it, sorted within each folder; links to folders are followed once.
    unused: counts what is neither a picture nor ends with one of `beside`."""
    seen: set[tuple[int, int]] = set()

    def unreadable(_: OSError) -> None:
        if unused is not None:
            unused["a folder that can't be read"] += 1

    for folder, folders, names in os.walk(root, followlinks=True, onerror=unreadable):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(folder, root)
        for name in sorted(names):
            if is_picture(name):
                yield name if inside == os.curdir else os.path.join(inside, name)
            elif unused is not None and not name.startswith(".") and not name.lower().endswith(beside):
                unused["not a picture"] += 1


def folders(root: str) -> list[str]:
    """The folders in a folder, sorted; hidden ones are none, nor is a link that leads nowhere or to itself."""

    def is_folder(entry: os.DirEntry) -> bool:
        try:
            return entry.is_dir()
        except OSError:
            return False

    with os.scandir(root) as entries:
        return sorted(e.name for e in entries if not e.name.startswith(".") and is_folder(e))


def only_folder(root: str) -> str:
    """The one folder in a folder that holds nothing else, as unpacking makes (`photos/photos/`); "" where it isn't so."""
    names = [name for name in os.listdir(root) if not name.startswith(".") and name not in UNPACKED]
    path = os.path.join(root, names[0]) if len(names) == 1 else ""
    return path if os.path.isdir(path) else ""


def is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURES) and not os.path.basename(name).startswith(".")


def inside(name: str, where: str) -> str:
    """A name from a file, which must stay below its folder. Raises SourceError."""
    if os.path.isabs(name) or ".." in re.split(r"[/\\]", name):
        raise SourceError(f"{where}: {name!r} leaves the folder")
    return name


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


def lines(path: str, errors: str = "strict") -> Iterator[str]:
    """The lines of a text file with their ends, with or without a byte order mark. Raises SourceError that names it."""
    try:
        with open(path, newline="", encoding="utf-8-sig", errors=errors) as file:
            yield from file
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8: {error.reason} (save it as UTF-8)") from error


def table(path: str, *columns: str, errors: str = "strict") -> Iterator[tuple[str, dict]]:
    """(FILE:LINE, row) of a CSV file that has a header with these columns. Raises SourceError."""
    rows = csv.DictReader(lines(path, errors))
    try:
        for column in columns:
            if column not in (rows.fieldnames or ()):
                raise SourceError(
                    f"{path}: {column}: no such column (there are {', '.join(rows.fieldnames or ('none',))})"
                )
        for row in rows:
            yield f"{path}:{rows.line_num}", row
    except csv.Error as error:
        raise SourceError(f"{path}:{rows.line_num}: not CSV: {error} (a quote may be left open)") from error


def load_json(path: str) -> object:
    """A whole JSON file, NaN included. Raises SourceError that names it."""
    import json

    import orjson

    try:
        with open(path, "rb") as file:
            data = file.read()
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return json.loads(data)  # which takes NaN, as Python's own writer leaves it
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise SourceError(f"{path}: not JSON: {error} (it may be cut short: copy it anew)") from error
