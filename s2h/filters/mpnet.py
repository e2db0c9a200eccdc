"""Text similarity: the two answers should neither say the same thing twice nor have nothing in common. Level 3 is
filtered by the cosine of MPNet's sentence embeddings; any sentence-transformers model can replace MPNet.

The conclusions of the answers are compared. An answer that tells its working first ("Image 1 shows no fish. Image 2
shows a fish."; facts.working) shares most of its words with the other one, so the working is left out. Where the
conclusions are values (a number, an image's number, an order, yes or no; facts.answer_type), no text model can tell
how far 3 is from 4: such a pair passes if the values differ and is dropped if they don't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s2h.filters import SIDES, Judge, Measure, add_score, earlier_score, is_builtin, is_number, within
from s2h.filters.judgement import ANSWERS, Band, Bounds, Judgement, Option
from s2h.filters.scorers import TEXT
from s2h.record import Record, RecordError, facts_of, target_of, text_of

if TYPE_CHECKING:
    from s2h.filters.engine import Engine


def conclusion(record: Record, side: str) -> str:
    """Return what an answer concludes: its text without the working, if the facts say that it tells its working."""
    from s2h.parsers import captions

    text = text_of(record[side])
    return (captions.caption(text) or text) if facts_of(record).get("working") else text


def values(record: Record) -> list[Any]:
    """Return the value that each answer concludes, None for one that can't be read; an empty list if the facts name no type
    of answer that is a value (`robust.VALUES`)."""
    from s2h.parsers import robust

    kind = facts_of(record).get("answer_type")
    read = robust.VALUES.get(kind) if isinstance(kind, str) else None
    return [read(text_of(record[side])) for side in SIDES] if read else []


def captions_of_others(record: Record) -> list[str]:
    """Return the captions of the images that the answer does not rest on, if the facts have them
    (facts.labels[i].captions)."""
    labels, target = facts_of(record).get("labels"), target_of(record)
    if not target or not isinstance(labels, list) or len(labels) != len(record["images"]):
        return []
    found: list[str] = []
    for at, label in enumerate(labels):
        captions = label.get("captions") if at not in target and isinstance(label, dict) else None
        found += (
            [text for text in captions if isinstance(text, str) and text]
            if isinstance(captions, list)
            else []
        )
    return list(dict.fromkeys(found))


def build(
    engine: Engine, *, band: Band | None = None, others: Band | None = None, model: str | None = None
) -> Judge:
    """Keep pairs whose conclusions' cosine lies within `band`, and the chosen conclusion's largest cosine to a caption
    of a distractor within `others`, ends included. scores.mpnet has:

    similarity: of the whole answers. conclusions: of the conclusions, if they are shorter than the answers. compared:
    "answers", "conclusions" or "values", to which the band applies; same: whether the values are the same.
    distractors: the largest cosine, if the facts have captions of distractors.

    The bundled model scores the built-in world's records and MPNet all others, unless `model` names one for all.
    """

    def score(batch: list[Record]) -> dict[int, RecordError]:
        return _score(engine, model, batch)

    def decide(record: Record) -> str:
        score = record["scores"]["mpnet"]
        if band is not None and score.get("compared") == "values":
            if score.get("same"):
                return "mpnet: the same conclusion"
        elif band is not None and (reason := within(_compared(score), band, "mpnet")):
            return reason
        if others is not None and "distractors" in score:
            return within(score["distractors"], others, "mpnet of distractors")
        return ""

    columns = (
        Measure("mpnet", _judged, *(band or (None, None))),
        Measure(
            "mpnet of distractors",
            lambda record: record["scores"]["mpnet"].get("distractors"),
            *(others or (None, None)),
        ),
    )
    return Judge("mpnet", score, decide, heavy=True, measures=columns)


def _judged(record: Record) -> float | None:
    score = record["scores"]["mpnet"]
    return None if score.get("compared") == "values" else _compared(score)


def _compared(score: dict[str, Any]) -> float:
    return score.get("conclusions", score["similarity"])


def _score(engine: Engine, model: str | None, batch: list[Record]) -> dict[int, RecordError]:
    faults: dict[int, RecordError] = {}
    waiting: dict[str, list[int]] = {}
    for at, record in enumerate(batch):
        name = model or _default_model(record)
        try:
            if not earlier_score(record, "mpnet", name, ("similarity",), "--text-model"):
                waiting.setdefault(name, []).append(at)
        except RecordError as error:
            faults[at] = error
    for name, positions in waiting.items():
        texts: list[str] = []
        for at in positions:
            record = batch[at]
            texts += [text for side in SIDES for text in (text_of(record[side]), conclusion(record, side))]
            texts += captions_of_others(record)
        rows = engine.texts("text", name, texts)
        for at in positions:
            score = _measure(batch[at], rows)
            if all(is_number(number) for number in score.values() if isinstance(number, float)):
                add_score(batch[at], "mpnet", **score, model=name)
            else:
                faults[at] = RecordError(
                    f"is not a number: nan from {name}",
                    "scores.mpnet",
                    batch[at].where,
                    "the weights may be damaged",
                )
    return faults


def _default_model(record: Record) -> str:
    from s2h.models.text import BUNDLED, DEFAULT

    return BUNDLED if is_builtin(record) else DEFAULT


def _measure(record: Record, rows: dict[str, Any]) -> dict[str, Any]:
    whole = [text_of(record[side]) for side in SIDES]
    ends = [conclusion(record, side) for side in SIDES]
    score: dict[str, Any] = {"similarity": float(rows[whole[0]] @ rows[whole[1]]), "compared": "answers"}
    if ends != whole:
        score |= {"conclusions": float(rows[ends[0]] @ rows[ends[1]]), "compared": "conclusions"}
    if found := values(record):
        if None not in found:
            score |= {"compared": "values", "same": found[0] == found[1]}
    elif captions := captions_of_others(record):
        score["distractors"] = max(float(rows[ends[0]] @ rows[caption]) for caption in captions)
    return score


JUDGEMENT = Judgement(
    about="Are the two answers neither the same nor unrelated? Does the chosen one fit a distractor's caption?",
    options=(
        Option(
            "--mpnet",
            Bounds(-1, 1),
            "Keep pairs whose two answers have a text cosine from LO to HI; either end may be left out. Answers "
            "that tell their working are compared by their conclusions, and conclusions that are values (a number, "
            "an image, yes or no) must only differ.",
        ),
        Option(
            "--mpnet-distractors",
            Bounds(-1, 1),
            "Keep pairs whose chosen answer's largest text cosine to a caption of a distractor lies from LO to HI, where "
            "facts.labels has captions.",
        ),
    ),
    build=lambda given, tools: build(
        tools.engine, band=given["mpnet"], others=given["mpnet_distractors"], model=given.model(TEXT)
    ),
    heading=ANSWERS,
    order=40,
    model=TEXT,
    annotates=True,
)
