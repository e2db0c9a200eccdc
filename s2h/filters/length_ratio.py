"""The ratio of the answers' lengths. If the chosen answer is usually the longer one, a model learns to write long answers
instead of looking."""

from __future__ import annotations

from s2h.filters.judgement import ANSWERS, Bounds, Judgement, Option, TextMeasure


def length_ratio(chosen: str, rejected: str) -> float:
    """Return the characters of the chosen answer divided by those of the rejected one, without white space around
    them."""
    return len(chosen.strip()) / len(rejected.strip())


JUDGEMENT = Judgement(
    about="Is one answer much longer than the other?",
    options=(
        Option(
            "--length-ratio",
            Bounds(0),
            "Keep pairs whose ratio of chosen to rejected length, in characters, lies from LO to HI.",
        ),
    ),
    text=TextMeasure("length ratio", lambda: length_ratio),
    heading=ANSWERS,
    order=10,
    short="length",
    annotates=True,
)
