"""The tasks by name: their levels, and the modules that make their pairs."""

from __future__ import annotations

from typing import Any

from s2h.sources import SourceError
from s2h.sources.shapes import COMPARABLE, SHARED_QUESTIONS, Dataset, lacks, shape_of
from s2h.tasks import arithmetic, compare, compare_answers, kinship, search, vqa

MAKERS = {"vqa": vqa, "kinship": kinship, "arithmetic": arithmetic, "compare": compare, "search": search}
LEVELS = {"vqa": 1, "kinship": 2, "arithmetic": 2, "compare": 2, "search": 3}


def maker_of(task: str, source: Dataset) -> Any:
    """The module that makes a task's pairs from this source."""
    if task != "compare" or COMPARABLE.take(source) is not None:
        return MAKERS[task]
    if SHARED_QUESTIONS.take(source) is not None:
        return compare_answers
    raise SourceError(lacks(source, [COMPARABLE, SHARED_QUESTIONS], task=task))


def possible_negatives(task: str, source: Dataset) -> list[str]:
    """The kinds of rejected answers that a task can make from this source without a model."""
    maker = maker_of(task, source)
    return maker.possible_negatives(shape_of(source, maker.NEEDS, task=task))
