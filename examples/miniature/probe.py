"""Ask a miniature VLM for each skill of the course, over pictures of a pool that no lesson has used.

    python examples/miniature/probe.py POOL MODEL [-n 100]

It prints for each skill the share of answers that are right word for word: with all images told in words, with some of them
told, and with all of them shown. Make the pool with another seed than the lessons' (pool.py --seed).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from course import TOKENS, batch_of, features_of, logits_of
from lessons import DESCRIBE_ALL, PoolWorld, level_1, with_images
from people import kin, older, parentage
from skills import Material
from steps import in_batches
from sums import read, reckon
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast
from vlm import encode, load_pool

from s2h.sources.builtin import words
from s2h.tasks.arithmetic import OPERATIONS

TOLD = {"told": 1.0, "half": 0.5, "shown": 0.0}


def questions() -> dict[str, Callable]:
    """Return what makes a lesson of a skill: (random generator, material, how likely an image is told, whether none is)."""
    found: dict[str, Callable] = {
        "which is older": lambda rng, m, told, shown: older(rng, m.crowd, told, all_shown=shown),
        "yes/no, all kinds": lambda rng, m, told, shown: parentage(rng, m.crowd, told, all_shown=shown),
    }
    for form in ("are-kin", "is-elder", "which-elder", "find-elder", "find-younger"):
        found[form] = lambda rng, m, told, shown, form=form: kin(rng, m.crowd, told, (form,), all_shown=shown)
    found["kinship, working"] = lambda rng, m, told, shown: kin(
        rng, m.crowd, told, most=4, all_shown=shown, working=1.0
    )
    found["read digits"] = lambda rng, m, told, shown: read(rng, m.digits, told)
    for name in OPERATIONS:
        found[name] = lambda rng, m, told, shown, name=name: reckon(
            rng, m.digits, told, (name,), all_shown=shown, working=0.0
        )
    found["digits, working"] = lambda rng, m, told, shown: reckon(
        rng, m.digits, told, all_shown=shown, working=1.0
    )
    return found


def described(rng: Random, pictures: PoolWorld, count: int) -> tuple[list, list]:
    """Return a lesson that describes `count` scenes, one sentence for each."""
    items = [pictures.scene(rng) for _ in range(count)]
    said = " ".join(f"Image {k} shows {words.look(item.labels)}." for k, item in enumerate(items, 1))
    return items, with_images(count, [(DESCRIBE_ALL[0], said)], indexed=rng.random() < 0.5)


@torch.no_grad()
def exact(model, tokenizer, features: dict, drawn: list, *, sentences: bool = False) -> float:
    """Return the share of answers, or of their sentences, whose every token is the likeliest one."""
    right = total = 0
    stop = tokenizer.convert_tokens_to_ids(".") if sentences else None
    encoded = [(items, *encode(tokenizer, items, turns)) for items, turns in drawn]
    for rows in in_batches(encoded, TOKENS, Random(0)):
        ids, target, pictures = batch_of(rows, features)
        logits, wanted = logits_of(model, ids, target, pictures)
        asked = target[:, 1:] != -100
        missed = torch.zeros_like(asked)
        missed[asked] = logits.argmax(-1) != wanted
        for row_asked, row_missed, row in zip(F.pad(asked, (1, 1)), missed, target[:, 1:], strict=True):
            edges = (row_asked[1:] != row_asked[:-1]).nonzero()[:, 0].tolist()
            for first, last in zip(edges[::2], edges[1::2], strict=True):
                # The token after the last stop ends the answer.
                ends = [at + 1 for at in range(first, last - 2) if row[at] == stop]
                for begin, end in zip([first, *ends], [*ends, last], strict=True):
                    right += not row_missed[begin:end].any()
                    total += 1
    return right / max(1, total)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pool", type=Path)
    parser.add_argument("model")
    parser.add_argument("-n", type=int, default=100, help="lessons of each skill, of one question or more")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures, labels = load_pool(options.pool)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.model)
    model = LlavaForConditionalGeneration.from_pretrained(options.model, attn_implementation="eager").eval()
    features, material, rng = features_of(model, pictures, 0), Material(labels, 0), Random(0)
    print(f"{'':22s}" + "".join(f"{name:>8s}" for name in TOLD))
    for name, make in questions().items():
        shares = [
            exact(
                model, tokenizer, features, [make(rng, material, told, told == 0) for _ in range(options.n)]
            )
            for told in TOLD.values()
        ]
        print(f"{name:22s}" + "".join(f"{100 * share:8.0f}" for share in shares), flush=True)
    seen = exact(model, tokenizer, features, [level_1(rng, material.pictures) for _ in range(options.n)])
    print(f"{'level 1':22s}" + " " * 16 + f"{100 * seen:8.0f}")
    for count, name in enumerate(("captions of two scenes", "of three", "of four", "of five"), 2):
        drawn = [described(rng, material.pictures, count) for _ in range(options.n)]
        seen = exact(model, tokenizer, features, drawn, sentences=True)
        print(f"{name:22s}" + " " * 16 + f"{100 * seen:8.0f}", flush=True)


if __name__ == "__main__":
    main()
