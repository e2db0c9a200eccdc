"""How fast files of records are mixed, and in how much memory: s2h-mix against `cat FILE... | shuf`, which looks at no line
and holds them all.

    python examples/benchmarks/mix_speed.py                       # three files of 1,000,000 records, 3.6 GB in TMPDIR
    python examples/benchmarks/mix_speed.py --records 100000 --rounds 3

Both write to a file through standard output, in turn, so that what else the machine does hits both. Memory is the largest
process' peak above that of a mix of 30 records. Prints JSON; `ratio` is what counts, as machines differ.
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

from s2h import jsonl, record

TASKS = {1: "vqa", 2: "kinship", 3: "search"}
SAID = "a red star left of two small blue circles above the large green house with straight black hair and grey eyes"
WORDS = SAID.split()
MIX = Path(__file__).resolve().parents[2] / "bin" / "s2h-mix"


def pair(level: int, i: int) -> dict:
    """A pair of about 1.2 kB with three images of its own and one that it shares with nine others, and a twin."""
    said = " ".join(WORDS[(i + k) % len(WORDS)] for k in range(24))
    images = [
        f"s2h-images/{i % 256:02x}/{(i * 4 + k) * 0x9E3779B97F4A7C15 % 2**128:032x}.png" for k in range(2)
    ]
    images.append(f"s2h-images/ff/{level * 10**9 + i // 10:032x}.png")
    shown = [part for k in range(3) for part in (f"Image {k + 1}: ", record.IMAGE, "\n")]
    return record.make(
        id=f"{TASKS[level]}-{i:07d}", level=level, task=TASKS[level], images=images,
        prompt=record.interleave([*shown, f"Which image shows {said}?"]),
        chosen=record.assistant(f"Image 1 shows {said}."), rejected=record.assistant(f"Image 2 shows {said}."),
        target=[0], facts={"answer": "1", "answer_type": "image", "labels": [said], "twin": f"{level}-{i // 2}"},
        grounding={"chosen": [[0, said]], "rejected": [[1, said]]}, negative="other-image", source="builtin",
    )  # fmt: skip


def make(folder: Path, records: int) -> list[str]:
    """Three files, one a level. Lines differ in their ids and images only every so often, which is quick to write."""
    names = []
    for level in TASKS:
        names.append(str(folder / f"l{level}.jsonl"))
        with open(names[-1], "wb") as out:
            for i in range(records):
                out.write(jsonl.dump(pair(level, i)))
    return names


def timed(command: str) -> dict:
    """Wall and processor seconds of a shell command, and the peak of its largest process in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(["bash", "-c", f"set -o pipefail; {command}"])
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        few = make(folder, 10)
        mix = f"{sys.executable} {MIX} --quiet"
        base = timed(f"{mix} --flat {' '.join(few)} > {folder}/out")["mib"]
        files = " ".join(make(folder, options.records))
        size = sum(os.path.getsize(name) for name in files.split())
        total = 3 * options.records
        ours, theirs, held = [], [], []
        for _ in range(options.rounds):
            theirs.append(timed(f"cat {files} | shuf > {folder}/out"))
            ours.append(timed(f"{mix} --flat {files} > {folder}/out"))
            with open(folder / "out", "rb") as out:
                assert sum(1 for _ in out) == total, "a record is missing"
            held.append(timed(f"{mix} --flat {files} --val 0.05 --val-output {folder}/val > {folder}/out"))
        found = {
            "records": total,
            "bytes_a_record": round(size / total),
            "cores": len(os.sched_getaffinity(0)),
            "rounds": options.rounds,
            "cat_shuf": {key: middle(theirs, key) for key in ("wall", "cpu", "mib")},
            "mix": {key: middle(ours, key) for key in ("wall", "cpu", "mib")},
            "ratio": round(middle(ours, "wall") / middle(theirs, "wall"), 2),
            "memory_bytes_a_record": round((max(run["mib"] for run in ours) - base) * 2**20 / total, 1),
            "mix_val": {key: middle(held, key) for key in ("wall", "cpu", "mib")},
            "val_memory_bytes_a_record": round((max(run["mib"] for run in held) - base) * 2**20 / total, 1),
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
