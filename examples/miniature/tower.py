"""Go on with the vision tower of a miniature VLM: train it again on the attributes of the pool's pictures, and save the VLM
with the better tower. Lessons with pictures that train the tower too (vlm.py) blur what it sees, and course.py freezes it.

    python examples/miniature/tower.py POOL OUT --start MODEL [--steps 3700]

The language model has to learn the tower's new output after that: the stage "seeing again" of skills.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from course import save
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast
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
    torch.set_num_threads(1)  # two threads wait for each other longer than they compute
    torch.manual_seed(options.seed)
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    pictures, labels = load_pool(options.pool)
    model = LlavaForConditionalGeneration.from_pretrained(options.start)
    model.set_attn_implementation("eager")
    tower = model.model.vision_tower
    for layer in tower.encoder.layers:
        layer.compile(dynamic=True)
    train_tower(tower, pictures, labels, options.steps, options.seed)
    save(model, PreTrainedTokenizerFast.from_pretrained(options.start), options.out)
    print(f"saved to {options.out}", flush=True)


if __name__ == "__main__":
    main()
