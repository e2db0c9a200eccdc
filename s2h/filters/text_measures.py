"""Judge pairs by numbers that the texts of both answers give: length ratio, edit distance, repetition, refusal. All of
them are measured in one pass over the texts, since tens of thousands of pairs a second are judged without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from s2h.filters import DIGITS, Judge, Measure, within
from s2h.filters.judgement import Band, TextMeasure
from s2h.record import Record, RecordError, text_of


def judges(measures: Mapping[str, tuple[TextMeasure, Band | None]]) -> list[Judge]:
    """Return a judge for each measure, by its key under `scores`: pairs within its band are kept, ends included; with
    None it keeps all. The first judge writes the scores of all of them, as scores.KEY.value."""
    asked = [(key, measure.load()) for key, (measure, _) in measures.items()]

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults = {}
        for at, record in enumerate(batch):
            chosen, rejected = text_of(record["chosen"]), text_of(record["rejected"])
            found = {}
            for name, measure in asked:
                value = round(measure(chosen, rejected), DIGITS)
                found[name] = {"value": value}
                if value - value:  # NaN for a number that is not finite
                    faults[at] = RecordError("is not a finite number", f"scores.{name}.value", record.where)
            earlier = record.get("scores")
            if faults and at in faults:
                continue
            if not earlier:
                record["scores"] = found
            elif wrong := [
                name for name in found if name in earlier and not _same(earlier[name], found[name])
            ]:
                name = wrong[0]  # an earlier score is never rewritten
                faults[at] = RecordError(
                    f"is not what the answers measure: {found[name]['value']:g}", f"scores.{name}", record.where,
                    f"jq -c 'del(.scores.{name})' removes it",
                )  # fmt: skip
            else:
                record["scores"] = {
                    **earlier,
                    **{name: value for name, value in found.items() if name not in earlier},
                }
        return faults

    made = [_judge(key, measure, band) for key, (measure, band) in measures.items()]
    return [replace(made[0], score=score), *made[1:]] if made else []


def _same(earlier: object, found: dict) -> bool:
    return isinstance(earlier, dict) and earlier.get("value") == found["value"]


def _judge(key: str, measure: TextMeasure, band: Band | None) -> Judge:
    def read(record: Record) -> float:
        return record["scores"][key]["value"]

    column = Measure(measure.name, read, *(band or (None, None)))
    decide = _decision(key, measure, band) if band is not None else None
    return Judge(key, None, decide, measures=(column,))


def _decision(key: str, measure: TextMeasure, band: Band) -> Callable[[Record], str]:
    low, high = band
    reason = measure.reason or (lambda value: within(value, band, measure.name))

    def decide(record: Record) -> str:
        value = record["scores"][key]["value"]
        return "" if low <= value <= high else reason(value)

    return decide
