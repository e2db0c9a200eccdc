"""Read a JSON list or a Parquet file as a stream of JSON lines. The two are recognised by their first bytes, whatever their
name is, and converted while they are read, so that memory does not grow with them. Each row is a line, so FILE:3 is the
third row."""

from __future__ import annotations

import base64
import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from s2h.errors import RecordError, one_line
from s2h.streams.parse import MAX_LINE

PARQUET = b"PAR1"
BOM = b"\xef\xbb\xbf"
PIECE = 1 << 18  # bytes of a list that are read at a time
ROWS = 16  # rows of a Parquet file that are converted at a time
SPACE = " \t\r\n"  # JSON's white space
_SPACE = re.compile(f"[{SPACE}]*")
_BREAKS = str.maketrans("\r\n", "  ")  # JSON has line breaks only between tokens, as white space


def kind_of(head: bytes) -> str:
    """Return the kind of a stream by its first bytes: "list", "parquet", or "" for lines."""
    if head.startswith(PARQUET):
        return "parquet"
    return "list" if head.removeprefix(BOM).lstrip()[:1] == b"[" else ""


def is_container(path: str) -> bool:
    """Return whether a regular file is a JSON list or a Parquet file. Raises OSError."""
    with open(path, "rb") as file:
        return bool(kind_of(file.read(64)))


def unpacked(head: bytes, stream: BinaryIO) -> io.BufferedReader | None:
    """Return the rows of a list or a Parquet file as lines, None if the stream holds lines already. head: the bytes that
    were already read from the stream. Reading the rows raises RecordError if the file is damaged."""
    kind = kind_of(head)
    if not kind:
        return None
    return io.BufferedReader(
        _Joined(_items(head, stream) if kind == "list" else _rows(head, stream)), 1 << 16
    )


class _Joined(io.RawIOBase):
    """A binary stream that joins pieces of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            if (piece := next(self._pieces, None)) is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _items(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield each item of a JSON list as a line, unchanged except for line breaks between tokens. Bytes after the list, and a
    stream that does not begin with a list of objects, are yielded unchanged, so that the reader reports their faults."""
    import json

    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    # Only the end of each item is needed, so numbers are not converted and keep their digits.
    end_of = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
    text, at, size, before = "", 0, PIECE, "["
    taken = [b""]  # all that was read, until the first item is complete
    fault = ""
    while not fault:
        start = _after_space(text, at)
        begin = _after_space(text, start + 1)
        sign, first = text[start : start + 1], text[begin : begin + 1]
        if before == "," and sign and sign != ",":  # the end of the list, or of text that looked like a list
            yield text[start + (sign == "]") :].lstrip(SPACE).encode() + decoder.getstate()[0]
            break
        if before == "[" and first == "]":
            taken.append(stream.read(PIECE))
            if not (text[begin + 1 :].encode() + taken[-1]).strip():
                return  # an empty list, and nothing after it
        if before == "[" and first and first != "{":
            break
        try:
            end = end_of(text, begin)[1]
        except RecursionError:
            fault = "an item is nested too deeply"
        except json.JSONDecodeError as error:  # or the item continues in the next bytes
            is_long = len(text) - at > MAX_LINE
            data, head = b"" if is_long else head or stream.read(size), b""
            taken.append(data)
            try:
                text, at = text[at:] + decoder.decode(data), 0
            except UnicodeDecodeError:
                fault = "it is not valid UTF-8"
            if not data:
                most = f"an item has more than {MAX_LINE >> 20} MiB, or " if is_long else ""
                fault = f"{most}{error}" if sign else "it has no ]"
            size *= 2  # so that a long item is not parsed again for every piece
        else:
            yield text[begin:end].translate(_BREAKS).encode() + b"\n"
            at, size, before, taken = end, PIECE, ",", []
    if fault and before == ",":
        raise _broken(fault)
    yield b"".join(taken)
    while data := stream.read(PIECE):
        yield data


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _broken(words: str) -> RecordError:
    return RecordError(f"not a JSON list: {words}", remedy="the rest of the file can't be read")


def _rows(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield the rows of a Parquet file, each as a line; bytes are base64."""
    import shutil
    import tempfile

    import orjson
    from pyarrow.parquet import ParquetFile

    with tempfile.TemporaryFile() as copy:
        copy.write(head)
        shutil.copyfileobj(stream, copy)
        try:
            with ParquetFile(copy) as file:
                for batch in file.iter_batches(batch_size=ROWS):
                    for row in batch.to_pylist():
                        yield orjson.dumps(row, _plain, orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
        except RecordError:
            raise
        except Exception as error:  # a damaged file raises many kinds of error in pyarrow
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise RecordError(f"a Parquet file that can't be read: {one_line(error)}") from error


def _plain(value: Any) -> str:
    """Return a value of a Parquet file that JSON can't hold as text; bytes as base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
