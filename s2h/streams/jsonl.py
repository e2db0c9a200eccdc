"""Streams of records: JSON Lines in and out, compressed by name (.gz, .zst), flowing line by line, with errors that say
FILE:LINE. Lines end at a newline byte and nowhere else (a string may hold U+2028); blank lines are skipped but counted;
files are written beside their place and moved there only when whole.

    printf '%s\\n' '{"id": "a"}' | s2h-mix --flat      # "<stdin>:1: level: is missing"
"""

from __future__ import annotations

import contextlib
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

from s2h.images import references
from s2h.record import Record, RecordError, fail
from s2h.streams import files, parse

if TYPE_CHECKING:
    import jsonlines

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
MAX_LINE = parse.MAX_LINE  # bytes; a line beyond it is an error, not a memory fault
SKIPPED = 1 << 20  # bytes of the rest of such a line that are read at a time
BLANK = b" \t\r\n\v\f"  # what a blank line is made of
BOM = b"\xef\xbb\xbf"
_HELD = references.Held
GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def find(name: str) -> str:
    """The file that a name means: "l1" finds l1, l1.jsonl, l1.jsonl.gz or l1.jsonl.zst, in this order; "-" stays.

    Raises RecordError where there is none.
    """
    if name == "-":
        return name
    name = os.fspath(name)
    for path in (name, *(name + suffix for suffix in SUFFIXES)):
        if os.path.exists(path) and not os.path.isdir(path):
            return path
    if os.path.isdir(name):
        raise RecordError("is a folder, not a file of records", where=name)
    raise RecordError(f"no such file: {name}", remedy=f"nor with {', '.join(SUFFIXES)} added")


def accept(record: dict) -> None:
    """Check a record and complete its short forms: see shorthand.acceptor, which is imported for the first record."""
    _acceptor()(record)


@lru_cache(maxsize=1)
def _acceptor() -> Callable[[dict], None]:
    from s2h import shorthand

    return shorthand.acceptor()


def read(
    name: str | BinaryIO = "-",
    *,
    check: Callable[[dict], None] | None = accept,
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[Record]:
    """The records of one file, or of standard input for "-", as they arrive; a binary stream is read as standard input.

    A line that is no record goes to on_error as a RecordError; where on_error returns, reading goes on with the next
    line (a broken compression ends the file). With check, an id that a file has twice is an error too (16 bytes of
    memory a record); standard input may be endless and is not remembered.
    """
    if isinstance(name, str | os.PathLike):
        path = find(os.fspath(name))
        with files.opened(path) as lines:
            seen = None if path == "-" or check is None else Seen()
            label, base = ("<stdin>", "") if path == "-" else (path, os.path.dirname(path))
            yield from _records(lines, label, base, check, seen, on_error)
    else:
        yield from _records(name, "<stdin>", "", check, None, on_error)


def read_all(names: Iterable[str] = (), **options) -> Iterator[Record]:
    """The records of several files in their order; no names means standard input. Options are those of `read`.

    A file that does not exist is an error before the first record is read.
    """
    names = [find(name) if isinstance(name, str | os.PathLike) else name for name in names]
    for name in names or ["-"]:
        yield from read(name, **options)


def dump(record: dict) -> bytes:
    """One line of UTF-8 with its newline. Raises RecordError for NaN, infinity and what JSON has no form for."""
    import orjson

    try:
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        with contextlib.suppress(TypeError, ValueError):
            if parse.has_digits(record):  # numbers beyond orjson's
                return parse.dumps(record) + b"\n"
        where = getattr(record, "where", "")
        raise RecordError(f"cannot be written as JSON: {error}", where=where) from None
    # orjson writes NaN and infinities as null, so only a line with a null can hide one, and then it reads differently.
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
    record at once. Relative image references are rewritten where the record's base is not the output's folder: relative
    below it, absolute elsewhere. The bytes of image objects (references.Held) go to the store `image_dir`: "" for
    s2h-images beside the file, in the working directory for a stream; None keeps them in the record. `count` is the number
    of records written. A caller that has made sure that no number of a record is NaN or infinite sets `finite`; otherwise
    the writer searches each line for one. Errors: RecordError (see `dump`), OSError.
    """

    finite = False

    def __init__(self, path: str | BinaryIO = "-", image_dir: str | None = "") -> None:
        import orjson

        self.count, self.base, self.image_dir = 0, "", image_dir
        self._store: tuple[Any, str] | None = None  # the image store, and what stands before its names
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
        """Writes one record, and flushes it where the output is a stream."""
        self.put(self.line(record))

    def line(self, record: dict) -> bytes:
        """The line that `write` writes."""
        if getattr(record, "base", self.base) != self.base:
            record = self._rebased(record)
        if "images" in record and type(images := record["images"]) is list and _HELD in map(type, images):
            record = self._stored(record)
        try:
            line = self._dumps(record, None, self._how)
        except TypeError:
            return dump(record)  # which says what is wrong
        return line if self.finite or b"null" not in line else dump(record)

    def put(self, lines: bytes, count: int = 1) -> None:
        """Writes so many whole lines as they stand."""
        if self._whole is not None:
            self._whole.write(lines)
        else:
            files.write_all(self._out, lines)
        self.count += count

    def close(self) -> None:
        """Finishes the output: a file moves to its place."""
        if self._whole is not None:
            self._whole.finish()

    def discard(self) -> None:
        """Gives the output up: a file's old contents stay; a stream keeps what it was given."""
        if self._whole is not None:
            self._whole.discard()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.discard()

    def _stored(self, record: dict) -> dict:
        """The record with references to the store in place of the bytes of image objects."""
        if self.image_dir is None:
            return record
        from s2h.images.decoding import read_bytes

        if self._store is None:
            from s2h.images.store import Store

            folder = self.image_dir or os.path.join(self.base, files.IMAGES)
            self._store = Store(folder), references.prefix(folder, self.base)
        store, prefix = self._store
        copy = dict(record)
        copy["images"] = [
            os.path.join(prefix, os.path.relpath(store.put(read_bytes(one)), store.folder))
            if type(one) is references.Held
            else one
            for one in record["images"]
        ]
        return copy

    def _rebased(self, record: dict) -> dict:
        base = getattr(record, "base", None)
        if base is None or base == self.base:
            return record
        images = record.get("images")
        if not isinstance(images, list):
            return record
        if base not in self._prefixes:
            self._prefixes[base] = references.prefix(base, self.base)
        prefix = self._prefixes[base]
        moved = [references.moved(one, prefix) if isinstance(one, str) else one for one in images]
        if moved == images:
            return record
        copy = dict(record)
        copy["images"] = moved
        return copy


def _records(lines: BinaryIO, label: str, base: str, check, seen, on_error) -> Iterator[Record]:
    loads = parse.loads
    check = _acceptor() if check is accept else check
    for number, line in enumerate(_lines(lines), 1):
        where = f"{label}:{number}"
        try:
            if isinstance(line, RecordError):
                raise line
            try:
                fields = loads(line)
            except parse.LimitError as error:
                raise RecordError(str(error)) from None
            except ValueError:
                fields = None
            if type(fields) is not dict:
                if is_blank(line):
                    continue
                fields = _parse(line, where)
            found = _Read(fields)
            found.where, found.base = where, base
            if check is not None:
                check(found)
            if seen is not None and not seen.add(found.get("id")):
                raise _again(found, "id" in fields)
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
        else:
            yield found


def _again(found: Record, named: bool) -> RecordError:
    """The fault of a record whose id came before; a record without an id has one by its content."""
    if named:
        return RecordError(f"is in this file twice: {found['id']}", "id")
    return RecordError("repeats an earlier pair: the same images, prompt and answers")


def _lines(stream: BinaryIO) -> Iterator[bytes | RecordError]:
    """The lines of a binary stream as bytes; as errors a line beyond MAX_LINE, and damaged compression, which ends it."""
    import zlib

    readline = stream.readline
    while True:
        try:
            line = readline(MAX_LINE + 1)
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = readline(SKIPPED)
                yield too_long()
                continue
        except (EOFError, zlib.error, files.Damaged, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            yield RecordError(f"compressed data is truncated or damaged: {error}")
            return
        if not line:
            return
        yield line


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing: white space, or a byte order mark and nothing else."""
    return not line.removeprefix(BOM).strip(BLANK)


def too_long() -> RecordError:
    return RecordError(
        f"line is too long: more than {MAX_LINE >> 20} MiB", remedy="store its images as files"
    )


def _parse(line: bytes, where: str) -> dict:
    """A line that is no plain JSON object, more slowly: after a byte order mark it may be one after all; of any other
    it is said what is wrong. Raises RecordError."""
    import jsonlines

    if remedy := _other_format(line):
        raise RecordError(f"not a JSON object: {remedy[0]}", where=where, remedy=remedy[1])
    reader = jsonlines.Reader([line], loads=_loads)
    try:
        return reader.read(type=dict)
    except jsonlines.InvalidLineError as error:
        raise _explained(error, where) from None


def _loads(text: str | bytes) -> object:
    """A value as `parse.loads` reads it; a fault comes in orjson's words, which say the column."""
    import orjson

    try:
        return parse.loads(text.encode() if isinstance(text, str) else text)
    except parse.LimitError:
        raise
    except ValueError:
        orjson.loads(text)
        raise


def _other_format(line: bytes) -> tuple[str, str] | None:
    """What a line is a part of that is no JSON Lines, and how to convert it; None where that can't be told."""
    said = line.removeprefix(BOM).strip(BLANK)
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or 4 * line.count(0) > len(line):
        return "text in UTF-16", "convert it with iconv -f utf-16 -t utf-8"
    if line.startswith(b"PAR1"):
        return "a Parquet file", "convert it to JSON Lines"
    if said.startswith(b"["):
        return "a JSON array", "each line holds one record; convert it with jq -c '.[]'"
    if said == b"{" or (said.startswith(b"{") and re.search(rb"(,|:\s*[\[{]?)$", said)):
        return "pretty-printed JSON", "each line holds one record; convert it with jq -c ."
    return None


def _explained(error: jsonlines.InvalidLineError, where: str) -> RecordError:
    """A jsonlines error as one of ours, with the cause in a reader's words."""
    line, cause = error.line, error.__cause__
    data = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    if data.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
        kind, tool = ("gzip", "zcat") if data.startswith(GZIP_MAGIC) else ("Zstandard", "zstdcat")
        return RecordError(
            f"not JSON: {kind} data", where=where, remedy=f"name the file .gz or .zst, or use {tool}"
        )
    if isinstance(cause, UnicodeDecodeError):
        return RecordError(f"not valid UTF-8: byte {cause.start + 1} of the line", where=where)
    if isinstance(cause, parse.LimitError):
        return RecordError(str(cause), where=where)
    if cause is None:
        return RecordError("not a JSON object", where=where, remedy="each line holds one record: {...}")
    column = getattr(cause, "colno", 0)
    detail = str(getattr(cause, "msg", cause))
    text = str(line)
    at = text[max(column - 1, 0) :]
    for word in ("NaN", "Infinity", "-Infinity"):
        if at.startswith(word) or (word[0] == "-" and text[max(column - 2, 0) :].startswith(word)):
            detail = f"{word} is no JSON number"
    return RecordError(f"not JSON: {detail}, column {column}", where=where)


class Seen:
    """A set of 8-byte hashes in one flat table, at most half full: 16 to 32 bytes an entry where a set takes 100."""

    def __init__(self) -> None:
        self.count, self.mask, self.table = 0, 1023, array("Q", bytes(8 * 1024))

    def add(self, text: str) -> bool:
        """Whether the text was new."""
        if 2 * self.count > self.mask:
            old, self.mask = self.table, 2 * self.mask + 1
            self.table, self.count = array("Q", bytes(8 * (self.mask + 1))), 0
            for key in old:
                if key:
                    self._place(key)
        key = hash(text) & 0xFFFFFFFFFFFFFFFF or 1
        slot = key & self.mask
        if self.table[slot]:
            return self._place(key)
        self.table[slot] = key
        self.count += 1
        return True

    def _place(self, key: int) -> bool:
        table, mask = self.table, self.mask
        slot = key & mask
        while table[slot]:
            if table[slot] == key:
                return False
            slot = (slot + 1) & mask
        table[slot] = key
        self.count += 1
        return True


def _not_finite(value: object, path: str) -> str:
    """The path of the first NaN or infinity in a value, "" where there is none."""
    if isinstance(value, float):
        return "" if value - value == 0 else path
    if isinstance(value, dict):
        items = ((f"{path}.{key}" if path else str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        items = ((f"{path}[{i}]", item) for i, item in enumerate(value))
    else:
        return ""
    return next((found for at, item in items if (found := _not_finite(item, at))), "")
