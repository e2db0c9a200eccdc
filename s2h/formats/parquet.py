"""Parquet with every field and the images inside, as `datasets` loads it: `load_dataset("parquet", data_files=...)` gives
images. Fields whose type differs from task to task (facts, grounding, scores, unknown fields) are columns of JSON text."""

from __future__ import annotations

from typing import Any

from s2h.formats import Format
from s2h.formats.parquet_export import json_text
from s2h.formats.pictures import Pictures, contents
from s2h.record import FIELDS, REJECTED_IMAGES, Record, RecordError
from s2h.streams import parse

TEXTS = ("id", "task", "negative", "source")
AS_JSON = ("facts", "grounding", "scores")


def features() -> Any:
    """Return a column for every field."""
    from datasets import Features, Image, List, Value

    part = {"type": Value("string"), "text": Value("string")}
    messages = List({"role": Value("string"), "content": List(part)})
    return Features(
        {
            "id": Value("string"), "level": Value("int8"), "task": Value("string"), "images": List(Image()),
            "prompt": messages, "chosen": messages, "rejected": messages, "target": List(Value("int16")),
            "rejected_images": List(Image()),
            "facts": Value("string"), "grounding": Value("string"), "negative": Value("string"),
            "source": Value("string"), "scores": Value("string"), "stage": Value("int32"), "more": Value("string"),
        }
    )  # fmt: skip


def write(record: Record, _: Pictures) -> dict:
    known = {*FIELDS, "scores", "stage", REJECTED_IMAGES}
    stage = record.get("stage")
    if stage is not None and not -(1 << 31) <= stage < 1 << 31:
        raise RecordError(f"must have at most 32 bits in a parquet file: it is {stage}", "stage")
    more = {name: value for name, value in record.items() if name not in known}
    return {
        **{name: record.get(name) for name in ("level", "prompt", "chosen", "rejected", "target", *TEXTS)},
        "images": _inside(record, "images"),
        REJECTED_IMAGES: _inside(record, REJECTED_IMAGES) if record.get(REJECTED_IMAGES) else None,
        **{name: json_text(record.get(name)) for name in AS_JSON},
        "stage": stage,
        "more": json_text(more or None),
    }


def _inside(record: Record, field: str) -> list[dict]:
    return [{"bytes": data, "path": name} for data, name in contents(record, field)]


def read(row: dict) -> dict:
    """Read what `write` wrote. JSON texts become values again, and null fields are left out."""
    made = {name: value for name, value in row.items() if value is not None}
    texts = [name for name in (*AS_JSON, "more") if isinstance(made.get(name), str)]
    for name in texts:
        try:
            made[name] = parse.loads(made[name].encode())
        except ValueError as error:
            raise RecordError(f"must be JSON text: {error}", name) from None
    if "more" in texts and isinstance(made["more"], dict):
        made |= made.pop("more")
    return made


FORMAT = Format(
    title="datasets: parquet with the images inside and every field",
    fields=("images", "prompt", "chosen", "rejected", "facts", "grounding", "more"),
    read=read,
    write=write,
    endings=(".parquet",),
    features=features,
    rejected_images=True,
    command=lambda path: f'datasets.load_dataset("parquet", data_files="{path}")',
)
