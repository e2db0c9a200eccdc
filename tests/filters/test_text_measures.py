import random

import pytest

from s2h.filters import edit_distance, is_number, judge, length_ratio, text_measures
from s2h.filters.judgement import TextMeasure
from s2h.filters.refusal import JUDGEMENT as REFUSAL
from s2h.filters.refusal import refusal
from s2h.filters.repetition import repetition
from s2h.record import RecordError, assistant
from tests.support.records import pair


def table(one: str, other: str) -> int:
    """Levenshtein's distance by the textbook's table."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def by(**bands):
    """The judges of some measures with their bands."""
    known = {
        "length_ratio": length_ratio.JUDGEMENT,
        "edit_distance": edit_distance.JUDGEMENT,
        "refusal": REFUSAL,
    }
    return text_measures.judges({name: (known[name].text, band) for name, band in bands.items()})


def test_edit_distance_is_the_tables():
    measured = edit_distance.load()
    assert measured("kitten", "sitting") == pytest.approx(3 / 7)
    assert (measured("", ""), measured("a", ""), measured("", "ab")) == (
        0,
        1,
        1,
    )
    rng = random.Random(1)
    for _ in range(400):
        one, other = ("".join(rng.choices("abcé☃", k=rng.randrange(1, 90))) for _ in range(2))
        assert measured(one, other) * max(len(one), len(other)) == pytest.approx(table(one, other))


def test_bands_keep_their_ends():
    record = pair(chosen=assistant("abcd"), rejected=assistant("ab  "))
    for band, reason in (
        ((2, 3), ""),
        ((1, 2), ""),
        ((2.1, 9), "length ratio below 2.1"),
        ((0, 1.5), "length ratio above 1.5"),
    ):
        [(judged, reasons)] = judge([record.copy()], by(length_ratio=band))
        assert judged["scores"] == {"length_ratio": {"value": 2.0}}
        assert reasons == ([reason] if reason else [])


def test_every_reason_is_told_and_earlier_scores_stay():
    record = pair(chosen=assistant("abcd"), rejected=assistant("abce"), scores={"ref": {"chosen": -1.0}})
    [(judged, reasons)] = judge([record], by(length_ratio=(2, 3), edit_distance=(0.5, 1)))
    assert reasons == ["length ratio below 2", "edit distance below 0.5"]
    assert judged["scores"] == {
        "ref": {"chosen": -1.0},
        "length_ratio": {"value": 1.0},
        "edit_distance": {"value": 0.25},
    }


def test_an_earlier_measure_is_never_rewritten():
    record = pair(chosen=assistant("abcd"), rejected=assistant("ab"), scores={"length_ratio": {"value": 2.0}})
    [(judged, reasons)] = judge([record], by(length_ratio=(0, 1.5)))
    assert judged["scores"] == {"length_ratio": {"value": 2.0}} and reasons == ["length ratio above 1.5"]
    for said in ({"value": 1.4}, "long"):
        record["scores"]["length_ratio"] = said
        with pytest.raises(
            RecordError, match=r"scores.length_ratio: is not what the answers measure: 2 .*del"
        ):
            list(judge([record], by(length_ratio=(0, 9))))


REFUSALS = (
    "I'm sorry, but I can't see the images.", "I’m unable to view images.", "As an AI language model, I do not have eyes.",
    "I cannot identify people in images.", "Sorry.", "I don't see any images attached.", "No image was provided.",
    "Unfortunately, I can't help with that.", "I am not able to determine who is the parent.",
    "A dog. I am sorry, I am unable to say more.", "Sorry, I don't have access to the pictures.",
)  # fmt: skip
ANSWERS = (
    "None of the images shows a dog.", "I can't see a dog in Image 2.", "No, the person in Image 1 is not related.",
    "A sorry-looking dog sits there.", "The sign says sorry, closed.", "I don't see any images with a dog.",
    "There are no pictures given on the wall but two paintings.", "I see a man who is an AI researcher.",
)  # fmt: skip


def test_refusals_and_answers_that_only_sound_like_it():
    assert [text for text in REFUSALS if refusal(text, "A dog.") != 2] == []
    assert [text for text in ANSWERS if refusal(text, text)] == []
    both = pair(chosen=assistant("Sorry."), rejected=assistant("No image was provided."))
    [(_, reasons)] = judge([both], by(refusal=(0.0, 0.0)))
    assert reasons == ["both answers refuse"]


def test_repetition():
    assert repetition("a dog and a cat", "one two three four") == 0
    assert repetition("a dog", "no dog no dog no dog no dog") == pytest.approx(4 / 6)


def test_what_is_a_number_to_compute_with():
    assert all(map(is_number, (0, -1, 2.5, 10**300)))
    assert not any(map(is_number, (True, None, "1", float("nan"), float("inf"), 10**400, [])))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measure_that_is_no_finite_number(value):
    measure = TextMeasure("odd", lambda: lambda chosen, rejected: value)
    with pytest.raises(RecordError, match=r"scores.odd.value: is not a finite number"):
        list(judge([pair()], text_measures.judges({"odd": (measure, None)})))
