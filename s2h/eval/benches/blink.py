"""BLINK: fourteen tasks that people solve at a glance (Fu et al., ECCV 2024). The answers of its test split are not
public."""

from __future__ import annotations

from s2h.eval.benches import labels, vek
from s2h.eval.benches.rows import first
from s2h.record import Record

TASKS = (
    "Art_Style", "Counting", "Forensic_Detection", "Functional_Correspondence", "IQ_Test", "Jigsaw", "Multi-view_Reasoning",
    "Object_Localization", "Relative_Depth", "Relative_Reflectance", "Semantic_Correspondence", "Spatial_Relation",
    "Visual_Correspondence", "Visual_Similarity",
)  # fmt: skip
ABOUT = {
    "title": "BLINK: 14 tasks of visual perception, 1 to 4 images",
    "hub": "BLINK-Benchmark/BLINK",
    "configs": TASKS,
    "splits": {"val": ("val", "validation"), "test": ("test",)},
    "rows": {"val": 1901, "test": 1906},
    "layouts": "parquet (a folder a task), VLMEvalKit's BLINK.tsv",
    "license": "Apache-2.0",
}
REQUIRED = ("question", ("choices", "options"), "answer", "image_1")


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        made = vek.asked(row)
        if labels.concerned({"bench": "blink", "category": made["category"]}) and (
            version := labels.of_file(file)
        ):
            made["more"]["label_version"] = version
        return made
    shown = [row[name] for name in sorted(row) if name.startswith("image_") and row[name] is not None]
    return {
        "id": str(first(row, "idx", "id", "index")), "category": first(row, "sub_task", "task") or "",
        "question": row.get("question"), "options": first(row, "choices", "options"), "answer": row.get("answer"),
        "images": shown or row.get("images"), "prompt": row.get("prompt"),
    }  # fmt: skip
