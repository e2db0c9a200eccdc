"""What models have computed, kept: in memory while a run lasts, the least recently used going when there are more than
a stated number, and with --cache in a folder from run to run, by content and model. A kept folder is never trusted:
each row carries a check of itself, a damaged file or one of another version is told in one line and replaced, and a
kill at any moment leaves whole rows (SQLite's journal).

    s2h-filter l3 --clip 0.25 --cache kept/ > good.jsonl     # again with another threshold: no model is loaded
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from s2h.errors import plural
from s2h.record import RecordError

MOST = 50_000  # in each cache: 100 MB of ViT-B/32's 512 numbers, 150 MB of MPNet's 768, half as much again for the keys
VERSION = 1  # of the files
ASKED = 500  # keys in one question to a file
PATIENCE = 60  # seconds that a run waits for another one that writes


class Embeddings:
    """At most `most` arrays of float32 by key, with a `Kept` file behind them where there is one."""

    def __init__(self, most: int = MOST, kept: Kept | None = None) -> None:
        self.most, self.file = most, kept
        self.kept: OrderedDict[bytes, Any] = OrderedDict()

    def get(
        self, keys: Iterable[bytes], embed: Callable[[list[bytes]], Iterable[tuple[bytes, Any]]]
    ) -> dict[bytes, Any]:
        """The arrays of the keys. Those not kept are made by one call: embed(missing) gives (key, array) for each of
        them, or leaves out those that cannot be had, which the answer then lacks too."""
        found, missing = {}, []
        for key in dict.fromkeys(keys):
            if key in self.kept:
                self.kept.move_to_end(key)
                found[key] = self.kept[key]
            else:
                missing.append(key)
        if missing and self.file is not None:
            found.update(stored := self.file.get(missing))
            self.kept.update(stored)
            missing = [key for key in missing if key not in stored]
        if missing:
            # Copies: a row of a batch would keep the whole batch in memory.
            made = {key: row.copy() for key, row in embed(missing)}
            if self.file is not None:
                self.file.put(made)
            found.update(made)
            self.kept.update(made)
        while len(self.kept) > self.most:
            self.kept.popitem(last=False)
        return found


def brief(text: str) -> bytes:
    """A key for a text: the hash of its bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Folder:
    """The folder of --cache: a file for each kind and model. Raises RecordError where it can't be made or written."""

    def __init__(self, path: str, say: Callable[[str], None] = lambda message: None) -> None:
        self.path, self.say = path, say
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise RecordError(
                f"--cache {path}: {error.strerror}", remedy="name a folder that can be written"
            ) from None
        if not os.access(path, os.W_OK):
            raise RecordError(
                f"--cache {path}: cannot be written", remedy="name a folder that can be written"
            )

    def open(self, kind: str, fingerprint: str) -> Kept:
        return Kept(os.path.join(self.path, f"{kind}-{fingerprint}.sqlite"), self.say)

    def known_print(self, kind: str, name: str) -> str | None:
        """The fingerprint of a model by its name, where every file that it was made of is as it was when it was taken; so
        that a run that finds all it needs here loads no model."""
        import orjson

        with contextlib.suppress(OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            with open(self._note(kind, name), "rb") as file:
                said = orjson.loads(file.read())
            known = said["version"] == VERSION and said["name"] == name and said["files"]
            if known and all(_stamp(path) == stamp for path, stamp in said["files"].items()):
                return str(said["print"])
        return None

    def learn_print(self, kind: str, name: str, fingerprint: str, files: Iterable[str]) -> None:
        import orjson

        from s2h.streams.files import Whole

        said = {
            "version": VERSION,
            "name": name,
            "print": fingerprint,
            "files": {path: _stamp(path) for path in files},
        }
        with contextlib.suppress(OSError), Whole(self._note(kind, name)) as out:  # a convenience
            out.write(orjson.dumps(said))

    def _note(self, kind: str, name: str) -> str:
        return os.path.join(self.path, f"{kind}-{brief(name).hex()}.json")


def folder(path: str | None, say: Callable[[str], None]) -> Folder | None:
    """The Folder of --cache; None where none is asked for and, after a warning, where nothing can be written there."""
    try:
        return Folder(path, say) if path else None
    except RecordError as error:
        say(f"warning: {error.message}: nothing is kept for the next run ({error.remedy})")
        return None


def _stamp(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


class Kept:
    """A file of arrays of float32 by 16-byte keys. What goes wrong with it ends its use, not the run."""

    def __init__(self, path: str, say: Callable[[str], None] = lambda message: None) -> None:
        self.path, self.say, self.base = path, say, None
        self._try(self._open)

    def get(self, keys: list[bytes]) -> dict[bytes, Any]:
        """Those arrays that are there and whole."""
        return self._try(lambda: self._get(keys) if self.base is not None else None) or {}

    def put(self, rows: dict[bytes, Any]) -> None:
        """Keep arrays: all of them or, where the process is killed meanwhile, none."""
        self._try(lambda: self._put(rows) if self.base is not None else None)

    def _try(self, work: Callable[[], Any]) -> Any:
        """The work's result, or None where the file fails it."""
        import sqlite3

        try:
            return work()
        except sqlite3.OperationalError as error:  # locked, a full disk, no right to write
            self._end(f"can't be used: {error}; going on without it")
        except (sqlite3.DatabaseError, _Foreign) as error:
            self._end(f"{error}: it is replaced by a new one")
            try:
                for ending in ("-journal", "-wal", "-shm", ""):  # first what a new file would be mended from
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.path + ending)
                self._open()
            except (sqlite3.Error, OSError, _Foreign) as error:
                self._end(f"can't be used: {error}; going on without it")
        return None

    def _end(self, message: str) -> None:
        import sqlite3

        if self.base is not None:
            with contextlib.suppress(sqlite3.Error):
                self.base.close()
        self.base = None
        self.say(f"cache {self.path}: {message}")

    def _open(self) -> None:
        import sqlite3

        self.base = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        self.base.execute("PRAGMA synchronous=NORMAL")
        version = self.base.execute("PRAGMA user_version").fetchone()[0]
        tables = self.base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and version != VERSION:
            raise _Foreign(f"was written by another version ({version}, not {VERSION})")
        self.base.execute("BEGIN IMMEDIATE")
        self.base.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, row BLOB, sum BLOB)")
        self.base.execute(f"PRAGMA user_version={VERSION}")
        self.base.execute("COMMIT")

    def _get(self, keys: list[bytes]) -> dict[bytes, Any]:
        import numpy as np

        found, damaged = {}, 0
        for at in range(0, len(keys), ASKED):
            part = keys[at : at + ASKED]
            asked = f"SELECT key, row, sum FROM kept WHERE key IN ({','.join('?' * len(part))})"
            for key, row, check in self.base.execute(asked, part):
                if isinstance(row, bytes) and check == _check(key, row):
                    found[key] = np.frombuffer(row, dtype="<f4")
                else:
                    damaged += 1
        if damaged:
            self.say(
                f"cache {self.path}: {damaged} damaged {plural(damaged, 'entry is', 'entries are')} computed anew"
            )
        return found

    def _put(self, rows: dict[bytes, Any]) -> None:
        import numpy as np

        data = ((key, np.ascontiguousarray(row, dtype="<f4").tobytes()) for key, row in rows.items())
        self.base.execute("BEGIN IMMEDIATE")
        try:
            self.base.executemany(
                "INSERT OR REPLACE INTO kept VALUES (?, ?, ?)",
                ((key, row, _check(key, row)) for key, row in data),
            )
            self.base.execute("COMMIT")
        except BaseException:
            if self.base.in_transaction:
                self.base.execute("ROLLBACK")
            raise


class _Foreign(ValueError):
    """A file of another version of this format."""


def _check(key: bytes, row: bytes) -> bytes:
    return blake2b(key + row, digest_size=8).digest()
