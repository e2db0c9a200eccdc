"""List the pictures in a folder in a fixed order, and check file names: which can be used, and why others can't."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from s2h.escape import terminal
from s2h.sources import symlinks

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
FILE, FOLDER, SPECIAL = "a file", "a folder", "not a regular file"
NOT_UTF8, NO_NAME = "a name that is not UTF-8", "no file_name"
OUTSIDE = "names a file outside the folder"
UNPACKED = frozenset(("__MACOSX",))  # folders that unpacking adds beside the data


def pictures(root: str, excluded: Counter[str] | None = None, beside: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of all pictures below a folder, relative to it and sorted within each folder. Links to folders are
    followed once.

    excluded: counts files that are neither pictures nor end with one of `beside`, and entries that can't be used.
    """
    excluded = Counter() if excluded is None else excluded
    if symlinks.refused(root):
        excluded[symlinks.REFUSED] += 1
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
            excluded["a folder that can't be read"] += 1
            continue
        below = []
        for entry in listed:
            name, kind = os.path.join(inside, entry.name), _kind(entry)
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and symlinks.refused(entry.path):
                excluded[symlinks.REFUSED] += 1
            elif kind == SPECIAL:
                excluded[f"{terminal(name)}: {SPECIAL}"] += 1
            elif not is_text(entry.name):
                excluded[NOT_UTF8] += kind == FOLDER or is_picture(entry.name)
            elif kind == FOLDER:
                below.append(name)
            elif is_picture(entry.name):
                yield name
            elif not entry.name.lower().endswith(beside):
                excluded["not a picture"] += 1
        waiting.extend(reversed(below))


def _kind(entry: os.DirEntry[str]) -> str:
    """Return whether an entry is a FOLDER, a SPECIAL file (a named pipe, a socket, a device) or a FILE. A link that does
    not lead to a folder counts as a file; a broken one is reported when it is opened."""
    try:
        if entry.is_dir():
            return FOLDER
    except OSError:  # a link that leads to itself
        return FILE
    return FILE if entry.is_symlink() or entry.is_file(follow_symlinks=False) else SPECIAL


def folders(root: str, excluded: Counter[str] | None = None) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones and broken links."""
    with os.scandir(root) as entries:
        shown = [e for e in entries if not e.name.startswith(".") and _kind(e) == FOLDER]
    out = {e.name for e in shown if e.is_symlink() and symlinks.refused(e.path)}
    found = sorted(e.name for e in shown if e.name not in out)
    if excluded is not None and out:
        excluded[symlinks.REFUSED] += len(out)
    named = [name for name in found if is_text(name)]
    if excluded is not None and len(named) < len(found):
        excluded[NOT_UTF8] += len(found) - len(named)
    return named


def only_folder(root: str) -> str:
    """Return the path of the only entry of a folder if that is a folder, as after unpacking (`photos/photos/`); otherwise
    ""."""
    names = [name for name in os.listdir(root) if not name.startswith(".") and name not in UNPACKED]
    path = os.path.join(root, names[0]) if len(names) == 1 else ""
    return path if os.path.isdir(path) else ""


def is_picture(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not os.path.basename(name).startswith(".")


def is_text(name: str) -> bool:
    """Tell whether a name can be written into a record, which names that are not UTF-8 can't."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def inside(name: object, root: str, excluded: Counter[str]) -> str | None:
    """Return the path below `root` of a file that a row names; None, and count why, if the name can't be used. It may be
    absolute and may contain `..`, as long as the file is in the folder."""
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
        if found and not symlinks.refused(os.path.join(root, found)):
            return found
        why = symlinks.REFUSED if found else OUTSIDE
    excluded[why] += 1
    return None


def _below(path: str, root: str) -> str:
    """Return a path relative to `root`, "" if it is outside."""
    start = os.path.join(root, "")
    return path[len(start) :] if path.startswith(start) else ""


def lacking(path: str) -> str:
    """Return the reason why a file can't be used, "" if it can."""
    if symlinks.refused(path):
        return symlinks.REFUSED
    return "" if os.path.isfile(path) else "file missing"
