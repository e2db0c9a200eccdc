"""Benchmarks: each gives questions as prediction lines that still lack a response, with the prompt's messages beside them.

A question is (line, messages): the line has id, bench, category, level, images, question, answer, answer_type and, where
they help to read an answer, choices, candidates and target_labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from s2h.eval.benches import builtin

BENCHES: dict[str, Callable[..., Iterator[tuple[dict, list[dict]]]]] = {"builtin": builtin.questions}
