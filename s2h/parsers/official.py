"""Read replies as the benchmarks' own scripts do. A benchmark's file has the rules of its script
(`s2h.eval.benches.Bench.rules`). The rule of POPE's script reads the yes/no questions of the other benchmarks, too. A reply
that a script gives to another model, or decides at random, is unread."""

from __future__ import annotations


def yes_no(text: str) -> str:
    """Return 'no' if the first sentence has the word No, no or not, else 'yes'. Every reply is read."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"
