r"""Write scores and comparisons as LaTeX tables, which a paper takes by `\input{scores.tex}`. They need no package. Numbers
are percent, gains are points."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2h.escape import latex as escaped

Row = tuple[str, ...]


def scores(report: dict[str, Any]) -> str:
    """Return the rows of a report with a score, and its metrics, as one table."""
    head = ("", "score", r"95\% interval", "chance", "n")
    rows = [_score(row["name"], row) for row in report["rows"] if row["score"] is not None]
    metrics = [_score(f"{one['bench']}, {one['name']}", one) for one in report["metrics"]]
    run = ", ".join(f"{key}: {report[key]}" for key in ("model", "parser", "like") if report.get(key))
    return _table(run, head, [rows, metrics])


def compared(comparisons: list[dict[str, Any]]) -> str:
    """Return a table for each comparison; rows about single images come last."""
    head = ("", "before", "after", "gain", r"95\% interval", "$p$", "n")
    tables = []
    for one in comparisons:
        parts: list[list[Row]] = [
            [
                (
                    escaped(row["name"]), f"{100 * row['before']:.1f}", f"{100 * row['after']:.1f}", _signed(row["gain"]),
                    f"{_signed(row['low'])} to {_signed(row['high'])}", f"{row['p']:.2g}", f"{row['n']}",
                )
                for row in one["rows"]
                if row["single"] is single
            ]
            for single in (False, True)
        ]  # fmt: skip
        tables.append(_table(f"before: {one['before']}, after: {one['after']}", head, parts))
    return "\n".join(tables)


def _score(name: str, row: dict[str, Any]) -> Row:
    chance = row.get("chance")
    interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
    guess = "--" if chance is None else f"{100 * chance:.1f}"
    return escaped(name), f"{100 * row['score']:.1f}", interval, guess, f"{row['n']}"


def _signed(share: float) -> str:
    return f"${100 * share:+.1f}$"


def _table(about: str, head: Row, parts: Iterable[list[Row]]) -> str:
    """Return a table with a line between its parts. about: a comment above it."""
    lines = [f"% {' '.join(about.split())}", rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\hline"]
    lines += [" & ".join(head) + r" \\"]
    for rows in parts:
        if rows:
            lines += [r"\hline", *(" & ".join(row) + r" \\" for row in rows)]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])
