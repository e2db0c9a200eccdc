"""Files of rows that are no JSON lines, as a stream of JSON lines: a JSON list and a Parquet file. They are recognised by
their first bytes, whatever their name is, and converted as they are read, so that memory does not grow with them. A row is
a line, so that FILE:3 is the third row.
"""

from __future__ import annotations

import base64
import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from s2h.errors import RecordError
from s2h.streams.parse import MAX_LINE

PARQUET = b"PAR1"
BOM = b"\xef\xbb\xbf"
PIECE = 1 << 18  # bytes of a list that are read at a time
ROWS = 16  # rows of a Parquet file that are converted at a time
_SPACE = re.compile(r"[ \t\r\n]*")
_BREAKS = str.maketrans("\r\n", "  ")  # outside of strings, where JSON has them, they are white space


def kind_of(head: bytes) -> str:
    """What the first bytes of a stream are of: "list", "parquet", or "" for lines."""
    if head.startswith(PARQUET):
        return "parquet"
    return "list" if head.removeprefix(BOM).lstrip()[:1] == b"[" else ""


def is_container(path: str) -> bool:
    """Whether a regular file is a JSON list or a Parquet file. Raises OSError."""
    with open(path, "rb") as file:
        return bool(kind_of(file.read(64)))


def unpacked(head: bytes, stream: BinaryIO) -> io.BufferedReader | None:
    """The rows of a list or a Parquet file as lines; None where the stream holds lines already. head: the first bytes,
    which were read from the stream. Reading the rows raises RecordError where the file is damaged."""
    kind = kind_of(head)
    if not kind:
        return None
    return io.BufferedReader(
        _Joined(_items(head, stream) if kind == "list" else _rows(head, stream)), 1 << 16
    )


class _Joined(io.RawIOBase):
    """Pieces of bytes as a stream."""

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
    """The items of a JSON list, each as a line: as they are written, but for line breaks between tokens."""
    import json

    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    # Only the end of each item is looked for: numbers keep their digits.
    end_of = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
    text, at, size, is_whole, before = "", 0, PIECE, False, "["
    while True:
        start = _after_space(text, at)
        sign = text[start : start + 1]
        begin = _after_space(text, start + 1)
        if (sign == "]" and before == ",") or (sign == "[" and text[begin : begin + 1] == "]"):
            return
        if sign and sign != before:
            raise _broken(f"expected , or ] and found {text[start : start + 20]!r}")
        try:
            end = end_of(text, begin)[1]
        except RecursionError:
            raise _broken("an item is nested too deeply") from None
        except json.JSONDecodeError as error:  # or the item goes on in the bytes that follow
            if is_whole:
                raise _broken(str(error) if sign else "it has no ]") from None
            if len(text) - at > MAX_LINE:
                raise _broken(f"an item has more than {MAX_LINE >> 20} MiB, or {error}") from None
            data, head = head or stream.read(size), b""
            try:
                text, at, is_whole = text[at:] + decode(data, not data), 0, not data
            except UnicodeDecodeError:
                raise _broken("it is not valid UTF-8") from None
            size *= 2  # so that a long item is not looked at again for every piece
            continue
        yield text[begin:end].translate(_BREAKS).encode() + b"\n"
        at, size, before = end, PIECE, ","


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _broken(words: str) -> RecordError:
    return RecordError(f"not a JSON list: {words}", remedy="the rest of the file can't be read")


def _rows(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """The rows of a Parquet file, each as a line; bytes are base64."""
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
        except Exception as error:  # whatever a damaged file makes pyarrow stumble over
            if isinstance(error, OSError) and error.errno is not None:
                raise
            words = " ".join(str(error).split())[:200]
            raise RecordError(f"a Parquet file that can't be read: {words}") from error


def _plain(value: Any) -> str:
    """A value of a Parquet file that JSON has no form for."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
