"""Scores, intervals and tests of questions that share nothing are those of the golden file, which was recorded before
intervals were computed over clusters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2h.eval import accuracy, comparison, report
from tests.support.scored import predictions

GOLDEN = json.loads((Path(__file__).parent / "golden" / "scores.json").read_text())


def agrees(found, golden) -> None:
    """Every number of the golden file is found again; new fields may stand beside it."""
    if isinstance(golden, dict):
        for key, value in golden.items():
            agrees(found[key], value)
    elif isinstance(golden, list):
        assert len(found) == len(golden)
        for one, other in zip(found, golden, strict=True):
            agrees(one, other)
    else:
        assert found == (pytest.approx(golden, abs=1e-12) if isinstance(golden, float) else golden)


@pytest.fixture(scope="module")
def told():
    return report.make([accuracy.slim(p) for p in predictions(1, 0.5)], seed=3, parser="robust")


@pytest.mark.parametrize("part", ["rows", "benchmarks", "by_images", "by_position", "published"])
def test_the_scores_are_unchanged(told, part):
    agrees(told[part], GOLDEN[part])


def test_the_metrics_are_unchanged(told):
    kept = [metric for metric in told["metrics"] if "without" not in metric["name"]]
    agrees(kept, GOLDEN["metrics"])


def test_the_comparison_is_unchanged():
    rows = comparison.compare(predictions(1, 0.5), predictions(2, 0.62), ("a", "b"), 3)
    agrees([row for row in rows if "without" not in row["name"]], GOLDEN["compared"])
    assert {row["test"] for row in rows} == {comparison.MCNEMAR}
    assert all(row["clusters"] == row["n"] for row in rows)
