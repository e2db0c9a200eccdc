"""MANTIS-Eval: questions about several images, with options or short answers (Jiang et al., TMLR 2024)."""

from __future__ import annotations

import re

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Published, Question
from s2h.eval.bootstrap import subset
from s2h.eval.published import MODEL, S2H_DPO
from s2h.eval.questions.styles import LETTER, llava
from s2h.eval.questions.tables import first
from s2h.parsers import Rules
from s2h.record import Record

KINDS = ("multi-choice", "short-answer")
_SHORT_ANSWER = (
    "Given the images, answer the following short answer vqa question:\nQ: {}\nYou can first give your analysis, and then "
    'give your final answer as "Final Answer:"'
)
_FINAL = "final answer:"


def question(row: Record, file: str) -> Question:
    short = row.get("question_type") == "short-answer"
    return Question(
        id=first(row, "id", "idx"),
        category=row.get("category") or "",
        text=row.get("question"),
        options=None if short else first(row, "options", "choices"),
        answer=row.get("answer"),
        images=row.get("images"),
        answer_type="word" if short else None,
        fields={"question_type": row.get("question_type") or KINDS[0]},
    )


def lmms_prompt(asked: CheckedQuestion) -> str:
    return _SHORT_ANSWER.format(asked.text) if asked.answer_type == "word" else llava(asked)


def official_prompt(asked: CheckedQuestion) -> str:
    if asked.answer_type == "word":
        return _SHORT_ANSWER.format(asked.text)
    return f"{asked.text}{_labelled(asked)}\n{LETTER}"


def _labelled(asked: CheckedQuestion) -> str:
    """Return the options, each on a line, with a label unless it has its own."""
    lines = []
    for letter, option in asked.labelled.items():
        has_label = any(label in option.upper() for label in (f"{letter})", f"{letter}:", f"{letter}."))
        lines.append(f"\n {option}" if has_label else f"\n ({letter}) {option}")
    return "".join(lines)


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the first letter of the final answer, else the option whose text is the whole reply."""
    if (letter := first_letter(text)) in choices:
        return letter
    return next(
        (letter for letter, option in choices.items() if _unlabelled(option, letter) == text.strip()), None
    )


def official_word(text: str, answer: str, category: str) -> tuple[str, bool]:
    word = final_answer(text)
    return word, word.lower() == answer.strip("()\n ").lower()


def first_letter(text: str) -> str | None:
    answer = final_answer(text)
    stated = re.match(r"Answer: ([A-Z])", answer)
    return stated[1] if stated else next((sign.upper() for sign in answer if sign.isalpha()), None)


def final_answer(text: str) -> str:
    """Return what follows 'Final Answer:', else the whole reply."""
    at = text.lower().find(_FINAL)
    return text if at < 0 else text[at + len(_FINAL) :].strip()


def _unlabelled(option: str, letter: str) -> str:
    """Return an option's text without a label of its own, such as 'A.', 'A:' or '(A)'."""
    for label in (f"{letter}.", f"{letter}:", f"({letter})"):
        if option.startswith(label):
            return option[len(label) :].strip()
    return option.strip()


def metrics(known: list[Line], seed: int) -> list[Metric]:
    by_kind: dict[str, list[Line]] = {kind: [] for kind in KINDS}
    for p in known:
        kind = p.get("question_type") or KINDS[0 if p.get("choices") else 1]
        by_kind.setdefault(kind, []).append(p)
    return [metric for kind in KINDS for metric in subset(kind, by_kind[kind], seed)]


BENCH = Bench(
    title="MANTIS-Eval",
    about="reasoning over 2 to 5 images, multi-choice and short-answer",
    hub="TIGER-Lab/Mantis-Eval",
    splits={"test": ("test",)},
    rows={"test": 217},
    layouts="parquet, a JSON list beside its images, TSV in VLMEvalKit's form",
    license="Apache-2.0",
    required=("question", "images", "answer", ("options", "choices")),
    aliases=("mantiseval",),
    question=question,
    prompts={"lmms": lmms_prompt, "official": official_prompt},
    rules={"official": Rules(choice=official_choice, word=official_word)},
    metrics=metrics,
    published=(
        Published("base", 41.9, MODEL, S2H_DPO),
        Published("MIA-DPO (level 1 only)", 44.2, MODEL, S2H_DPO),
        Published("S2H-DPO", 47.9, MODEL, S2H_DPO),
    ),
    like={
        "lmms": Like(
            64, differs=("it samples at temperature 0.2, so that its score differs from run to run",)
        ),
        "paper": Like(),
    },
    guess="one over the number of options; unknown for short answers",
)
