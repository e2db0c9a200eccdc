"""Judging pairs: each judgement writes its score into the record before it decides, so that a new threshold is a `jq` and
not another run of a model.

    s2h-gen search -n 40 | s2h-filter --clip 0.25 --mpnet 0.1:0.95 --rejects rejects.jsonl > l3.jsonl
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from s2h.record import Record, RecordError, fail

DIGITS = 4  # of a written score: in another batch the same pair's differs in the seventh digit, and the file should not


@dataclass(frozen=True)
class Judgement:
    """One judgement, named as its score in the record.

    score: annotates a batch in place; returns what was wrong with the records that it could not score, by position. None
    where another judgement of the list scores for it.
    decide: the reason to drop a scored record, or "" to keep it; called once for each record that was scored. None where
    nothing is to be dropped.
    heavy: whether a batch is cheaper than its records one by one, as for a model.
    measures: for a report, the numbers that it decides by.
    remembers: whether its scores depend on the records before, so that a resumed run scores these again.
    """

    name: str
    score: Callable[[list[Record]], dict[int, RecordError]] | None
    decide: Callable[[Record], str] | None
    heavy: bool = False
    measures: tuple[Measure, ...] = ()
    remembers: bool = False


@dataclass(frozen=True)
class Measure:
    """A number of a scored record: what it is called, how it is read (None where the record has none), and the least and the
    most that are kept (None where there is no bound)."""

    name: str
    read: Callable[[Record], float | None]
    least: float | None = None
    most: float | None = None


def judge(
    records: Iterable[Record],
    judgements: list[Judgement],
    *,
    batch_size: int = 64,
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[tuple[Record, list[str]]]:
    """Every record with the reasons to drop it (none: keep it), in order, a batch at a time.

    Each judgement scores every record, so the reasons are complete. A record that cannot be judged goes to on_error in its
    turn, after those before it were yielded, and is not yielded itself.
    """
    heavy = any(judgement.heavy for judgement in judgements)
    scoring = [judgement.score for judgement in judgements if judgement.score is not None]
    deciding = [judgement.decide for judgement in judgements if judgement.decide is not None]
    if not heavy:  # nothing waits without a cause
        yield from _singly(records, scoring, deciding, on_error)
        return
    for batch, broken in _batches(iter(records), batch_size):
        faults: dict[int, RecordError] = {}
        for score in scoring:
            if not faults:
                faults = score(batch)
            elif good := [at for at in range(len(batch)) if at not in faults]:
                found = score([batch[at] for at in good])
                faults.update({good[at]: fault for at, fault in found.items()})
        for at, record in enumerate(batch):
            if at in faults:
                on_error(faults[at])
            else:
                yield record, [reason for decide in deciding if (reason := decide(record))]
        if broken is not None:
            raise broken


def _singly(records: Iterable[Record], scoring: list, deciding: list, on_error: Callable) -> Iterator:
    """`judge`, a record at a time."""
    for record in records:
        for score in scoring:
            if faults := score([record]):
                on_error(faults[0])
                break
        else:
            yield record, [reason for decide in deciding if (reason := decide(record))] if deciding else []


def _batches(records: Iterator[Record], size: int) -> Iterator[tuple[list[Record], Exception | None]]:
    """Batches, each with the error that ended the reading after it: what came before a bad line is still judged."""
    batch: list[Record] = []
    try:
        for record in records:
            batch.append(record)
            if len(batch) == size:
                yield batch, None
                batch = []
    except Exception as error:
        yield batch, error
        return
    if batch:
        yield batch, None


def add_score(record: Record, name: str, **said: float | str) -> None:
    """Put a score under `scores.NAME`, after what earlier stages said; numbers are rounded to DIGITS. Raises
    RecordError for a number that is not finite."""
    rounded = {
        key: round(value, DIGITS) if isinstance(value, float) else value for key, value in said.items()
    }
    for key, value in rounded.items():
        if isinstance(value, float) and value - value != 0:
            raise RecordError("is not a finite number", f"scores.{name}.{key}", record.where)
    record["scores"] = {**record["scores"], name: rounded} if "scores" in record else {name: rounded}


def earlier_score(record: Record, name: str, model: str, keys: tuple[str, ...], option: str) -> bool:
    """Whether this model's score already stands in the record, and is used again.

    A score of another model is an error: a stage never rewrites what an earlier one said. Raises RecordError.
    """
    said = record.get("scores", {}).get(name)
    if said is None:
        return False
    field, where = f"scores.{name}", record.where
    forget = f"jq -c 'del(.scores.{name})' forgets it"
    if not isinstance(said, dict) or not all(is_number(said.get(key)) for key in keys):
        raise RecordError(f"holds no score: {' and '.join(keys)} must be numbers", field, where, forget)
    if said.get("model") != model:
        by = f"{said.get('model')}, not by {model}"
        raise RecordError(
            f"was measured by another model: {by}",
            field,
            where,
            f"use {option} {said.get('model')}, or {forget}",
        )
    return True


def is_number(value: object) -> bool:
    """Whether a value is a number that can be computed with: none that is infinite or that no float can hold."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def within(value: float, band: tuple[float, float], what: str) -> str:
    """The reason to drop a value outside a band, ends included, or ""."""
    if value < band[0]:
        return f"{what} below {band[0]:g}"
    return f"{what} above {band[1]:g}" if value > band[1] else ""


def is_builtin(record: Record) -> bool:
    """Whether a record's images are the built-in world's, which the bundled models know; its `source` alone decides."""
    source = record.get("source") or ""
    return source == "builtin" or source.startswith("builtin:")
