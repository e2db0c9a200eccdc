"""s2h: the list of the commands, and one name for all of them: `s2h gen …` is `s2h-gen …`. A command's module is imported
only when it runs."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from s2h import __version__
from s2h.cli import common, headings
from s2h.errors import suggestion

# In the order in which data goes through them.
COMMANDS = {
    "gen": "Make preference pairs of one task from one source.",
    "filter": "Score pairs, and drop those that fail; measure what words alone give away.",
    "mix": "Mix files of pairs, flat or as a curriculum; convert them for other trainers.",
    "train": "Train a vision-language model on pairs with DPO.",
    "eval": "Ask held-out questions and benchmarks; score and compare replies.",
    "view": "Write one HTML page to look at pairs or replies.",
}
ROAD = """\
s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b
s2h-eval --model RUN --bench builtin"""


class Road(common.Command, click.Group):
    """The group of all commands. A command that it runs has its own name, options, messages and exit status."""

    def main(self, args: Any = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        if given[0] not in COMMANDS:
            return super().main(given, prog_name or "s2h", **extra)
        name = f"s2h-{given[0]}"
        sys.argv = [name, *given[1:]]  # the command starts its further processes with these
        return _load(given[0]).main(given[1:], name, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            near = suggestion(args[0].removeprefix("s2h-"), COMMANDS)
            ctx.fail(f"No such command {args[0]!r}.{near or ' Without one, s2h lists them all.'}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(f"s2h {name}", about) for name, about in COMMANDS.items()])
        with formatter.section("The road, from nothing to a measured model"):
            for line in ROAD.splitlines():
                formatter.write(f"  {line}\n")


def _load(name: str) -> click.Command:
    return importlib.import_module(f"s2h.cli.{name}").main


@click.group(
    cls=Road,
    context_settings={"max_content_width": headings.WIDTH},
    epilog="s2h gen is s2h-gen, and likewise for the others. s2h gen --help explains its options; "
    'completion: eval "$(_S2H_COMPLETE=bash_source s2h)", likewise for zsh and fish.',
)
@click.version_option(
    __version__, "--version", message="%(prog)s %(version)s", help="Print the version and exit."
)
@click.help_option("-h", "--help", help="Print this help and exit.")
def main():
    """Make, filter, mix, train on, evaluate and view preference pairs for vision-language models over several images."""


if __name__ == "__main__":
    main(prog_name="s2h")
