"""VLFeedback: a prompt with the rated replies of several models. The best one is chosen and the worst one rejected, by the
mean of a reply's ratings (arXiv 2410.09421). It is read only."""

from __future__ import annotations

import math
from typing import Any

from s2h.errors import LeftOut
from s2h.formats import Format, chat
from s2h.record import RecordError
from s2h.schema import kind_of


def read(row: dict) -> dict:
    rated = [(score, reply) for reply, score in _replies(row["completions"]) if score is not None]
    if not rated:
        raise LeftOut("has no reply with a rating", "completions")
    best, worst = max(rated, key=_score), min(rated, key=_score)  # of equals, the first
    if best[0] == worst[0]:
        raise LeftOut("has no two replies with different ratings", "completions")
    image = row.get("image") or row.get("img_path")
    return chat.pair(
        row, {"img_path", "image", "completions", "models"}, images=chat.listed(image),
        prompt=chat.prompt(row["prompt"], "prompt"), chosen=best[1], rejected=worst[1],
    )  # fmt: skip


def _score(one: tuple[float, str]) -> float:
    return one[0]


def _replies(completions: Any) -> list[tuple[str, float | None]]:
    """Return (reply, mean rating or None) of each completion. They are a list of objects, or in some files an object of
    lists."""
    if isinstance(completions, dict):
        replies, ratings = completions.get("response"), completions.get("annotations")
        if not isinstance(replies, list) or not isinstance(ratings, list) or len(replies) != len(ratings):
            raise RecordError("must hold as many annotations as responses", "completions")
        completions = [
            {"response": one, "annotations": two} for one, two in zip(replies, ratings, strict=True)
        ]
    if not isinstance(completions, list) or not all(isinstance(one, dict) for one in completions):
        raise RecordError(f"must be a list of objects: it is {kind_of(completions)}", "completions")
    return [
        (chat.text(one.get("response"), f"completions[{at}].response"), _rating(one.get("annotations")))
        for at, one in enumerate(completions)
    ]


def _rating(annotations: Any) -> float | None:
    """Return the mean of the ratings that are numbers, None if there is none."""
    found = []
    for one in annotations.values() if isinstance(annotations, dict) else ():
        try:
            rating = float(one["Rating"])
        except (TypeError, KeyError, ValueError):
            continue  # "N/A", or an aspect that was not rated
        if math.isfinite(rating):
            found.append(rating)
    return sum(found) / len(found) if found else None


FORMAT = Format(
    title="VLFeedback: prompt, completions with ratings",
    fields=("prompt", "completions"),
    read=read,
)
