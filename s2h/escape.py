"""Escape names and values from data for a terminal, a Markdown or LaTeX report, or a plot. They may contain line breaks,
escape codes, bars and tags."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*\[\]|])")


def terminal(value: object) -> str:
    """Return a value on one line. A space replaces each character that a terminal can't print."""
    return "".join(sign if sign.isprintable() else " " for sign in str(value))


def brief(value: object) -> str:
    """Return the first 40 characters of a name from the data, as `terminal` does."""
    return terminal(str(value)[:40])


def markdown(value: object) -> str:
    """Escape a value for a cell or a line of Markdown: nothing in it ends the cell, begins a tag, or becomes a link or
    emphasis."""
    shown = terminal(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", shown)


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def latex(value: object) -> str:
    """Escape a value for the text of a LaTeX table: nothing in it ends a cell or is a command."""
    return "".join(_LATEX.get(sign, sign) for sign in terminal(value))


def plot(value: object) -> str:
    """Escape a value for the labels of a plot, where a dollar sign would begin a formula."""
    return terminal(value).replace("$", r"\$")
