"""Turn replies that other programs have collected into prediction lines (contract.md) for `s2h-eval --score`. The layout of
each evaluator is one file, which defines one `REPLIES`; `s2h.registry` finds it by that name.

    s2h-eval --bench blink=BLINK/ --questions blink.jsonl
    s2h-eval --score --questions blink.jsonl MODEL_BLINK.xlsx -o scored.jsonl

A reply is joined to a question by its id, else by the number of its row, else by its words. A reply that fits several
questions, or none, is an error: nothing is guessed. Without questions, a row is scored alone if it has all that scores need.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from s2h import registry
from s2h.eval import benches
from s2h.eval.benches import Line
from s2h.eval.replies import tables
from s2h.eval.replies.questions import Questions
from s2h.record import Record, RecordError, base_of, fail, where_of

TABLES = tables.ENDINGS
OURS = ("bench", "answer")  # fields of our own predictions, beside id and response


@dataclass(frozen=True)
class Reply:
    """A reply, and what its file tells about the question.

    bench: the benchmark's name, "" if it is unknown. id: the question's id, with or without that name before it. row: the
    number of the question's row in its data set, from 0; part: the row's configuration, "" for the only one. question,
    choices, answer: None if the file lacks them. prompt: a text that contains the question. model: the model's name.
    whole: a prediction line that lacks only the response, if the file has all that scores need.
    """

    response: str
    bench: str
    id: str | None = None
    row: int | None = None
    part: str = ""
    question: str | None = None
    choices: dict[str, str] | None = None
    answer: Any = None
    prompt: str | None = None
    model: str = ""
    whole: Line | None = None


@dataclass(frozen=True)
class Replies:
    """The layout of another evaluator's replies.

    title: the evaluator's name. fields: names of fields; a row that has them all is in this layout.
    read: makes a reply of a row; the second argument is the benchmark that the user names, "" if none. Raises RecordError.
    """

    title: str
    fields: tuple[str, ...]
    read: Callable[[Record, str], Reply]


@functools.cache
def layouts() -> dict[str, Replies]:
    """Return all layouts by name."""
    return registry.values("replies")


def rows(name: str, on_error: Callable[[RecordError], None]) -> Iterator[Record]:
    """Yield the rows of a table, an .xlsx or .tsv file. The error of a row goes to on_error."""
    return tables.read(name, on_error)


def joined(
    lines: Iterable[Record],
    questions: Iterable[Record] | None = None,
    bench: str = "",
    on_error: Callable[[RecordError], None] = fail,
    tell: Callable[[str], None] = lambda words: None,
) -> Iterator[Record]:
    """Yield prediction lines of replies, in their order. Our own predictions pass unchanged.

    questions: lines that `s2h-eval --questions` wrote, to which replies are joined. bench: the benchmark of replies whose
    file does not name one. on_error: receives the error of a reply that can't be joined. tell: receives messages: the layout
    of each file, and how many questions had no reply.
    """
    asked = None if questions is None else Questions(questions)
    told: set[tuple[str, str]] = set()
    for line in lines:
        where = where_of(line)
        file = where.rpartition(":")[0]
        try:
            name = _layout(line)
            if not name and (asked is None or all(field in line for field in OURS)):
                if asked is not None:
                    asked.note(str(line.get("id")))
                yield line
                continue
            if name and (file, name) not in told:
                told.add((file, name))
                tell(f"{file}: replies in the layout of {layouts()[name].title}")
            yield _line(line, name, bench, asked)
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
    if asked is not None and (missing := asked.missing()):
        tell(f"{missing:,} of {len(asked):,} questions have no reply")


def _layout(line: Line) -> str:
    """Return the name of a row's layout by its fields, "" for ours. Raises RecordError for a row in no known layout."""
    if "response" in line:
        return ""
    fits = (name for name, layout in layouts().items() if all(field in line for field in layout.fields))
    name = next(fits, "")
    if not name and "id" not in line:
        known = "; ".join(f"{one.title}'s have {' and '.join(one.fields)}" for one in layouts().values())
        raise RecordError(
            f"no reply: its fields are {', '.join(line)[:120] or 'none'}",
            remedy=f"our lines have id, bench, answer and response; {known}",
        )
    return name


def _line(line: Record, name: str, bench: str, asked: Questions | None) -> Record:
    """Return the prediction line of a reply. Raises RecordError."""
    reply = layouts()[name].read(line, bench) if name else _own(line, bench)
    if asked is not None:
        question = asked.find(reply)
        prediction = Record(
            {key: value for key, value in question.items() if key not in ("prompt", "row")},
            where=where_of(line), base=base_of(question),
        )  # fmt: skip
    elif reply.whole is not None:
        prediction = Record(reply.whole, where=where_of(line), base=base_of(line))
    else:
        raise RecordError(
            "a row in this layout names its question only by its number", "doc_id", where_of(line),
            "write the benchmark's questions with --bench NAME=PATH --questions FILE, and give --questions FILE here too",
        )  # fmt: skip
    prediction["response"] = reply.response
    if reply.model:
        prediction["model"] = reply.model
    prediction["scoring"] = "generate"
    return prediction


def _own(line: Record, bench: str) -> Reply:
    """Return the reply of a line that has an id and a response."""
    for field in ("id", "response"):
        if field not in line:
            raise RecordError("is missing", field, where_of(line), "a reply has id and response")
    response = line["response"]
    if response is not None and not isinstance(response, str):
        raise RecordError("must be a text", "response", where_of(line))
    return Reply(
        response or "",
        str(line.get("bench") or bench),
        id=str(line["id"]),
        model=str(line.get("model") or ""),
    )


def named(text: str) -> tuple[str, str]:
    """Return the benchmark that the end of a file's name means, and the text before it: ('blink', 'MODEL') for
    'MODEL_BLINK'; ('', text) if it means no benchmark."""
    parts = text.split("_")
    for at in range(len(parts)):
        if benches.named("_".join(parts[at:])) is not None:
            return benches.plain("_".join(parts[at:])), "_".join(parts[:at])
    return "", text
