"""Train the miniature VLM from nothing: a CLIP vision tower on attributes, then a whole LLaVA on lessons.

    python examples/miniature/vlm.py POOL OUT [--tower-steps 4500] [--words 40000] [--pictures 220000]

The stages are counted in steps and lessons, so that other work on the cores costs time and no skill. Matrices are trained
with Muon (Jordan et al. 2024), all else with AdamW, and in small batches: after 9,000 lessons with pictures the loss is
0.47 where AdamW in batches of 7,000 tokens is at 0.92. The result is a folder that
`LlavaForConditionalGeneration.from_pretrained` and `AutoProcessor.from_pretrained` load. What to expect is said in make.sh.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
from lessons import WITH_PICTURES, WORDS_FIRST, PoolWorld, lesson, task_draft
from steps import Progress, advance, in_batches, make_optimizers
from torch import nn
from torch.nn import functional as F
from transformers import (
    AddedToken,
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from s2h.sources.builtin import families, scenes, words
from s2h.sources.builtin.world import World

SIDE, PATCH, VISION, WIDTH, LAYERS = 64, 16, 96, 128, 4
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
TOWER_SHARES = {"scene": 0.6, "face": 0.27, "digit": 0.13}
SPECIAL = ("<pad>", "<s>", "</s>", "<image>")
# The user's turn, then the assistant's; images stand where the content puts them.
TEMPLATE = (
    "{% for message in messages %}"
    "{{ 'USER: ' if message['role'] == 'user' else ('ASSISTANT: ' if message['role'] == 'assistant' else '') }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}{% endif %}"
    "{{ '</s>' if message['role'] == 'assistant' else '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT: ' }}{% endif %}"
)


def load_pool(folder: Path):
    pictures = {kind: np.load(folder / f"{kind}.npy") for kind in ("scene", "face", "digit")}
    labels = {kind: json.loads((folder / f"{kind}.json").read_text()) for kind in pictures}
    return pictures, labels


def to_pixels(pictures: np.ndarray, rng: np.random.Generator | None = None) -> torch.Tensor:
    """uint8 [N, H, W, 3] to normalised float [N, 3, H, W]; with rng, a jitter of brightness and of one pixel of place."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    if rng is not None:
        pixels = (
            pixels * torch.from_numpy(rng.uniform(0.92, 1.08, (len(pixels), 1, 1, 1)).astype("float32"))
        ).clamp(0, 1)
        dx, dy = rng.integers(-2, 3, 2)
        pixels = F.pad(pixels, (2, 2, 2, 2), mode="replicate")[
            :, :, 2 + dy : 2 + dy + SIDE, 2 + dx : 2 + dx + SIDE
        ]
    return (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


# The tower, on attributes -------------------------------------------------------------------------------------------


def attribute_values() -> dict[str, tuple]:
    values: dict[str, tuple] = {"kind": ("scene", "face", "digit"), "background": scenes.BACKGROUNDS}
    for g in (0, 1):
        values |= {
            f"shape{g}": (*scenes.SHAPES, None),
            f"colour{g}": scenes.COLOURS,
            f"size{g}": scenes.SIZES,
            f"count{g}": (1, 2, 3, 4),
            f"place{g}": scenes.PLACES,
        }
    values |= {"value": tuple(range(10)), "hand": ("printed", "handwritten")}
    return values | {"noun": tuple(words.PEOPLE), **families.TRAITS}


def attributes(labels: dict) -> dict:
    if labels["kind"] == "scene":
        found = {"kind": "scene", "background": labels["background"], "shape1": None}
        for g, group in enumerate(labels["groups"]):
            found |= {f"{name}{g}": group[name] for name in ("shape", "colour", "size", "count", "place")}
        return found
    if labels["kind"] == "digit":
        hand = "printed" if labels["hand"] == "printed" else "handwritten"
        return {"kind": "digit", "value": labels["value"], "hand": hand}
    return {"kind": "face", "noun": words.noun_of(labels), **{t: labels[t] for t in families.TRAITS}}


def train_tower(tower, pictures: dict, labels: dict, steps: int, seed: int) -> None:
    """Every attribute read off the patch tokens by linear heads; cross-entropy where the image has the attribute."""
    values = attribute_values()
    names = list(values)
    all_pictures = np.concatenate([pictures[k] for k in pictures])
    table = np.full((len(all_pictures), len(names)), -1, dtype=np.int64)
    row = 0
    for kind in pictures:
        for label in labels[kind]:
            for name, value in attributes(label).items():
                table[row, names.index(name)] = values[name].index(value)
            row += 1
    targets = torch.from_numpy(table)
    tokens = (SIDE // PATCH) ** 2
    neck = nn.Sequential(nn.Linear(tokens * VISION, 256), nn.GELU())
    heads = nn.ModuleList([nn.Linear(256, len(values[name])) for name in names])
    whole = nn.ModuleDict({"tower": tower, "neck": neck, "heads": heads})
    optimizers = make_optimizers(whole.named_parameters(), matrices=4e-3, rest=1e-3)
    rng = np.random.default_rng(seed)
    held = rng.permutation(len(all_pictures))[: min(2000, len(all_pictures) // 4)]
    usable = np.setdiff1d(np.arange(len(all_pictures)), held)
    # Scenes are the hardest to see, and of them the shapes: they come more often and count for more.
    share = np.repeat(
        [TOWER_SHARES[k] / len(pictures[k]) for k in pictures], [len(pictures[k]) for k in pictures]
    )[usable]
    share /= share.sum()

    def logits_of(pixels):
        hidden = tower(pixel_values=pixels).last_hidden_state[:, 1:]
        body = neck(hidden.flatten(1))
        return [head(body) for head in heads]

    start, shown = time.time(), 0
    for step in range(steps):
        at = rng.choice(usable, 128, p=share)
        outs = logits_of(to_pixels(all_pictures[at], rng))
        loss = sum(
            (3 if "shape" in names[i] else 1) * F.cross_entropy(out, targets[at, i], ignore_index=-1)
            for i, out in enumerate(outs)
            if (targets[at, i] >= 0).any()
        )
        loss.backward()
        advance(optimizers, step, step / steps, warmup=200)
        if step * 10 // steps > shown:
            shown = step * 10 // steps
            print(
                f"tower {shown}0% loss {loss.item():.3f} {step / (time.time() - start):.1f} steps/s",
                flush=True,
            )
    with torch.no_grad():
        outs = logits_of(to_pixels(all_pictures[held]))
    for i, name in enumerate(names):
        known = targets[held, i] >= 0
        right = (outs[i].argmax(-1) == targets[held, i])[known].float().mean().item()
        print(f"  {name:12s} {right:.3f} (chance {1 / len(values[name]):.2f})", flush=True)


# The whole, on lessons ----------------------------------------------------------------------------------------------


def make_tokenizer(labels: dict, seed: int, count: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE over `count` texts of the built-in world, so that any other text can be encoded as well."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rng, pictures, world = Random(seed), PoolWorld(labels), World(seed=seed, split="train")
    corpus = []
    for _ in range(count * 3 // 7):
        _, turns = lesson(rng, pictures, world)
        for parts, answer in turns:
            corpus += ["".join(p for p in parts if p), "ASSISTANT: " + answer]
    for _ in range(count * 3 // 7):
        draft = task_draft(rng, world)
        corpus += [draft.ask, draft.chosen, draft.rejected]
    for _ in range(count // 7):
        subject = world.draw_subject(rng)
        for question in world.questions_about(subject):
            corpus += [question.ask, question.statement(question.answer), words.describe(subject.labels)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=2000,
            min_frequency=20,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=[AddedToken("<image>", special=True, normalized=False)],
        model_max_length=2048,
        padding_side="left",
    )


def make_model(tokenizer) -> LlavaForConditionalGeneration:
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=VISION,
            intermediate_size=4 * VISION,
            num_hidden_layers=4,
            num_attention_heads=4,
            image_size=SIDE,
            patch_size=PATCH,
            projection_dim=VISION,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=3 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            rope_theta=10_000.0,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(SIDE // PATCH) ** 2,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlavaForConditionalGeneration(config)


def make_processor(tokenizer) -> LlavaProcessor:
    image_processor = CLIPImageProcessor(
        size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        image_mean=MEAN,
        image_std=STD,
        resample=3,
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token="<image>",
    )


def encode(tokenizer, items: list, turns: list) -> tuple[list[int], list[int]]:
    """Token ids of a lesson in the template's form, and labels (-100 outside the answers)."""
    tokens = (SIDE // PATCH) ** 2
    pieces, learned = [], []
    for parts, answer in turns:
        asked = "USER: " + "".join("<image>" * tokens if p is None else p for p in parts) + "\nASSISTANT: "
        pieces += [asked, answer + "</s>"]
        learned += [False, True]
    ids, labels = [], []
    for piece, learn in zip(tokenizer(pieces, add_special_tokens=False)["input_ids"], learned, strict=True):
        ids += piece
        labels += piece if learn else [-100] * len(piece)
    return ids, labels


def train_language(
    model,
    tokenizer,
    pictures,
    labels,
    count: int,
    seed: int,
    shares: dict,
    batch: int = 2500,
) -> None:
    """`count` lessons, `batch` tokens at a time."""
    rng, noise = Random(seed), np.random.default_rng(seed)
    pool_world, world = PoolWorld(labels), World(seed=seed + 1, split="train")
    tower = [(n, p) for n, p in model.named_parameters() if "vision_tower" in n]
    rest = [(n, p) for n, p in model.named_parameters() if "vision_tower" not in n]
    optimizers = make_optimizers(rest, matrices=5e-3, rest=3e-3)
    optimizers += make_optimizers(tower, matrices=1e-3, rest=3e-4)
    model.train()
    told = Progress("language", count, 50)
    ready: list = []
    while told.seen < count:
        if not ready:
            drawn = []
            for _ in range(min(600, count)):
                items, turns = lesson(rng, pool_world, world, shares)
                drawn.append((items, *encode(tokenizer, items, turns)))
            ready = in_batches(drawn, batch, rng)
        rows = ready.pop()
        longest = max(len(ids) for _, ids, _ in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask, target = torch.zeros_like(ids), torch.full_like(ids, -100)
        shown_pictures = []
        for r, (items, row_ids, row_labels) in enumerate(rows):
            ids[r, : len(row_ids)] = torch.tensor(row_ids)
            target[r, : len(row_ids)] = torch.tensor(row_labels)
            mask[r, : len(row_ids)] = 1
            for item in items:
                kind, at = item.key.split()
                shown_pictures.append(pictures[kind][int(at)])
        pixels = to_pixels(np.stack(shown_pictures), noise) if shown_pictures else None
        asked = target[:, 1:] != -100
        hidden = model.model(
            input_ids=ids, attention_mask=mask, pixel_values=pixels, use_cache=False
        ).last_hidden_state
        logits = model.lm_head(hidden[:, :-1][asked])
        loss = F.cross_entropy(logits, target[:, 1:][asked])
        loss.backward()
        advance(optimizers, told.step, told.seen / count, warmup=100)
        told.add(len(rows), loss.item())
    model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=int, default=14_000, help="from which the words are learned")
    parser.add_argument("--tower-steps", type=int, default=4500, help="of 128 pictures, by attributes")
    parser.add_argument(
        "--words", type=int, default=40_000, help="lessons in plain text, before the pictures"
    )
    parser.add_argument("--pictures", type=int, default=220_000, help="lessons with pictures")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)  # two threads wait for each other longer than they compute
    torch.manual_seed(options.seed)
    pictures, labels = load_pool(options.pool)
    tokenizer = make_tokenizer(labels, options.seed, options.texts)
    model = make_model(tokenizer)
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(tokenizer)} words",
        flush=True,
    )
    # Of sequences this short the plain attention's backward pass takes half the time of the fused one's on a CPU; compiled,
    # a layer takes two thirds.
    model.set_attn_implementation("eager")
    for layer in (*model.model.language_model.layers, *model.model.vision_tower.encoder.layers):
        layer.compile(dynamic=True)
    train_tower(model.model.vision_tower, pictures, labels, options.tower_steps, options.seed)
    # The miniature CLIP starts from the same tower and the same words.
    model.model.vision_tower.save_pretrained(f"{options.out}-tower")
    tokenizer.save_pretrained(f"{options.out}-tower")
    stages = [(round(share * options.words), shares) for share, shares in WORDS_FIRST]
    stages += [(round(share * options.pictures), shares) for share, shares in WITH_PICTURES]
    for at, (count, shares) in enumerate(stages):
        train_language(model, tokenizer, pictures, labels, count, options.seed + at, shares)
    model.set_attn_implementation("sdpa")
    model.generation_config.do_sample = False
    model.save_pretrained(options.out)
    make_processor(tokenizer).save_pretrained(options.out)
    print(f"saved to {options.out}", flush=True)


if __name__ == "__main__":
    main()
