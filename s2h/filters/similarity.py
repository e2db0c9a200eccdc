"""Text similarity: chosen and rejected should be neither the same thing said twice nor worlds apart. Level 3 is filtered by
the cosine of MPNet's sentence embeddings; any sentence-transformers model does.

What is compared is what the answers conclude. An answer that says its working first ("Image 1 shows no fish. Image 2 shows
a fish."; facts.working) shares most of its words with the other one, so the working is left out. And where the conclusions
are values (a number, an image's number, an order, yes or no; facts.answer_type), no text model can tell how far 3 is from 4:
such a pair passes the band if the values differ and is dropped if they don't.
"""

from __future__ import annotations

from typing import Any

from s2h.eval import reading
from s2h.filters import Judgement, Measure, add_score, earlier_score, is_builtin, is_number, within
from s2h.filters.engine import Engine
from s2h.models.text import BUNDLED, DEFAULT
from s2h.record import Record, RecordError, facts_of, target_of, text_of

SIDES = ("chosen", "rejected")
VALUES = frozenset({"number", "image", "order", "yes/no"})  # of facts.answer_type


def conclusion(record: Record, side: str) -> str:
    """What an answer concludes: its text without the working, where the facts say that there is one."""
    text = text_of(record[side])
    return (reading.caption(text) or text) if facts_of(record).get("working") else text


def value(record: Record, side: str) -> Any:
    """What an answer concludes where that is a value, for an answer type of VALUES; None where it can't be read."""
    line = {"response": text_of(record[side]), "answer_type": facts_of(record)["answer_type"]}
    return reading.read(line)[0]


def captions_of_others(record: Record) -> list[str]:
    """The captions of the images that the answer does not rest on, where the facts have them (facts.labels[i].captions)."""
    labels, target = facts_of(record).get("labels"), target_of(record)
    if not target or not isinstance(labels, list) or len(labels) != len(record["images"]):
        return []
    found = []
    for at, label in enumerate(labels):
        said = label.get("captions") if at not in target and isinstance(label, dict) else None
        found += [text for text in said if isinstance(text, str) and text] if isinstance(said, list) else []
    return list(dict.fromkeys(found))


def judgement(
    engine: Engine,
    *,
    band: tuple[float, float] | None = None,
    others: tuple[float, float] | None = None,
    model: str | None = None,
) -> Judgement:
    """Keep pairs whose conclusions' cosine lies within `band`, and the chosen conclusion's largest cosine to a caption of a
    distractor within `others`, ends included. Written as scores.mpnet:

    similarity: of the whole answers. conclusions: of the conclusions, where they are less than the answers. compared:
    "answers", "conclusions" or "values", which of them the band is for; same: of values, whether they are the same.
    distractors: the largest cosine, where the facts have captions of distractors.

    The bundled model reads the built-in world's records and MPNet all others, unless `model` names one for all.
    """

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        waiting: dict[str, list[int]] = {}
        for at, record in enumerate(batch):
            name = model or (BUNDLED if is_builtin(record) else DEFAULT)
            try:
                if not earlier_score(record, "mpnet", name, ("similarity",), "--text-model"):
                    waiting.setdefault(name, []).append(at)
            except RecordError as error:
                faults[at] = error
        for name, positions in waiting.items():
            texts: list[str] = []
            for at in positions:
                record = batch[at]
                texts += [
                    text for side in SIDES for text in (text_of(record[side]), conclusion(record, side))
                ]
                texts += captions_of_others(record)
            rows = engine.texts("text", name, texts)
            for at in positions:
                said = _measure(batch[at], rows)
                numbers = [number for number in said.values() if isinstance(number, float)]
                if all(map(is_number, numbers)):
                    add_score(batch[at], "mpnet", **said, model=name)
                else:
                    faults[at] = RecordError(f"is no number: nan from {name}", "scores.mpnet", batch[at].where,
                                             "the weights may be damaged")  # fmt: skip
        return faults

    def decide(record: Record) -> str:
        said = record["scores"]["mpnet"]
        if band is not None and said.get("compared") == "values":
            if said.get("same"):
                return "mpnet: the same conclusion"
        elif band is not None and (reason := within(judged(record), band, "mpnet")):
            return reason
        if others is not None and "distractors" in said:
            return within(said["distractors"], others, "mpnet of distractors")
        return ""

    def judged(record: Record) -> float | None:
        said = record["scores"]["mpnet"]
        return None if said.get("compared") == "values" else said.get("conclusions", said["similarity"])

    measures = (
        Measure("mpnet", judged, *(band or ())),
        Measure(
            "mpnet of distractors",
            lambda record: record["scores"]["mpnet"].get("distractors"),
            *(others or ()),
        ),
    )
    return Judgement("mpnet", score, decide, heavy=True, measures=measures)


def _measure(record: Record, rows: dict[str, Any]) -> dict[str, Any]:
    whole = [text_of(record[side]) for side in SIDES]
    ends = [conclusion(record, side) for side in SIDES]
    said: dict[str, Any] = {"similarity": float(rows[whole[0]] @ rows[whole[1]]), "compared": "answers"}
    if ends != whole:
        said |= {"conclusions": float(rows[ends[0]] @ rows[ends[1]]), "compared": "conclusions"}
    kind = facts_of(record).get("answer_type")
    if isinstance(kind, str) and kind in VALUES:
        values = [value(record, side) for side in SIDES]
        if None not in values:
            said |= {"compared": "values", "same": values[0] == values[1]}
    elif captions := captions_of_others(record):
        said["distractors"] = max(float(rows[ends[0]] @ rows[caption]) for caption in captions)
    return said
