"""Read and write pairs in the layouts of other tools. Each format is one file. Each file defines one `FORMAT`, which
`s2h.registry` finds; nothing else lists the formats.

    s2h-mix --flat l1 l2 --to llama-factory -o data/pairs.json
    s2h-mix --flat data/pairs.json --from llama-factory -o l1.jsonl

`s2h.shorthand` calls `layout_of` and `Format.read` for a row that is not a complete pair; `s2h.formats.export` calls
`Format.write`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2h import registry
from s2h.record import NEEDED, RecordError

if TYPE_CHECKING:
    from s2h.formats.pictures import Pictures
    from s2h.record import Record

Row = dict[str, Any]  # one row as the other tool holds it
IMAGES = ("images", "image")  # fields that may tell a layout, but that a row without an image may lack


@dataclass(frozen=True)
class Companion:
    """A small file beside an export, which the other tool reads first.

    path: returns its path for the path of an export. words: its name in messages. text: returns its contents for the path of
    the export and the bytes that the file has now (None if it does not exist); raises RecordError if these must not be
    replaced. held_out: whether the file of held-out pairs gets one too.
    """

    path: Callable[[str], str]
    words: str
    text: Callable[[str, bytes | None], str]
    held_out: bool = False


def entries(place: str, now: bytes | None) -> dict[str, Any]:
    """Parse a companion file that is a JSON object with an entry for each data set. Raises RecordError."""
    try:
        found = json.loads(now) if now is not None else {}
    except ValueError as error:
        raise RecordError(
            f"is not JSON: {error}", where=place, remedy="repair it, or write elsewhere"
        ) from None
    if not isinstance(found, dict):
        raise RecordError(
            "is not a JSON object of data sets", where=place, remedy="repair it, or write elsewhere"
        )
    return found


@dataclass(frozen=True)
class Format:
    """The layout of another tool.

    title: the tool and its fields, in a few words. fields: the names that every row has, a tuple where it has one of
    several; a row that has them all is in this layout. read: makes a pair of a row, in any form that
    `s2h.shorthand.complete` takes; None if the rows are such pairs already. write: makes a row of a pair; None for a
    layout that is only read. endings: the file names that can be written, () for any name and for a stream. is_list: text
    is written as one JSON list, except to a .jsonl file. features: returns the columns of a parquet file, as
    `datasets.Features`; None for text. rejected_images: whether rows hold a pair's rejected images. companion: a file
    beside the export. command: returns what the user runs next, for an export at a path.

    `read` and `write` raise RecordError, with the field, for a row or a pair that they can't convert.
    """

    title: str
    fields: tuple[str | tuple[str, ...], ...]
    read: Callable[[Row], Row] | None = None
    write: Callable[[Record, Pictures], Row] | None = None
    endings: tuple[str, ...] = ()
    is_list: bool = False
    features: Callable[[], Any] | None = None
    rejected_images: bool = False
    companion: Companion | None = None
    command: Callable[[str], str] | None = None

    def lacks(self, row: Mapping) -> list[str]:
        """Return the fields of this layout that a row lacks, except those of images."""
        missing = [one for one in self.fields if not _has(row, one)]
        return [one if isinstance(one, str) else " or ".join(one) for one in missing if one not in IMAGES]

    def fits(self, row: Mapping) -> bool:
        """Return whether a row has all fields of this layout."""
        return all(_has(row, one) for one in self.fields)

    def refuses(self, path: str) -> str:
        """Return why the format can't be written to this output, "" if it can."""
        if not self.endings or (path != "-" and path.endswith(self.endings)):
            return ""
        if path == "-":
            return f"needs -o FILE{self.endings[0]}: standard output is not supported."
        return f"needs -o FILE that ends in {' or '.join(self.endings)}."


def _has(row: Mapping, field: str | tuple[str, ...]) -> bool:
    """Return whether a row has a field, or one of several."""
    return field in row if isinstance(field, str) else any(name in row for name in field)


@functools.cache
def readable() -> dict[str, Format]:
    """Return all formats by name."""
    return registry.values("format")


def writable() -> dict[str, Format]:
    """Return the formats that can be written, by name."""
    return {name: one for name, one in readable().items() if one.write is not None}


def layout_of(row: Mapping) -> str:
    """Name the layout of a row from its fields, "" for an unknown one. Of several that fit, the one that has the most fields
    of a pair wins, then the one that has the most fields."""
    fitting = [
        (sum(name in NEEDED for name in one.fields), len(one.fields), name)
        for name, one in readable().items()
        if one.fits(row)
    ]
    return max(fitting)[2] if fitting else ""
