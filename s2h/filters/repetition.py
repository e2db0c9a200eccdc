"""How much an answer repeats itself. A model that loops writes the same words again and again; such an answer should
neither be learnt nor be the only thing that a model learns to avoid."""

from __future__ import annotations

from s2h.filters.judgement import ANSWERS, Judgement, Number, Option, TextMeasure

RUN = 3  # words of a run


def repetition(chosen: str, rejected: str) -> float:
    """Return the larger of the two answers' shares of three-word runs that repeat an earlier one: 0 if none does, near
    1 for a model that loops."""
    return max(_repeated(chosen), _repeated(rejected))


def _repeated(text: str) -> float:
    words = text.split()
    runs = len(words) - RUN + 1
    if runs < 2 or len(set(words)) == len(words):
        return 0.0
    return 1 - len(set(zip(words, words[1:], words[2:], strict=False))) / runs


JUDGEMENT = Judgement(
    about="Does an answer repeat itself?",
    options=(
        Option(
            "--repetition",
            Number("MOST", 0, 1),
            "Drop pairs with an answer in which more than this share of the three-word runs repeat an earlier one.",
        ),
    ),
    text=TextMeasure("repetition", lambda: repetition, bounds=lambda most: (0.0, most)),
    heading=ANSWERS,
    order=12,
)
