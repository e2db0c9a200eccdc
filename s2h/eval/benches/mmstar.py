"""MMStar: 1,500 questions about one image that can't be answered without it (Chen et al., NeurIPS 2024)."""

from __future__ import annotations

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Question
from s2h.eval.bootstrap import by_category, macro
from s2h.eval.questions.styles import LETTER, listed
from s2h.eval.questions.tables import first
from s2h.parsers import Rules, lmms
from s2h.record import Record


def question(row: Record, file: str) -> Question:
    return Question(
        id=first(row, "index", "id"),
        category=row.get("category") or "",
        text=row.get("question"),
        options=first(row, "options", "choices"),
        answer=row.get("answer"),
        images=first(row, "images") or [row.get("image")],
        fields={"l2_category": row["l2_category"]} if row.get("l2_category") else {},
    )


def lmms_prompt(asked: CheckedQuestion) -> str:
    return f"{asked.text.strip()}{listed(asked)}\n{LETTER[:-1]}"  # without the period


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter at the start of the reply, or right after '(', 'option ' or 'the answer is ' at its start."""
    reply = text.lower().strip().replace("\n", " ")
    letters = {letter.lower(): letter for letter in choices}
    for start in ("", "(", "option ", "the answer is "):
        if reply.startswith(start) and reply[len(start) : len(start) + 1] in letters:
            return letters[reply[len(start)]]
    return None


def metrics(known: list[Line], seed: int) -> list[Metric]:
    if not all(p.get("l2_category") for p in known):
        return [by_category("mean of categories", known, seed)]
    fine = {p["l2_category"] for p in known}
    values = macro(known, lambda p: p["l2_category"], seed)
    return [Metric("mean of l2 categories", *values, len(fine))]


BENCH = Bench(
    title="MMStar",
    about="6 core abilities on one image, 18 finer ones",
    hub="Lin-Chen/MMStar",
    splits={"val": ("val", "validation", "mmstar")},
    rows={"val": 1500},
    layouts="parquet, VLMEvalKit's MMStar.tsv",
    license="not stated",
    required=("question", "image", "answer", "category"),
    question=question,
    single_image=True,
    prompts={"lmms": lmms_prompt},
    rules={"lmms": Rules(choice=lmms.ranked), "official": Rules(choice=official_choice)},
    metrics=metrics,
    like={
        "vlmevalkit": Like(),
        "lmms": Like(1024, differs=("its score is the mean of l2 categories",)),
        "paper": Like(),
    },
    guess="25% (four options)",
)
