r"""Write scores and comparisons as LaTeX tables, which a paper includes by `\input{scores.tex}`. They need no package.
Scores are in percent and gains in percentage points; cosines are numbers from -1 to 1."""

from __future__ import annotations

from typing import Any

from s2h.escape import latex as escaped
from s2h.eval.report import interval

Row = tuple[str, ...]


def scores(report: dict[str, Any]) -> str:
    """Return one table with the report's rows that have a score and its metrics, and another one with the mean cosines of
    captions, if there are any."""
    head = ("", "score", r"95\% interval", "chance", "n")
    rows = [_score(row["name"], row) for row in report["rows"] if row["score"] is not None]
    metrics = [_score(f"{one['bench']}, {one['name']}", one) for one in report["metrics"]]
    run = ", ".join(f"{key}: {report[key]}" for key in ("model", "parser", "like") if report.get(key))
    cosines: list[Row] = [
        (
            escaped(row["name"]),
            f"{row['cosine']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['n']}",
        )
        for row in report.get("cosine", ())
    ]
    captions = _table(f"{run}, captions", ("", "mean cosine", r"95\% interval", "n"), [cosines])
    return _joined(_table(run, head, [rows, metrics]), captions)


def compared(comparisons: list[dict[str, Any]]) -> str:
    """Return a table for each comparison, in which rows about single images come last, and a table for its mean cosines of
    captions, if there are any."""
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
        cosines: list[Row] = [
            (
                escaped(row["name"]), f"{row['before']:.3f}", f"{row['after']:.3f}", f"${row['gain']:+.3f}$",
                f"${row['low']:+.3f}$ to ${row['high']:+.3f}$", f"{row['n']}",
            )
            for row in one.get("cosine", ())
        ]  # fmt: skip
        about = f"before: {one['before']}, after: {one['after']}"
        columns = ("", "mean cosine before", "after", "gain", r"95\% interval", "n")
        tables += [_table(about, head, parts), _table(f"{about}, captions", columns, [cosines])]
    return _joined(*tables)


def _score(name: str, row: dict[str, Any]) -> Row:
    chance = row.get("chance")
    guess = "--" if chance is None else f"{100 * chance:.1f}"
    return escaped(name), f"{100 * row['score']:.1f}", interval(row), guess, f"{row['n']}"


def _signed(share: float) -> str:
    return f"${100 * share:+.1f}$"


def _joined(*tables: str) -> str:
    return "\n".join(filter(None, tables)) or "% no question has a score\n"


def _table(about: str, head: Row, parts: list[list[Row]]) -> str:
    """Return a table with a line between its parts, "" if all are empty. about: a comment above it."""
    if not any(parts):
        return ""
    lines = [f"% {' '.join(about.split())}", rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\hline"]
    lines += [" & ".join(head) + r" \\"]
    for rows in parts:
        if rows:
            lines += [r"\hline", *(" & ".join(row) + r" \\" for row in rows)]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])
