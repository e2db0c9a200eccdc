"""VLMEvalKit's predictions, MODEL_BENCHMARK.xlsx, .tsv or .json: the rows of its question table without their images, and
with the column `prediction`."""

from __future__ import annotations

import os
from string import ascii_uppercase

from s2h.eval import benches
from s2h.eval.questions import lines, tsv
from s2h.eval.replies import Replies, Reply, named
from s2h.record import Record, RecordError


def read(row: Record, bench: str) -> Reply:
    """Make a reply of a row. The row has its question, options and answer, so that it can be scored alone."""
    file = os.path.basename(row.where.rpartition(":")[0])
    found, model = named(file.rpartition(".")[0])
    name = benches.plain(bench) if bench else found
    known = benches.exact(name)
    if known is None:
        raise RecordError(
            "the file's name does not end in a benchmark's (_BENCHMARK)", where=row.where.rpartition(":")[0],
            remedy="name the benchmark: --bench NAME",
        )  # fmt: skip
    cells = {key: value for key, value in row.items() if value is not None and value == value}
    plain = Record({key: str(value) for key, value in cells.items()}, where=row.where, base=row.base)
    question = (known.table or tsv.question)(plain)
    whole = lines.bare(name, plain, question)
    return Reply(
        response=str(row["prediction"] if row["prediction"] is not None else ""),
        bench=name,
        id=str(question.id),
        question=plain.get("question"),
        choices={letter: plain[letter] for letter in ascii_uppercase if letter in plain} or None,
        answer=plain.get("answer"),
        model=model,
        whole=whole,
    )


REPLIES = Replies(title="VLMEvalKit", fields=("index", "prediction"), read=read)
