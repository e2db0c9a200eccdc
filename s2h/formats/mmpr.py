"""MMPR of InternVL: JSON lines of image, question, chosen and rejected; several images stand as `Image-1: <image>`."""

from __future__ import annotations

import json
import os

from s2h.formats import Format, chat
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


def _command(path: str) -> str:
    entry = {"root": "", "annotation": os.path.abspath(path), "data_augment": False, "repeat_time": 1}
    return f'internvl_chat_dpo.py --meta_path META.json, with {json.dumps({"s2h": entry})} and its "length" in that file'


FORMAT = Format(
    title="InternVL's MMPR: image, question, chosen, rejected",
    fields=("image", "question", "chosen", "rejected"),
    read=read,
    write=write,
    endings=(".jsonl",),
    command=_command,
)
