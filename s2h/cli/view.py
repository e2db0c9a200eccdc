"""s2h-view: a page to look at pairs and predictions."""

from __future__ import annotations

import click

from s2h.cli import common, headings, places
from s2h.errors import counted, plural
from s2h.record import RecordError

LIMIT, MARKS = 200, "marks.jsonl"


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@headings.under(
    "Page",
    click.option(
        "-n", "limit", metavar="N", type=click.IntRange(min=1),
        help=f"Number of records to show.  [default: {LIMIT}, all with --serve]",
    ),
    click.option(
        "--size", metavar="PIXELS", type=click.IntRange(32, 1024), default=200, show_default=True,
        help="Longest image side, in pixels. A card shows at most 320; a click on the image shows the rest.",
    ),
    click.option("--title", default="s2h gallery", show_default=True, help="Page heading."),
)  # fmt: skip
@headings.under(
    "Large sets",
    click.option(
        "--serve", is_flag=True,
        help="Serve the page on this machine (127.0.0.1) until Ctrl-C instead of writing it, and print its address. Cards "
        "and images are sent as the browser scrolls to them.",
    ),
    click.option(
        "--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="Port for --serve.  [default: a free one]"
    ),
    click.option(
        "--marks", metavar="FILE",
        help="File into which --serve writes each mark at once. Marks that it has are shown.  [default: marks.jsonl]",
    ),
)  # fmt: skip
@common.shared_options(
    "FILE",
    "-",
    "Write the page to FILE instead of standard output.",
    seed="Show N records that this seed draws from all, in their order.  [default: the first N]",
)
def main(files, limit, size, title, serve, port, marks, output, seed, quiet, on_error):
    """Write one self-contained HTML page of the pairs or predictions in FILEs (or standard input), or serve it.

    A prediction whose field `before` holds another model's {"response": ..., "correct": ...} shows both replies, and the
    page can filter by questions gained and lost. The page holds every image once; filters and search stay in its address.

    Press ? on the page for its keys: next, previous, mark good, mark bad, undo. Marks are saved as JSON lines, which
    s2h-mix --drop and --keep read.

    \b
    s2h-view mix.jsonl -o gallery.html
    s2h-view mix.jsonl --serve --marks marks.jsonl
    jq -c 'select(.correct == false)' after.jsonl | s2h-view -o mistakes.html
    """
    if not serve and (port or marks):
        raise click.UsageError("--port and --marks need --serve.")
    if serve and output != "-":
        raise click.UsageError("--serve writes no page: leave -o out, or --serve.")
    marks = (marks or MARKS) if serve else None
    limit = limit or (None if serve else LIMIT)
    places.check(files or ("-",), {"-o": output, "--marks": marks})
    outputs = [output] if marks is None else [marks]
    with common.session(None if serve else output, quiet=quiet, on_error=on_error, locks=outputs) as work:
        from itertools import chain, islice

        from s2h.shorthand import convert
        from s2h.view import gallery

        lines = iter(work.progress(work.read(files, check=convert, unique=False)))
        if (first := next(lines, None)) is None:
            work.say("no records: the page is empty")
        else:
            lines = chain([first], lines)
        if seed is None or limit is None:
            shown, more = islice(lines, limit), 0
        else:
            shown, more = gallery.draw(lines, limit, seed)
        site = opened(work, shown, marks, title=title, size=size, port=port) if serve else None
        if site is None:
            for piece in gallery.page(shown, title=title, size=size, on_error=work.on_error):
                work.writer.put(piece, 0)
        more += sum(1 for _ in lines)
        if more:
            which = "the first" if seed is None else f"by seed {seed},"
            work.say(
                f"{which} {counted(limit, 'is', 'are')} shown; {more} more {plural(more, 'was', 'were')} "
                "left out (-n shows more)"
            )
        if site is not None:
            with site:
                work.say(f"marks go to {marks}; Ctrl-C ends")
                work.print(site.address)
                site.serve_forever()


def opened(work, lines, path, *, title, size, port):
    """Return the server of a page of these lines. Its socket is open. path: the file of marks."""
    from s2h.view import server

    marks = server.Marks(path)
    cards = server.Cards(size)
    for line in lines:
        try:
            cards.add(line)
        except RecordError as error:
            work.on_error(error)
    try:
        return server.Site(cards, marks, title=title, port=port, tell=work.tell)
    except OSError as error:
        raise RecordError(f"--port {port}: {error.strerror}", remedy="name another port, or none") from None


if __name__ == "__main__":
    main(prog_name="s2h-view")
