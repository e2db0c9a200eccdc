"""Tables of benchmarks and files of questions, mutated: parquet, TSV, JSON and JSON Lines in the layouts of the real ones.
They are read as s2h-eval reads them before a model is asked, in this process and without one."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from s2h.record import Record, RecordError
from tests.robust import folders, values
from tests.robust.cases import IMAGES, PAIRS, lines
from tests.robust.layouts import Layout
from tests.robust.running import Case, Hang, in_folder, timed, tried
from tests.robust.writing import Told
from tests.support import benchmarks

QUESTIONS = (
    {"id": "q1", "images": ["one.png", "two.png"], "question": "<image> <image> Which is red?", "choices": ["one", "two"],
     "answer": "A", "target": [1]},
    {"id": "q2", "image": "one.png", "question": "Is there a dog?", "answer": "yes", "category": "random", "bench": "pope"},
    {"id": "q3", "images": ["two.png"], "question": "How many?\n(A) 1\n(B) 2", "answer": "(B)", "answer_type": "choice"},
    {"id": "q4", "images": ["one.png"], "question": "How many?", "answer": 3, "answer_type": "number", "hint": "Count."},
    *PAIRS[:3],
)  # fmt: skip
MAKERS = {
    "blink": benchmarks.blink, "mantis": benchmarks.mantis, "nlvr2": benchmarks.nlvr2, "mmstar": benchmarks.mmstar,
    "pope": benchmarks.pope, "muirbench": benchmarks.muirbench, "mirb": benchmarks.mirb_release,
    "naturalbench": benchmarks.naturalbench, "hallusionbench": benchmarks.hallusionbench,
}  # fmt: skip
TABLES = {"mmstar": ("MMStar.tsv", benchmarks.mmstar_tsv), "pope": ("POPE.tsv", benchmarks.pope_tsv)}


@lru_cache
def trees() -> list[Layout]:
    """The small trees of the benchmarks as values that can be mutated."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for name, make in MAKERS.items():
            make(Path(place, name))
            found.append((name, Path(place, name)))
        for name, (file, make) in TABLES.items():
            make(Path(place, "tables", name, file))
            found.append((name, Path(place, "tables", name)))
        found.append(("nlvr2", benchmarks.nlvr2_release(Path(place, "release"))))
        return [Layout(name, (), _contents(root)) for name, root in found]


def _contents(root: Path) -> dict[str, object]:
    from pyarrow.parquet import read_table

    held: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.suffix == ".parquet":
            held[name] = Told("parquet", read_table(path).to_pylist())
        elif path.suffix == ".tsv":
            rows = list(csv.DictReader(io.StringIO(path.read_text()), delimiter="\t"))
            held[name] = Told("tsv", rows)
        elif path.suffix == ".json":
            held[name] = _json(path.read_bytes())
        elif path.is_file():
            held[name] = path.read_bytes()
    return held


def _json(data: bytes) -> Told:
    try:
        return Told("json", json.loads(data))
    except ValueError:
        return Told("jsonl", [json.loads(line) for line in data.splitlines()])


@st.composite
def benches(draw: Callable) -> Case:
    layout = draw(st.sampled_from(trees()))
    style = draw(st.sampled_from(("llava", "vlmevalkit", "lmms", "official")))
    return Case(f"{layout.kind}=in {style}", draw(folders.trees(layout)))


@st.composite
def questions(draw: Callable) -> Case:
    if draw(st.booleans()):
        return Case("in/q.jsonl llava", {"in/q.jsonl": draw(lines(QUESTIONS)), **IMAGES})
    rows = [draw(values.mutated(one)) for one in draw(st.lists(st.sampled_from(QUESTIONS), max_size=5))]
    return Case("mine=in/q.jsonl llava", {"in/q.jsonl": values.spelled(rows), **IMAGES})


def check(case: Case) -> int:
    """Read all questions of a case; the number of them. What can't be read goes to on_error as a RecordError, and nothing
    else is ever raised."""
    from s2h.eval.questions import Settings, request
    from s2h.images.store import Store

    tried["tables"] += 1
    wish, style = case.line.split(" ")
    faults: list[Exception] = []
    with in_folder(case), timed():
        try:
            located = request.locate([request.parse(wish)], None, None)
            asked = list(
                request.questions_of(
                    located,
                    None,
                    Settings(store=Store("out/store"), style=style, count=1, on_error=faults.append),
                )
            )
        except RecordError:
            return 0  # there is no table at all
        except Hang:
            raise
        except Exception as error:
            raise AssertionError(f"unforeseen {type(error).__name__}: {error}") from error
    assert all(isinstance(fault, RecordError) for fault in faults)
    for line, messages in asked:
        _sound(line, messages)
    _scored([line for line, _ in asked])
    return len(asked)


def _told(line: dict[str, Any]) -> dict[str, Any]:
    """Return a question as it is written down."""
    return {key: value for key, value in line.items() if key != "_pair"}


def _scored(asked: list[dict]) -> None:
    """Replies to the questions can be read, and a report can be made of them."""
    from s2h.eval import accuracy, reading, report

    replies = [_told(line) | {"response": "B"} for line in asked]
    if scored := list(reading.rescore(replies)):
        report.make([accuracy.slim(line) for line in scored])


def _sound(line: dict[str, Any], messages: list[dict]) -> None:
    """A question can be written down, and its prompt has a place for each image."""
    from s2h.streams import jsonl

    assert json.loads(jsonl.dump(Record(_told(line))))["id"] == line["id"]
    shown = sum(part["type"] == "image" for message in messages for part in message["content"])
    assert shown == len(line["_pair"]["images"]), f"{shown} places of {len(line['_pair']['images'])} images"
