"""POPE: whether an object is in a photograph. Absent objects are random, popular or adversarial (Li et al., EMNLP 2023)."""

from __future__ import annotations

import os

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Question
from s2h.eval.confusion import by_split
from s2h.eval.questions.tables import beside, first
from s2h.record import Record

SPLITS = ("adversarial", "popular", "random")
FOLDERS = ("", "val2014", "images", "../val2014", "../images", "../../val2014", "../../../val2014")


def question(row: Record, file: str) -> Question:
    name = os.path.basename(file).lower()
    category = row.get("category") or next((split for split in SPLITS if split in name), "")
    image = row.get("image")
    if isinstance(image, str) and file.endswith((".json", ".jsonl")):
        image = beside(
            row, os.path.basename(image), FOLDERS, "image", "beside the JSON, in val2014/ or in images/"
        )
    number = first(row, "question_id", "id")
    return Question(
        id=None if number is None else f"{category}/{number}" if category else str(number),
        category=category,
        text=first(row, "question", "text"),
        answer=first(row, "answer", "label"),
        images=first(row, "images") or [image],
    )


def own_prompt(asked: CheckedQuestion) -> str:
    """Return the question alone."""
    return asked.text


def categories(line: Line) -> list[str]:
    """Return the splits of a question. In VLMEvalKit's table one question belongs to several."""
    return [part.strip().lower() for part in str(line.get("category") or "").split(",") if part.strip()]


def metrics(known: list[Line], seed: int) -> list[Metric]:
    return by_split(known, categories, seed)


BENCH = Bench(
    title="POPE",
    about="object hallucination on one image; accuracy, precision, recall, F1 and yes-ratio by split",
    hub="lmms-lab/POPE",
    splits={"test": ("test",)},
    rows={"test": 9000},
    layouts="parquet, the release's coco_pope_*.json beside val2014/, VLMEvalKit's POPE.tsv",
    license="MIT (the questions; the photographs are COCO's)",
    required=("question", "image", "answer"),
    aliases=("popefull",),
    question=question,
    prompts={"official": own_prompt},
    single_image=True,
    answer_type="yes/no",
    categories=categories,
    metrics=metrics,
    grid=True,
    like={"vlmevalkit": Like(), "lmms": Like(128), "paper": Like()},
    guess="50%",
)
