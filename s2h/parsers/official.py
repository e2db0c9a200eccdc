"""Return the labels of benchmarks' own scripts. A benchmark's file has the rules of its script (`Bench.rules`). Yes/no
questions of all benchmarks are read by the rule of POPE's script, which is here. A reply that a script gives to another
model or decides at random is unread."""

from __future__ import annotations


def yes_no(text: str) -> str:
    """Return 'no' if the first sentence has the word No, no or not, else 'yes'. No reply is unread."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"
