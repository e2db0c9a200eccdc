"""The names of the benchmarks, and what else they are called by the Hub, by other evaluators and on disks."""

from __future__ import annotations

import re

NAMES = ("builtin", "blink", "mantis", "nlvr2", "mmstar", "pope", "muirbench", "mirb")
SINGLE_IMAGE = ("mmstar", "pope")
_OTHERS = {
    "mantiseval": "mantis", "nlvr2mantis": "nlvr2", "nlvr": "nlvr2", "muir": "muirbench", "mirbhf": "mirb",
    "blinkbenchmark": "blink", "blinkval": "blink", "popefull": "pope",
}  # fmt: skip


def plain(name: object) -> str:
    """The benchmark that a name means ('BLINK-Benchmark/BLINK', 'MUIRBENCH', 'Mantis-Eval'); any other name as it is."""
    last = re.split(r"[/\\]|--|___", str(name or "").rstrip("/\\"))[-1]
    key = re.sub(r"[\W_]", "", last.lower())
    key = _OTHERS.get(key, key)
    return key if key in NAMES else str(name or "")


def closest(name: str) -> list[str]:
    """Names that a misspelt one may have meant, the likeliest first."""
    import difflib

    return difflib.get_close_matches(name.lower(), NAMES, n=3, cutoff=0.4)
