"""Lines that are not a plain JSON object: blank lines, lines after a byte order mark, and errors with a remedy for all
others. `s2h.streams.jsonl` calls this module only for a line that `parse.loads` refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from s2h.errors import RecordError
from s2h.streams import parse
from s2h.streams.parse import MAX_LINE

if TYPE_CHECKING:
    import jsonlines

BLANK = b" \t\r\n\v\f"  # the characters of a blank line
BOM = b"\xef\xbb\xbf"
ONE_A_LINE = "each line holds one record: {...}"
GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def is_blank(line: bytes) -> bool:
    """Return whether a line is empty but for white space and a byte order mark."""
    return not line.removeprefix(BOM).strip(BLANK)


def too_long() -> RecordError:
    """Return the error for a line beyond MAX_LINE."""
    return RecordError(
        f"line is too long: more than {MAX_LINE >> 20} MiB", remedy="store its images as files"
    )


def read_slowly(line: bytes) -> dict:
    """Read a line that `parse.loads` refused: an object may follow a byte order mark. Raises RecordError, with the fault and
    the remedy, for any other line."""
    import jsonlines

    if remedy := _other_format(line):
        raise RecordError(f"not a JSON object: {remedy[0]}", remedy=remedy[1])
    reader = jsonlines.Reader([line], loads=_loads)
    try:
        return reader.read(type=dict)
    except jsonlines.InvalidLineError as error:
        raise _explained(error) from None


def _loads(text: str | bytes) -> object:
    """Read a value as `parse.loads` does, but raise orjson's errors, which have the column of the fault."""
    import orjson

    try:
        return parse.loads(text.encode() if isinstance(text, str) else text)
    except parse.LimitError:
        raise
    except ValueError:
        orjson.loads(text)
        raise


def _other_format(line: bytes) -> tuple[str, str] | None:
    """Return (format, how to convert it) if a line is part of another format; None if it isn't recognised."""
    text = line.removeprefix(BOM).strip(BLANK)
    if line.startswith(b"PK\x03\x04"):
        return "a zip file", "unpack it, and name a file of JSON lines"
    if line.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        return "an image", "name a file of JSON lines, which refer to images"
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or 4 * line.count(0) > len(line):
        return "text in UTF-16", "convert it with iconv -f utf-16 -t utf-8"
    if text.startswith(b"["):
        return (
            "a JSON array",
            "a list of records must start the file and be whole; or convert it with jq -c '.[]'",
        )
    if text == b"{" or (text.startswith(b"{") and re.search(rb"(,|:\s*[\[{]?)$", text)):
        return "pretty-printed JSON", "each line holds one record; convert it with jq -c ."
    return None


def _explained(error: jsonlines.InvalidLineError) -> RecordError:
    """Return a jsonlines error as a RecordError with the cause, the column and the remedy."""
    line, cause = error.line, error.__cause__
    data = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    if data.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
        kind, tool = ("gzip", "zcat") if data.startswith(GZIP_MAGIC) else ("Zstandard", "zstdcat")
        return RecordError(f"not JSON: {kind} data", remedy=f"name the file .gz or .zst, or use {tool}")
    if isinstance(cause, UnicodeDecodeError):
        remedy = "save the file as UTF-8, or convert it with iconv -f latin1 -t utf-8"
        return RecordError(f"not valid UTF-8: byte {cause.start + 1} of the line", remedy=remedy)
    if isinstance(cause, parse.LimitError):
        return RecordError(str(cause))
    if cause is None:
        return RecordError("not a JSON object", remedy=ONE_A_LINE)
    column = getattr(cause, "colno", 0)
    detail = str(getattr(cause, "msg", cause))
    text = str(line)
    at = text[max(column - 1, 0) :]
    for word in ("NaN", "Infinity", "-Infinity"):
        if at.startswith(word) or (word[0] == "-" and text[max(column - 2, 0) :].startswith(word)):
            detail = f"{word} is no JSON number"
    remedy = "" if text.lstrip().startswith("{") else ONE_A_LINE
    return RecordError(f"not JSON: {detail}, column {column}", remedy=remedy)
