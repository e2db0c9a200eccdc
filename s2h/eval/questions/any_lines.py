"""Read questions from a user's own files: JSON Lines, a JSON list, Parquet, or a table in VLMEvalKit's form. A line has
`images` (or `image`), `question`, `choices` (an object of letters or a list) or `answer`, and optionally `id`, `bench`,
`category` and `target`. `pairs` reads the lines that are pairs.

    {"images": ["a.png", "b.png"], "question": "<image> <image> Which is red?", "choices": ["one", "two"], "answer": "A"}
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from s2h.errors import counted
from s2h.eval import answer_types
from s2h.eval.benches import Line, Question, Questions
from s2h.eval.questions import Settings, pairs, tsv
from s2h.eval.questions.lines import line
from s2h.record import Record, RecordError
from s2h.streams.hash_set import HashSet

_KEPT = (
    "level", "target", "target_labels", "about", "candidates", "l2_category", "question_type", "group", "twin",
)  # fmt: skip
_REMEDY = "a question has images, question, and choices or answer; a pair has prompt, chosen and rejected"


def read(records: Iterable[Record], settings: Settings, *, bench: str = "") -> Questions:
    """Yield the questions of lines in their order. bench: the benchmark of lines that don't name one; by default the name
    of their file. The error of a line that can't be read goes to settings.on_error."""
    seen = HashSet()
    for record in records:
        try:
            if "chosen" in record or "rejected" in record:
                made = pairs.question_of(record)
            else:
                name = str(record.get("bench") or bench or _name(record.where))
                made = line(name, record, _question(record), settings)
                _check_target(made[0])
            if not seen.add(made[0]["id"]):
                raise RecordError(f"duplicate: {made[0]['id']}", "id", record.where)
        except RecordError as error:
            error.where = error.where or record.where
            settings.on_error(error)
            continue
        yield made


def _check_target(made: Line) -> None:
    images = len(made["images"])
    if beyond := [position for position in made.get("target") or () if position >= images]:
        raise RecordError(
            f"{beyond[0]} is no position from 0 of {counted(images, 'image')}", "target",
            remedy="the first image has position 0",
        )  # fmt: skip


def _name(where: str) -> str:
    """Return the name of a line's file without its ending."""
    stem = os.path.basename(where.rpartition(":")[0]).split(".")[0]
    return stem.strip("<>") or "questions"


def _question(record: Record) -> Question:
    if record.where.rpartition(":")[0].endswith(".tsv"):
        return tsv.question(record)
    text = record.get("question")
    if not isinstance(text, str) or not text.strip():
        raise RecordError("is missing", "question", record.where, _REMEDY)
    images = record.get("images", record.get("image"))
    if images is None:
        raise RecordError("is missing", "images", record.where, _REMEDY)
    options = record.get("choices", record.get("options"))
    if options is None and "answer" not in record:
        raise RecordError("is missing", "choices or answer", record.where, _REMEDY)
    if record.get("answer_type") is not None:
        answer_types.check(record["answer_type"], where=record.where)
    for field in ("id", "bench", "category", "hint"):
        if isinstance(record.get(field), list | dict):
            raise RecordError("must be a text", field, record.where)
    return Question(
        id=str(record.get("id", record.where.rpartition(":")[2])),
        own_id="id" in record,
        category=str(record.get("category") or ""),
        text=text,
        images=[images] if isinstance(images, str | dict) else images,
        options=options,
        answer=record.get("answer"),
        answer_type=record.get("answer_type"),
        hint=record.get("hint"),
        fields={key: record[key] for key in _KEPT if key in record},
    )
