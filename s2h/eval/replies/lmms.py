"""lmms-eval's samples, FOLDER/MODEL/TIME_samples_TASK.jsonl: a line for each question, which names the question only by the
number of its row (`doc_id`). So the benchmark's questions are needed, too; the prompt (`input`) and the right answer
(`target`) show whether the rows are the same."""

from __future__ import annotations

import os
from typing import Any

from s2h.eval import benches
from s2h.eval.replies import Replies, Reply
from s2h.record import Record, RecordError

_SAMPLES = "samples_"


def read(line: Record, bench: str) -> Reply:
    """Make a reply of a line."""
    path = line.where.rpartition(":")[0]
    task = os.path.basename(path).partition(".")[0].rpartition(_SAMPLES)[2]
    found, part = _task(task)
    name = benches.plain(bench) if bench else found
    if benches.exact(name) is None:
        raise RecordError(
            f"the task {task[:60]!r} belongs to no known benchmark",
            where=path,
            remedy="name it: --bench NAME",
        )
    row = line["doc_id"]
    if type(row) is not int:
        raise RecordError("must be a whole number", "doc_id", line.where)
    prompt = line.get("input")
    return Reply(
        response=_reply(line),
        bench=name,
        row=row,
        part=part,
        answer=None if line.get("target") in (None, "None") else line["target"],
        prompt=prompt if isinstance(prompt, str) else None,
        model=os.path.basename(os.path.dirname(os.path.abspath(path))),
    )


def _task(task: str) -> tuple[str, str]:
    """Return the benchmark of a task and its part: ('blink', 'art_style') for 'blink_art_style'."""
    parts = task.split("_")
    for at in range(len(parts), 0, -1):
        if benches.named("_".join(parts[:at])) is not None:
            return benches.plain("_".join(parts[:at])), "_".join(parts[at:])
    return "", ""


def _reply(line: Record) -> str:
    """Return the whole reply: `resps`, since `filtered_resps` may have only a letter that was found in it. Raises
    RecordError."""
    replies: list[Any] = [line["resps"] if line.get("resps") is not None else line["filtered_resps"]]
    while len(replies) == 1 and isinstance(replies[0], list):
        replies = replies[0]
    if len(replies) != 1 or not isinstance(replies[0], str):
        fault = (
            f"holds {len(replies)} replies, where one is scored" if len(replies) != 1 else "must be a text"
        )
        remedy = "give the samples of a task that asks each question once and generates text"
        raise RecordError(fault, "resps", line.where, remedy)
    return replies[0]


REPLIES = Replies(title="lmms-eval", fields=("doc_id", "filtered_resps"), read=read)
