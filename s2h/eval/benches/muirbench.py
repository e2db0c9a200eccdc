"""MuirBench: twelve tasks over several images, each question with an unanswerable twin (Wang et al., ICLR 2025)."""

from __future__ import annotations

import re

from s2h.eval.benches import vek
from s2h.eval.benches.rows import first
from s2h.record import Record

ABOUT = {
    "title": "MuirBench: 12 tasks over 2 to 9 images, half of the questions unanswerable",
    "hub": "MUIRBENCH/MUIRBENCH",
    "configs": (None,),
    "splits": {"test": ("test",)},
    "rows": {"test": 2600},
    "layouts": "parquet, VLMEvalKit's MUIRBench.tsv",
    "license": "not stated",
}
REQUIRED = ("question", ("options", "choices"), "answer", ("image_list", "images"))
_NONE = re.compile(r"\W*none of (?:the|these) (?:choices|options|above|answers)", re.IGNORECASE)


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        made = vek.asked(row)
        return made | {"category": row.get("task") or made["category"]}
    kept = ("image_relation", "image_type", "counterpart_idx")
    return {
        "id": str(first(row, "idx", "id")), "category": row.get("task") or "", "question": row.get("question"),
        "options": first(row, "options", "choices"), "answer": row.get("answer"),
        "images": first(row, "image_list", "images"), "more": {k: row[k] for k in kept if row.get(k) is not None},
    }  # fmt: skip


def unanswerable(line: dict) -> bool | None:
    """Whether the right option is that none is right; None where the options are unknown."""
    answer = line.get("answer")
    option = (line.get("choices") or {}).get(answer) if isinstance(answer, str) else None
    return None if option is None else bool(_NONE.match(str(option)))


def together(line: dict) -> list[str]:
    """What puts questions in one cluster: a question and its counterpart."""
    number = str(line.get("id")).rpartition("/")[2]
    return [number] if line.get("counterpart_idx") is None else [number, str(line["counterpart_idx"])]
