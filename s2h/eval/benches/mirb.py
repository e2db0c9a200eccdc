"""MIRB: perception, knowledge, reasoning and multi-hop reasoning over several images (Zhao et al., 2024). Some of its tasks
have options inside the question, the others short answers."""

from __future__ import annotations

import os

from s2h.eval.benches import vek
from s2h.eval.benches.rows import first
from s2h.record import Record

GROUPS = {
    "knowledge": ("food", "foods", "sightseeing"),
    "reasoning": ("codeu", "plot_code", "analogy", "3d_scene"),
    "perception": ("image_jigsaw", "count", "attribute"),
    "multi-hop": ("visual_chain", "arxiv"),
}
ABOUT = {
    "title": "MIRB: perception, knowledge, reasoning and multi-hop reasoning over several images",
    "hub": "VLLMs/MIRB-hf",
    "configs": (None,),
    "splits": {"test": ("test",)},
    "rows": {"test": 925},
    "layouts": "parquet, the release's JSON files beside images/",
    "license": "not stated",
}
REQUIRED = (("questions", "question"), ("answers", "answer"), ("image_list", "images"))
LETTERS = ("A", "B", "C", "D", "E")


def belongs(stem: str) -> bool:
    """Whether a JSON file of the release is one of the benchmark's tasks and no variant of one (`count_concat`)."""
    return not stem.endswith(("_concat", "_text"))


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        return vek.asked(row)
    category = str(first(row, "subset", "task", "category") or os.path.basename(file).split(".")[0])
    answer = first(row, "answers", "answer")
    number = first(row, "question_id", "id", "idx")
    number = row.where.rpartition(" ")[2].rpartition(":")[2] if number is None else number
    choice = str(answer) in LETTERS
    yes_no = not choice and str(answer).strip().lower() in ("yes", "no")
    return {
        "id": f"{category}/{number}", "category": category, "question": first(row, "questions", "question"),
        "options": None, "answer": answer if answer is None else str(answer), "images": first(row, "image_list", "images"),
        "answer_type": "choice" if choice else "yes/no" if yes_no else "word", "letters": LETTERS,
        "more": {"group": next((name for name, tasks in GROUPS.items() if category in tasks), "other")},
    }  # fmt: skip
