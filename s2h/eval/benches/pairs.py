"""Any file of pairs as a benchmark: their questions where generated answers are read, and whether the chosen answer is
likelier than the rejected one where log-probabilities are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from s2h.eval.benches.builtin import SINGLE, question
from s2h.record import Record, RecordError, check, fail


def read(
    pairs: Iterable[Record], *, bench: str = "pairs", on_error: Callable[[Exception], None] = fail
) -> Iterator[tuple[dict, list[dict]]]:
    """The questions of pairs; `facts.answer` and `facts.answer_type` are the key, else the chosen text."""
    for pair in pairs:
        try:
            check(pair)
            level = SINGLE if len(pair["images"]) == 1 else pair["level"]
            made = question(pair, bench=bench, category=pair["task"], level=level)
        except RecordError as error:
            error.where = error.where or pair.where
            on_error(error)
            continue
        yield made
