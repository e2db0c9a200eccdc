"""Facts to pairs: `generate` yields the records of one task from one source. recipe.py says what can be asked for; each
task has a module that makes its pairs.

    s2h-gen kinship -n 8 --images-per-prompt 2-3 | s2h-filter --quiet
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from s2h.record import Record
from s2h.tasks.names import LEVELS, MAKERS, maker_of, possible_negatives
from s2h.tasks.recipe import Recipe, block_of, shard_range

__all__ = [
    "LEVELS",
    "MAKERS",
    "Recipe",
    "block_of",
    "generate",
    "maker_of",
    "possible_negatives",
    "shard_range",
]


def generate(task: str, **asked: Any) -> Iterator[Record]:
    """Yield the pairs of a task. asked: fields of a Recipe. Raises SourceError where the source lacks what is needed."""
    yield from Recipe(task, **asked).records()
