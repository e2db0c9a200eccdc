"""Judging pairs: each judgement writes its score into the record before it decides, so that a new threshold is a `jq` and
not another run of a model.

    s2h-gen search -n 40 | s2h-filter --clip 0.25 --mpnet 0.1:0.95 --rejects rejects.jsonl > l3.jsonl
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from s2h.record import Record, fail


@dataclass
class Judgement:
    """`score` annotates a batch in place and returns those that could be scored; `decide` gives the reason to drop a record,
    or ''."""

    name: str
    score: Callable[[list[Record], Callable[[Exception], None]], list[Record]]
    decide: Callable[[Record], str]


def judge(
    records: Iterable[Record],
    judgements: list[Judgement],
    *,
    batch_size: int = 64,
    on_error: Callable[[Exception], None] = fail,
) -> Iterator[tuple[Record, list[str]]]:
    """Every record with the reasons to drop it (none: keep it), in order, a batch at a time. A record that can't be judged
    goes to on_error and is not yielded."""
    records = iter(records)
    while batch := list(islice(records, batch_size)):
        for judgement in judgements:
            batch = judgement.score(batch, on_error)
        for record in batch:
            yield record, [reason for judgement in judgements if (reason := judgement.decide(record))]


def add_score(record: Record, name: str, value: dict) -> None:
    """Put a score under `scores.NAME`, after what earlier stages said."""
    record["scores"] = {**record.get("scores", {}), name: value}


def by_model(batch: list[Record], chosen: Callable[[Record], str]) -> dict[str, list[int]]:
    """Positions in the batch for each model's name."""
    groups: dict[str, list[int]] = {}
    for at, record in enumerate(batch):
        groups.setdefault(chosen(record), []).append(at)
    return groups


def is_builtin(record: Record) -> bool:
    """Whether a record's images are the built-in world's, which the bundled models know; its `source` alone decides."""
    source = record.get("source", "")
    return source == "builtin" or source.startswith("builtin:")
