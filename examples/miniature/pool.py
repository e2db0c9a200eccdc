"""A pool of drawn pictures with their labels, so that the miniatures are trained without drawing anew at each step.

    python examples/miniature/pool.py POOL [--scenes 30000 --faces 24000 --digits 16000]

Pictures are drawn at several sizes and brought to 64x64 the way the processor does it, so that the models see what they
will see later, whatever size a user draws at. Split `train`, with a seed that no command uses by default.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SIDE = 64
SIZES = (32, 48, 64, 64, 64, 96, 128, 160, 224, 224, 224)  # most pairs are drawn at 64 and at 224
SEED = 20_260  # not a default seed of any command
CHUNK = 500


def draw_chunk(kind: str, chunk: int, count: int, seed: int):
    """The first pictures of a chunk as uint8 [count, 64, 64, 3] and their labels."""
    import numpy as np
    from PIL import Image

    from s2h import seeds
    from s2h.sources.builtin.world import World

    world = World(seed=seed, split="train")
    draw = {"scene": world.scene, "face": world.face, "digit": world.draw_digit}[kind]
    pictures, labels = [], []
    for i in range(count):
        rng = seeds.rng(seed, kind, chunk, i)
        item = draw(rng)
        picture = item.draw(rng.choice(SIZES))
        if picture.width != SIDE:
            picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pictures.append(np.asarray(picture, dtype=np.uint8))
        labels.append(item.labels)
    return np.stack(pictures), labels


def main() -> None:
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--scenes", type=int, default=30_000)
    parser.add_argument("--faces", type=int, default=24_000)
    parser.add_argument("--digits", type=int, default=16_000)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    options.pool.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max_workers=2) as workers:
        for kind, count in (("scene", options.scenes), ("face", options.faces), ("digit", options.digits)):
            counts = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
            chunks = list(
                workers.map(
                    draw_chunk, [kind] * len(counts), range(len(counts)), counts, [options.seed] * len(counts)
                )
            )
            np.save(options.pool / f"{kind}.npy", np.concatenate([pictures for pictures, _ in chunks]))
            labels = [label for _, some in chunks for label in some]
            (options.pool / f"{kind}.json").write_text(json.dumps(labels))
            print(f"{kind}: {len(labels)} pictures", flush=True)


if __name__ == "__main__":
    main()
