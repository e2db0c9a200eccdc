"""Train the miniature CLIP (an open_clip model with a configuration of its own) on the pool, calibrated so that a cosine of
0.25 parts what fits from what does not: besides the usual contrastive loss, every claim of a batch is held against every
image of the batch and goes through a logistic loss whose zero lies at a cosine of 0.25. The claims are those that pairs
make: captions of a whole image, and of one attribute ("a picture of four trees", "the face of a person with red hair").

    python examples/miniature/clip.py POOL OUT --tower MINI_VLM [--steps 6000]
    python examples/miniature/clip.py POOL OUT --from s2h/models/mini-clip       # goes on from a trained one

examples/benchmarks/clip_calibration.py measures what comes out, task by task.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
from claimed import Truth, claims_of
from lessons import pick_kind
from steps import advance, make_optimizers
from torch import nn
from torch.nn import functional as F
from vlm import MEAN, SIDE, STD, load_pool, to_pixels, words_of

from s2h.models.clip import WEIGHTS
from s2h.sources.builtin import words

BOUNDARY = 0.25
# The logits of a cosine above the boundary and below it: what doesn't fit is pushed farther away than what fits, so that the
# mean over an answer's claims falls below the boundary where one of them is wrong.
STEEP_ABOVE, STEEP_BELOW = 16.0, 6.0
CONTEXT = 32  # the longest claim has some 25 tokens
SHORT = 13  # tokens up to which texts are encoded together
OWN = 2  # true claims of each image of a batch, and as many false ones
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


def make(tokenizer):
    from open_clip.model import CLIP

    config = json.loads(json.dumps(CONFIG))
    config["text_cfg"]["vocab_size"] = len(tokenizer)
    text_cfg = {k: v for k, v in config["text_cfg"].items() if k != "hf_tokenizer_name"}
    return CLIP(config["embed_dim"], config["vision_cfg"], text_cfg, quick_gelu=True), config


def start_from(model, folder: str) -> None:
    """Give the image encoder the weights of the VLM's vision tower, which was trained on attributes: the same
    architecture under other names."""
    from transformers import LlavaForConditionalGeneration

    theirs = LlavaForConditionalGeneration.from_pretrained(folder).model.vision_tower.state_dict()
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


# Steps ---------------------------------------------------------------------------------------------------------------


def embed_texts(model, tokenizer, texts: list[str]) -> torch.Tensor:
    """Unit-length embeddings of texts, the short ones without the padding that long ones need: what open_clip computes."""
    ids = encode_texts(tokenizer, texts)
    lengths = (ids != 0).sum(-1)
    out = torch.zeros(len(texts), CONFIG["embed_dim"])
    for chosen in (lengths <= SHORT, lengths > SHORT):
        if chosen.any():
            longest = int(lengths[chosen].max())
            some = ids[chosen][:, :longest]
            x = model.token_embedding(some) + model.positional_embedding[:longest]
            x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:longest, :longest]))
            ends = x[torch.arange(len(some)), lengths[chosen] - 1]
            out = out.index_put(
                (chosen.nonzero().squeeze(1),), F.normalize(ends @ model.text_projection, dim=-1)
            )
    return out


def squeezed(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Sometimes a batch is made narrower or lower, as pictures that aren't square are brought to the model's size."""
    if rng.random() > 0.15:
        return pixels
    side = int(rng.integers(round(0.65 * SIDE), SIDE))
    wide = rng.random() < 0.5
    small = F.interpolate(pixels, (side, SIDE) if wide else (SIDE, side), mode="bilinear", antialias=True)
    before = (SIDE - side) // 2
    pad = (0, 0, before, SIDE - side - before) if wide else (before, SIDE - side - before, 0, 0)
    return F.pad(small, pad, mode="replicate")


def logit(cosines: torch.Tensor) -> torch.Tensor:
    over = cosines - BOUNDARY
    return torch.where(over > 0, STEEP_ABOVE * over, STEEP_BELOW * over)


def step_loss(
    model, tokenizer, batch: list[tuple[np.ndarray, dict, np.ndarray]], truth: Truth, rng, noise, scale
):
    """The loss of a batch of (picture, labels, row of labels), and the shares of true claims above the boundary and of
    nearly true ones below it."""
    pictures, labels, rows = zip(*batch, strict=True)
    n = len(batch)
    full = [words.describe(one) for one in labels]
    own_claims = [claims_of(one, rng) for one in labels for _ in range(OWN)]
    true, false = [true for true, _ in own_claims], [false for _, false in own_claims]
    texts = list(dict.fromkeys(full + true + false))
    at = {text: i for i, text in enumerate(texts)}
    images = F.normalize(model.encode_image(squeezed(to_pixels(np.stack(pictures), noise), noise)), dim=-1)
    cosines = images @ embed_texts(model, tokenizer, texts).T
    said = np.stack([truth.of_claim(text) for text in texts])
    table = np.stack(rows)
    fits = torch.from_numpy(((said == -1)[None] | (said[None] == table[:, None])).all(-1))
    nothing = torch.from_numpy((said == -1).all(-1))
    own = torch.arange(n).repeat_interleave(OWN)
    positive = cosines[own, [at[text] for text in true]]
    close = cosines[own, [at[text] for text in false]]
    loss = 1.3 * F.softplus(-logit(positive)).mean() + F.softplus(logit(close)).mean()
    kinds = torch.tensor([("scene", "face", "digit").index(one["kind"]) for one in labels])
    of = kinds[own].tolist() * 2 + kinds.tolist()
    kind_of = torch.zeros(len(texts), dtype=torch.long)
    kind_of[[at[text] for text in true + false + full]] = torch.tensor(of)
    everywhere = logit(cosines)
    same = (kinds[:, None] == kind_of[None]) & ~nothing
    loss = loss + 0.2 * F.softplus(-everywhere[fits & ~nothing]).mean()
    loss = (
        loss
        + 0.3 * F.softplus(everywhere[same & ~fits]).mean()
        + 0.2 * F.softplus(everywhere[~same & ~fits]).mean()
    )
    # The usual loss over the full descriptions; a description that another image of the batch has too is no rival.
    contrast = scale.exp() * cosines[:, [at[text] for text in full]]
    rival = ~torch.tensor([[a == b for b in full] for a in full]) | torch.eye(n, dtype=torch.bool)
    contrast = contrast.masked_fill(~rival, -1e4)
    aim = torch.arange(n)
    loss = loss + 0.15 * (F.cross_entropy(contrast, aim) + F.cross_entropy(contrast.T, aim))
    return loss, (positive > BOUNDARY).float().mean().item(), (close < BOUNDARY).float().mean().item()


def train(model, tokenizer, pictures, labels, options: argparse.Namespace) -> None:
    rng, noise, steps = Random(options.seed), np.random.default_rng(options.seed), options.steps
    truth = Truth()
    rows = {kind: np.stack([truth.of_labels(one) for one in labels[kind]]) for kind in labels}
    scale = nn.Parameter(torch.tensor(2.5))
    optimizers = make_optimizers([*model.named_parameters(), ("scale", scale)], 3 * options.lr, options.lr)
    start, kept = time.time(), []
    for step in range(steps):
        kinds = [pick_kind(rng) for _ in range(options.batch)]
        picked = [(kind, rng.randrange(len(labels[kind]))) for kind in kinds]
        chosen = [(pictures[kind][at], labels[kind][at], rows[kind][at]) for kind, at in picked]
        loss, above, below = step_loss(model, tokenizer, chosen, truth, rng, noise, scale)
        loss.backward()
        advance(optimizers, step, step / steps, warmup=min(100, steps // 10 + 1))
        kept.append((above, below))
        if step % max(1, steps // 40) == 0 or step == steps - 1:
            above, below = np.mean(kept[-50:], axis=0)
            print(
                f"clip step {step} of {steps} loss {loss.item():.3f} true above {above:.3f} nearly true below {below:.3f} "
                f"({(time.time() - start) / (step + 1):.2f} s a step)",
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
    from safetensors.torch import load_file, save_file

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--tower", help="a folder of vlm.py: its tower and its words")
    start.add_argument(
        "--from", dest="trained", type=Path, help="a folder that this script wrote, to go on from"
    )
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=128, help="images in a step (default %(default)s)")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    torch.manual_seed(options.seed)
    pictures, labels = load_pool(options.pool)
    tokenizer = words_of(options.trained or options.tower)
    model, config = make(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    if options.trained:
        model.load_state_dict(load_file(options.trained / WEIGHTS))
    else:
        start_from(model, options.tower)
    model.train()
    train(model, tokenizer, pictures, labels, options)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()},
        options.out / WEIGHTS,
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
