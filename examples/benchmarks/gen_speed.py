"""Measure how fast pairs are made: drawn pairs compared with the time that Pillow needs to encode their images, and pairs by
reference per second, with their memory.

    python examples/benchmarks/gen_speed.py                      # 2,000 drawn pairs, 100,000 by reference
    python examples/benchmarks/gen_speed.py --drawn 20000 --referred 1000000

Runs in one process and prints JSON. Compare `ratio`, because machines differ. Pairs by reference are timed in CPU seconds,
on which other work on the machine has little effect.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from s2h import tasks
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.sources import open_source
from s2h.streams import jsonl

PARTS = {
    "draw": "sources/builtin",
    "encode": "PIL/",
    "store": "s2h/images/store.py",
    "check": "s2h/record.py",
    "json": "jsonl.py",
}


def drawn(n: int, size: int) -> dict:
    """Time arithmetic pairs with new images, from facts to lines and files, and the encoding of the same images."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        start, lines = time.perf_counter(), []
        for pair in tasks.generate("arithmetic", n=n, size=size, images=store):
            lines.append(jsonl.dump(pair))
        whole = time.perf_counter() - start
        encoding, count = 0.0, 0
        for line in lines:
            pictures = open_images({"images": json.loads(line)["images"]})
            start = time.perf_counter()
            for picture in pictures:
                picture.save(io.BytesIO(), "PNG")
            encoding += time.perf_counter() - start
            count += len(pictures)
    return {
        "pairs": n,
        "images": count,
        "size": size,
        "seconds": round(whole, 2),
        "pillow_encode_seconds": round(encoding, 2),
        "ratio": round(whole / encoding, 2),
    }


def referred(n: int, pictures: int) -> dict:
    """Time search pairs over a folder of captioned pictures, of which nothing is drawn or copied."""
    things = ("owl", "truck", "tulip", "castle", "spoon", "whale", "violin", "ladder", "kettle", "canoe")
    colours, places = (
        ("red", "blue", "green", "brown"),
        ("on a lawn", "by a lake", "in a kitchen", "under a tree"),
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with open(root / "metadata.jsonl", "w") as out:
            for i in range(pictures):
                Image.new("RGB", (8, 8), (i % 256, i // 256 % 256, 0)).save(root / f"{i}.png")
                said = f"A {things[i % 10]} with a {colours[i // 10 % 4]} ribbon {places[i // 40 % 4]}, number {i}."
                out.write(json.dumps({"file_name": f"{i}.png", "text": said}) + "\n")
        start = time.process_time()
        source = open_source(str(root))
        opened = time.process_time() - start
        # Each picture is opened once, when a pair first uses it; these pairs use nearly all of them.
        start = time.process_time()
        for _ in tasks.generate("search", n=pictures, seed=1, source=source):
            pass
        first = time.process_time() - start
        memory, tally = [], Counter()
        with open(os.devnull, "wb") as sink:
            writer = jsonl.Writer(sink)
            start = time.process_time()
            for k, pair in enumerate(tasks.generate("search", n=n, source=source, tally=tally)):
                writer.write(pair)
                if k == n // 10 or k == n - 1:
                    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            seconds = time.process_time() - start
    return {
        "pairs": n,
        "pictures": pictures,
        "open_seconds": round(opened, 2),
        "pairs_per_second_while_pictures_are_opened": round(pictures / first),
        "seconds": round(seconds, 2),
        "pairs_per_second": round(n / seconds),
        "memory_mib_at_a_tenth": round(memory[0], 1),
        "memory_mib_at_the_end": round(memory[-1], 1),
        "drawn_anew": dict(tally),
    }


def where_it_goes(n: int, size: int) -> dict:
    """Return the shares of the time of drawn pairs, by kind of work, with the profiler's own cost."""
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profile.enable()
        for pair in tasks.generate("arithmetic", n=n, size=size, images=Store(folder)):
            jsonl.dump(pair)
        profile.disable()
    shares: Counter = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():
        if file == "~":
            part = (
                "encode"
                if "encode" in name.lower()
                else "draw"
                if "Imaging" in name or "PIL" in name
                else "python"
            )
        else:
            part = next((part for part, mark in PARTS.items() if mark in file), "python")
        shares[part] += own
    total = sum(shares.values())
    return {part: round(own / total, 3) for part, own in shares.most_common()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--drawn",
        type=int,
        default=2_000,
        help="arithmetic pairs that are drawn, 0 for none (default %(default)s)",
    )
    parser.add_argument(
        "--referred",
        type=int,
        default=100_000,
        help="search pairs by reference, 0 for none (default %(default)s)",
    )
    parser.add_argument(
        "--pictures", type=int, default=5_000, help="pictures of the folder (default %(default)s)"
    )
    parser.add_argument(
        "--size", type=int, default=224, help="side of drawn images in pixels (default %(default)s)"
    )
    options = parser.parse_args()
    list(tasks.generate("arithmetic", n=20, images=Store(tempfile.mkdtemp())))  # reads fonts and scans once
    found = {}
    if options.drawn:
        found["drawn"] = drawn(options.drawn, options.size)
        found["drawn_time_goes_to"] = where_it_goes(min(options.drawn, 300), options.size)
    if options.referred:
        found["referred"] = referred(options.referred, options.pictures)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
