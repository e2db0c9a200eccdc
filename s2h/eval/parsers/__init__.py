"""Parsers: how a model's choice is extracted from a reply in free text.

The evaluators of the field disagree, so each parser has a name. `robust` is ours. `vlmevalkit` and `lmms` give the labels
that those tools give at the versions named here. `official` gives those of a benchmark's own script, without its calls of
another model and its random guesses: a reply that they would decide is unread here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NAMES = ("robust", "vlmevalkit", "lmms", "official")
VERSIONS = {
    "robust": "s2h",
    "vlmevalkit": "VLMEvalKit, head of November 2026",
    "lmms": "lmms-eval 0.7.3",
    "official": "the benchmark's own script",
}
"""The rules that each parser follows, as the help and the reports name them."""


@dataclass(frozen=True)
class Rules:
    """Rules of a parser for one benchmark; None for kinds of answers that it reads as in any other.

    choice: (reply, options by letter) to a letter, or None if nothing can be read.
    yes_no: reply to "yes", "no" or None.
    word: (reply, right answer, category) to what was read and whether it is right.
    """

    choice: Callable[[str, dict[str, str]], str | None] | None = None
    yes_no: Callable[[str], str | None] | None = None
    word: Callable[[str, str, str], tuple[str | None, bool]] | None = None
