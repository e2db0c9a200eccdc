"""The formats of other tools on the command line: `--from` and `--to`, with the formats listed in the help, what opens an
output in a format, and the line that says what to run next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from s2h.cli import common, places, streams
from s2h.errors import counted, suggestion
from s2h.streams.files import IMAGES

if TYPE_CHECKING:
    from s2h.formats import Format
    from s2h.formats.export import Export


@dataclass(frozen=True)
class Exports:
    """Where the records go, and in which format. val_output: the file of the held-out ones."""

    output: str
    to: str | None
    image_dir: str | None
    pack: str | None
    val_output: str | None


class FormatName(click.ParamType):
    """The name of a format: of any, or only of those that can be written. The formats are loaded when a name is checked."""

    name = "FORMAT"

    def __init__(self, written: bool = False) -> None:
        self.written = written

    def formats(self) -> dict[str, Format]:
        from s2h.formats import readable, writable

        return writable() if self.written else readable()

    def convert(self, value, param, ctx):
        if value not in self.formats():
            near = suggestion(value, self.formats())
            self.fail(f"{value!r} is not one of {', '.join(self.formats())}.{near}", param, ctx)
        return value

    def shell_complete(self, ctx, param, incomplete):
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.formats() if name.startswith(incomplete)]


class FormatOption(click.Option):
    """An option whose help lists the formats."""

    def get_help_record(self, ctx):
        known = self.type.formats()
        titles = "; ".join(f"{name} is {one.title}" for name, one in known.items())
        self.help = self.help.format(names=", ".join(known), titles=titles)
        return super().get_help_record(ctx)


def format_of(given: Exports) -> Format | None:
    """Return the format of --to, None for the records as they are."""
    if not given.to:
        return None
    from s2h.formats import writable

    return writable()[given.to]


def opened(given: Exports, path: str):
    """Open an output, for the mix or for its held-out part."""
    if (form := format_of(given)) is None:
        return common.writer(path, given.image_dir or places.image_store(given.output))
    from s2h.formats.export import open_export

    place = streams.standard_output() if path == "-" else path
    return open_export(form, place, given.image_dir or IMAGES, held_out=path == given.val_output)


def say_next(work: common.Session, given: Exports, *outputs: Any) -> None:
    """Tell the user what the rows of `outputs` lack, and how the other tool reads them."""
    if given.to:
        from s2h.formats import writable

        exports: list[Export] = [one for one in outputs if one is not None]
        if lost := sum(one.without_rejected_images for one in exports):
            able = " and ".join(name for name, form in writable().items() if form.rejected_images)
            work.tell(
                f"{counted(lost, 'pair lacks its', 'pairs lack their')} rejected_images: --to {given.to} has no field for "
                f"them ({able} have one)"
            )
    if given.pack:
        work.say(f'next: datasets.load_dataset("{given.pack}"), or s2h-train {given.pack}/mix.jsonl')
    elif (form := format_of(given)) is not None and form.command is not None:
        work.say(f"next: {form.command('FILE' if given.output == '-' else given.output)}")
