"""Train the miniature CLIP (an open_clip model with a configuration of its own) on the pool, calibrated so that a cosine of
0.25 parts what fits from what does not: besides the usual contrastive loss, every true and false claim about an image goes
through a logistic loss whose zero lies at a cosine of 0.25.

    python examples/miniature/clip.py POOL OUT --tower MINI_VLM-tower [--minutes 10]

Expect: of true claims 0.9 or more above 0.25, of claims with one attribute wrong 0.85 or more below.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
from lessons import pick_kind
from torch import nn
from torch.nn import functional as F
from vlm import MEAN, SIDE, STD, load_pool, to_pixels

from s2h.sources.builtin import swaps, words

BOUNDARY = 0.25
CONTEXT = 32  # the longest claim has some 25 tokens
CONFIG = {
    "embed_dim": 128,
    "quick_gelu": True,
    "vision_cfg": {
        "layers": 4,
        "width": 96,
        "head_width": 24,
        "patch_size": 16,
        "image_size": SIDE,
        "pool_type": "tok",
    },
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 0,
        "width": 96,
        "heads": 4,
        "layers": 2,
        "pool_type": "eos",
        "hf_tokenizer_name": "in this folder",
        "eos_id": 2,
        "pad_id": 0,
    },
}


def claims(labels: dict, rng: Random) -> tuple[str, str, str]:
    """A full description, another true claim, and a false one that is as close as can be."""
    full = words.describe(labels)
    concept = "nothing at all"
    false_labels = swap_any(rng, labels, concept)
    draw = rng.random()
    if draw < 0.35:
        question = rng.choice(words.questions(labels))
        return full, question.statement(question.answer), question.statement(rng.choice(question.wrong))
    if draw < 0.6:
        while words.holds(false := words.caption(false_labels, rng), labels):
            false_labels = swap_any(rng, labels, concept)
        return full, words.caption(labels, rng), false
    if draw < 0.65:
        return full, words.caption(labels, rng), rng.choice(words.GENERIC[labels["kind"]]).rstrip(".")
    while (false := words.describe(false_labels)) == full:
        false_labels = swap_any(rng, labels, concept)
    return full, words.caption(labels, rng), false


def swap_any(rng: Random, labels: dict, concept: str) -> dict:
    """One attribute wrong, or (half the time) another person, digit or order."""
    new = json.loads(json.dumps(labels))
    if labels["kind"] == "digit":
        new["value"] = rng.choice([v for v in range(10) if v != labels["value"]])
    elif labels["kind"] == "face" and rng.random() < 0.5:
        noun = rng.choice([n for n in words.PEOPLE if n != words.noun_of(labels)])
        new["sex"], new["age"] = words.PEOPLE[noun]
    elif labels["kind"] == "face" and rng.random() < 0.4:
        from s2h.sources.builtin import families

        new["skin"] = rng.choice([s for s in families.TRAITS["skin"] if s != labels["skin"]])
    elif labels["kind"] == "scene" and rng.random() < 0.3:
        from s2h.sources.builtin import scenes

        group = rng.choice(new["groups"])
        group["shape"] = rng.choice(
            [s for s in scenes.SHAPES if s not in {g["shape"] for g in new["groups"]}]
        )
    else:
        new = swaps.swap(rng, labels, concept)
    return new


def make(tokenizer):
    from open_clip.model import CLIP

    config = json.loads(json.dumps(CONFIG))
    config["text_cfg"]["vocab_size"] = len(tokenizer)
    text_cfg = {k: v for k, v in config["text_cfg"].items() if k != "hf_tokenizer_name"}
    return CLIP(config["embed_dim"], config["vision_cfg"], text_cfg, quick_gelu=True), config


def start_from(model, folder: str) -> None:
    """Give the image encoder the weights of the VLM's vision tower, which was trained on attributes: the same
    architecture under other names."""
    from transformers import CLIPVisionModel

    theirs = CLIPVisionModel.from_pretrained(folder).state_dict()
    theirs = {name.removeprefix("vision_model."): value for name, value in theirs.items()}
    visual = model.visual
    ours = {
        "class_embedding": "embeddings.class_embedding",
        "conv1.weight": "embeddings.patch_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
        "ln_pre.weight": "pre_layrnorm.weight",
        "ln_pre.bias": "pre_layrnorm.bias",
        "ln_post.weight": "post_layernorm.weight",
        "ln_post.bias": "post_layernorm.bias",
    }
    state = visual.state_dict()
    for name, source in ours.items():
        state[name].copy_(theirs[source])
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
        "attn.out_proj": "self_attn.out_proj",
    }
    for i in range(CONFIG["vision_cfg"]["layers"]):
        here, there = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        for name, source in parts.items():
            for kind in ("weight", "bias"):
                state[f"{here}.{name}.{kind}"].copy_(theirs[f"{there}.{source}.{kind}"])
        for kind in ("weight", "bias"):
            joined = torch.cat([theirs[f"{there}.self_attn.{p}_proj.{kind}"] for p in "qkv"])
            state[f"{here}.attn.in_proj_{kind}"].copy_(joined)


def encode_texts(tokenizer, texts: list[str]) -> torch.Tensor:
    rows = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=CONTEXT - 2)["input_ids"]
    out = torch.zeros(len(texts), CONTEXT, dtype=torch.long)
    for i, row in enumerate(rows):
        ids = [1, *row, 2]
        out[i, : len(ids)] = torch.tensor(ids)
    return out


def train(model, tokenizer, pictures, labels, minutes: float, seed: int, batch: int = 128) -> None:
    rng, noise = Random(seed), np.random.default_rng(seed)
    scale = nn.Parameter(torch.tensor(2.5))
    optimizer = torch.optim.AdamW([*model.parameters(), scale], lr=1e-3, weight_decay=0.05, betas=(0.9, 0.98))
    start, step, shown, kept = time.time(), 0, 0.0, []
    while (spent := (time.time() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = (
                1e-3 * min(1, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent)))
            )
        picked = [(kind, rng.randrange(len(labels[kind]))) for kind in (pick_kind(rng) for _ in range(batch))]
        texts = [claims(labels[kind][at], rng) for kind, at in picked]
        full, true, false = (list(column) for column in zip(*texts, strict=True))
        images = F.normalize(
            model.encode_image(to_pixels(np.stack([pictures[k][a] for k, a in picked]), noise)), dim=-1
        )
        ids = encode_texts(tokenizer, full + true + false)
        said = F.normalize(model.encode_text(ids), dim=-1)
        full_said, true_said, false_said = said.split(batch)
        cosines = images @ full_said.T
        same = torch.tensor([[a == b for b in full] for a in full])
        temperature = scale.exp()
        off = same & ~torch.eye(batch, dtype=torch.bool)
        contrast = (temperature * cosines).masked_fill(off, -1e4)
        aim = torch.arange(batch)
        loss = 0.5 * (F.cross_entropy(contrast, aim) + F.cross_entropy(contrast.T, aim))
        margin = temperature * (cosines - BOUNDARY)
        positive = torch.cat([margin.diagonal(), temperature * ((images * true_said).sum(-1) - BOUNDARY)])
        close = temperature * ((images * false_said).sum(-1) - BOUNDARY)
        loss = (
            loss + F.softplus(-positive).mean() + F.softplus(close).mean() + F.softplus(margin[~same]).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        kept.append(((positive > 0).float().mean().item(), (close < 0).float().mean().item()))
        if spent - shown > 0.1:
            shown = spent
            above, below = np.mean(kept[-50:], axis=0)
            print(
                f"clip {spent:.0%} step {step} loss {loss.item():.3f} true above {above:.3f} nearly true below {below:.3f} "
                f"scale {temperature.item():.1f}",
                flush=True,
            )


def check(folder: Path, model, tokenizer) -> None:
    """What open_clip loads from the folder computes what was trained."""
    import open_clip

    loaded = open_clip.create_model(f"local-dir:{folder}").eval()
    read = open_clip.get_tokenizer(f"local-dir:{folder}")
    texts = ["the face of an old woman with curly red hair", "two small red stars on a sand background"]
    ids = encode_texts(tokenizer, texts)
    assert torch.equal(read(texts), ids), (read(texts)[0], ids[0])
    with torch.no_grad():
        assert torch.allclose(loaded.encode_text(ids), model.eval().encode_text(ids), atol=1e-5)


def main() -> None:
    from safetensors.torch import save_file
    from transformers import PreTrainedTokenizerFast

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tower", required=True, help="the folder OUT-tower of vlm.py: tower and tokenizer")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pictures, labels = load_pool(options.pool)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.tower)
    model, config = make(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    start_from(model, options.tower)
    model.train()
    train(model, tokenizer, pictures, labels, options.minutes, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()},
        options.out / "open_clip_model.safetensors",
    )
    preprocess = {
        "size": [SIDE, SIDE],
        "mean": MEAN,
        "std": STD,
        "interpolation": "bicubic",
        "resize_mode": "squash",
    }
    (options.out / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2) + "\n"
    )
    # open_clip's own tokenizer wrapper expects <s> and </s> from the tokenizer itself, and padding on the right.
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer.padding_side = "right"
    tokenizer.model_max_length = CONTEXT
    tokenizer.save_pretrained(options.out)
    check(options.out, model, tokenizer)
    print(f"saved to {options.out}", flush=True)


if __name__ == "__main__":
    main()
