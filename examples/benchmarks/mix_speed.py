"""Measure how fast, and in how much memory, files of records are mixed: s2h-mix compared with `cat FILE... | shuf`, which
parses no line and holds all of them.

    python examples/benchmarks/mix_speed.py                       # three files of 1,000,000 records, 3.6 GB in TMPDIR
    python examples/benchmarks/mix_speed.py --records 100000 --rounds 3

Both write to a file through standard output, in turn, so that other work on the machine affects both. Memory is the peak of
the largest process above that of a mix of 30 records. Prints JSON. Compare `ratio`, because machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from s2h import record
from s2h.streams import jsonl

TASKS = {1: "vqa", 2: "kinship", 3: "search"}
SAID = "a red star left of two small blue circles above the large green house with straight black hair and grey eyes"
WORDS = SAID.split()
MIX = Path(__file__).resolve().parents[2] / "bin" / "s2h-mix"


def line(level: int) -> list[bytes]:
    """Return a pair's line of about 1.2 kB, cut at its id, its images and its twin."""
    said = " ".join(WORDS[:12])
    shown = [part for k in range(3) for part in (f"Image {k + 1}: ", record.IMAGE, "\n")]
    made = record.make(
        id=f"{TASKS[level]}-@", level=level, task=TASKS[level], images=["@", "@", "@"],
        prompt=record.interleave([*shown, f"Which image shows {said}?"]),
        chosen=record.assistant(f"Image 1 shows {said}."), rejected=record.assistant(f"Image 2 shows {said}."),
        target=[0], facts={"answer": "1", "answer_type": "image", "labels": [said], "twin": "@"},
        grounding={"chosen": [[0, said]], "rejected": [[1, said]]}, negative="other-image", source="builtin",
    )  # fmt: skip
    return jsonl.dump(made).split(b"@")


def make(folder: Path, records: int) -> str:
    """Write three files, one for each level, and return their names. A record has two images of its own, one that it shares
    with nine others, and a twin."""
    for level in TASKS:
        start, first, second, third, twin, end = line(level)
        with open(folder / f"l{level}.jsonl", "wb") as out:
            for i in range(records):
                one, other = (
                    b"s2h-images/%02x/%032x.png" % (i % 256, (2 * i + k + level * 10**9) * 0x9E3779B97F4A7C15)
                    for k in range(2)
                )
                shared = b"s2h-images/ff/%032x.png" % (level * 10**9 + i // 10)
                known = b"%d-%d" % (level, i // 2)
                out.write(
                    b"".join((start, b"%07d" % i, first, one, second, other, third, shared, twin, known, end))
                )
    return " ".join(f"l{level}.jsonl" for level in TASKS)


def timed(command: str, folder: Path) -> dict:
    """Run a shell command in a folder. Return its wall and CPU seconds, and the peak of its largest process in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(["bash", "-c", f"set -o pipefail; {command}"], cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"failed: {command}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024}


def middle(runs: list[dict], key: str) -> float:
    return round(statistics.median(run[key] for run in runs), 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--records", type=int, default=1_000_000, help="in each of the three files (default %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="of both, in turn (default %(default)s)")
    parser.add_argument("--val", action="store_true", help="also with a part held out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = make(folder, 10)
        mix = f"{sys.executable} {MIX} --quiet --flat {files}"
        base = timed(f"{mix} > out", folder)["mib"]
        make(folder, options.records)
        size = sum(os.path.getsize(folder / name) for name in files.split())
        total = 3 * options.records
        ours, theirs, held = [], [], []
        for _ in range(options.rounds):
            theirs.append(timed(f"cat {files} | shuf > out", folder))
            ours.append(timed(f"{mix} > out", folder))
            with open(folder / "out", "rb") as out:
                assert sum(1 for _ in out) == total, "a record is missing"
            if options.val:
                held.append(timed(f"{mix} --val 0.05 --val-output val > out", folder))
        found = {
            "records": total,
            "bytes_a_record": round(size / total),
            "cores": len(os.sched_getaffinity(0)),
            "rounds": options.rounds,
            "cat_shuf": {key: middle(theirs, key) for key in ("wall", "cpu", "mib")},
            "mix": {key: middle(ours, key) for key in ("wall", "cpu", "mib")},
            "ratio": round(middle(ours, "wall") / middle(theirs, "wall"), 2),
            "memory_bytes_a_record": round((max(run["mib"] for run in ours) - base) * 2**20 / total, 1),
        }
        if options.val:
            found["mix_val"] = {key: middle(held, key) for key in ("wall", "cpu", "mib")}
            found["val_memory_bytes_a_record"] = round(
                (max(run["mib"] for run in held) - base) * 2**20 / total, 1
            )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
