"""Parsers: extract the answer from a model's reply in free text. `s2h.eval` scores replies with them, the tasks and the
filters read the replies and the answers of pairs.

The field's evaluators disagree, so each parser has a name. `robust` is ours; `plain`, `mentions`, `yesno`, `numbers`,
`images` and `captions` are its parts. `vlmevalkit` and `lmms` give the labels that those tools give at the versions named
here. `official` gives the labels of a benchmark's own script. Where that script asks another model or guesses at random,
the reply is unread here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NAMES = ("robust", "vlmevalkit", "lmms", "official")
VERSIONS = {  # the rules that each parser follows, as the help and the reports name them
    "robust": "s2h",
    "vlmevalkit": "VLMEvalKit, head of November 2026",
    "lmms": "lmms-eval 0.7.3",
    "official": "the benchmark's own script",
}


@dataclass(frozen=True)
class Rules:
    """Rules of a parser for one benchmark. None: this kind of answer is read as in other benchmarks.

    choice: (reply, options by letter) to a letter, or None if nothing can be read.
    yes_no: reply to "yes", "no" or None.
    number: reply to the number that it says, or None.
    word: (reply, right answer, category) to (the answer that was read, whether it is right).
    """

    choice: Callable[[str, dict[str, str]], str | None] | None = None
    yes_no: Callable[[str], str | None] | None = None
    number: Callable[[str], int | float | None] | None = None
    word: Callable[[str, str, str], tuple[str | None, bool]] | None = None
