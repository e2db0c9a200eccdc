"""Measure how long each command takes to print its help, beside a Python process that only imports click.

    python examples/benchmarks/start_speed.py [--times 10] [--report FILE]

It prints CPU seconds (user and system, the least of several runs) and their ratio to click alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def seconds(command: list[str], times: int) -> float:
    """Return the least user and system time of a process in several runs."""
    found = []
    for _ in range(times):
        before = os.times()
        subprocess.run(command, capture_output=True, check=True)
        after = os.times()
        spent = after.children_user + after.children_system
        found.append(spent - before.children_user - before.children_system)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    alone = seconds([sys.executable, "-c", "import click"], options.times)
    rows = {"click": {"seconds": round(alone, 3), "ratio": 1.0}}
    print(f"{'import click':16s}{alone:8.3f} s")
    for path in sorted((ROOT / "bin").iterdir()):
        spent = seconds([sys.executable, str(path), "--help"], options.times)
        rows[path.name] = {"seconds": round(spent, 3), "ratio": round(spent / alone, 2)}
        print(f"{path.name + ' --help':16s}{spent:8.3f} s{spent / alone:8.2f}", flush=True)
    if options.report:
        options.report.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
