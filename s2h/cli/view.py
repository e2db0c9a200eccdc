"""s2h-view: a page to look at pairs and predictions."""

from __future__ import annotations

import click

from s2h.cli import common, places


@click.command(cls=common.Command, epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "-n",
    "limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Show the first N.",
)
@click.option(
    "--size",
    metavar="PIXELS",
    type=click.IntRange(32, 1024),
    default=200,
    show_default=True,
    help="The greatest side of the images in the page.",
)
@click.option("--title", default="s2h gallery", show_default=True, help="What stands on top.")
@common.shared_options("FILE", "-", "Write the page here instead of standard output.")
def main(files, limit, size, title, output, seed, quiet, on_error):
    """Make one self-contained HTML page of the pairs or predictions in FILEs (or standard input).

    A prediction whose field `before` holds another model's {"response": ..., "correct": ...} is shown with both, and can be
    chosen by what was gained and lost. Every image is in the page once; filters and search stay in its address.

    \b
    s2h-view mix.jsonl -o gallery.html
    jq -c 'select(.correct == false)' after.jsonl | s2h-view -o mistakes.html
    """
    places.check(files or ("-",), {"-o": output})
    with common.session(output, quiet=quiet, on_error=on_error, locks=[output]) as work:
        from itertools import chain, islice

        from s2h.view import gallery

        lines = iter(work.progress(work.read(files, check=None)))
        if (first := next(lines, None)) is None:
            work.say("no records: the page is empty")
        else:
            lines = chain([first], lines)
        pieces = gallery.page(islice(lines, limit), title=title, size=size, on_error=work.on_error)
        for piece in pieces:
            work.writer.put(piece, 0)
        more = sum(1 for _ in lines)
        if more:
            work.say(f"the first {limit} are shown; {more} more were left out (-n shows more)")
