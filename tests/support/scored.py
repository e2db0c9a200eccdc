"""Predictions of every benchmark in which no two questions share anything, and the same predictions of a second model."""

from __future__ import annotations

import random
from string import ascii_uppercase

KINDS = {
    "blink": ("Counting", "Jigsaw", "Relative_Reflectance"),
    "mantis": ("comparison", "counting"),
    "mmstar": ("math", "logical reasoning"),
    "muirbench": ("Counting", "Visual Retrieval"),
    "mirb": ("food", "count"),
}


def predictions(seed: int, skill: float) -> list[dict]:
    """60 lines a benchmark; skill: the share that is answered right. The questions depend on neither."""
    asked, answered = random.Random("questions"), random.Random(f"{seed} {skill}")
    made = []
    for bench, categories in KINDS.items():
        for i in range(60):
            count = asked.randint(2, 4)
            letters = ascii_uppercase[:count]
            one = {
                "id": f"{bench}/{i}", "bench": bench, "category": categories[i % len(categories)],
                "images": [f"{bench}-{i}-{k}.png" for k in range(1 + i % 3)], "question": f"Question {i}?",
                "choices": {letter: f"option {letter}" for letter in letters}, "answer": asked.choice(letters),
                "answer_type": "choice", "target": [i % (1 + i % 3)],
            }  # fmt: skip
            wrong = next(letter for letter in letters if letter != one["answer"])
            said = one["answer"] if answered.random() < skill else answered.choice([wrong, None])
            made.append(one | {"response": said or "?", "parsed": said, "correct": said == one["answer"]})
    for i in range(90):
        split = ("random", "popular", "adversarial")[i % 3]
        truth = asked.choice(("yes", "no"))
        one = {
            "id": f"pope/{split}/{i}", "bench": "pope", "category": split, "images": [f"pope-{i}.png"],
            "question": "Is there a dog?", "answer": truth, "answer_type": "yes/no",
        }  # fmt: skip
        said = truth if answered.random() < skill else answered.choice(["yes", "no", None])
        made.append(one | {"response": said or "?", "parsed": said, "correct": said == truth})
    return made
