"""Make questions of pairs. If replies are generated, the model is asked the pair's own question; with --scoring likelihood,
the score says whether the chosen answer is likelier than the rejected one. A file of pairs is not a benchmark: it has no
splits, no known number of rows, and no published numbers."""

from __future__ import annotations

from s2h.eval import answer_types, gold, predictions
from s2h.eval.benches import Line
from s2h.record import Record, RecordError, facts_of, target_of, text_of
from s2h.shorthand import accept

NAME = "pairs"  # the benchmark that their lines name
SINGLE = "single"  # the level of questions about one image
LABELLED = ("scene", "digit", "face")  # kinds of labels that `words.holds` reads


def question_of(pair: Record, bench: str = NAME) -> tuple[Line, list[dict]]:
    """Make a question of a pair. Its right answer is `facts.answer`, of type `facts.answer_type`, or else the chosen text.
    Raises RecordError."""
    accept(pair)
    level = SINGLE if len(pair["images"]) == 1 else pair.get("level")
    return question(pair, bench=bench, category=pair.get("task") or bench, level=level)


def question(pair: Record, *, bench: str, category: str, level: object) -> tuple[Line, list[dict]]:
    """Make a question of a pair with a given category and level. Return (prediction line, messages of the prompt)."""
    facts, target = facts_of(pair), target_of(pair)
    kind = facts.get("answer_type", "caption")
    answer_types.check(kind, "facts.answer_type", pair.where)
    line = {
        "id": f"{category}/{pair['id']}",
        "bench": bench,
        "category": category,
        **({} if level is None else {"level": level}),
        "images": pair["images"],
        "question": text_of(pair["prompt"]),
        "answer": facts.get("answer", text_of(pair["chosen"])),
        "answer_type": kind,
    }
    if target:
        line["target"] = target
    if "about" in facts:
        line["about"] = facts["about"]
    if "choices" in facts:
        line["choices"] = facts["choices"]
    elif "candidates" in facts:
        line["candidates"] = facts["candidates"]
    if "twin" in facts:
        line["twin"] = facts["twin"]
    try:
        predictions.read(line)
        gold.read(line)
    except RecordError as error:
        error.field, error.where = f"facts.{error.field}", pair.where
        raise
    if kind == "caption" and line["answer"] != "none" and (labels := _labels_of(facts, target)):
        line["target_labels"] = labels
    line["_pair"] = pair
    return line, pair["prompt"]


def _labels_of(facts: dict, target: list[int]) -> dict | None:
    """Return the labels of the image that the answer rests on, if `words.holds` reads labels of their kind."""
    labels = facts.get("labels")
    if not isinstance(labels, list) or not target or target[0] >= len(labels):
        return None
    found = labels[target[0]]
    return found if isinstance(found, dict) and found.get("kind") in LABELLED else None
