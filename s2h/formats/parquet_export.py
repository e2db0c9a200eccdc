"""Exports that are parquet files, written a row group at a time, so that memory does not grow with the records."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from s2h.formats import Format
from s2h.formats.export import loses_rejected_images
from s2h.formats.pictures import Pictures
from s2h.record import Record
from s2h.streams import files, parse

GROUP_ROWS, GROUP_BYTES = 1000, 32 << 20  # of a row group: whichever comes first


class Parquet:
    """Writes records as rows of one parquet file, whole or not at all; a context manager."""

    def __init__(self, path: str, form: Format, pictures: Pictures) -> None:
        from pyarrow import parquet

        assert form.features is not None and form.write is not None
        self._form, self._write, self._pictures = form, form.write, pictures
        self.without_rejected_images = 0
        self._schema = form.features().arrow_schema  # its metadata tells `datasets` which columns are images
        self._file = files.Whole(path)
        self._writer = parquet.ParquetWriter(_Unowned(self._file), self._schema, compression="zstd")
        self._rows: list[dict] = []
        self._bytes = self.count = 0

    def write(self, record: Record) -> None:
        """Add one record. Raises ImageError, RecordError."""
        row = self._write(record, self._pictures)
        self._rows.append(row)
        self._bytes += sum(map(_size, row.values()))
        self.count += 1
        self.without_rejected_images += loses_rejected_images(self._form, record)
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._file.finish()

    def discard(self) -> None:
        with contextlib.suppress(Exception):
            self._writer.close()
        self._file.discard()

    def __enter__(self) -> Parquet:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.discard()

    def _flush(self) -> None:
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows, self._bytes = [], 0


class _Unowned(io.RawIOBase):
    """A file that pyarrow writes into and does not close."""

    def __init__(self, file: files.Whole) -> None:
        self._file, self._at = file, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._file.write(bytes(data))
        self._at += len(data)
        return len(data)


def json_text(value: object) -> str | None:
    """Return a value as JSON text, and None as it is."""
    if value is None:
        return None
    if parse.has_digits(value):
        return parse.dumps(value).decode()
    return json.dumps(value, ensure_ascii=False)


def _size(value: object) -> int:
    """Return the number of bytes of the images in a column."""
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value["bytes"]) if isinstance(value, dict) and "bytes" in value else 0
