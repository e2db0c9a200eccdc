"""Print what 1, 100 and 10,000 million pairs take, as the table of README.md beside this file: on paper, from the figures
per core and per GPU that the benchmarks printed into examples/results.

    python examples/cluster/estimate.py
"""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
PAIRS = (1e6, 1e8, 1e10)
HOUR, GB = 3600, 1e9
COPIES = 3  # of a record: in its shard, in its set, in the mix
IMAGES = 2  # that CLIP sees for a pair at most: the chosen answer's and the rejected answer's


def rows() -> list[tuple[str, str, float]]:
    """Return (what, unit, amount for one pair)."""
    gen, filtered, mix, gpu = (
        json.loads((RESULTS / f"{name}.json").read_text())
        for name in ("gen-speed", "filter-speed", "mix-speed", "gpu-check")
    )
    commands = gpu["models"]["llava-1.5-7b"]["commands"]
    [rate] = [
        each["speed"][-1]["pairs_per_second"] for each in commands if each["command"].endswith("-o run")
    ]
    return [
        ("`s2h-gen` over photographs", "core hours", 1 / gen["referred"]["pairs_per_second"] / HOUR),
        ("`s2h-filter` without a model", "core hours", 1 / filtered["annotate"]["records_per_second_a_core"] / HOUR),
        ("`s2h-filter --clip` on cores, at most", "core hours", IMAGES / filtered["encoder"]["images_per_second"] / HOUR),
        ("`s2h-mix`", "hours of one machine", mix["mix"]["wall"] / mix["records"] / HOUR),
        ("`s2h-mix`", "GB of its memory", mix["memory_bytes_a_record"] / GB),
        ("records", "GB of disk", COPIES * mix["bytes_a_record"] / GB),
        ("`s2h-train`, LLaVA-1.5-7B, an epoch", f"hours of one {gpu['machine']['card'].split()[-1]}", 1 / rate / HOUR),
    ]  # fmt: skip


def shown(amount: float) -> str:
    """Return two significant digits."""
    rounded = float(f"{amount:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def table() -> str:
    lines = ["| | unit | 1 million | 100 million | 10,000 million |", "|---|---|---|---|---|"]
    for what, unit, each in rows():
        lines.append(f"| {what} | {unit} | " + " | ".join(shown(each * pairs) for pairs in PAIRS) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
