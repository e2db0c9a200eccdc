"""Keep the results of models: in memory during a run, up to a number of arrays, and with --cache in a folder for later
runs, by content and model. The folder is never trusted: each row has a checksum, a damaged file or one of another
version is reported in one line and replaced, and a kill at any moment leaves whole rows (SQLite's journal).

    s2h-filter l3 --clip 0.25 --cache kept/ > good.jsonl     # again with another threshold: no model is loaded
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from s2h.errors import plural
from s2h.record import RecordError

if TYPE_CHECKING:
    import sqlite3

# Arrays in each cache: 100 MB for the 512 numbers of ViT-B/32, 150 MB for the 768 of MPNet, and half as much for the keys.
MOST = 50_000
VERSION = 1  # of the files
AT_ONCE = 500  # keys in one query
PATIENCE = 60  # seconds that a run waits while another one writes


class Embeddings:
    """At most `most` arrays of float32 by key, in memory. The least recently used ones are dropped first. file: has
    those of earlier runs, and gets the new ones."""

    def __init__(self, most: int = MOST, file: CacheFile | None = None) -> None:
        self.most, self.file = most, file
        self.kept: OrderedDict[bytes, Any] = OrderedDict()

    def get(
        self, keys: Iterable[bytes], embed: Callable[[list[bytes]], Iterable[tuple[bytes, Any]]]
    ) -> dict[bytes, Any]:
        """Return the arrays of the keys. Missing ones are made by one call: embed(missing) yields (key, array) for
        each, and leaves out those that can't be made, which the result then lacks too."""
        found: dict[bytes, Any] = {}
        missing: list[bytes] = []
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
            # A row of a batch would keep the whole batch in memory, so that rows are copied.
            made = {key: row.copy() for key, row in embed(missing)}
            if self.file is not None:
                self.file.put(made)
            found.update(made)
            self.kept.update(made)
        while len(self.kept) > self.most:
            self.kept.popitem(last=False)
        return found


def brief(text: str) -> bytes:
    """Return a key for a text: the hash of its bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Folder:
    """The folder of --cache: a file for each kind of result and each model. Raises RecordError if it can't be made or
    written."""

    def __init__(self, path: str, say: Callable[[str], None] = lambda message: None) -> None:
        self.path, self.say = path, say
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise RecordError(
                f"--cache {path}: {error.strerror}", remedy="name a folder that can be written"
            ) from None
        if not os.access(path, os.W_OK):
            raise RecordError(f"--cache {path}: can't be written", remedy="name a folder that can be written")

    def open(self, kind: str, fingerprint: str) -> CacheFile:
        return CacheFile(os.path.join(self.path, f"{kind}-{fingerprint}.sqlite"), self.say)

    def known_print(self, kind: str, name: str) -> str | None:
        """Return the noted fingerprint of a model, None if none is noted or one of the model's files has changed
        since. With it, a run that finds all its results here loads no model."""
        import orjson

        with contextlib.suppress(OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            with open(self._note(kind, name), "rb") as file:
                note = orjson.loads(file.read())
            known = note["version"] == VERSION and note["name"] == name and note["files"]
            if known and all(_stamp(path) == stamp for path, stamp in note["files"].items()):
                return str(note["print"])
        return None

    def note_print(self, kind: str, name: str, fingerprint: str, files: Iterable[str]) -> None:
        """Note the fingerprint of a model that was read from these files."""
        import orjson

        from s2h.streams.files import Whole

        note = {
            "version": VERSION,
            "name": name,
            "print": fingerprint,
            "files": {path: _stamp(path) for path in files},
        }
        with (
            contextlib.suppress(OSError),
            Whole(self._note(kind, name)) as out,
        ):  # without the note the model is loaded
            out.write(orjson.dumps(note))

    def _note(self, kind: str, name: str) -> str:
        return os.path.join(self.path, f"{kind}-{brief(name).hex()}.json")


def open_folder(path: str | None, say: Callable[[str], None]) -> Folder | None:
    """Return the Folder of --cache; None if no path is given and, after a warning, if nothing can be written there."""
    try:
        return Folder(path, say) if path else None
    except RecordError as error:
        say(f"warning: {error.message}: nothing is kept for the next run ({error.remedy})")
        return None


def _stamp(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


class CacheFile:
    """A file of arrays of float32 by 16-byte keys. A fault of the file ends its use, not the run."""

    def __init__(self, path: str, say: Callable[[str], None] = lambda message: None) -> None:
        self.path, self.say = path, say
        self.base: sqlite3.Connection | None = None
        self._guarded(self._open)

    def get(self, keys: list[bytes]) -> dict[bytes, Any]:
        """Return those arrays that are there and whole."""
        found: dict[bytes, Any] = {}
        self._guarded(lambda: self._get(keys, found))
        return found

    def put(self, rows: dict[bytes, Any]) -> None:
        """Keep arrays: all of them or, if the process is killed meanwhile, none."""
        self._guarded(lambda: self._put(rows))

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do the work. If the file can't be used, report that and continue with a new file or without one."""
        import sqlite3

        try:
            work()
        except sqlite3.OperationalError as error:  # locked, a full disk, no right to write
            self._end(f"can't be used: {error}; going on without it")
        except (sqlite3.DatabaseError, _Foreign) as error:
            self._end(f"{error}: it is replaced by a new one")
            try:
                for ending in (
                    "-journal",
                    "-wal",
                    "-shm",
                    "",
                ):  # first the files that SQLite would restore it from
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.path + ending)
                self._open()
            except (sqlite3.Error, OSError, _Foreign) as error:
                self._end(f"can't be used: {error}; going on without it")

    def _end(self, message: str) -> None:
        import sqlite3

        if self.base is not None:
            with contextlib.suppress(sqlite3.Error):
                self.base.close()
        self.base = None
        self.say(f"cache {self.path}: {message}")

    def _open(self) -> None:
        import sqlite3

        self.base = base = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        base.execute("PRAGMA synchronous=NORMAL")
        base.execute("BEGIN IMMEDIATE")  # before the looks, since another run may be making the file
        version = base.execute("PRAGMA user_version").fetchone()[0]
        tables = base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and version != VERSION:
            raise _Foreign(f"was written by another version ({version}, not {VERSION})")
        base.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, row BLOB, sum BLOB)")
        base.execute(f"PRAGMA user_version={VERSION}")
        base.execute("COMMIT")

    def _get(self, keys: list[bytes], found: dict[bytes, Any]) -> None:
        import numpy as np

        if self.base is None:
            return
        damaged = 0
        for at in range(0, len(keys), AT_ONCE):
            part = keys[at : at + AT_ONCE]
            query = f"SELECT key, row, sum FROM kept WHERE key IN ({','.join('?' * len(part))})"
            for key, row, check in self.base.execute(query, part):
                if isinstance(row, bytes) and check == _check(key, row):
                    found[key] = np.frombuffer(row, dtype="<f4")
                else:
                    damaged += 1
        if damaged:
            self.say(
                f"cache {self.path}: {damaged} damaged {plural(damaged, 'entry is', 'entries are')} computed anew"
            )

    def _put(self, rows: dict[bytes, Any]) -> None:
        import numpy as np

        if self.base is None:
            return
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
