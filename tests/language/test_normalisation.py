from __future__ import annotations

import pytest

from s2h.language.normalisation import values_said


@pytest.mark.parametrize(
    ("text", "answer", "wrong", "right"),
    [
        ("Red.", "red", ("blue",), True),
        ("The star is red.", "red", ("blue", "green"), True),
        ("red or blue", "red", ("blue",), False),
        ("An old woman.", "old woman", ("woman", "man"), True),
        ("A woman.", "old woman", ("woman",), False),
        ("An old woman.", "woman", ("old woman",), False),
        ("There are 3 of them", "three", ("two", "four"), True),
        ("Stars.", "star", ("circle",), True),
        ("crosses", "cross", ("circle",), True),
        ("reddish", "red", (), False),
        ("", "red", (), False),
        ("ON THE LEFT!", "on the left", ("on the right",), True),
        ("A peacock stands there", "a peacock", (), True),
    ],
)
def test_is_right(text, answer, wrong, right):
    assert (values_said(text, [answer, *wrong]) == [answer]) is right


def test_values_come_in_their_order():
    assert values_said("blue, then a red one", ("red", "blue", "green")) == ["blue", "red"]
