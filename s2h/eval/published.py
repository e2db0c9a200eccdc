"""Show the numbers of papers beside measured ones. Each benchmark's file has its published numbers (`Bench.published`). The
papers' authors measured them with their own prompts and parsers, so a report marks them as published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2h import registry
from s2h.eval import benches
from s2h.eval.benches import Bench

S2H_DPO = "S2H-DPO, Findings of ACL 2026, arXiv 2604.18512"
MODEL = "LLaVA-1.5-7B"
SEVERAL = "several models"  # in place of a model, for a table whose rows are models


def beside(rows: list[dict], metrics: Iterable[dict] = ()) -> list[dict[str, Any]]:
    """Return the rows of a table for each paper and model with a published number of a measured benchmark: a measured row,
    then the published ones. A row has name, published, and scores (shares of 1 by benchmark, and their mean if all
    benchmarks of the table were measured); a published row also has model and source. metrics: as a report has them, for
    papers that print a metric instead of the accuracy."""
    found = {(benches.plain(row["name"]), ""): row["score"] for row in rows if row.get("score") is not None}
    found |= {(metric["bench"], metric["name"]): metric["score"] for metric in metrics}
    known: dict[str, Bench] = registry.values("bench")
    tables: dict[tuple[str, str], dict[str, float]] = {}
    for name, bench in known.items():
        for one in bench.published:
            if (name, one.metric) in found:
                tables.setdefault((one.model, one.source), {})[name] = found[name, one.metric]
    return [
        row for (model, source), measured in tables.items() for row in _table(model, source, known, measured)
    ]


def _table(model: str, source: str, known: dict[str, Bench], measured: dict[str, float]) -> list[dict]:
    printed: dict[str, dict[str, float]] = {}
    for name, bench in known.items():
        for one in bench.published:
            if (one.model, one.source) == (model, source):
                printed.setdefault(one.row, {})[name] = one.score / 100
    columns = {name for scores in printed.values() for name in scores}
    shown = [name for name in known if name in columns and name in measured]
    made: list[dict[str, Any]] = [
        {"name": "measured here", "published": False, "scores": {name: measured[name] for name in shown}}
    ]
    for row, values in printed.items():
        some = {name: values[name] for name in shown if name in values}
        made.append({"name": row, "model": model, "source": source, "published": True, "scores": some})
    if len(shown) == len(columns):
        for line in made:
            if len(line["scores"]) == len(shown):
                line["scores"]["mean"] = sum(line["scores"].values()) / len(shown)
    return made


def tables(rows: list[dict]) -> list[list[dict]]:
    """Return the rows of `beside`, a list for each table."""
    found: list[list[dict]] = []
    for row in rows:
        if not row["published"]:
            found.append([])
        found[-1].append(row)
    return found


def warnings(rows: list[dict]) -> list[str]:
    """Return notes on the benchmarks of one table whose answers were corrected after the papers may have used them."""
    made = []
    for name in rows[0]["scores"]:
        bench = benches.exact(name)
        if bench and (revision := bench.revision):
            made.append(
                f"{bench.title}'s published numbers may rest on the labels of {revision.category} before their correction "
                f"on {revision.date}."
            )
    return made
