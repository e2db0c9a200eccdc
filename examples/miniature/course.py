"""Teach the miniature VLM the parts of reasoning across images, on features of its frozen vision tower."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import torch
from steps import advance, make_optimizers
from torch.nn import functional as F
from vlm import encode, to_pixels


def features_of(model, pictures: dict, folder: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """Return what the frozen tower makes of each picture of the pool, float16 [N, tokens, width]."""
    found, noise = {}, np.random.default_rng(seed)
    for kind, some in pictures.items():
        file = folder / f"{kind}-features.npy"
        if not file.exists():
            rows = []
            with torch.no_grad():
                for start in range(0, len(some), 64):
                    pixels = to_pixels(some[start : start + 64], noise)
                    seen = model.model.vision_tower(pixel_values=pixels, output_hidden_states=True)
                    rows.append(seen.hidden_states[-1][:, 1:].half().numpy())
            np.save(file, np.concatenate(rows))
        found[kind] = np.load(file, mmap_mode="r")
    return found


def batch_of(rows: list, features: dict):
    longest = max(len(ids) for _, ids, _ in rows)
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
    return model.lm_head(hidden[:, :-1][asked]), target[:, 1:][asked], asked


def batches(draw: Callable, tokenizer, rng: Random, tokens: int, ahead: int = 400):
    """Yield batches of about `tokens` tokens; lessons of like length go together."""
    while True:
        drawn = [(items, *encode(tokenizer, items, turns)) for items, turns in (draw(rng) for _ in range(ahead))]
        drawn.sort(key=lambda row: len(row[1]))
        ready = []
        while drawn:
            take = max(1, tokens // len(drawn[-1][1]))
            ready.append(drawn[-take:])
            del drawn[-take:]
        rng.shuffle(ready)
        yield from ready


def train(model, tokenizer, features, draw, *, seconds=None, steps=None, rate, seed, tokens=1200, probes=None, every=60, floor=0.02):
    rest = [(n, p) for n, p in model.named_parameters() if "vision_tower" not in n]
    model.model.vision_tower.requires_grad_(False)
    optimizers = make_optimizers(rest, matrices=5e-3 * rate, rest=3e-3 * rate)
    model.train()
    start, losses, seen_lessons, last = time.time(), [], 0, time.time()
    for step, rows in enumerate(batches(draw, tokenizer, Random(seed), tokens)):
        spent = (time.time() - start) / seconds if seconds else step / steps
        if spent >= 1:
            break
        ids, target, seen = batch_of(rows, features)
        logits, wanted, _ = logits_of(model, ids, target, seen)
        loss = F.cross_entropy(logits, wanted)
        loss.backward()
        advance(optimizers, step, spent, warmup=50)
        losses.append(loss.item())
        seen_lessons += len(rows)
        if time.time() - last > every:
            last = time.time()
            said = probe(model, tokenizer, features, probes) if probes else ""
            print(f"{time.time() - start:.0f}s step {step} {seen_lessons / (time.time() - start):.0f} lessons/s loss {np.mean(losses[-100:]):.4f} {said}", flush=True)
    model.eval()


@torch.no_grad()
def probe(model, tokenizer, features, probes: dict) -> str:
    """Return for each probe the share of answers that are exact, and of first words that are right."""
    model.eval()
    said = []
    for name, lessons in probes.items():
        exact = first = total = 0
        rows = sorted(((items, *encode(tokenizer, items, turns)) for items, turns in lessons), key=lambda r: len(r[1]))
        for start in range(0, len(rows), 25):
            ids, target, seen = batch_of(rows[start : start + 25], features)
            logits, wanted, asked = logits_of(model, ids, target, seen)
            right = torch.zeros_like(asked)
            right[asked] = logits.argmax(-1) == wanted
            begins = asked & ~F.pad(asked, (1, 0))[:, :-1]
            for r in range(len(ids)):
                places = begins[r].nonzero()[:, 0].tolist()
                for p in places:
                    q = p
                    while q < asked.shape[1] and asked[r, q]:
                        q += 1
                    exact += bool(right[r, p:q].all())
                    first += bool(right[r, p])
                    total += 1
        said.append(f"{name} {100 * exact / max(1, total):.0f}/{100 * first / max(1, total):.0f}")
    model.train()
    return "  ".join(said)
