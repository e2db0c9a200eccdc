"""MMPR of InternVL: JSON lines of image, question, chosen and rejected; the prompt has an `<image>` for each
image."""

from __future__ import annotations

import json
import os

from s2h.formats import Companion, Format, chat, entries
from s2h.formats.pictures import Pictures
from s2h.record import Record


def write(record: Record, pictures: Pictures) -> dict:
    paths = pictures.paths(record)
    return {
        "id": record["id"],
        "image": paths[0] if len(paths) == 1 else paths,
        "question": chat.single(record),
        "chosen": chat.answer(record, "chosen"),
        "rejected": chat.answer(record, "rejected"),
    }


def read(row: dict) -> dict:
    return chat.pair(
        row, {"image", "question"}, images=chat.listed(row.get("image")),
        prompt=chat.prompt(row["question"], "question"), chosen=chat.text(row["chosen"], "chosen"),
        rejected=chat.text(row["rejected"], "rejected"),
    )  # fmt: skip


def _beside(path: str) -> str:
    return os.path.splitext(path)[0] + ".meta.json"


def _meta(path: str, now: bytes | None) -> str:
    """Return InternVL's list of data sets with an entry for this file and its number of lines. Its other entries stay."""
    length = 0
    if os.path.exists(path):
        with open(path, "rb") as file:
            length = sum(1 for _ in file)
    entry = {
        "root": "", "annotation": os.path.abspath(path), "data_augment": False, "repeat_time": 1, "length": length,
    }  # fmt: skip
    name = os.path.splitext(os.path.basename(path))[0]
    return json.dumps({**entries(_beside(path), now), name: entry}, indent=2, ensure_ascii=False) + "\n"


FORMAT = Format(
    title="InternVL's MMPR: image, question, chosen, rejected",
    fields=("question", "chosen", "rejected"),
    read=read,
    write=write,
    endings=(".jsonl",),
    companion=Companion(path=_beside, words="InternVL's list of data sets", text=_meta),
    command=lambda path: f"InternVL's internvl_chat_dpo.py with --meta_path {_beside(path)}",
)
