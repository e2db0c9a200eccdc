"""Teach the miniature VLM to speak of images and the parts of reasoning across them: the stages of skills.py, from a model
that vlm.py made.

    torchrun --nproc-per-node 2 examples/miniature/course.py POOL OUT --model MODEL [--from 5]

It runs as one process, too. The tower is frozen, and what it makes of each picture is computed once. Matrices are trained
with Muon (Jordan et al. 2024), all else with AdamW. The model after each stage is kept in OUT-stages.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

import numpy as np
import torch
from skills import COURSE, Material, Stage
from steps import Progress, advance, in_batches, leave, make_optimizers, processes, say
from torch.nn import functional as F
from vlm import begin, encode, load_pool, save, to_pixels

TOKENS = 2600  # of a step; half as many take nearly as long on two processes
AHEAD = 400  # lessons that are drawn at a time and sorted by length
EVERY = 48  # steps after which lessons are drawn
WHOLE = 16  # the length of a batch is a multiple of it, so that few shapes occur


def features_of(model, pictures: dict, seed: int) -> dict[str, np.ndarray]:
    """Return what the frozen tower makes of each picture of the pool, float16 [N, tokens, width], by kind."""
    found, noise = {}, np.random.default_rng(seed)
    for kind, some in pictures.items():
        rows = []
        with torch.no_grad():
            for start in range(0, len(some), 64):
                pixels = to_pixels(some[start : start + 64], noise)
                seen = model.model.vision_tower(pixel_values=pixels, output_hidden_states=True)
                rows.append(seen.hidden_states[-1][:, 1:].half().numpy())
        found[kind] = np.concatenate(rows)
    return found


def batch_of(rows: list, features: dict):
    longest = -(-max(len(ids) for _, ids, _ in rows) // WHOLE) * WHOLE
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    target = torch.full_like(ids, -100)
    seen = []
    for r, (items, row_ids, row_labels) in enumerate(rows):
        ids[r, : len(row_ids)] = torch.tensor(row_ids)
        target[r, : len(row_ids)] = torch.tensor(row_labels)
        for item in items:
            kind, at = item.key.split()
            seen.append(features[kind][int(at)])
    return ids, target, torch.from_numpy(np.stack(seen)).float() if seen else None


def logits_of(model, ids, target, seen):
    """Return logits at the answers' tokens, and these tokens. Padding is on the right, so that no mask is needed."""
    embedded = model.get_input_embeddings()(ids)
    if seen is not None:
        images = model.model.multi_modal_projector(seen).flatten(0, 1)
        at = ids == model.config.image_token_id
        embedded = embedded.masked_scatter(at.unsqueeze(-1), images)
    hidden = model.model.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    asked = target[:, 1:] != -100
    return model.lm_head(hidden[:, :-1][asked]), target[:, 1:][asked]


def train(
    model, tokenizer, features: dict, stage: Stage, material: Material, seed: int, share: float
) -> None:
    """Train on the lessons of one stage. share: of its lessons, to try the script."""
    language = [(n, p) for n, p in model.named_parameters() if "vision_tower" not in n]
    model.model.vision_tower.requires_grad_(False)
    optimizers = make_optimizers(language, matrices=5e-3 * stage.rate, rest=3e-3 * stage.rate)
    model.train()
    count = max(1, round(stage.lessons * share))
    rank, together = processes()
    rng, told = Random(f"{seed} {rank}"), Progress(stage.name, count, 10)
    # The processes draw at the same steps, and their batches of a step have lessons of like length, since they wait for each
    # other.
    order, ready = Random(seed), []
    while told.seen < count:
        while not ready or (told.step % EVERY == 0 and len(ready) < EVERY):
            drawn = [stage.draw(rng, material, told.seen / count) for _ in range(min(AHEAD, count))]
            encoded = [(items, *encode(tokenizer, items, turns)) for items, turns in drawn]
            ready += in_batches(encoded, TOKENS // together, rng)
            ready.sort(key=lambda rows: len(rows[0][1]))
        rows = ready.pop(int(order.random() * len(ready)))
        ids, target, pictures = batch_of(rows, features)
        logits, wanted = logits_of(model, ids, target, pictures)
        loss = F.cross_entropy(logits, wanted)
        loss.backward()
        mean, seen = advance(optimizers, told.step, told.seen / count, 50, (loss.item(), len(rows)))
        told.add(round(seen * together), mean)
    model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True, help="folder of the model to go on from")
    parser.add_argument(
        "--from", dest="first", type=int, default=0, help="number of the first stage, from 0 (-1: the last)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of each stage's lessons")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    pictures, labels = load_pool(options.pool)
    model, tokenizer = begin(options.model, options.seed)
    features = features_of(model, pictures, options.seed)
    material = Material(labels, options.seed)
    for at, stage in enumerate(COURSE[options.first :], options.first):
        train(model, tokenizer, features, stage, material, options.seed + at, options.share)
        save(model, tokenizer, Path(f"{options.out}-stages") / stage.name.replace(" ", "-"))
    save(model, tokenizer, options.out)
    say(f"saved to {options.out}")
    leave()


if __name__ == "__main__":
    main()
