"""Streams of records: read and write JSON Lines, compressed by name (.gz, .zst), line by line, with errors that begin with
FILE:LINE. Only a newline byte ends a line (a string may hold U+2028). Blank lines are skipped but counted. Files are written
beside their place and moved there only when complete.

    printf '%s\\n' '{"id": "a"}' | s2h-mix --flat      # "<stdin>:1: level: is missing"
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from s2h.images import references
from s2h.record import IMAGE_FIELDS, Record, RecordError, fail
from s2h.streams import containers, files, parse
from s2h.streams.damaged import BOM as BOM
from s2h.streams.damaged import is_blank, read_slowly, too_long
from s2h.streams.hash_set import HashSet

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
MAX_LINE = parse.MAX_LINE  # bytes; a longer line is an error, so that it can't exhaust the memory
SKIPPED = 1 << 20  # bytes of the rest of such a line that are read at a time
_HELD = references.Held


def find(name: str) -> str:
    """Return the path of the file for a name: "l1" finds l1, l1.jsonl, l1.jsonl.gz or l1.jsonl.zst, in this order; "-" is
    returned unchanged. Raises RecordError if there is no such file."""
    if name == "-":
        return name
    name = os.fspath(name)
    for path in (name, *(name + suffix for suffix in SUFFIXES)):
        if os.path.exists(path) and not os.path.isdir(path):
            return path
    if os.path.isdir(name):
        raise RecordError("is a folder, not a file of records", where=name)
    raise RecordError(f"no such file: {name}", remedy=f"also not with {', '.join(SUFFIXES)} added")


def accept(record: dict) -> str:
    """Complete and check a record in place (see `shorthand.accept`, which is imported with the first record)."""
    return _acceptor()(record)


@lru_cache(maxsize=1)
def _acceptor() -> Callable[[dict], str]:
    from s2h import shorthand

    return shorthand.acceptor()


def read(
    name: str | BinaryIO = "-",
    *,
    check: Callable[[dict], str | None] | None = accept,
    unique: bool = True,
    on_error: Callable[[RecordError], None] = fail,
    on_layout: Callable[[str, str], object] | None = None,
) -> Iterator[Record]:
    """Yield the records of one file, or of standard input for "-", as they arrive; a binary stream is read as standard
    input. A JSON list and a Parquet file are read row by row (see `containers`).

    check: completes and checks a record in place, and returns its layout if it was in that of another tool; on_layout then
    gets the file's name and the layout, for every such record.

    A line that is no record goes to on_error as a RecordError. If on_error returns, reading continues with the next line
    (damaged compressed data end the file). With check and unique, a duplicate id in a file is an error too (16 to 32 bytes
    of memory a record); the ids of standard input, which may be endless, are not kept.
    """
    if isinstance(name, str | os.PathLike):
        path = find(os.fspath(name))
        with files.opened(path) as lines:
            seen = None if path == "-" or check is None or not unique else HashSet()
            label, base = ("<stdin>", "") if path == "-" else (path, os.path.dirname(path))
            yield from _records(lines, label, base, check, seen, on_error, on_layout)
    else:
        yield from _records(name, "<stdin>", "", check, None, on_error, on_layout)


def read_all(names: Iterable[str] = (), **options) -> Iterator[Record]:
    """Yield the records of several files in their order; no names means standard input. Options are those of `read`.

    A file that does not exist is an error before the first record is read.
    """
    names = [find(name) if isinstance(name, str | os.PathLike) else name for name in names]
    for name in names or ["-"]:
        yield from read(name, **options)


def dump(record: dict) -> bytes:
    """Return one line of UTF-8 with its newline. Raises RecordError for NaN, infinity and values that JSON can't hold."""
    import orjson

    try:
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        with contextlib.suppress(TypeError, ValueError):
            if parse.has_digits(record):  # numbers beyond orjson's
                return parse.dumps(record) + b"\n"
        where = getattr(record, "where", "")
        if "surrogates" in str(error):
            remedy = "repair the text; or rename the file, if it is a file's name"
            raise RecordError(
                "has a text that is not UTF-8, which JSON can't hold", "", where, remedy
            ) from None
        raise RecordError(f"cannot be written as JSON: {error}", where=where) from None
    # orjson writes NaN and infinities as null. So only a line with a null can hide one, and it then reads back differently.
    if b"null" in line and orjson.loads(line) != record and (found := _not_finite(record, "")):
        raise RecordError(
            "is not a finite number, which JSON cannot hold", found, getattr(record, "where", "")
        )
    return line


class _Read(Record):
    """A record whose `where` and `base` are set after it is made: half the time of Record's own __init__."""

    __slots__ = ()
    __init__ = dict.__init__


class Writer:
    """Writes records to a file or a stream; a context manager.

    A file (.gz and .zst by name) is written whole or not at all (see `files.Whole`). "-" or a binary stream gets every
    record at once. If the record's base is not the output's folder, relative image references are rewritten: relative
    to the output's folder if they are below it, else absolute. The bytes of image objects (references.Held) go to the store
    `image_dir`: "" for s2h-images beside the file, in the working directory for a stream; None keeps them in the record.
    `count` is the number of records written. A caller that knows that no number of its records is NaN or infinite sets
    `finite`; otherwise the writer searches each line for one. Raises RecordError (see `dump`), OSError.
    """

    finite = False

    def __init__(self, path: str | BinaryIO = "-", image_dir: str | None = "") -> None:
        import orjson

        self.count, self.base, self.image_dir = 0, "", image_dir
        self._store: tuple[Any, str] | None = None  # the image store, and the prefix of references to it
        self._dumps, self._how = orjson.dumps, orjson.OPT_APPEND_NEWLINE
        self._prefixes: dict[str, str] = {}
        self._whole: files.Whole | None = None
        self._out: Any
        if path == "-":
            self._out = files.Patient(1, "w")
        elif isinstance(path, str | os.PathLike):
            self._out = self._whole = files.Whole(path)
            self.base = os.path.dirname(path)
        else:
            self._out = path

    def write(self, record: dict) -> None:
        """Write one record, and flush it if the output is a stream."""
        self.put(self.line(record))

    def line(self, record: dict) -> bytes:
        """Return the line that `write` writes."""
        if getattr(record, "base", self.base) != self.base:
            record = self._rebased(record)
        for field in IMAGE_FIELDS:
            if field in record and type(images := record[field]) is list and _HELD in map(type, images):
                record = self._stored(record, field)
        try:
            line = self._dumps(record, None, self._how)
        except TypeError:
            return dump(record)  # raises the error
        return line if self.finite or b"null" not in line else dump(record)

    def put(self, lines: bytes, count: int = 1) -> None:
        """Write `count` complete lines unchanged."""
        if self._whole is not None:
            self._whole.write(lines)
        else:
            files.write_all(self._out, lines)
        self.count += count

    def close(self) -> None:
        """Finish the output: move a file to its place."""
        if self._whole is not None:
            self._whole.finish()

    def discard(self) -> None:
        """Drop the output: a file keeps its old contents, a stream keeps the records that were written."""
        if self._whole is not None:
            self._whole.discard()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.discard()

    def _stored(self, record: dict, field: str) -> dict:
        """Return the record with references to the store in place of the bytes of the field's image objects."""
        if self.image_dir is None:
            return record
        from s2h.images.decoding import read_bytes

        if self._store is None:
            from s2h.images.store import Store

            folder = self.image_dir or os.path.join(self.base, files.IMAGES)
            self._store = Store(folder), references.prefix(folder, self.base)
        store, prefix = self._store
        copy = dict(record)
        copy[field] = [
            os.path.join(prefix, os.path.relpath(store.put(read_bytes(one)), store.folder))
            if type(one) is references.Held
            else one
            for one in record[field]
        ]
        return copy

    def _rebased(self, record: dict) -> dict:
        base = getattr(record, "base", None)
        if base is None or base == self.base:
            return record
        if base not in self._prefixes:
            self._prefixes[base] = references.prefix(base, self.base)
        prefix = self._prefixes[base]
        for field in IMAGE_FIELDS:
            images = record.get(field)
            if not isinstance(images, list):
                continue
            moved = [references.moved(one, prefix) if isinstance(one, str) else one for one in images]
            if moved != images:
                record = {**record, field: moved}
        return record


def _records(lines: BinaryIO, label: str, base: str, check, seen, on_error, on_layout) -> Iterator[Record]:
    loads = parse.loads
    check = _acceptor() if check is accept else check
    for number, line in enumerate(_lines(lines), 1):
        where = f"{label}:{number}"
        try:
            if isinstance(line, RecordError):
                raise line
            try:
                fields = loads(line)
            except ValueError:
                fields = None
            if type(fields) is not dict:
                if is_blank(line):
                    continue
                fields = parsed(line)
            found = _Read(fields)
            found.where, found.base = where, base
            if check is not None and (layout := check(found)) and on_layout is not None:
                on_layout(label, layout)
            if seen is not None and not seen.add(found.get("id")):
                raise _again(found, "id" in fields)
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
        else:
            yield found


def parsed(line: bytes) -> dict:
    """Return the JSON object of one line. Raises RecordError."""
    try:
        fields = parse.loads(line)
    except parse.LimitError as error:
        raise RecordError(str(error)) from None
    except ValueError:
        fields = None
    return fields if type(fields) is dict else read_slowly(line)


def _again(found: Record, named: bool) -> RecordError:
    """Return the error for a duplicate id; a record without an id has one that is computed from its content."""
    if named:
        return RecordError(f"duplicate in this file: {found['id']}", "id")
    return RecordError("repeats an earlier pair: the same images, prompt and answers")


def _lines(stream: BinaryIO) -> Iterator[bytes | RecordError]:
    """Yield the lines of a binary stream as bytes, the rows of a JSON list or a Parquet file as lines; as errors a line
    beyond MAX_LINE, and damaged data, which end the stream."""
    import zlib

    readline, is_first = stream.readline, True
    while True:
        try:
            line = readline(MAX_LINE + 1)
            if is_first:
                is_first = False
                if (rows := containers.unpacked(line, stream)) is not None:
                    readline = rows.readline
                    continue
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = readline(SKIPPED)
                yield too_long()
                continue
        except RecordError as error:  # of a container
            yield error
            return
        except (EOFError, zlib.error, files.Damaged, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            yield RecordError(f"compressed data is truncated or damaged: {error}")
            return
        if not line:
            return
        yield line


def _not_finite(value: object, path: str) -> str:
    """Return the path of the first NaN or infinity in a value, "" if there is none."""
    if isinstance(value, float):
        return "" if value - value == 0 else path
    if isinstance(value, dict):
        items = ((f"{path}.{key}" if path else str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        items = ((f"{path}[{i}]", item) for i, item in enumerate(value))
    else:
        return ""
    return next((found for at, item in items if (found := _not_finite(item, at))), "")
