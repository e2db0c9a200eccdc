"""Names and values from data, made safe for where they are shown: a terminal, a Markdown report, a plot. They may hold
line breaks, escape codes, bars and tags."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*\[\]|])")


def terminal(value: object) -> str:
    """Return a value on one line, without control characters: what a terminal can't print is a space."""
    return "".join(sign if sign.isprintable() else " " for sign in str(value))


def brief(value: object) -> str:
    """Return the first 40 characters of a name from the data, as `terminal` does."""
    return terminal(str(value)[:40])


def markdown(value: object) -> str:
    """Make a value safe for a cell or a line of Markdown: nothing in it ends the cell, begins a tag, or is a link or an
    emphasis."""
    shown = terminal(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", shown)


def plot(value: object) -> str:
    """Make a value safe for a plot's labels, in which a dollar sign would begin a formula."""
    return terminal(value).replace("$", r"\$")
