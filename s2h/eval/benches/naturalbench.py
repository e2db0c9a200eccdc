"""NaturalBench: two questions about each of two photographs, chosen so that a blind answer fails (Li et al., NeurIPS 2024).

Four rows are a group: question 0 of image 0 and of image 1, then question 1 of both. The first and the last are answered
with yes or A, the other two with no or B. A question, an image or a group counts as right if all of its rows are answered
right.
"""

from __future__ import annotations

import re

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Question
from s2h.eval.bootstrap import all_right
from s2h.eval.questions.tables import first
from s2h.parsers import Rules
from s2h.record import Record

SIZE = 4  # rows of a group
GUESS = 0.5  # the share of rows that a blind guesser answers right
_ANSWERS = {"yes_no": ("yes", "no", "no", "yes"), "multiple_choice": ("A", "B", "B", "A")}
_ASKS = {
    "yes/no": "Please answer Yes or No.",
    "choice": "Please output the letter corresponding to the correct option.",
}


def question(row: Record, file: str) -> Question:
    kind, number = row.get("Question_Type"), row.get("Index")
    answer = first(row, "Answer", "answer")
    if answer is None and kind in _ANSWERS and str(number).isdecimal():
        answer = _ANSWERS[kind][int(str(number)) % SIZE]
    return Question(
        id=number,
        text=row.get("Question"),
        images=[row.get("Image")],
        answer=answer,
        category=kind or "",
        answer_type="yes/no" if kind == "yes_no" else "choice",
        letters=("A", "B"),
    )


def own_prompt(asked: CheckedQuestion) -> str:
    return f"{asked.text} {_ASKS[asked.answer_type]}"


def first_letter(text: str, choices: dict[str, str]) -> str | None:
    """Return the option whose letter comes first as a word, in either case."""
    return _first(text, tuple(choices))


def first_word(text: str) -> str | None:
    """Return 'yes' or 'no', whichever comes first as a word."""
    return _first(text, ("yes", "no"))


def _first(text: str, words: tuple[str, ...]) -> str | None:
    found = re.search(rf"\b(?:{'|'.join(map(re.escape, words))})\b", text, re.IGNORECASE)
    return next((word for word in words if found and word.lower() == found[0].lower()), None)


def place(line: Line) -> int | None:
    """Return the row's number in the benchmark, by the line's id."""
    number = str(line.get("id")).rpartition("/")[2]
    return int(number) if number.isdecimal() else None


def keep(line: Line) -> Line:
    number = place(line)
    return {} if number is None else {"group": number // SIZE}


def related(line: Line) -> list[str]:
    """Return the name of a row's group."""
    number = place(line)
    return [] if number is None else [str(number // SIZE)]


def metrics(known: list[Line], seed: int) -> list[Metric]:
    """Return the accuracies of questions, of images and of groups, over the groups whose four rows were all asked."""
    groups: dict[int, list[tuple[int, Line]]] = {}
    for p in known:
        if (number := place(p)) is not None:
            groups.setdefault(number // SIZE, []).append((number, p))
    whole = [one for some in groups.values() if len(some) == SIZE for one in some]
    by_question = [(f"{number // 2}", p) for number, p in whole]
    by_image = [(f"{number // SIZE} {number % 2}", p) for number, p in whole]
    by_group = [(f"{number // SIZE}", p) for number, p in whole]
    return [
        *all_right("question accuracy", by_question, seed, GUESS),
        *all_right("image accuracy", by_image, seed, GUESS),
        *all_right("group accuracy", by_group, seed, GUESS),
    ]


BENCH = Bench(
    title="NaturalBench",
    about="two questions about each of two photographs; accuracy by question, image and group of four",
    hub="BaiqiL/NaturalBench-lmms-eval",
    rows={"test": 7600},
    layouts="parquet of the Hub's data set for lmms-eval",
    required=("Index", "Image", "Question", "Question_Type"),
    aliases=("naturalbenchlmmseval",),
    question=question,
    prompts={"lmms": own_prompt, "official": own_prompt},
    single_image=True,
    rules={
        "lmms": Rules(choice=first_letter, yes_no=first_word),
        "official": Rules(choice=first_letter, yes_no=first_word),
    },
    keep=keep,
    related=related,
    metrics=metrics,
    like={"lmms": Like(16), "paper": Like()},
    clusters="the four rows of a group; questions that share an image",
    guess="50% of rows, 25% of questions and images, 6.25% of groups",
)
