"""The edit distance of the two answers. Answers that differ by a typing error, or that have nothing in common, teach
little."""

from __future__ import annotations

from collections.abc import Callable

from s2h.filters.judgement import ANSWERS, Bounds, Judgement, Option, TextMeasure


def load() -> Callable[[str, str], float]:
    """Return the Levenshtein distance divided by the longer length: 0 for equal texts, 1 if no character can stay.
    Insertions, deletions and substitutions of characters cost 1 each."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_distance


JUDGEMENT = Judgement(
    about="How many characters differ between the answers?",
    options=(
        Option(
            "--edit-distance",
            Bounds(0, 1),
            "Keep pairs whose answers' Levenshtein distance, divided by the longer length, lies from LO to HI.",
        ),
    ),
    text=TextMeasure("edit distance", load),
    heading=ANSWERS,
    order=11,
    short="edit",
    annotates=True,
)
