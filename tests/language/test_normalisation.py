"""The form in which the words of answers are compared."""

from __future__ import annotations

import pytest

from s2h.language.normalisation import normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Stars.", "a star"),
        ("There are three of them", "there are 3 of them"),
        ("ON THE LEFT!", "on the left"),
        ("crosses", "cross"),
        ("An old woman.", "old woman"),
    ],
)
def test_words_that_mean_the_same_have_one_form(one, other):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"), [("reddish", "red"), ("on the left", "on the right"), ("glass", "glas")]
)
def test_other_words_keep_another_form(one, other):
    assert normalise(one) != normalise(other)
