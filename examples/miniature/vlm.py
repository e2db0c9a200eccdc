"""Make the miniature VLM before its lessons: a LLaVA with its own words and processor, whose CLIP vision tower is trained on
the attributes of the pool's pictures.

    torchrun --nproc-per-node 2 examples/miniature/vlm.py POOL OUT [--tower-steps 8000]
    python examples/miniature/vlm.py POOL OUT --model MODEL        # goes on with the tower of a model

It runs as one process, too. Matrices are trained with Muon (Jordan et al. 2024), all else with AdamW. course.py teaches the
language model what the tower sees. The result is a folder that `LlavaForConditionalGeneration.from_pretrained` and
`AutoProcessor.from_pretrained` load.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
from lessons import task_draft
from skills import SKILLS, SPEAKING, Material
from steps import advance, is_first, leave, make_optimizers, processes, say
from torch import distributed, nn
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
    rank, together = processes()
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

    rng = np.random.default_rng([seed, rank])
    start, shown = time.time(), 0
    for step in range(steps):
        at = rng.choice(usable, 128 // together, p=share)
        outs = logits_of(to_pixels(all_pictures[at], rng))
        loss = sum(
            (3 if "shape" in names[i] else 1) * F.cross_entropy(out, targets[at, i], ignore_index=-1)
            for i, out in enumerate(outs)
            if (targets[at, i] >= 0).any()
        )
        loss.backward()
        (mean,) = advance(optimizers, step, step / steps, 200, (loss.item(),))
        if step * 10 // steps > shown:
            shown = step * 10 // steps
            say(f"tower {shown}0% loss {mean:.3f} {step / (time.time() - start):.1f} steps/s")
    with torch.no_grad():
        outs = logits_of(to_pixels(all_pictures[held]))
    for i, name in enumerate(names):
        known = targets[held, i] >= 0
        right = (outs[i].argmax(-1) == targets[held, i])[known].float().mean().item()
        say(f"  {name:12s} {right:.3f} (chance {1 / len(values[name]):.2f})")


# The whole ----------------------------------------------------------------------------------------------------------


def make_tokenizer(labels: dict, seed: int, count: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE over `count` texts of the built-in world, so that any other text can be encoded as well."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rng, material = Random(seed), Material(labels, seed)
    world = material.world
    corpus = []
    for _ in range(count * 3 // 7):
        skill = rng.choices(list(SPEAKING), list(SPEAKING.values()))[0]
        _, turns = SKILLS[skill](rng, material, 0.0)
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
    return wrapped(tokenizer)


def wrapped(backend) -> PreTrainedTokenizerFast:
    """Return the tokenizer of transformers around one of tokenizers."""
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=[AddedToken("<image>", special=True, normalized=False)],
        model_max_length=2048,
        padding_side="left",
    )


def words_of(folder: Path | str) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a model by itself: it knows nothing of the model's processor."""
    return wrapped(PreTrainedTokenizerFast.from_pretrained(folder).backend_tokenizer)


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


def begin(folder: Path | str, seed: int):
    """Prepare the process for training, and return the model of a folder and its tokenizer."""
    torch.set_num_threads(1)  # two threads wait for each other longer than they compute
    # oneDNN makes code for each shape of a product and keeps it: by default for 1,024 shapes, fewer than occur here.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
    torch.manual_seed(seed)
    # In bfloat16 where the processor has instructions for it (AMX), in float32 elsewhere.
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    # Of sequences this short the plain attention's backward pass takes half the time of the fused one's on a CPU; compiled,
    # a layer takes two thirds.
    model = LlavaForConditionalGeneration.from_pretrained(folder, attn_implementation="eager")
    for layer in (*model.model.language_model.layers, *model.model.vision_tower.encoder.layers):
        layer.compile(dynamic=True)
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


def save(model, tokenizer, folder: Path) -> None:
    """Write the model and its processor, by the first process. The others wait."""
    if is_first():
        attention = model.config._attn_implementation
        model.set_attn_implementation("sdpa")
        model.generation_config.do_sample = False
        model.save_pretrained(folder)
        make_processor(tokenizer).save_pretrained(folder)
        model.set_attn_implementation(attention)
    if processes()[1] > 1:
        distributed.barrier()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, help="folder of a model whose tower to go on with")
    parser.add_argument("--texts", type=int, default=14_000, help="from which the words are learned")
    parser.add_argument("--tower-steps", type=int, default=8000, help="of 128 pictures, by attributes")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    pictures, labels = load_pool(options.pool)
    if not options.model:
        torch.manual_seed(options.seed)
        tokenizer = make_tokenizer(labels, options.seed, options.texts)
        save(make_model(tokenizer), tokenizer, options.out)
    model, tokenizer = begin(options.model or options.out, options.seed)
    size = sum(p.numel() for p in model.parameters()) / 1e6
    say(f"{size:.2f} M parameters, {len(tokenizer)} words")
    train_tower(model.model.vision_tower, pictures, labels, options.tower_steps, options.seed)
    save(model, tokenizer, options.out)
    say(f"saved to {options.out}")
    leave()


if __name__ == "__main__":
    main()
