"""Parsers: what an evaluator takes for a model's choice when it answers in free text. The evaluators of the field
disagree, so the parser is named: `robust` is ours, `vlmevalkit` and `lmms` give the labels that those tools give,
`official` those of a benchmark's own script, with its calls of another model and its random guesses left out (what they
decide is unread here)."""

from __future__ import annotations

NAMES = ("robust", "vlmevalkit", "lmms", "official")
