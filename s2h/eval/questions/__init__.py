"""Questions: from what a user asks for to prediction lines that still lack a response, with the messages of their prompts.

`request` reads what the command line asks for, `copies` finds a benchmark's files, `tables` and `tsv` read their rows,
`lines` brings a question to the form that all benchmarks share, and `styles` words its prompt. `any_lines` and `pairs` read
files that belong to no benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2h.record import RecordError, fail

if TYPE_CHECKING:
    from s2h.images.store import Store


def silent(words: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Settings:
    """How questions are made.

    store: takes images that are drawn or lie inside a file; style: one of `styles.STYLES`; place: one of `styles.PLACES`.
    count, seed: of questions that are drawn. on_error: takes what can't be read; tell: takes what a user should know.
    """

    store: Store | None = None
    style: str = "llava"
    place: str = "interleaved"
    count: int = 200
    seed: int = 0
    on_error: Callable[[RecordError], None] = fail
    tell: Callable[[str], None] = silent
