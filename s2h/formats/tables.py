"""Parquet with the images inside, as `datasets` loads it: `load_dataset("parquet", data_files=...)` gives pictures. It is
written a row group at a time, so that memory does not grow with the records."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from typing import Any

from s2h.images import layouts
from s2h.images.decoding import ImageError, decode, glance, read_bytes
from s2h.images.store import digest
from s2h.record import FIELDS, Record, RecordError, text_of
from s2h.streams import files, parse

GROUP_ROWS, GROUP_BYTES = 1000, 32 << 20  # of a row group: whichever comes first
TILE = 448  # pixels of a picture in a grid at most, as MIA-DPO has it
TEXTS = ("id", "task", "negative", "source")


def _messages() -> Any:
    from datasets import List, Value

    part = {"type": Value("string"), "text": Value("string")}
    return List({"role": Value("string"), "content": List(part)})


def pair_features() -> Any:
    """Every field as a column; what differs from task to task (facts, grounding, scores and unknown fields) as JSON text."""
    from datasets import Features, Image, List, Value

    return Features(
        {
            "id": Value("string"), "level": Value("int8"), "task": Value("string"), "images": List(Image()),
            "prompt": _messages(), "chosen": _messages(), "rejected": _messages(), "target": List(Value("int16")),
            "facts": Value("string"), "grounding": Value("string"), "negative": Value("string"),
            "source": Value("string"), "scores": Value("string"), "stage": Value("int32"), "more": Value("string"),
        }
    )  # fmt: skip


def pair_row(record: Record) -> dict:
    known = {*FIELDS, "scores", "stage"}
    stage = record.get("stage")
    if stage is not None and not -(1 << 31) <= stage < 1 << 31:
        raise RecordError(f"must have at most 32 bits in a parquet file: it is {stage}", "stage")
    more = {name: value for name, value in record.items() if name not in known}
    return {
        **{name: record.get(name) for name in ("level", "prompt", "chosen", "rejected", "target", *TEXTS)},
        "images": [{"bytes": data, "path": name} for data, name in pictures(record)],
        **{name: _json(record.get(name)) for name in ("facts", "grounding", "scores")},
        "stage": stage,
        "more": _json(more or None),
    }


def rlaif_features() -> Any:
    from datasets import Features, Image, Value

    names = ("ds_name", "question", "chosen", "rejected", "origin_dataset", "origin_split", "image_path")
    return Features({"image": Image(), "idx": Value("string"), **{name: Value("string") for name in names}})


def rlaif_row(record: Record) -> dict:
    """RLAIF-V has one image: several become a grid, numbered as the prompt counts them."""
    from s2h.formats.chat import single

    single(record)  # one message, without words that are read as images
    found = pictures(record)
    data, name = found[0]
    if len(found) > 1:
        opened = [decode(data, name) for data, name in found]
        sheet = layouts.grid(opened, min(TILE, max(max(picture.size) for picture in opened)))
        out = io.BytesIO()
        sheet.save(out, "PNG")
        data, name = out.getvalue(), digest(out.getvalue()) + ".png"
    said = [part["text"] for part in record["prompt"][0]["content"] if part["type"] == "text"]
    question = "".join(text for text in said if not _names_image(text) or len(found) == 1).strip()
    return {
        "image": {"bytes": data, "path": name},
        "idx": record["id"],
        "ds_name": f"s2h-{record['task']}" if record.get("task") else "s2h",
        "question": question or "".join(said).strip(),
        "chosen": text_of(record["chosen"]),
        "rejected": text_of(record["rejected"]),
        "origin_dataset": record.get("source"),
        "origin_split": _json({"level": record.get("level"), "negative": record.get("negative")}),
        "image_path": name,
    }


ROWS: dict[str, tuple[Callable, Callable]] = {
    "parquet": (pair_features, pair_row),
    "rlaif-v": (rlaif_features, rlaif_row),
}


class Parquet:
    """Writes records as rows of one parquet file, whole or not at all."""

    def __init__(self, path: str, form: tuple[Callable, Callable]) -> None:
        from pyarrow import parquet

        features, self._row = form
        self._schema = features().arrow_schema  # its metadata tells `datasets` which columns are images
        self._file = files.Whole(path)
        self._writer = parquet.ParquetWriter(_Unowned(self._file), self._schema, compression="zstd")
        self._rows: list[dict] = []
        self._bytes = self.count = 0

    def write(self, record: Record) -> None:
        """Adds one record. Raises ImageError, RecordError."""
        row = self._row(record)
        self._rows.append(row)
        self._bytes += sum(len(image["bytes"]) for image in row.get("images") or [row["image"]])
        self.count += 1
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._file.finish()

    def discard(self) -> None:
        import contextlib

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


def pictures(record: Record) -> list[tuple[bytes, str]]:
    """(bytes, name) of each image. Raises ImageError, with the field."""
    found = []
    for i, reference in enumerate(record["images"]):
        try:
            data = read_bytes(reference, getattr(record, "base", ""))
            shown = reference if len(reference) <= 200 else reference[:40]
            glance(data, shown)
        except ImageError as error:
            error.field = f"images[{i}]"
            raise
        name = "" if reference.startswith("data:") else os.path.basename(reference.rpartition("!")[2])
        found.append((data, name or digest(data)))
    return found


def _names_image(text: str) -> bool:
    """Whether a part only names the image beside it: "Image 2:"."""
    bare = text.strip().rstrip(":").lower()
    return not bare or (bare.startswith("image ") and bare[6:].strip().isdigit())


def _json(value: object) -> str | None:
    if value is None:
        return None
    if parse.has_digits(value):
        return parse.dumps(value).decode()
    return json.dumps(value, ensure_ascii=False)
