"""Headings for the options in `--help`: a command lists its options in groups, and the text uses the terminal's width.

    @headings.command()
    @headings.under("Images", click.option("--size", ...), click.option("--layout", ...))
    @common.stream_options
    def main(...): ...

Options without a heading come last, under "Common options".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from s2h.cli import common
from s2h.cli.params import Choice

WIDTH, NAMES = 110, 32  # columns: of the whole text, and of the options' names at most
EPILOG = (
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 finished with skipped records, 130 interrupted, 141 broken pipe. "
    'Completion: eval "$(_S2H_GEN_COMPLETE=bash_source s2h-gen)", likewise for the other commands, zsh and fish.'
)


class Command(common.Command):
    """A command whose help lists its options under their headings, and whose choices suggest the one that was meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if type(param.type) is click.Choice:
                param.type = Choice(param.type.choices, param.type.case_sensitive)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listed: dict[str, list[tuple[str, str]]] = {}
        for heading, name, help in rows(self, ctx):
            listed.setdefault(heading, []).append((name, help))
        longest = max(len(name) for group in listed.values() for name, _ in group)
        for heading, group in listed.items():  # one column of names for all headings
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(min(longest, NAMES)), help) for name, help in group], NAMES)


def rows(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, str, str]]:
    """Yield the heading, the names and the help of each option, in the order of the help."""
    options = [param for param in command.get_params(ctx) if isinstance(param, click.Option)]
    for option in sorted(options, key=lambda option: not hasattr(option, "heading")):
        if (row := option.get_help_record(ctx)) is not None:
            yield getattr(option, "heading", "Common options"), *row


def command(kind: type[Command] = Command) -> Callable[[Callable], Command]:
    """Return a decorator that makes a function a command with headings and the shared epilog."""
    return click.command(cls=kind, epilog=EPILOG, context_settings={"max_content_width": WIDTH})


def under(heading: str, *options: Callable[[Callable], Callable]) -> Callable[[Callable], Callable]:
    """Return a decorator that adds options to a command, in this order, under one heading."""

    def add(function: Callable) -> Callable:
        for option in reversed(options):
            function = option(function)
            # click keeps the options here until the command is made.
            vars(function)["__click_params__"][-1].heading = heading
        return function

    return add
