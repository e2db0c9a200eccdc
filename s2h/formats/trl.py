"""TRL: JSON lines of pairs as its DPO trainer and `datasets` load them. A pair of s2h has this layout already; writing only
omits the columns whose type differs from record to record."""

from __future__ import annotations

import os

from s2h.formats import Companion, Format
from s2h.formats.pictures import Pictures
from s2h.record import Record, RecordError

PLAIN = ("id", "level", "task", "images", "prompt", "chosen", "rejected", "target", "negative", "source")
HEAD = "# Written by s2h-mix"


def write(record: Record, pictures: Pictures) -> dict:
    """Keep the fields whose type is the same in every record, as a column needs; `facts`, `scores` and unknown fields differ
    from task to task. A field that the record lacks is null."""
    return {**{name: record.get(name) for name in PLAIN}, "images": pictures.paths(record)}


def _beside(path: str) -> str:
    return os.path.splitext(path)[0] + ".trl.yaml"


def _settings(path: str, now: bytes | None) -> str:
    if now is not None and not now.startswith(HEAD.encode()):
        raise RecordError(
            "exists, and s2h-mix has not written it", where=_beside(path),
            remedy="move it, or write the export elsewhere",
        )  # fmt: skip
    name = os.path.abspath(path).replace("'", "''")
    return f"""{HEAD}: trl dpo --config {os.path.basename(_beside(path))} --model_name_or_path MODEL --output_dir RUN
datasets:
- path: json
  data_files: '{name}'
  split: train
# TRL's default of 1024 tokens would cut the tokens of several images.
max_length: null
"""


FORMAT = Format(
    title="TRL and datasets: JSON lines",
    fields=("images", "prompt", "chosen", "rejected"),
    write=write,
    companion=Companion(path=_beside, words="the settings for trl dpo", text=_settings),
    command=lambda path: f"trl dpo --config {_beside(path)} --model_name_or_path MODEL --output_dir RUN",
)
