"""Several files of predictions, each compared with the first one: what is told about each pair of files, and all of it as
one report, plot and list of changed answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.eval import compare, cosine
from s2h.eval.escape import terminal
from s2h.record import RecordError

SHOWN = 10  # reasons for lines that are left out


def make(
    sides: list[list[dict]],
    files: tuple[str, ...],
    seed: int,
    margin: float,
    on_error: Callable[[Exception], None],
) -> list[dict[str, Any]]:
    """For each file but the first: before and after (the models' names), margin, rows (see `compare.rows_of`), cosine (see
    `cosine.compared`) where there are some, and notes, which say what was left out. Raises RecordError for a file without
    predictions."""
    for name, side in zip(files, sides, strict=True):
        if not side:
            raise RecordError("no predictions", where=name, remedy="make them with --model")
    models = [str(side[0].get("model") or name) for side, name in zip(sides, files, strict=True)]
    made = []
    for at in range(1, len(files)):
        pair, left_out = (files[0], files[at]), []

        def told(error: Exception, left_out: list[str] = left_out) -> None:
            on_error(error)
            left_out.append(f"left out: {error}")

        pairs = compare.join(sides[0], sides[at], pair, told)
        known, cosines = compare.judged(pairs), cosine.compared(pairs, seed)
        if len(left_out) > SHOWN:
            left_out[SHOWN:] = [f"left out: {len(left_out) - SHOWN} more for such reasons"]
        made.append(
            {
                "before": models[0], "after": models[at], "margin": margin,
                "rows": compare.rows_of(known, pair, seed, margin) if known or not cosines else [],
                "notes": [*left_out, *compare.notes(pairs), *cosine.notes(pairs)],
                **({"cosine": cosines} if cosines else {}),
            }
        )  # fmt: skip
    return made


def table(one: dict[str, Any], title: str = "") -> str:
    """A comparison as text for a terminal. title: the files, where there are several comparisons."""
    lines = [terminal(title)] if title else []
    lines += [compare.table(one["rows"], one["margin"])] if one["rows"] else []
    lines += [cosine.compared_table(one["cosine"])] if "cosine" in one else []
    return "\n".join([*lines, *(f"note: {terminal(note)}" for note in one["notes"])])


def markdown(made: list[dict[str, Any]]) -> str:
    """All comparisons as Markdown."""
    return "\n".join(
        compare.markdown(one["rows"], (one["before"], one["after"]), one["margin"], one["notes"])
        + (cosine.compared_markdown(one["cosine"]) if "cosine" in one else "")
        for one in made
    )


def report(made: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """All comparisons for JSON: the first one's fields, and where there are several, all of them as `compared`."""
    return {**made[0], "seed": seed, **({"compared": made} if len(made) > 1 else {})}


def draw(made: list[dict[str, Any]], path: str, scoring: str | None) -> None:
    """All comparisons as a plot, PNG."""
    rows = made[0]["rows"] if len(made) == 1 else compare.side_by_side(made)
    titles = f"before: {made[0]['before']}", f"after: {', '.join(one['after'] for one in made)}"
    compare.draw(rows, path, titles, scoring)


def changed(sides: list[list[dict]], files: tuple[str, ...]) -> list[dict]:
    """The questions gained and lost in each comparison."""
    return [
        line
        for side, name in zip(sides[1:], files[1:], strict=True)
        for line in compare.changed(sides[0], side, (files[0], name))
    ]
