"""Make the questions that a user asks for: prediction lines that still lack a response, with the messages of their prompts.

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
    """Ignore a message."""


@dataclass(frozen=True)
class Settings:
    """How questions are made.

    store: receives images that are drawn or embedded in a file; style: one of `styles.STYLES`; place: one of
    `styles.PLACES`.
    count, seed: for questions that are drawn. on_error: receives the error of a row that can't be read; tell: receives
    messages for the user.
    """

    store: Store | None = None
    style: str = "llava"
    place: str = "interleaved"
    count: int = 200
    seed: int = 0
    on_error: Callable[[RecordError], None] = fail
    tell: Callable[[str], None] = silent
