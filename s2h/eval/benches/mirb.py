"""MIRB: perception, knowledge, reasoning and multi-hop reasoning over several images (Zhao et al., 2024). In some
of its tasks the question contains its options, in the others the answer is short."""

from __future__ import annotations

import os
import re

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Question
from s2h.eval.bootstrap import by_category, macro
from s2h.eval.questions.tables import first, number_of
from s2h.parsers import Rules
from s2h.parsers.numbers import ORDINALS, WORDS
from s2h.record import Record

GROUPS = {
    "knowledge": ("food", "foods", "sightseeing"),
    "reasoning": ("codeu", "plot_code", "analogy", "3d_scene"),
    "perception": ("image_jigsaw", "count", "attribute"),
    "multi-hop": ("visual_chain", "arxiv"),
}
LETTERS = ("A", "B", "C", "D", "E")
# The instruction for each task, by the beginning of its name.
_INSTRUCTIONS = (
    (("codeu", "food", "image_jigsaw"), "Answer with the option symbol."),
    (("arxiv",), "Answer with the paper title."),
    (("count",), "Answer with a single number."),
    (
        ("3d_scene",),
        "The following images are different views of the same 3D scene. Answer with a single number.",
    ),
    (("",), "Answer with a single word."),
)
_NUMBERED = ("3d_scene", "count", "image_needles", "visual_chain")  # tasks whose answer is a number
_YES_NO = ("analogy", "attribute")
_NUMBERS = {word: str(n) for word, n in WORDS.items() if n <= 10}
_NUMBERS |= {word: str(n) for n, word in enumerate(ORDINALS, 1)}


def owns(stem: str) -> bool:
    """Return whether a JSON file of the release is one of the benchmark's tasks and no variant of one (`count_concat`)."""
    return not stem.endswith(("_concat", "_text"))


def question(row: Record, file: str) -> Question:
    category = str(first(row, "subset", "task", "category") or os.path.basename(file).split(".")[0])
    answer = first(row, "answers", "answer")
    number = first(row, "question_id", "id", "idx")
    number = number_of(row) if number is None else number
    choice = str(answer) in LETTERS
    yes_no = not choice and str(answer).strip().lower() in ("yes", "no")
    return Question(
        id=f"{category}/{number}",
        category=category,
        text=first(row, "questions", "question"),
        answer=answer if answer is None else str(answer),
        images=first(row, "image_list", "images"),
        answer_type="choice" if choice else "yes/no" if yes_no else "word",
        letters=LETTERS,
        fields={"group": next((name for name, tasks in GROUPS.items() if category in tasks), "other")},
    )


def instruction(asked: CheckedQuestion) -> str:
    return next(words for starts, words in _INSTRUCTIONS if asked.category.startswith(starts))


def lmms_prompt(asked: CheckedQuestion) -> str:
    return instruction(asked) + asked.text


def official_prompt(asked: CheckedQuestion) -> str:
    return f"{instruction(asked)}\n{asked.text}\nAnswer:"


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    reply = _first_sentence(text).upper()
    return reply if reply in choices else None


def official_word(text: str, answer: str, category: str) -> tuple[str | None, bool]:
    word = _first_sentence(text)
    if category in _YES_NO or (category == "sightseeing" and answer.lower() in ("yes", "no")):
        word = "yes" if "yes" in word.lower() else "no"
    elif category == "sightseeing":
        return word, answer.lower() in word.lower()
    elif category.removesuffix("_concat") in _NUMBERED:
        found = re.search(r"\d+", word)
        word = found[0] if found else _NUMBERS.get(word.lower(), "")
    return word or None, word.lower() == answer.lower()


def _first_sentence(text: str) -> str:
    text = text.strip()
    end = text.find("\n")
    end = text.find(".") if end <= 0 else end
    return text[:end] if end > 0 else text


def metrics(known: list[Line], seed: int) -> list[Metric]:
    found = []
    for group, tasks in GROUPS.items():
        some = [p for p in known if str(p.get("category") or "") in tasks]
        if some:
            values = macro(some, lambda p: str(p.get("category") or ""), seed)
            found.append(Metric(f"{group} (mean of tasks)", *values, len(some)))
    return [*found, by_category("mean of tasks", known, seed)]


def unrelated(line: Line) -> list[str]:
    """Return no names: a group is a kind of tasks here, and its questions are independent."""
    return []


BENCH = Bench(
    title="MIRB",
    about="perception, knowledge, reasoning and multi-hop reasoning over several images",
    hub="VLLMs/MIRB-hf",
    splits={"test": ("test",)},
    rows={"test": 925},
    layouts="parquet, the release's JSON files beside images/",
    license="not stated",
    required=(("questions", "question"), ("answers", "answer"), ("image_list", "images")),
    owns=owns,
    aliases=("mirbhf",),
    question=question,
    prompts={"lmms": lmms_prompt, "official": official_prompt},
    rules={"official": Rules(choice=official_choice, word=official_word)},
    related=unrelated,
    metrics=metrics,
    like={"lmms": Like(64), "paper": Like()},
    guess="one over the number of options, 50% for yes and no; unknown for other short answers",
)
