#!/usr/bin/env python3
"""Write the command reference, README.md beside this file, from what the commands say with --help.

python examples/reference/make.py
"""

from __future__ import annotations

import importlib
import re
import textwrap
from pathlib import Path

import click

from s2h.cli import commands, headings

PLACE = Path(__file__).with_name("README.md")
START = """\
# Command reference

Every option of every command, as `--help` prints it. `python examples/reference/make.py` writes this page, and a test fails
where it is out of date. `s2h gen` is `s2h-gen`, and likewise for the others.
"""


def page() -> str:
    """Return the whole page, in Markdown."""
    mains = {name: importlib.import_module(f"s2h.cli.{name}").main for name in commands.COMMANDS}
    listed = [f"- [`s2h-{name}`](#s2h-{name}): {about}" for name, about in commands.COMMANDS.items()]
    parts = [
        START,
        "\n".join(listed) + "\n",
        *(_section(f"s2h-{name}", main) for name, main in mains.items()),
    ]
    return "\n".join([*parts, f"## For all commands\n\n{_plain(headings.EPILOG)}\n"])


def _section(name: str, main: click.Command) -> str:
    """Return the section of one command: its usage, its text, and a table of options for each heading."""
    context = click.Context(main, info_name=name)
    usage = " ".join([name, *main.collect_usage_pieces(context)])
    text, _, example = (main.help or "").partition("\b\n")
    parts = [f"## {name}\n", f"```\n{usage}\n```\n", _plain(text) + "\n"]
    if example:
        parts.append(f"```\n{textwrap.dedent(example).strip()}\n```\n")
    groups: dict[str, list[str]] = {}
    for heading, option, about in headings.rows(main, context):
        groups.setdefault(heading, []).append(f"| `{_cell(option)}` | {_plain(about)} |")
    for heading, rows in groups.items():
        parts.append(
            "\n".join([f"### {name}: {heading}\n", "| option | what it does |", "|---|---|", *rows, ""])
        )
    return "\n".join(parts)


def _cell(option: str) -> str:
    """Return an option's names for a cell of a table."""
    return option.replace("|", "\\|")


def _plain(text: str) -> str:
    """Return a text as Markdown that shows it unchanged: a line for each paragraph, all signs escaped."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))
    return re.sub(r"([|*_<>\[\]`])", r"\\\1", "\n\n".join(paragraphs))


if __name__ == "__main__":
    PLACE.write_text(page(), encoding="utf-8")
