"""The tasks by name: their levels, and the modules that make their pairs."""

from __future__ import annotations

from typing import Any

from s2h.sources import SourceError
from s2h.tasks import arithmetic, compare, compare_answers, kinship, search, vqa

MAKERS = {"vqa": vqa, "kinship": kinship, "arithmetic": arithmetic, "compare": compare, "search": search}
LEVELS = {"vqa": 1, "kinship": 2, "arithmetic": 2, "compare": 2, "search": 3}


def maker_of(task: str, source: Any) -> Any:
    """The module that makes a task's pairs from this source."""
    if task != "compare" or hasattr(source, "trait"):
        return MAKERS[task]
    if hasattr(source, "shared"):
        return compare_answers
    raise SourceError(
        f"source {source.spec!r}: nothing is known in which its pictures can be compared (give classes:PATH, coco:PATH, or "
        "questions with answers: vqav2:PATH, llava:PATH)"
    )


def possible_negatives(task: str, source: Any) -> list[str]:
    """The kinds of rejected answers that a task can make from this source without a model."""
    return maker_of(task, source).possible_negatives(source)
