"""Write records in a format, as JSON lines, one JSON list or parquet, with the format's companion file beside them."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from s2h.formats import Companion, Format
from s2h.formats.pictures import Pictures
from s2h.record import REJECTED_IMAGES, Record
from s2h.streams import files, jsonl


class Export(Protocol):
    """Writes records in a format. `write` raises RecordError for a record that the format can't hold and ImageError for an
    image that can't be opened; nothing of such a record is written. without_rejected_images: how many records were written
    without their rejected images, because the format has no field for them."""

    without_rejected_images: int

    @property
    def count(self) -> int: ...
    def write(self, record: Record) -> None: ...
    def close(self) -> None: ...
    def discard(self) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_export(
    form: Format, path: str | BinaryIO, image_dir: str = "s2h-images", held_out: bool = False
) -> Export:
    """Open an output in a format.

    path: a file, written whole or not at all, or a binary stream if the format allows one. image_dir: the store for images
    that are not files (data URIs, members of tar shards), for formats that name files. held_out: whether the records are the
    held-out ones. Raises RecordError if a companion file must not be replaced.
    """
    pictures = Pictures(image_dir)
    if form.features is not None:
        from s2h.formats.parquet_export import Parquet

        assert isinstance(path, str)
        return Parquet(path, form, pictures)
    companion = form.companion
    if not isinstance(path, str) or (held_out and companion is not None and not companion.held_out):
        companion = None
    return Text(path, form, pictures, companion)


def loses_rejected_images(form: Format, record: Record) -> bool:
    """Return whether a row in the format lacks the record's rejected images."""
    return not form.rejected_images and bool(record.get(REJECTED_IMAGES))


class Text:
    """Writes each record as JSON, in lines or in one list, whole or not at all; a context manager. The companion file is
    written when the export is in its place."""

    def __init__(
        self, path: str | BinaryIO, form: Format, pictures: Pictures, companion: Companion | None
    ) -> None:
        assert form.write is not None
        self._write: Callable[[Record, Pictures], dict] = form.write
        self._form, self._pictures, self._path, self._companion = form, pictures, path, companion
        self.without_rejected_images = 0
        if companion is not None:
            companion_text(companion, str(path))  # raises its error before anything is written
        is_list = form.is_list and not (isinstance(path, str) and path.endswith(jsonl.SUFFIXES))
        head, self._between, self._tail = (b"[\n", b",\n", b"\n]\n") if is_list else (b"", b"\n", b"\n")
        self._next, self._empty = head, head + self._tail if is_list else b""
        self._out = jsonl.Writer(path)

    @property
    def count(self) -> int:
        return self._out.count

    def write(self, record: Record) -> None:
        """Write one record. Raises RecordError if the format can't hold it."""
        line = jsonl.dump(self._write(record, self._pictures))[:-1]
        self._out.put(self._next + line)
        self._next = self._between
        self.without_rejected_images += loses_rejected_images(self._form, record)

    def close(self) -> None:
        self._out.put(self._tail if self.count else self._empty, 0)
        self._out.close()
        if self._companion is not None:
            place, text = companion_text(self._companion, str(self._path))
            with files.Whole(place) as out:
                out.write(text.encode())

    def discard(self) -> None:
        self._out.discard()

    def __enter__(self) -> Text:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.discard()


def companion_text(companion: Companion, path: str) -> tuple[str, str]:
    """Return (path, contents) of the file beside an export."""
    place = companion.path(path)
    try:
        with open(place, "rb") as file:
            now = file.read()
    except FileNotFoundError:
        now = None
    return place, companion.text(path, now)
