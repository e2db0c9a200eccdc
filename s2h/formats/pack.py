"""Write a folder that can be copied elsewhere: the records, and each of their images once, named by the hash of its bytes.
References are relative to the folder. Many images go into tar shards, which every command reads.

    pack/mix.jsonl  pack/mix.val.jsonl  pack/images/0f/0f3a….png, or pack/images-00000.tar …  pack/pack.json  pack/README.md

The README.md is a dataset card that names the files of records: `datasets.load_dataset("pack")` would take the folder for
one of images without it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from s2h import __version__
from s2h.images import references
from s2h.images.decoding import ImageError, file_of, glance, read_bytes
from s2h.images.store import Store, stored_name
from s2h.record import Record, RecordError, base_of, references_of
from s2h.streams import jsonl

SHARD_SIZE = 1 << 30  # bytes; more images than this go into shards of about this size
MANIFEST = "pack.json"
RECORDS, HELD_OUT, CARD = "mix.jsonl", "mix.val.jsonl", "README.md"
SPLITS = {RECORDS: "train", HELD_OUT: "validation"}  # as the card calls them


class Pack:
    """Writes a pack beside its place and moves it there when it is whole; an earlier pack there is then replaced.

    shards: whether the images go into tar shards of about `shard_size` bytes (see `Weight`); else they are files. Known
    images are kept in a database on disk, so that memory does not grow with them. Raises RecordError if the folder holds
    something else.
    """

    def __init__(self, folder: str, *, shards: bool = False, shard_size: int = SHARD_SIZE) -> None:
        self.folder = os.path.normpath(folder)
        check_place(self.folder)
        parent, name = os.path.split(os.path.abspath(self.folder))
        os.makedirs(parent, exist_ok=True)
        self._beside = os.path.join(parent, f".{name}.{os.urandom(8).hex()}.part")
        os.mkdir(self._beside)
        self._known = sqlite3.connect("", isolation_level=None)  # on disk, gone when closed
        self._known.execute("create table seen (name blob primary key, reference text) without rowid")
        self._shards = Shards(self._beside, shard_size) if shards else None
        self._store = Store(os.path.join(self._beside, "images"))
        self._outs: dict[str, Part] = {}
        self.images = self.bytes = 0

    def part(self, name: str) -> Part:
        """Open one of the pack's files of records."""
        self._outs[name] = Part(self, os.path.join(self._beside, name))
        return self._outs[name]

    def reference(self, reference: str, base: str) -> str:
        """Put an image into the pack and return its reference, relative to the pack. Raises ImageError, OSError."""
        place = _place(reference, base)
        if (known := self._find(place)) is not None:
            return known
        data = read_bytes(reference, base)
        glance(data, reference[:200])
        by_content = b"=" + blake2b(data, digest_size=16).digest()
        if (found := self._find(by_content)) is None:
            if self._shards is not None:
                found = self._shards.add(stored_name(data), data)
            else:
                found = os.path.relpath(self._store.put(data), self._beside)
            ask(self._known, "insert into seen values (?, ?)", by_content, found)
            self.images, self.bytes = self.images + 1, self.bytes + len(data)
        ask(self._known, "insert into seen values (?, ?)", place, found)
        return found

    def close(self) -> None:
        """Move the pack to its place."""
        try:
            with named(self.folder):
                self._finish()
        except BaseException:
            self.discard()
            raise
        self._known.close()

    def _finish(self) -> None:
        if self._shards is not None:
            self._shards.close()
        for part in self._outs.values():
            part.out.close()
        manifest = {
            "s2h": __version__,
            "records": {name: part.count for name, part in self._outs.items()},
            "images": self.images,
            "bytes": self.bytes,
            "shards": self._shards.count if self._shards is not None else 0,
        }
        with open(os.path.join(self._beside, MANIFEST), "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2)
            file.write("\n")
        with open(os.path.join(self._beside, CARD), "w", encoding="utf-8") as file:
            file.write(card({name: part.count for name, part in self._outs.items()}))
        check_place(self.folder)
        if not os.path.isdir(self.folder):
            os.rename(self._beside, self.folder)
        elif exchange(self._beside, self.folder):
            shutil.rmtree(self._beside)
        else:
            old = self._beside + ".old"
            os.rename(self.folder, old)
            os.rename(self._beside, self.folder)
            shutil.rmtree(old)

    def discard(self) -> None:
        """Delete the unfinished pack. An earlier one stays in its place."""
        self._known.close()
        for part in self._outs.values():
            part.out.discard()
        if self._shards is not None:
            self._shards.discard()
        shutil.rmtree(self._beside, ignore_errors=True)

    def __enter__(self) -> Pack:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.discard()

    def _find(self, name: bytes) -> str | None:
        row = ask(self._known, "select reference from seen where name = ?", name).fetchone()
        return row[0] if row else None


class Part:
    """A file of records in a pack, written as `jsonl.Writer` writes."""

    def __init__(self, pack: Pack, path: str) -> None:
        self.pack, self.out = pack, jsonl.Writer(path)

    @property
    def count(self) -> int:
        return self.out.count

    def write(self, record: Record) -> None:
        """Write one record with its images. Raises ImageError with the field; nothing of the record is written then."""
        packed: dict[str, list[str]] = {}
        with named(self.pack.folder):
            for field, i, reference in references_of(record):
                try:
                    packed.setdefault(field, []).append(self.pack.reference(reference, base_of(record)))
                except ImageError as error:
                    error.field = f"{field}[{i}]"
                    raise
            self.out.write(Record({**record, **packed}, base=self.out.base))


class Shards:
    """Tar files of about the same size. The same images in the same order give the same bytes."""

    def __init__(self, folder: str, size: int) -> None:
        self.folder, self.size, self.count = folder, size, 0
        self._tar: Any = None

    def add(self, name: str, data: bytes) -> str:
        """Put a member into the shard and return its reference."""
        if self._tar is None or self._tar.offset >= self.size:
            self.close()
            self._path = f"images-{self.count:05d}.tar"
            path = os.path.join(self.folder, self._path)
            self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by `close`
            self.count += 1
        info = tarfile.TarInfo(name)  # no owner, no time: the same bytes everywhere
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
        return references.of_member(self._path, name)

    def close(self) -> None:
        if self._tar is not None:
            tar, self._tar = self._tar, None
            tar.close()

    def discard(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.close()


def exchange(one: str, other: str) -> bool:
    """Exchange two folders in one step, so that a kill leaves one of them at each name. Return False if the system or
    the file system can't."""
    import ctypes

    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE (linux/fcntl.h, linux/fs.h)
    return not call(here, os.fsencode(one), here, os.fsencode(other), swap)


@contextlib.contextmanager
def named(folder: str) -> Iterator[None]:
    """Make an OSError name the folder that the user gave, and not an unfinished file."""
    try:
        yield
    except OSError as error:
        error.filename = folder
        raise


def check_place(folder: str) -> None:
    """Raise RecordError if a pack must not replace the folder, because it contains a file that is not part of a pack."""
    if not os.path.lexists(folder):
        return
    if not os.path.isdir(folder) or os.path.islink(folder):
        raise RecordError("exists and is not a folder", where=folder, remedy="name a new one")
    there = set(os.listdir(folder))
    known = {MANIFEST, CARD, RECORDS, HELD_OUT, "images"}
    other = sorted(
        name for name in there - known if not (name.startswith("images-") and name.endswith(".tar"))
    )
    if other or (there and MANIFEST not in there):
        shown = other[0] if other else min(there)
        raise RecordError(
            f"contains a file that is not part of a pack: {shown}", where=folder, remedy="name a new folder"
        )


def card(records: dict[str, int]) -> str:
    """Return the dataset card of a pack, which names the file of each split."""
    files = "".join(
        f"  - split: {SPLITS[name]}\n    path: {name}\n"
        for name in sorted(records, key=list(SPLITS).index)
        if records[name]
    )
    counts = ", ".join(f"{records[name]} in `{name}`" for name in records)
    return f"""---
configs:
- config_name: default
  data_files:
{files}---

# Preference pairs

Written by s2h-mix: {counts}. `images` are references relative to this folder.

    datasets.load_dataset("THIS FOLDER")
    s2h-train --model NAME {RECORDS}
"""


class Weight:
    """Counts the bytes of the images of some records, each reference once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._known = sqlite3.connect("", isolation_level=None)
        self._known.execute("create table seen (name blob primary key) without rowid")

    def add(self, record: Record) -> None:
        """Add the sizes of a record's images. One that can't be read adds nothing and is reported when it is packed."""
        base = base_of(record)
        for _, _, reference in references_of(record):
            if ask(self._known, "insert or ignore into seen values (?)", _place(reference, base)).rowcount:
                with contextlib.suppress(ImageError):
                    path = file_of(reference, base)
                    self.bytes += os.path.getsize(path) if path else len(read_bytes(reference, base))


def ask(known: sqlite3.Connection, question: str, *values: object) -> sqlite3.Cursor:
    """Query the database of known images. Raises RecordError if its disk is full."""
    try:
        return known.execute(question, values)
    except sqlite3.OperationalError as error:
        remedy = "free some space, or set SQLITE_TMPDIR to a folder that has more"
        raise RecordError(f"the list of known images cannot be kept: {error}", remedy=remedy) from None


def _place(reference: str, base: str) -> bytes:
    """Return a name of 16 bytes for a reference as seen from a folder."""
    return blake2b(references.spelled(reference, base).encode(), digest_size=16).digest()
