"""Measure how fast s2h-filter is: compared with the bare open_clip encoder on the same distinct images and texts in the same
batches, compared with a plain loop over pairs, from its cache, and without a model. Ratios come from runs that take turns,
so that other work on the machine affects both.

    python examples/benchmarks/filter_speed.py --images 64 --annotated 50000 > filter-speed.json

The encoder has random weights, on which speed does not depend; it is ViT-B/32 by default.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SHOWN, TURNS = 3, 4  # images of a pair; number of pairs with claims about one image, as target or distractor
BATCH = 32


def photos(folder: Path, count: int) -> list[str]:
    """Save pictures of 640 x 480 as JPEG and return their paths: scaled-up noise takes as long to decode as a photograph."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    made = []
    for i in range(count):
        noise = np.random.default_rng(i).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        made.append(str(folder / f"{i}.jpg"))
        Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(made[-1], quality=90)
    return made


def pairs(images: list[str], count: int):
    """Yield pairs of level 3: one of three images is searched for, and the rejected answer is the caption of another one."""
    from s2h import record

    rng = Random(0)
    words = [
        f"{a} {b}"
        for a in ("red", "small", "old", "wet", "tall")
        for b in ("barn", "boat", "dog", "lamp", "tree", "hill")
    ]
    captions = [f"A photo of a {words[i % len(words)]} and {i} birds behind it." for i in range(len(images))]
    for k in range(count):
        at = [k % len(images), *rng.sample(range(len(images)), SHOWN - 1)]
        target = k % SHOWN
        other = at[1]
        at[0], at[target] = at[target], at[0]
        texts = captions[k % len(images)], captions[other]
        yield record.make(
            id=f"search-{k:07d}", level=3, task="search", images=[images[i] for i in at],
            prompt=record.interleave([*[record.IMAGE] * SHOWN, f"Caption the image containing a {words[k % len(words)]}."]),
            chosen=record.assistant(texts[0]), rejected=record.assistant(texts[1]), target=[target],
            facts={"form": "caption", "answer": texts[0], "labels": [{"file": images[i]} for i in at]},
            grounding={"chosen": [[target, texts[0]]], "rejected": [[at.index(other), texts[1]]]},
            negative="other-image", source="captions:photos",
        )  # fmt: skip


def weights(name: str, folder: Path) -> str:
    """Save a checkpoint with random weights and return its name for --clip-model."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = folder / "random.safetensors"
    state = open_clip.create_model(name).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return f"{name}:{path}"


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def encoder(model_name: str, file: Path, out: Path, turns: int) -> dict:
    """Compare s2h-filter's judging, with reading and writing, with the bare encoder and with a loop over pairs."""
    from s2h.filters import clip_claims, judge
    from s2h.filters.engine import Engine
    from s2h.images.decoding import open_image
    from s2h.models import clip as models
    from s2h.streams import jsonl

    model = models.load(model_name)
    records = list(jsonl.read(str(file)))
    said = [[claim for side in clip_claims.SIDES for claim in clip_claims.claims(r, side)] for r in records]
    places = {r["images"][at]: None for r, claims in zip(records, said, strict=True) for at, _ in claims}
    texts = list(dict.fromkeys(text for claims in said for _, text in claims))
    tensors = [model.prepare(open_image(place)) for place in places]

    def bare() -> None:
        for i in range(0, len(tensors), BATCH):
            model.images(tensors[i : i + BATCH])
        model.texts(texts)

    def ours() -> None:
        judged = judge(
            jsonl.read(str(file)),
            [clip_claims.build(Engine({"clip": lambda name: model}), model=model.name)],
            batch_size=256,
        )
        with jsonl.Writer(str(out)) as writer:
            for record, _ in judged:
                writer.write(record)

    def loop() -> None:
        for record, claims in zip(records, said, strict=True):
            for at, text in claims:
                float(model.images([open_image(record["images"][at])])[0] @ model.texts([text])[0])

    bare()
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(turns):
        times["bare"].append(seconds(bare))
        times["ours"].append(seconds(ours))
    looped = seconds(loop)
    bare_s, ours_s = (statistics.median(times[name]) for name in ("bare", "ours"))
    return {
        "images": len(tensors), "texts": len(texts), "pairs": len(records),
        "images_per_second": round(len(tensors) / ours_s, 1),
        "of_bare_encoder": round(bare_s / ours_s, 3), "times_a_loop_over_pairs": round(looped / ours_s, 2),
        "seconds": {name: [round(t, 2) for t in found] for name, found in [*times.items(), ("loop", [looped])]},
    }  # fmt: skip


def command(*arguments: str) -> tuple[float, float]:
    """Run s2h-filter and return its wall and CPU seconds."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, str(ROOT / "bin" / "s2h-filter"), "--quiet", *arguments], check=True)
    wall, after = time.perf_counter() - began, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def cached(model_name: str, file: Path, folder: Path) -> dict:
    """Measure the whole command, with start and loading: first with an empty cache, then again with another threshold."""
    how = ["--clip-model", model_name, "--cache", str(folder / "kept"), str(file)]
    cold, _ = command("--clip", "-1", *how, "-o", str(folder / "cold.jsonl"))
    warm = statistics.median(
        command("--clip", "-0.9", *how, "-o", str(folder / "warm.jsonl"))[0] for _ in range(3)
    )
    same = (folder / "cold.jsonl").read_bytes() == (folder / "warm.jsonl").read_bytes()
    return {
        "cold_s": round(cold, 2),
        "warm_s": round(warm, 3),
        "times": round(cold / warm, 1),
        "same_bytes": same,
    }


def annotated(images: list[str], count: int, folder: Path) -> dict:
    """Measure the records a second and core of `--annotate` without a model: reading, checking, two measures of form,
    writing."""
    from s2h.streams import jsonl

    file = folder / "many.jsonl"
    with jsonl.Writer(str(file)) as out:
        for record in pairs(images, count):
            out.write(record)
    (folder / "none.jsonl").write_bytes(b"")
    start = min(
        command("--annotate", str(folder / "none.jsonl"), "-o", str(folder / "out.jsonl"))[1]
        for _ in range(3)
    )
    cpu = min(command("--annotate", str(file), "-o", str(folder / "out.jsonl"))[1] for _ in range(3))
    return {
        "records": count, "bytes_a_record": round(file.stat().st_size / count), "cpu_s": round(cpu, 2),
        "start_s": round(start, 2),
        "records_per_second_a_core": round(count / (cpu - start)), "with_the_start": round(count / cpu),
    }  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--model", default="ViT-B-32", help="an architecture of open_clip")
    asked.add_argument("--images", type=int, default=64)
    asked.add_argument("--turns", type=int, default=3, help="how often bare encoder and filter take turns")
    asked.add_argument("--annotated", type=int, default=50_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = photos(folder / "photos", given.images)
        file = folder / "pairs.jsonl"
        from s2h.streams import jsonl

        with jsonl.Writer(str(file)) as out:
            for record in pairs(images, TURNS * given.images // 2):
                out.write(record)
        found = {"annotate": annotated(images, given.annotated, folder)}
        model = weights(given.model, folder)
        found["cache"] = cached(model, file, folder)
        found["encoder"] = encoder(model, file, folder / "out.jsonl", given.turns)
    import torch

    found["machine"] = {
        "processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "gpu": torch.cuda.is_available(), "model": given.model,
    }  # fmt: skip
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
