"""The long run of the robustness tests, as examples/robust.sh starts it:

    python -m tests.robust.long --minutes 30 --seed 7

Runs the strategies of checks.py in turn, each time with another seed that depends on --seed alone, until the time is over.
Says how many runs and records were tried, and of each kind of failure the reproducing example, which it also writes as a
folder below --keep: the files, and the command in `cmd`. Exit status 1 where something failed."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.robust import running
from tests.robust.checks import CHECKS

EXAMPLES = 5  # of a strategy's share, at a time


def attempt(name: str, seed: int, shrink: bool = True) -> tuple[running.Case, BaseException] | None:
    """Some examples of one strategy; the smallest case that fails, and how."""
    check = CHECKS[name]
    failed: list[tuple[running.Case, BaseException]] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=EXAMPLES * check.share, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False, print_blob=False,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
    )  # fmt: skip
    @given(check.strategy())
    def run(case: running.Case) -> None:
        try:
            check.run(case)
        except BaseException as error:
            failed.append((case, error))
            raise

    try:
        run()
    except KeyboardInterrupt:
        raise
    except BaseException:
        if not failed:
            raise
        return failed[-1]
    return None


def signature(error: BaseException) -> str:
    """What kind of failure it is: its message without names and numbers."""
    last = str(error).strip().splitlines()
    said = next((line for line in reversed(last) if "unforeseen" in line), last[0] if last else "")
    return re.sub(r"\d+|'[^']*'|\S*/\S*", "…", f"{type(error).__name__} {said}")[:160]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="another seed tries other inputs (default: 0)")
    parser.add_argument("--only", choices=list(CHECKS), action="append", help="one strategy; may be repeated")
    parser.add_argument("--keep", type=Path, default=Path("robust-failures"), help="folder for what failed")
    given_ = parser.parse_args()
    end, turn, found = time.monotonic() + 60 * given_.minutes, 0, {}
    names = given_.only or list(CHECKS)
    while time.monotonic() < end:
        name = names[turn % len(names)]
        result = attempt(name, 1_000_003 * given_.seed + turn, shrink=len(found) < 40)
        turn += 1
        if result is None:
            continue
        case, error = result
        kind = f"{name}: {signature(error)}"
        found[kind] = found.get(kind, 0) + 1
        if found[kind] == 1:
            folder = given_.keep / f"{given_.seed}-{len(found)}"
            running.keep(case, folder)
            print(f"\n{kind}\n{error}\nreproduce: {folder}\n{case!r:.3000}", flush=True)
    runs = {name: count for name, count in sorted(running.tried.items()) if name != "records"}
    peak = running._peak() >> 20
    print(
        f"\n{sum(runs.values()):,} runs ({', '.join(f'{name} {count:,}' for name, count in runs.items())}) over "
        f"{running.tried['records']:,} records, seed {given_.seed}, {peak:,} MiB at most: "
        + (f"{sum(found.values())} failures of {len(found)} kinds" if found else "no failure")
    )
    for kind, count in found.items():
        print(f"  {count} x {kind}")
    return bool(found)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads of pyarrow need not be waited for
