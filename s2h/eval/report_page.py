"""Show scores and comparisons as HTML, for the top of a page of `s2h.view.gallery`: tables with drawn intervals, the
accuracy by number of images, and a heat map by the target's position. The HTML has no script and needs no network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from s2h.errors import counted
from s2h.eval import comparison_report, cosine, published
from s2h.eval.report import EXPLAINED, facts, interval, percent, unscored

_WIDTH, _HEIGHT = 180, 16  # of a drawn interval, in pixels
_CELL = 52  # side of a cell of the heat map, in pixels


def scores(report: dict[str, Any]) -> str:
    """Return the HTML of a report (`s2h.eval.report.make`), with its `cosine` if captions were compared."""
    parts = [_paragraph(", ".join(f"{key}: {value}" for key, value in facts(report).items()))]
    rows = [_score(row["name"], row) for row in report["rows"]]
    parts += [_table(("questions", "n", "score", "95% interval", "", "chance", "unread", "clusters"), rows)]
    if report["metrics"]:
        metrics = [_score(f"{one['bench']}, {one['name']}", one)[:6] for one in report["metrics"]]
        parts += [
            _heading("Metrics"),
            _table(("metric", "n", "score", "95% interval", "", "chance"), metrics),
        ]
    if len(report["by_images"]) > 1:
        cells = [_score(counted(cell["images"], "image"), cell)[:5] for cell in report["by_images"]]
        parts += [
            _heading("By number of images"),
            _table(("prompt", "n", "score", "95% interval", ""), cells),
        ]
    if report["by_position"]:
        parts += [
            _heading("By position of the image that the answer rests on"),
            _heat_map(report["by_position"]),
        ]
    for rows_of_paper in published.tables(report["published"]):
        parts += _published(rows_of_paper)
    if "cosine" in report:
        parts.append(_preformatted(cosine.table(report["cosine"])))
    return _section([*parts, *map(_paragraph, (*EXPLAINED, *report["notes"]))])


def _published(rows: list[dict[str, Any]]) -> list[str]:
    """Return a table of published numbers below the measured ones, and its source."""
    head = list(rows[0]["scores"])
    cells = [(escape(row["name"]), *(percent(row["scores"].get(one)) for one in head)) for row in rows]
    source = f"Published, not measured here: {rows[-1]['source']}."
    return [
        _heading(rows[-1]["model"]),
        _table(["", *head], cells),
        *map(_paragraph, [source, *published.warnings(rows)]),
    ]


def compared(comparisons: list[dict[str, Any]]) -> str:
    """Return the HTML of comparisons (`s2h.eval.comparison.make`)."""
    head = ("questions", "n", "before", "after", "gain", "95% interval", "", "gained", "lost", "p", "verdict")
    parts = []
    for one in comparisons:
        rows = sorted(one["rows"], key=lambda row: row["single"])
        parts.append(_heading(f"{one['before']} → {one['after']}"))
        if rows:
            parts.append(_table(head, [_gain(row) for row in rows]))
            parts += map(_paragraph, comparison_report.explained(rows, one["margin"]))
        if "cosine" in one:
            parts.append(_preformatted(cosine.compared_table(one["cosine"])))
        parts += map(_paragraph, one["notes"])
    return _section(parts)


def _score(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a score; in a row without a score, the reason."""
    if row["score"] is None:
        return escape(name), str(row["unscored"]), escape(unscored(row)), "", "", "", "", ""
    chance = row.get("chance")
    return (
        escape(name),
        f"{row['n']:,}",
        percent(row["score"]),
        interval(row),
        _drawn(row["low"], row["high"], row["score"], chance),
        percent(chance),
        percent(row.get("unparsed")),
        f"{row['clusters']:,}" if "clusters" in row else "",
    )


def _gain(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        escape(row["name"]), f"{row['n']:,}", percent(row["before"]), percent(row["after"]), f"{100 * row['gain']:+.1f}",
        comparison_report.interval(row),
        _drawn((1 + row["low"]) / 2, (1 + row["high"]) / 2, (1 + row["gain"]) / 2, 0.5), str(row["gained"]),
        str(row["lost"]), f"{row['p']:.2g}", escape(row["verdict"]) if row["single"] else "",
    )  # fmt: skip


def _drawn(low: float, high: float, value: float, mark: float | None) -> str:
    """Return a drawing of an interval and its value from 0 to 1, with a mark (chance, or no change)."""
    middle = _HEIGHT // 2
    tick = (
        ""
        if mark is None
        else f'<line class="tick" x1="{_x(mark)}" x2="{_x(mark)}" y1="1" y2="{_HEIGHT - 1}"/>'
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true"><line class="axis" x1="0" x2="{_WIDTH}" y1="{middle}" '
        f'y2="{middle}"/>{tick}<line class="interval" x1="{_x(low)}" x2="{_x(high)}" y1="{middle}" y2="{middle}"/>'
        f'<circle class="value" cx="{_x(value)}" cy="{middle}" r="4"/></svg>'
    )


def _x(share: float) -> str:
    return f"{4 + share * (_WIDTH - 8):.1f}"


def _heat_map(cells: list[dict]) -> str:
    """Return a drawing with a row for each number of images and a column for each position. A darker cell has a higher
    score."""
    rows = sorted({cell["images"] for cell in cells})
    places = max(cell["position"] for cell in cells) + 1
    parts = []
    for cell in cells:
        x, y = 90 + cell["position"] * _CELL, 24 + rows.index(cell["images"]) * _CELL
        parts.append(
            f'<rect class="value" x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" '
            f'fill-opacity="{0.08 + 0.72 * cell["score"]:.3f}"><title>n = {cell["n"]}</title></rect>'
            f'<text x="{x + _CELL / 2 - 1}" y="{y + _CELL / 2 + 4}" text-anchor="middle">{percent(cell["score"])}</text>'
        )
    for at, images in enumerate(rows):
        parts.append(
            f'<text x="82" y="{24 + at * _CELL + _CELL / 2 + 4}" text-anchor="end">{counted(images, "image")}</text>'
        )
    for place in range(places):
        parts.append(
            f'<text x="{90 + place * _CELL + _CELL / 2 - 1}" y="16" text-anchor="middle">{place + 1}</text>'
        )
    size = f'width="{90 + places * _CELL}" height="{24 + len(rows) * _CELL}"'
    return f'<svg {size} role="img" aria-label="accuracy by number of images and position">{"".join(parts)}</svg>'


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table. head: as text; rows: as HTML."""
    titles = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _preformatted(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _section(parts: Iterable[str]) -> str:
    return f'<section class="report">\n{chr(10).join(parts)}\n</section>\n'
