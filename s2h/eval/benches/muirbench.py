"""MuirBench: twelve tasks over several images, each question with an unanswerable twin (Wang et al., ICLR 2025)."""

from __future__ import annotations

import dataclasses
import re

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Question, by_group
from s2h.eval.bootstrap import by_category, subset
from s2h.eval.questions import tsv
from s2h.eval.questions.styles import LETTER, listed
from s2h.eval.questions.tables import first
from s2h.parsers import Rules
from s2h.record import Record

_KEPT = ("image_relation", "image_type", "counterpart_idx")
_NONE = re.compile(r"\W*none of (?:the|these) (?:choices|options|above|answers)", re.IGNORECASE)


def question(row: Record, file: str) -> Question:
    return Question(
        id=first(row, "idx", "id"),
        category=row.get("task") or "",
        text=row.get("question"),
        options=first(row, "options", "choices"),
        answer=row.get("answer"),
        images=first(row, "image_list", "images"),
        fields={name: row[name] for name in _KEPT if row.get(name) is not None},
    )


def table(row: Record) -> Question:
    made = tsv.question(row)
    return dataclasses.replace(made, category=row.get("task") or made.category)


def vlmevalkit_prompt(asked: CheckedQuestion) -> str:
    return f"{asked.text}{listed(asked)}\n{LETTER}"


def official_prompt(asked: CheckedQuestion) -> str:
    hint = "Hint: Please provide the correct option letter, such as A, B, C, D, directly."
    return f"Question: {asked.text}\nChoices:{listed(asked, '({}) {}')}\n{hint}\nAnswer:"


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter of the last '(A)', else of the last 'A' between spaces, else, in a reply of more than five words,
    the letter of the option whose text appears last."""
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    places = {letter: text.rfind(f"({letter})") for letter in choices}
    if max(places.values()) < 0:
        places = {letter: text.rfind(f" {letter} ") for letter in choices}
    if max(places.values()) < 0 and len(text.split()) > 5:
        places = {letter: text.lower().rfind(option.lower()) for letter, option in choices.items()}
    best = max(places, key=lambda letter: places[letter])
    return best if places[best] >= 0 else None


def unanswerable(line: Line) -> bool | None:
    """Return whether the right option says that no other option is right; None if the options are unknown."""
    answer = line.get("answer")
    option = (line.get("choices") or {}).get(answer) if isinstance(answer, str) else None
    return None if option is None else bool(_NONE.match(str(option)))


def related(line: Line) -> list[str]:
    """Return the question's number and that of its counterpart, which has the same two."""
    number = str(line.get("id")).rpartition("/")[2]
    counterpart = line.get("counterpart_idx")
    return [*by_group(line), number, *([] if counterpart is None else [str(counterpart)])]


def metrics(known: list[Line], seed: int) -> list[Metric]:
    return [
        *subset("answerable", [p for p in known if unanswerable(p) is False], seed),
        *subset("unanswerable", [p for p in known if unanswerable(p) is True], seed),
        by_category("mean of tasks", known, seed),
    ]


BENCH = Bench(
    title="MuirBench",
    about="12 tasks over 2 to 9 images, half of the questions unanswerable",
    hub="MUIRBENCH/MUIRBENCH",
    splits={"test": ("test",)},
    rows={"test": 2600},
    layouts="parquet, VLMEvalKit's MUIRBench.tsv",
    license="not stated",
    required=("question", ("options", "choices"), "answer", ("image_list", "images")),
    aliases=("muir",),
    question=question,
    table=table,
    prompts={"vlmevalkit": vlmevalkit_prompt, "official": official_prompt},
    rules={"official": Rules(choice=official_choice)},
    related=related,
    metrics=metrics,
    like={"vlmevalkit": Like(), "lmms": Like(16), "paper": Like()},
    clusters="a question and its unanswerable counterpart; questions that share an image",
    guess="one over the number of options",
)
