"""RLAIF-V: parquet with one embedded image, question, chosen and rejected. Several images are written as a numbered grid."""

from __future__ import annotations

import io
import os
from typing import Any

from s2h.formats import Format, chat
from s2h.formats.parquet_export import json_text
from s2h.formats.pictures import Pictures, contents
from s2h.record import Record, text_of

TILE = 448  # longest side of a picture in a grid, in pixels, as in MIA-DPO


def features() -> Any:
    from datasets import Features, Image, Value

    names = ("ds_name", "question", "chosen", "rejected", "origin_dataset", "origin_split", "image_path")
    return Features({"image": Image(), "idx": Value("string"), **{name: Value("string") for name in names}})


def write(record: Record, _: Pictures) -> dict:
    """Make a row with the image unchanged or, for several, with a grid that is numbered as the prompt counts them."""
    chat.single(record)  # one message, without words that are read as images
    found = contents(record)
    data, name = found[0]
    if len(found) > 1:
        from s2h.images import layouts
        from s2h.images.decoding import decode
        from s2h.images.store import digest

        opened = [decode(data, name) for data, name in found]
        sheet = layouts.grid(opened, min(TILE, max(max(picture.size) for picture in opened)))
        out = io.BytesIO()
        sheet.save(out, "PNG")
        data, name = out.getvalue(), digest(out.getvalue()) + ".png"
    texts = [part["text"] for part in record["prompt"][0]["content"] if part["type"] == "text"]
    question = "".join(text for text in texts if not _names_image(text) or len(found) == 1).strip()
    return {
        "image": {"bytes": data, "path": name},
        "idx": record["id"],
        "ds_name": f"s2h-{record['task']}" if record.get("task") else "s2h",
        "question": question or "".join(texts).strip(),
        "chosen": text_of(record["chosen"]),
        "rejected": text_of(record["rejected"]),
        "origin_dataset": record.get("source"),
        "origin_split": json_text({"level": record.get("level"), "negative": record.get("negative")}),
        "image_path": name,
    }


def read(row: dict) -> dict:
    """Read a row. `idx` is a number within the original data set, so that it is no id."""
    image = row.get("image") or row.get("image_path")
    return chat.pair(
        row, {"image", "image_path", "question"}, images=chat.listed(image), prompt=chat.prompt(row["question"], "question"),
        chosen=chat.text(row["chosen"], "chosen"), rejected=chat.text(row["rejected"], "rejected"),
    )  # fmt: skip


def _names_image(text: str) -> bool:
    """Return whether a part only names the image beside it: "Image 2:"."""
    bare = text.strip().rstrip(":").lower()
    return not bare or (bare.startswith("image ") and bare[6:].strip().isdigit())


FORMAT = Format(
    title="RLAIF-V: parquet with one image",
    fields=("question", "chosen", "rejected", ("ds_name", "origin_dataset")),
    read=read,
    write=write,
    endings=(".parquet",),
    features=features,
    command=lambda path: (
        f"muffin/train/train_llava15.py --data_dir {os.path.dirname(path) or '.'} --image_folder not_used"
    ),
)
