"""The numbers of several papers have a table each."""

from __future__ import annotations

import sys

import pytest

from s2h import registry
from s2h.eval import accuracy, benches, published, report

TOY = '''"""A benchmark with a number of its own paper."""

from s2h.eval.benches import Bench, Published, Question


def question(row, file):
    return Question(id=row["id"], text=row["text"], images=row["images"])


BENCH = Bench(title="Toy", about="a toy", question=question, published=(Published("large", 80.0, "Model X", "Paper Y"),))
'''


@pytest.fixture()
def toy(tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    caches = (registry.names, registry.load, benches._plain, benches._names)
    benches.__path__.append(str(tmp_path))
    for cache in caches:
        cache.cache_clear()
    yield
    benches.__path__.remove(str(tmp_path))
    for cache in caches:
        cache.cache_clear()
    sys.modules.pop("s2h.eval.benches.toy", None)


def test_each_paper_has_a_table(toy):
    lines = [
        {"id": f"{bench}/{i}", "bench": bench, "answer": "A", "parsed": "A", "correct": i < 5}
        for bench in ("mantis", "toy")
        for i in range(10)
    ]
    made = report.make([accuracy.slim(one) for one in lines], model="mini")
    ours, other = published.tables(made["published"])
    assert ours[0]["scores"] == {"mantis": 0.5} and other[0]["scores"] == {"toy": 0.5, "mean": 0.5}
    assert [row["name"] for row in other] == ["measured here", "large"] and other[1]["scores"]["toy"] == 0.8
    for text in (report.table(made), report.markdown(made)):
        assert published.S2H_DPO in text and "Paper Y" in text
    assert "| large (published) | 80.0 | 80.0 |" in report.markdown(made)
