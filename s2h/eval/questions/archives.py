"""Find images that a benchmark's rows name by a path: in the folder of the rows, or in a zip file there, which need not be
unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
from functools import lru_cache
from pathlib import PurePosixPath

from s2h.images.decoding import MAX_BYTES
from s2h.record import Record, RecordError

OPEN = 16  # zip files that are open at a time


def image(row: Record, path: str) -> str | bytes:
    """Return the image that a row names by a path relative to the row's folder: the path of the file or, if there is none,
    the bytes of the member of a zip file there. NAME.zip has the contents of the folder NAME. Raises RecordError."""
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in (".", "/")]
    if ".." in parts or not parts:
        raise RecordError(f"leaves the folder of its rows: {path[:120]}", "images", row.where)
    folder = row.base or "."
    found = os.path.join(folder, *parts)
    if os.path.isfile(found):
        return os.path.abspath(found)
    name = "/".join(parts)
    for place in _zips(folder, _modified(folder)):
        stem = os.path.basename(place).removesuffix(".zip")
        members = _members(place, _modified(place))
        for member in (name, name.removeprefix(f"{stem}/"), f"{stem}/{name}"):
            if member in members:
                return _read(place, member, row.where)
    remedy = "download the images, or their zip files, into the folder of the rows"
    if not row.base:  # a row of the Hub, which has no files beside it
        remedy = "download the data set, and give its folder: --bench NAME=PATH"
    raise RecordError(f"no such file: {name}", "images", row.where, remedy)


def _modified(path: str) -> int:
    return os.stat(path).st_mtime_ns


@lru_cache(maxsize=OPEN)
def _zips(folder: str, modified: int) -> list[str]:
    return sorted(
        entry.path for entry in os.scandir(folder) if entry.name.endswith(".zip") and entry.is_file()
    )


@lru_cache(maxsize=OPEN)
def _members(path: str, modified: int) -> frozenset[str]:
    """Return the names of the files in a zip file. modified: the time of its last change, so that a new file is read
    again."""
    return frozenset(one.filename for one in _opened(path, modified).infolist() if not one.is_dir())


@lru_cache(maxsize=OPEN)
def _opened(path: str, modified: int) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise RecordError(
            f"can't be read as a zip file: {error}", where=path, remedy="download it again"
        ) from None


def _read(path: str, member: str, where: str) -> bytes:
    archive = _opened(path, _modified(path))
    entry = archive.getinfo(member)
    if entry.file_size > MAX_BYTES:
        raise RecordError(f"is larger than {MAX_BYTES >> 20} MiB: {path}!{member}", "images", where)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise RecordError(f"is a link: {path}!{member}", "images", where)
    try:
        with archive.open(entry) as file:
            return file.read(MAX_BYTES)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise RecordError(
            f"can't be read in {path}: {member}: {error}", "images", where, "download it again"
        ) from None
