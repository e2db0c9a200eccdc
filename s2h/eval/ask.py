"""Asking a model: questions in, prediction lines out, in order and as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from s2h.eval import answers
from s2h.images import open_images
from s2h.record import RecordError, fail


def predict(
    questions: Iterable[tuple[dict, list[dict]]],
    model: Any,
    *,
    scoring: str = "generate",
    batch_size: int = 32,
    max_new_tokens: int = 192,
    parser: str = "robust",
    on_error: Callable[[Exception], None] = fail,
) -> Iterator[dict]:
    """Prediction lines (contract.md, One prediction, one line). scoring: `generate` writes the greedy answer and reads it;
    `likelihood` compares the log-probabilities of the pair's chosen and rejected answers instead (chance 50) and is not
    comparable with generated answers."""
    from s2h.models import vlm

    questions = iter(questions)
    while chunk := list(islice(questions, 8 * batch_size)):
        ready = []
        for line, messages in chunk:
            try:
                ready.append((line, messages, open_images(line["_pair"])))
            except RecordError as error:
                on_error(error)
        # Prompts of like length go together: less padding, the same answers.
        order = sorted(range(len(ready)), key=lambda i: (len(ready[i][2]), len(ready[i][0]["question"])))
        if scoring == "generate":
            rows = [(ready[i][1], ready[i][2]) for i in order]
            replies = vlm.generate(model, rows, max_new_tokens=max_new_tokens, batch_size=batch_size)
            made = dict(zip(order, replies, strict=True))
        else:
            rows = [
                (ready[i][1], ready[i][0]["_pair"][which], ready[i][2])
                for i in order
                for which in ("chosen", "rejected")
            ]
            sums = list(vlm.score(model, rows, batch_size=batch_size))
            made = {i: (sums[2 * at], sums[2 * at + 1]) for at, i in enumerate(order)}
        for i, (line, _, _) in enumerate(ready):
            yield _finished(line, made[i], model.name, scoring, parser)


def _finished(line: dict, made: Any, name: str, scoring: str, parser: str) -> dict:
    line = {key: value for key, value in line.items() if key != "_pair"}
    if scoring == "generate":
        line["response"] = made
        line["parsed"], line["correct"] = answers.read(line, parser)
    else:
        chosen, rejected = made
        line |= {
            "response": None,
            "parsed": "chosen" if chosen > rejected else "rejected",
            "correct": chosen > rejected,
        }
        line["logp"] = {"chosen": chosen, "rejected": rejected}
    return {
        **line,
        "model": name,
        "scoring": scoring,
        **({"parser": parser} if scoring == "generate" else {}),
    }
