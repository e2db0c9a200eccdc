"""s2h-view: a page to look at pairs and predictions."""

from __future__ import annotations

import click

from s2h.cli import common, headings, places
from s2h.errors import counted, plural


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@headings.under(
    "Page",
    click.option(
        "-n", "limit", metavar="N", type=click.IntRange(min=1), default=200, show_default=True,
        help="Number of records to show.",
    ),
    click.option(
        "--size", metavar="PIXELS", type=click.IntRange(32, 1024), default=200, show_default=True,
        help="Longest image side, in pixels. A card shows at most 320; a click on the image shows the rest.",
    ),
    click.option("--title", default="s2h gallery", show_default=True, help="Page heading."),
)  # fmt: skip
@common.shared_options(
    "FILE",
    "-",
    "Write the page to FILE instead of standard output.",
    seed="Show N records that this seed draws from all, in their order.  [default: the first N]",
)
def main(files, limit, size, title, output, seed, quiet, on_error):
    """Write one self-contained HTML page of the pairs or predictions in FILEs (or standard input).

    A prediction whose field `before` holds another model's {"response": ..., "correct": ...} shows both replies, and the
    page can filter by questions gained and lost. The page holds every image once; filters and search stay in its address.

    Press ? on the page for its keys: next, previous, mark good, mark bad, undo. Marks are saved as JSON lines, which
    s2h-mix --drop and --keep read.

    \b
    s2h-view mix.jsonl -o gallery.html
    jq -c 'select(.correct == false)' after.jsonl | s2h-view -o mistakes.html
    """
    places.check(files or ("-",), {"-o": output})
    with common.session(output, quiet=quiet, on_error=on_error, locks=[output]) as work:
        from itertools import chain, islice

        from s2h.shorthand import convert
        from s2h.view import gallery

        lines = iter(work.progress(work.read(files, check=convert, unique=False)))
        if (first := next(lines, None)) is None:
            work.say("no records: the page is empty")
        else:
            lines = chain([first], lines)
        shown, more = (islice(lines, limit), 0) if seed is None else gallery.draw(lines, limit, seed)
        for piece in gallery.page(shown, title=title, size=size, on_error=work.on_error):
            work.writer.put(piece, 0)
        more += sum(1 for _ in lines)
        if more:
            which = "the first" if seed is None else f"by seed {seed},"
            work.say(
                f"{which} {counted(limit, 'is', 'are')} shown; {more} more {plural(more, 'was', 'were')} "
                "left out (-n shows more)"
            )
