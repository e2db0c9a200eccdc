"""Judge pairs. Each judge writes its score into the record before it decides, so that another threshold needs only `jq`
and not another run of a model.

    s2h-gen search -n 40 | s2h-filter --clip 0.25 --mpnet 0.1:0.95 --rejects rejects.jsonl > l3.jsonl

This module has the loop, `judge`, and what judges share. Each judgement is one file with a `judgement.Judgement`;
`request` makes judges of the options; `engine` and `cache` run the models; `run_report`, `audit` and `blind` measure
the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from s2h.record import Record, RecordError, fail

SIDES = ("chosen", "rejected")
DIGITS = 4  # of a written score. Batches change the seventh digit of a cosine and must not change the file


@dataclass(frozen=True)
class Judge:
    """A judge of the records of a run. name: the key of its score in the record.

    score: annotates a batch in place and returns the faults of the records that it could not score, by position. None if
    another judge of the list scores for it.
    decide: returns the reason to drop a scored record, or "" to keep it; called once for each record that was scored. None
    if no record is to be dropped.
    heavy: whether a batch is cheaper than its records one by one, as for a model.
    measures: the columns of the report.
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
    """A column of the report: its name, how the number is read from a scored record (None if the record has none), and
    the least and the most that are kept (None without a bound)."""

    name: str
    read: Callable[[Record], float | None]
    least: float | None = None
    most: float | None = None


def judge(
    records: Iterable[Record],
    judges: list[Judge],
    *,
    batch_size: int = 64,
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[tuple[Record, list[str]]]:
    """Yield every record with the reasons to drop it (none: keep it), in order, a batch at a time.

    Each judge scores every record, so the reasons are complete. A record that can't be judged goes to on_error in its
    turn, after those before it were yielded, and is not yielded itself.
    """
    heavy = any(one.heavy for one in judges)
    scoring = [one.score for one in judges if one.score is not None]
    deciding = [one.decide for one in judges if one.decide is not None]
    if not heavy:  # without a model, records are judged one by one so that output flows
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
    """Judge records one at a time."""
    for record in records:
        for score in scoring:
            if faults := score([record]):
                on_error(faults[0])
                break
        else:
            yield record, [reason for decide in deciding if (reason := decide(record))] if deciding else []


def _batches(records: Iterator[Record], size: int) -> Iterator[tuple[list[Record], Exception | None]]:
    """Yield batches, each with the error that ended the reading after it: records before a bad line are still judged."""
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


def add_score(record: Record, name: str, **values: float | str) -> None:
    """Write a score as `scores.NAME`, after those of earlier stages. Floats are rounded to DIGITS. Raises RecordError for
    a number that is not finite."""
    rounded = {
        key: round(value, DIGITS) if isinstance(value, float) else value for key, value in values.items()
    }
    for key, value in rounded.items():
        if isinstance(value, float) and value - value != 0:
            raise RecordError("is not a finite number", f"scores.{name}.{key}", record.where)
    record["scores"] = {**record["scores"], name: rounded} if "scores" in record else {name: rounded}


def earlier_score(record: Record, name: str, model: str, keys: tuple[str, ...], option: str) -> bool:
    """Return whether the record already has this model's score, which is then used again. keys: the numbers that the score
    must have. option: names the model, for the remedy.

    Raises RecordError for a score of another model, because a stage never rewrites the result of an earlier one.
    """
    score = record.get("scores", {}).get(name)
    if score is None:
        return False
    field, where = f"scores.{name}", record.where
    forget = f"jq -c 'del(.scores.{name})' removes it"
    if not isinstance(score, dict) or not all(is_number(score.get(key)) for key in keys):
        raise RecordError(f"holds no score: {' and '.join(keys)} must be numbers", field, where, forget)
    if score.get("model") != model:
        by = f"{score.get('model')}, not by {model}"
        raise RecordError(
            f"was measured by another model: {by}",
            field,
            where,
            f"use {option} {score.get('model')}, or {forget}",
        )
    return True


def is_number(value: object) -> bool:
    """Return whether a value is a finite number that a float can hold."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def within(value: float, band: tuple[float, float], what: str) -> str:
    """Return the reason to drop a value outside a band, "" for one within it (ends included). what: names the value."""
    if value < band[0]:
        return f"{what} below {band[0]:g}"
    return f"{what} above {band[1]:g}" if value > band[1] else ""


def is_builtin(record: Record) -> bool:
    """Return whether a record's images are drawn from the built-in world, which the bundled models were trained on. Only
    its `source` decides."""
    source = record.get("source") or ""
    return source == "builtin" or source.startswith("builtin:")
