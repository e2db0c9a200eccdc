"""MMSI-Bench: spatial reasoning over several photographs, 1,000 questions that experts wrote (Yang et al., ICLR 2026)."""

from __future__ import annotations

import dataclasses
import re

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Published, Question, by_group
from s2h.eval.bootstrap import by_category, mean_of, whole_groups
from s2h.eval.published import SEVERAL
from s2h.eval.questions import tsv
from s2h.eval.questions.tables import first
from s2h.parsers import Rules
from s2h.record import Record

ASKS = "\nAnswer with the option's letter from the given choices directly. Enclose the option's letter within ``."
ROTATIONS, STEP = (
    4,
    1_000_000,
)  # copies of a question in VLMEvalKit's circular table, and the distance of their indices
# The categories of VLMEvalKit's table, by their first part.
_LONG = {"pos": "Positional Relationship", "attr": "Attribute", "motion": "Motion"}


def question(row: Record, file: str) -> Question:
    return Question(
        id=first(row, "id", "index"),
        category=category(str(first(row, "question_type", "type", "category") or "")),
        text=row.get("question"),
        options=first(row, "options", "choices"),
        answer=row.get("answer"),
        images=first(row, "images", "image"),
        answer_type="choice",
    )


def category(name: str) -> str:
    """Return a type of question as the data set spells it. VLMEvalKit's table and lmms-eval spell it differently."""
    first_part, *rest = name.strip().split("-")
    if rest and first_part.lower() in _LONG:
        name = f"{_LONG[first_part.lower()]} ({'–'.join(f'{part}.' for part in rest)})"
    return re.sub(r"(?<=\.)[-—](?=[A-Z])", "–", name.strip())


def table(row: Record) -> Question:
    """Make a question of a row of VLMEvalKit's table. The circular table has each question four times, with its options
    rotated."""
    made = tsv.question(row)
    number = str(made.id)
    fields = dict(made.fields)
    if number.isdecimal():
        fields["group"] = int(number) % STEP
    return dataclasses.replace(made, category=category(made.category or ""), fields=fields)


def own_prompt(asked: CheckedQuestion) -> str:
    listed = ", ".join(f"{letter}: {option}" for letter, option in asked.choices.items())
    return asked.text.strip() + ("" if asked.in_text else f"\nOptions: {listed}") + ASKS


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the first capital letter A to D that is a word, unless another word follows it ('A dog'). If the reply has
    backticks or braces, only the text in them is read."""
    found = re.search(r"\b[A-D]\b(?!\s[a-zA-Z])", _enclosed(text))
    return found[0] if found and found[0] in choices else None


def lmms_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return a letter as `official_choice` does, but from A to F and in either case."""
    found = re.search(r"\b[A-F]\b(?!\s[a-zA-Z])", _enclosed(text), re.IGNORECASE)
    return found[0].upper() if found and found[0].upper() in choices else None


def _enclosed(text: str) -> str:
    """Return the text in backticks or braces, the whole text if there are none."""
    for pattern in (r"``([^`]*)``", r"`([^`]*)`", r"\{([^}]*)\}"):
        if found := re.search(pattern, text):
            text = found[1]
    return text


def metrics(known: list[Line], seed: int) -> list[Metric]:
    """Return the mean over the types of questions and, for the circular table, the share of questions that are answered
    right in every rotation."""
    found = [by_category("mean of types", known, seed)]
    if whole := whole_groups([(str(p["group"]), p) for p in known if p.get("group") is not None], ROTATIONS):
        found.append(mean_of("circular", [("", whole)], seed, 1 / 4**ROTATIONS))
    return found


BOARD = "MMSI-Bench's leaderboard, github.com/InternRobotics/MMSI-Bench"

BENCH = Bench(
    title="MMSI-Bench",
    about="11 types of spatial reasoning over 2 or more images",
    hub="RunsenXu/MMSI-Bench",
    splits={"test": ("test",)},
    rows={"test": 1000, "test, circular": 4000},
    layouts="parquet, JSON Lines, VLMEvalKit's MMSIBench_wo_circular.tsv and MMSIBench_circular.tsv",
    license="CC-BY-NC-4.0",
    required=("question", "images", "answer"),
    aliases=("mmsi", "mmsibenchwocircular", "mmsibenchcircular"),
    question=question,
    table=table,
    prompts={"lmms": own_prompt, "official": own_prompt},
    rules={"lmms": Rules(choice=lmms_choice), "official": Rules(choice=official_choice)},
    related=by_group,
    metrics=metrics,
    published=(
        Published("Qwen2.5-VL-7B", 25.9, SEVERAL, BOARD, like="paper"),
        Published("Qwen2.5-VL-3B", 26.5, SEVERAL, BOARD, like="paper"),
        Published("LLaVA-OneVision-7B", 24.5, SEVERAL, BOARD, like="paper"),
        Published("random guessing", 25.0, SEVERAL, BOARD),
    ),
    like={
        "vlmevalkit": Like(
            differs=(
                "it scores the circular table by its metric `circular`",
                "MMSIBench_wo_circular is asked as --prompt-style official asks, and read by rules that s2h lacks",
            )
        ),
        "lmms": Like(2048),
        "paper": Like(differs=("a reply that its rule can't read goes to another model",)),
    },
    clusters="the four rotations of a question (circular table); questions that share an image",
    guess="25% (four options)",
)
