"""The form of the answers: lengths that give the chosen one away teach length and not sight (R-DPO, LD-DPO)."""

from __future__ import annotations

from collections.abc import Callable

from s2h.filters import Judgement, add_score
from s2h.record import Record, text_of


def length_ratio(record: Record) -> float:
    """Words of the chosen answer over words of the rejected one."""
    chosen, rejected = (len(text_of(record[which]).split()) for which in ("chosen", "rejected"))
    return chosen / rejected


def judgement(band: tuple[float, float]) -> Judgement:
    """Keep pairs whose length ratio lies within the band, ends included."""

    def score(batch: list[Record], on_error: Callable[[Exception], None]) -> list[Record]:
        for record in batch:
            add_score(record, "length_ratio", {"value": round(length_ratio(record), 6)})
        return batch

    def decide(record: Record) -> str:
        ratio = record["scores"]["length_ratio"]["value"]
        if ratio < band[0]:
            return f"length ratio below {band[0]:g}"
        return f"length ratio above {band[1]:g}" if ratio > band[1] else ""

    return Judgement("length ratio", score, decide)
