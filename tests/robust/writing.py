"""The files of a hostile folder: values that are written as JSON, CSV, TSV, tar, parquet or MATLAB's form, however odd they
are."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from tests.robust import values
from tests.support.photos import encoded

COUNT = 20  # pictures of a folder


class Told(NamedTuple):
    """A file that is made of a JSON value: rows, a tree. kind: how it is written."""

    kind: str
    value: Any


@lru_cache
def picture(i: object) -> bytes:
    return encoded(i)


def written(content: object) -> object:
    """A file's content as bytes, where it isn't a link or a pipe."""
    return WRITERS[content.kind](content.value) if isinstance(content, Told) else content


def _rows(value: Any) -> list[dict]:
    listed = value if isinstance(value, list) else [value]
    return [row for row in listed if isinstance(row, dict)]


def _csv(value: Any) -> bytes:
    rows = _rows(value)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return _cells([columns, *([row.get(column, "") for column in columns] for row in rows)])


def _cells(value: Any) -> bytes:
    out = io.StringIO()
    rows = value if isinstance(value, list) else [value]
    csv.writer(out, escapechar="\\").writerows(row if isinstance(row, list) else [row] for row in rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _tsv(value: Any) -> bytes:
    rows = _rows(value)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    made = csv.writer(out, delimiter="\t", escapechar="\\")
    made.writerows([columns, *([row.get(column, "") for column in columns] for row in rows)])
    return out.getvalue().encode("utf-8", "surrogatepass")


def _tar(value: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in value if isinstance(value, list) else ():
            if not isinstance(member, list) or len(member) < 2:
                continue
            data = written(member[1])
            info = tarfile.TarInfo(str(member[0]).replace("\ud800", "\udcff"))
            if isinstance(data, bytes):
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                info.type, info.linkname = (
                    tarfile.SYMTYPE,
                    str(data).replace("\ud800", "x").replace("\0", "x"),
                )
                archive.addfile(info)
    return out.getvalue()


def _parquet(value: Any) -> bytes:
    """A table of the rows; of columns whose types don't go together the texts."""
    import pyarrow
    import pyarrow.parquet

    rows = [_filled(row) for row in _rows(value)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    made = {}
    for column in columns:
        cells = [row.get(column) for row in rows]
        try:
            made[column] = pyarrow.array(cells)
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):
            made[column] = pyarrow.array(
                [repr(cell)[:99].encode("utf-8", "replace").decode() for cell in cells]
            )
    out = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pyarrow.table(made), out)
    except (pyarrow.ArrowException, UnicodeEncodeError):  # a struct without fields can't be written
        return json.dumps(repr(rows)).encode()
    return out.getvalue()


def _filled(row: dict) -> dict:
    """A row with the bytes of a picture where its number stands."""
    cell = row.get("image")
    if isinstance(cell, dict) and type(cell.get("bytes")) is int:
        return row | {"image": cell | {"bytes": picture(cell["bytes"] % COUNT)}}
    return row


def _mat(value: Any) -> bytes:
    import numpy
    from scipy.io import savemat

    rows = [row for row in value if isinstance(row, list) and row] if isinstance(value, list) else [[value]]
    cells = numpy.full((len(rows), max(map(len, rows), default=1)), "", dtype=object)
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            plain = isinstance(cell, int) and abs(cell) < 2**62
            cells[at, column] = cell if plain else str(cell).encode("utf-8", "replace").decode()
    out = io.BytesIO()
    savemat(out, {"pairs": cells})
    return out.getvalue()


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "json": values.spelled,
    "jsonl": lambda rows: b"".join(values.spelled(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows])),
    "csv": _csv, "tsv": _tsv, "cells": _cells, "tar": _tar, "parquet": _parquet, "mat": _mat,
}  # fmt: skip
