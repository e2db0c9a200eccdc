"""What every reader of folders needs: the pictures below a folder in a fixed order, and which of them are held out."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

from s2h.sources import PICTURES, SourceError

SPLITS = {"train": ("train", "training"), "heldout": ("val", "validation", "valid", "test")}


def pictures(root: str, unused: Counter | None = None) -> Iterator[str]:
    """The pictures below a folder, by their names in it, sorted within each folder; links to folders are followed once."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
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
            elif unused is not None and not name.startswith("."):
                unused["not a picture"] += 1


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


def load_json(path: str) -> object:
    """A whole JSON file. Raises SourceError that names it."""
    import orjson

    try:
        with open(path, "rb") as file:
            return orjson.loads(file.read())
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise SourceError(f"{path}: not JSON: {error} (it may be cut short: copy it anew)") from error
