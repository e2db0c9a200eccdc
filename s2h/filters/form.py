"""The form of the answers: a length that gives the chosen answer away teaches length and not sight, and two answers that are
the same but for a typing error, or have nothing in common, teach little."""

from __future__ import annotations

from s2h.filters import DIGITS, Judgement, add_score, within
from s2h.record import Record, RecordError, text_of


def length_ratio(chosen: str, rejected: str) -> float:
    """Characters of the chosen answer over characters of the rejected one, without white space around them."""
    return len(chosen.strip()) / len(rejected.strip())


def edit_distance(one: str, other: str) -> float:
    """Levenshtein's distance over the length of the longer text: 0 for equal texts, 1 where nothing can stay.

    Insertions, deletions and substitutions of characters cost 1 each. Computed with a row of the table as the bits of one
    integer (Myers 1999, in the form of Hyyrö 2003, "A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit
    Distances", figure 3), so that a thousand characters take about a millisecond.
    """
    longest = max(len(one), len(other))
    if not one or not other:
        return 1.0 if longest else 0.0
    places: dict[str, int] = {}
    for i, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << i
    whole, last = (1 << len(one)) - 1, 1 << len(one) - 1
    up, down, distance = whole, 0, len(one)  # where the table grows or falls by one from a row to the next
    for character in other:
        equal = places.get(character, 0)
        straight = (((equal & up) + up) ^ up) | equal | down
        more, less = down | (whole & ~(straight | up)), up & straight
        if more & last:
            distance += 1
        elif less & last:
            distance -= 1
        more = more << 1 | 1
        up, down = (less << 1 | ~(straight | more)) & whole, more & straight & whole
    return distance / longest


def judge_length(band: tuple[float, float]) -> Judgement:
    """Keep pairs whose length ratio lies within the band, ends included; it is written as scores.length_ratio.value."""
    return _judgement("length_ratio", "length ratio", length_ratio, band)


def judge_distance(band: tuple[float, float]) -> Judgement:
    """Keep pairs whose edit distance lies within the band, ends included; it is written as scores.edit_distance.value."""
    return _judgement("edit_distance", "edit distance", edit_distance, band)


def _judgement(name: str, words: str, measure, band: tuple[float, float]) -> Judgement:
    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults = {}
        for at, record in enumerate(batch):
            value = round(float(measure(text_of(record["chosen"]), text_of(record["rejected"]))), DIGITS)
            said = record.get("scores", {}).get(name)
            if said is None:
                add_score(record, name, value=value)
            elif not isinstance(said, dict) or said.get("value") != value:  # it is never rewritten
                faults[at] = RecordError(
                    f"is not what the answers measure: {value:g}", f"scores.{name}", record.where,
                    f"jq -c 'del(.scores.{name})' forgets it",
                )  # fmt: skip
        return faults

    return Judgement(name, score, lambda record: within(record["scores"][name]["value"], band, words))
