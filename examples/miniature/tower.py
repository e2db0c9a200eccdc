"""Go on with the vision tower of a miniature VLM: train it again on the attributes of the pool's pictures, and save the VLM
with the better tower. Lessons with pictures that train the tower too (vlm.py) blur what it sees, and course.py freezes it.

    python examples/miniature/tower.py POOL OUT --start MODEL [--steps 3700]

The language model has to learn the tower's new output after that: the stage "seeing again" of skills.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from course import begin, save
from vlm import load_pool, train_tower


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", required=True, help="folder of the model to go on from")
    parser.add_argument("--steps", type=int, default=3700, help="of 128 pictures")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    pictures, labels = load_pool(options.pool)
    model, tokenizer = begin(options.start, options.seed)
    tower = model.model.vision_tower
    for layer in tower.encoder.layers:
        layer.compile(dynamic=True)
    train_tower(tower, pictures, labels, options.steps, options.seed)
    save(model, tokenizer, options.out)
    print(f"saved to {options.out}", flush=True)


if __name__ == "__main__":
    main()
