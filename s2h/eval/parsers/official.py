"""Give the labels of benchmarks' own scripts. A benchmark's file has the rules of its script (`Bench.rules`). Yes/no
questions of all benchmarks are read by the rule of POPE's script, which stands here. What a script hands to another model or
decides by lot is unread."""

from __future__ import annotations


def yes_no(text: str) -> str:
    """Read 'no' if the first sentence has the word No, no or not, 'yes' in every other case; nothing is unread."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"
