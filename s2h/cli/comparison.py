"""What s2h-eval does with --compare: files of predictions in, tables, reports, plots and galleries out."""

from __future__ import annotations

import json

import click

from s2h.cli import common


def make(work, files, *, report, plot, gallery, seed, margin) -> None:
    """Compare the first file's predictions with each other file's: a table on standard error, and a report, a plot and a
    page of changed answers where they are asked for, else the report as JSON on standard output."""
    from s2h.eval import compare
    from s2h.eval.escape import terminal

    margin = compare.MARGIN if margin is None else margin
    sides = [list(work.read([name], check=None)) for name in files]
    for name, side in zip(files, sides, strict=True):
        if not side:
            raise common.RecordError("no predictions", where=name, remedy="make them with --model")
    models = [str(side[0].get("model") or name) for side, name in zip(sides, files, strict=True)]
    compared, texts, lines = [], [], []
    for at in range(1, len(files)):
        pair, left_out = (files[0], files[at]), []

        def on_error(error, left_out=left_out) -> None:
            work.on_error(error)
            left_out.append(f"left out: {error}")

        pairs = compare.join(sides[0], sides[at], pair, on_error)
        if len(left_out) > common.SHOWN_SKIPS:
            left_out[common.SHOWN_SKIPS :] = [
                f"left out: {len(left_out) - common.SHOWN_SKIPS} more for such reasons"
            ]
        rows, notes = compare.rows_of(pairs, pair, seed, margin), [*left_out, *compare.notes(pairs)]
        title = terminal(f"{files[0]} → {files[at]}") + "\n" if len(files) > 2 else ""
        work.say(
            "\n".join(
                [f"\n{title}{compare.table(rows, margin)}", *(f"note: {terminal(one)}" for one in notes)]
            )
        )
        compared.append(
            {"before": models[0], "after": models[at], "margin": margin, "rows": rows, "notes": notes}
        )
        texts.append(compare.markdown(rows, (models[0], models[at]), margin, notes))
        if gallery:
            lines += compare.changed(sides[0], sides[at], pair)
    if plot:
        scoring = sides[0][0].get("scoring")
        shown = compared[0]["rows"] if len(compared) == 1 else compare.side_by_side(compared)
        compare.draw(shown, plot, (f"before: {models[0]}", f"after: {', '.join(models[1:])}"), scoring)
    if gallery:
        from s2h.files import Whole
        from s2h.view import gallery as pages

        with Whole(gallery) as out:
            for piece in pages.page(lines, title="gained and lost", on_error=work.on_error):
                out.write(piece)
    told = (
        {**compared[0], "seed": seed, "compared": compared}
        if len(compared) > 1
        else {**compared[0], "seed": seed}
    )
    if report:
        write(report, "\n".join(texts) if report.endswith(".md") else told)
    else:
        click.echo(json.dumps(told))


def write(path: str, told: dict | str) -> None:
    """A report whole or not at all: JSON, or a text as it is."""
    from s2h.files import Whole

    with Whole(path) as out:
        out.write((told if isinstance(told, str) else json.dumps(told, indent=1) + "\n").encode())
