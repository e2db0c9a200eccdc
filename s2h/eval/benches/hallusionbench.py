"""HallusionBench: yes/no questions about figures and about altered copies of them (Guan et al., CVPR 2024).

Its accuracy over questions is called aAcc. qAcc is the share of questions that are answered right for every figure that
they are asked about. fAcc is the share of figures for which every question is answered right. Its rows without an image are
not read.
"""

from __future__ import annotations

import dataclasses

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Question
from s2h.eval.bootstrap import all_right
from s2h.eval.questions import tsv
from s2h.parsers import Rules
from s2h.record import Record

GUESS = 0.5  # the share of questions that a blind guesser answers right
PLACE = ("set_id", "figure_id", "question_id")
_ANSWERS = {"0": "no", "1": "yes"}


def question(row: Record, file: str) -> Question:
    place = {name: str(row.get(name)) for name in PLACE}
    answer = row.get("gt_answer")
    return Question(
        id="_".join([str(row.get("category")), str(row.get("subcategory")), *place.values()]),
        text=row.get("question"),
        images=[row.get("image")],
        answer=_ANSWERS.get(str(answer), answer),
        category=row.get("category") or "",
        fields={"l2_category": row.get("subcategory"), **place},
    )


def table(row: Record) -> Question:
    """Make a question of a row of VLMEvalKit's table. The last three parts of its index are set, figure and question."""
    made = tsv.question(row)
    place = dict(zip(PLACE, str(made.id).split("_")[-len(PLACE) :], strict=False))
    return dataclasses.replace(made, fields={**made.fields, **place})


def own_prompt(asked: CheckedQuestion) -> str:
    """Return the question alone."""
    return asked.text


def unread(text: str) -> None:
    """Return nothing: the benchmark's own script asks another model about every reply."""


def keep(line: Line) -> Line:
    return {name: str(line[name]) for name in PLACE if name in line}


def related(line: Line) -> list[str]:
    """Return the name of a question's set: the questions about one figure and its altered copies."""
    return [_key(line, "set_id")] if "set_id" in line else []


def metrics(known: list[Line], seed: int) -> list[Metric]:
    placed = [p for p in known if all(name in p for name in PLACE)]
    return [
        *all_right("qAcc", [(_key(p, "set_id", "question_id"), p) for p in placed], seed, GUESS),
        *all_right("fAcc", [(_key(p, "set_id", "figure_id"), p) for p in placed], seed, GUESS),
    ]


def _key(line: Line, *names: str) -> str:
    return " ".join(str(line.get(name)) for name in ("category", "l2_category", *names))


BENCH = Bench(
    title="HallusionBench",
    about="yes/no questions about figures and altered copies; accuracy (aAcc), qAcc and fAcc",
    hub="lmms-lab/HallusionBench",
    splits={"image": ("image",)},
    rows={"image": 951},
    layouts="parquet, VLMEvalKit's HallusionBench.tsv",
    required=("question", "image", "gt_answer", *PLACE),
    aliases=("hallusion", "hallusionbenchimage"),
    question=question,
    table=table,
    prompts={"lmms": own_prompt, "official": own_prompt},
    single_image=True,
    answer_type="yes/no",
    rules={"official": Rules(yes_no=unread)},
    keep=keep,
    related=related,
    metrics=metrics,
    like={"vlmevalkit": Like()},
    clusters="a figure and its altered copies",
    guess="50% of questions; less for qAcc and fAcc, by the sizes of their groups",
)
