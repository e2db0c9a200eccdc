"""All checks by name: the strategy of their cases, what runs a case, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.robust import cases, running, tables


class Check(NamedTuple):
    """run: raises AssertionError for a case that fails. examples: in the suite; share: in a turn of the long run."""

    strategy: Callable[[], st.SearchStrategy]
    examples: int
    share: int
    run: Callable[[running.Case], Any] = running.check


CHECKS = {
    "filters": Check(cases.filters, 30, 10),
    "mixes": Check(cases.mixes, 30, 10),
    "exports": Check(cases.exports, 35, 10),
    "views": Check(cases.views, 25, 8),
    "scores": Check(cases.scores, 25, 8),
    "compared": Check(cases.compared, 20, 8),
    "sources": Check(cases.sources, 30, 20),
    "questions": Check(tables.questions, 20, 8, tables.check),
    "benches": Check(tables.benches, 20, 8, tables.check),
    "audits": Check(cases.audits, 1, 1),
    "bombs": Check(cases.bombs, 1, 1),
}
