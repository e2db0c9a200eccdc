"""POPE: is a thing in the photograph or not, asked of random, popular and adversarial things (Li et al., EMNLP 2023)."""

from __future__ import annotations

import os

from s2h.eval.benches import vek
from s2h.eval.benches.rows import first
from s2h.record import Record, RecordError

SPLITS = ("adversarial", "popular", "random")
ABOUT = {
    "title": "POPE: object hallucination on one image; accuracy, precision, recall, F1 and yes-ratio by split",
    "hub": "lmms-lab/POPE",
    "configs": (None,),
    "splits": {"test": ("test",)},
    "rows": {"test": 9000},
    "layouts": "parquet, the release's coco_pope_*.json beside val2014/, VLMEvalKit's POPE.tsv",
    "license": "MIT (the questions; the photographs are COCO's)",
}
REQUIRED = ("question", "image", "answer")


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        return vek.asked(row) | {"answer_type": "yes/no"}
    name = os.path.basename(file).lower()
    category = row.get("category") or next((split for split in SPLITS if split in name), "")
    image = row.get("image")
    if isinstance(image, str) and file.endswith((".json", ".jsonl")):
        image = _photograph(row, image)
    number = str(first(row, "question_id", "id"))
    return {
        "id": f"{category}/{number}" if category else number, "category": category,
        "question": first(row, "question", "text"), "options": None, "answer": first(row, "answer", "label"),
        "images": first(row, "images") or [image], "answer_type": "yes/no",
    }  # fmt: skip


def _photograph(row: Record, name: str) -> str:
    name = os.path.basename(name)
    for folder in ("", "val2014", "images", "../val2014", "../images", "../../val2014", "../../../val2014"):
        path = os.path.normpath(os.path.join(row.base, folder, name))
        if os.path.isfile(path):
            return os.path.abspath(path)
    raise RecordError(f"no such file: {name} beside the JSON, in val2014/ or in images/", "image", row.where)
