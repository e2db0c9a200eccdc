"""Make one training file from several: shuffled, level after level, or from easy to hard, with a part held out. The trainer
reads the file in order. The order is drawn from (seed, id), so that the same records have the same order whatever the order
of the files. Records stay in their files until they are written; memory holds 24 bytes a record, whatever its size, and at
most 64 while they are sorted or split.

    s2h-mix --flat l1 l2 l3 --val 0.05 -o mix.jsonl
"""

from s2h.mix.choose import cap, hardest, having, margin, repeat, weigh
from s2h.mix.holdout import split
from s2h.mix.index import Index, copy_name
from s2h.mix.inputs import load, temporary
from s2h.mix.marks import Marks
from s2h.mix.order import by_margin, curriculum, flat
from s2h.mix.output import staged, write
from s2h.mix.scan import Wanted, shared
from s2h.mix.turns import interleave

__all__ = [
    "Index", "Marks", "Wanted", "by_margin", "cap", "copy_name", "curriculum", "flat", "hardest", "having", "interleave",
    "load", "margin", "repeat", "shared", "split", "staged", "temporary", "weigh", "write",
]  # fmt: skip
