"""Types of answers that a task reads itself."""

from __future__ import annotations

import sys

import pytest

from s2h import registry, tasks
from s2h.eval import answer_types, chance, predictions, reading
from s2h.record import RecordError

RATIO = '''"""Shares."""

from s2h.tasks import Answer, Task


def read(reply, line):
    part, _, whole = reply.partition(" of ")
    return f"{part}/{whole}" if whole == str(len(line["images"])) else None


def make(slot, data, wanted):
    raise NotImplementedError


TASK = Task(
    level=2, about="shares", negatives={"off-by-one": 1.0}, answers={"ratio": Answer(lambda images: images + 1, read)},
    make=make, needs=(),
)
'''


@pytest.fixture()
def ratio(tmp_path):
    """A task of one file, beside the others."""
    (tmp_path / "ratio.py").write_text(RATIO)
    tasks.__path__.append(str(tmp_path))
    registry.names.cache_clear()
    yield
    tasks.__path__.remove(str(tmp_path))
    registry.names.cache_clear()
    registry.load.cache_clear()
    sys.modules.pop("s2h.tasks.ratio", None)


def test_a_task_reads_its_own_type(ratio):
    line = {
        "id": "1", "bench": "pairs", "category": "ratio", "level": 2, "images": ["a.png", "b.png"], "answer": "1/2",
        "answer_type": "ratio",
    }  # fmt: skip
    assert reading.read(line | {"response": "1 of 2"}) == ("1/2", True)
    assert reading.read(line | {"response": "1 of 3"}) == (None, False)
    assert chance.possible(line) == 3
    assert predictions.read(line)["answer_type"] == "ratio"
    with pytest.raises(RecordError, match=r"unknown: 'share' \(one of number, .*, ratio\)"):
        answer_types.check("share")
