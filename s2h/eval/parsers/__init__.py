"""Parsers: how a model's choice is extracted from a reply in free text. The evaluators of the field disagree, so the parser
is named: `robust` is ours, `vlmevalkit` and `lmms` give the labels that those tools give at the versions named here, and
`official` gives those of a benchmark's own script, without its calls of another model and its random guesses (a reply that
they would decide is unread here)."""

from __future__ import annotations

NAMES = ("robust", "vlmevalkit", "lmms", "official")
VERSIONS = {
    "robust": "s2h",
    "vlmevalkit": "VLMEvalKit, head of November 2026",
    "lmms": "lmms-eval 0.7.3",
    "official": "the benchmark's own script",
}
"""The rules that each parser follows, as the help and the reports name them."""
