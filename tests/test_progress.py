"""Progress in lines: when one is due, and what it says. The clock is the test's own."""

from __future__ import annotations

import itertools

import pytest

from s2h import progress
from s2h.progress import Lines, spoken


@pytest.fixture
def clock(monkeypatch):
    """A clock that is 4 seconds later at each look."""
    ticks = itertools.count(step=4)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(ticks))


def test_a_line_comes_when_the_last_one_is_old(clock):
    told: list[str] = []
    lines = Lines(told.append, total=20, label="reading")
    assert list(lines.of(range(20))) == list(range(20))
    # The lines come at 20, 40, 60 and 80 seconds.
    assert told == [
        "reading: 5 of 20 pairs, about 60 s left",
        "reading: 10 of 20 pairs, about 40 s left",
        "reading: 15 of 20 pairs, about 20 s left",
        "reading: 20 of 20 pairs, about 0 s left",
    ]


def test_without_a_total_the_rate_is_told(clock):
    told: list[str] = []
    with Lines(told.append, unit="question") as lines:
        for _ in range(5):
            lines.update(100)
    assert told == ["500 questions so far, 25 a second"]


def test_short_work_tells_nothing():
    told: list[str] = []
    list(Lines(told.append, total=3).of(range(3)))
    assert told == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5400, "90 min"), (7500, "2 h 5 min")]
)
def test_durations_are_spoken(seconds, text):
    assert spoken(seconds) == text
