"""Held-out questions of the built-in world, of each level and about single images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from s2h.eval import gold
from s2h.eval.predictions import TYPES
from s2h.record import Record, RecordError, facts_of, target_of, text_of

SINGLE = "single"
# (category, task, level, images in a prompt)
PARTS = (
    ("vqa", "vqa", 1, (2, 5)),
    ("kinship", "kinship", 2, (2, 5)),
    ("arithmetic", "arithmetic", 2, (2, 5)),
    ("search", "search", 3, (2, 5)),
    (SINGLE, "vqa", SINGLE, (1, 1)),
)
LABELLED = ("scene", "digit", "face")  # kinds of labels that `words.holds` reads


def questions(*, n: int, seed: int, store: Any, size: int = 64) -> Iterator[tuple[dict, list[dict]]]:
    """n questions of each part, from the split that training never draws. Kinship asks about parents and search for
    captions, as the paper does."""
    from s2h import tasks

    wishes = {"kinship": {"relations": {"parent": 1.0}}, "search": {"forms": {"caption": 1.0}}}
    for category, task, level, per_prompt in PARTS:
        for pair in tasks.generate(
            task,
            n=n,
            seed=seed,
            split="heldout",
            per_prompt=per_prompt,
            images=store,
            size=size,
            **wishes.get(task, {}),
        ):
            yield question(pair, bench="builtin", category=category, level=level)


def _labels_of(facts: dict, target: list[int]) -> dict | None:
    """The labels of the image that the answer rests on, of a kind that `words.holds` reads; None where there are none."""
    labels = facts.get("labels")
    if not isinstance(labels, list) or not target or target[0] >= len(labels):
        return None
    found = labels[target[0]]
    return found if isinstance(found, dict) and found.get("kind") in LABELLED else None


def question(pair: Record, *, bench: str, category: str, level: object) -> tuple[dict, list[dict]]:
    """One pair as a question: (line, messages)."""
    facts, target = facts_of(pair), target_of(pair)
    kind = facts.get("answer_type", "caption")
    if kind not in TYPES:
        raise RecordError(
            f"unknown answer type: {kind!r}",
            field="facts.answer_type",
            where=pair.where,
            remedy=f"one of {', '.join(TYPES)}",
        )
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
        gold.read(line)
    except RecordError as error:
        error.field, error.where = "facts.answer", pair.where
        raise
    if kind == "caption" and line["answer"] != "none" and (labels := _labels_of(facts, target)):
        line["target_labels"] = labels
    line["_pair"] = pair
    return line, pair["prompt"]
