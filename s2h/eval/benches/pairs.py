"""Any file of pairs as a benchmark: their questions where generated answers are read, and whether the chosen answer is
likelier than the rejected one where log-probabilities are compared."""

from __future__ import annotations

from s2h.eval.benches.builtin import SINGLE, question
from s2h.record import Record
from s2h.shorthand import accept


def question_of(pair: Record, bench: str = "pairs") -> tuple[dict, list[dict]]:
    """A pair as a question; `facts.answer` and `facts.answer_type` are the key, else the chosen text. Raises RecordError."""
    accept(pair)
    level = SINGLE if len(pair["images"]) == 1 else pair.get("level")
    return question(pair, bench=bench, category=pair.get("task") or bench, level=level)
