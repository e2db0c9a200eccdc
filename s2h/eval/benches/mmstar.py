"""MMStar: 1,500 questions about one image that can't be answered without it (Chen et al., NeurIPS 2024)."""

from __future__ import annotations

from s2h.eval.benches import vek
from s2h.eval.benches.rows import first
from s2h.record import Record

ABOUT = {
    "title": "MMStar: 6 core abilities on one image, 18 finer ones",
    "hub": "Lin-Chen/MMStar",
    "configs": (None,),
    "splits": {"val": ("val", "validation", "mmstar")},
    "rows": {"val": 1500},
    "layouts": "parquet, VLMEvalKit's MMStar.tsv",
    "license": "not stated",
}
REQUIRED = ("question", "image", "answer", "category")


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        return vek.asked(row)
    return {
        "id": str(first(row, "index", "id")), "category": row.get("category") or "", "question": row.get("question"),
        "options": first(row, "options", "choices"), "answer": row.get("answer"),
        "images": first(row, "images") or [row.get("image")],
        "more": {"l2_category": row["l2_category"]} if row.get("l2_category") else {},
    }  # fmt: skip
