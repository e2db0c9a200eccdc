"""MANTIS-Eval: questions about several images, with options or short answers (Jiang et al., TMLR 2024)."""

from __future__ import annotations

from s2h.eval.benches import vek
from s2h.eval.benches.rows import first
from s2h.record import Record

ABOUT = {
    "title": "MANTIS-Eval: reasoning over 2 to 5 images, multi-choice and short-answer",
    "hub": "TIGER-Lab/Mantis-Eval",
    "configs": (None,),
    "splits": {"test": ("test",)},
    "rows": {"test": 217},
    "layouts": "parquet, a JSON list beside its images, TSV in VLMEvalKit's form",
    "license": "Apache-2.0",
}
REQUIRED = ("question", "images", "answer", ("options", "choices"))


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        return vek.asked(row)
    short = row.get("question_type") == "short-answer"
    return {
        "id": str(first(row, "id", "idx")), "category": row.get("category") or "", "question": row.get("question"),
        "options": None if short else first(row, "options", "choices"), "answer": row.get("answer"),
        "images": row.get("images"), "answer_type": "word" if short else None,
        "more": {"question_type": row.get("question_type") or ("short-answer" if short else "multi-choice")},
    }  # fmt: skip
