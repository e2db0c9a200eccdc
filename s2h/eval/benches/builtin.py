"""Held-out questions of the built-in world, of each level and about single images."""

from __future__ import annotations

from s2h.eval.benches import Bench, Questions
from s2h.eval.questions.pairs import SINGLE, question
from s2h.images.store import Store

# (category, task, level, images in a prompt)
PARTS = (
    ("vqa", "vqa", 1, (2, 5)),
    ("kinship", "kinship", 2, (2, 5)),
    ("arithmetic", "arithmetic", 2, (2, 5)),
    ("search", "search", 3, (2, 5)),
    (SINGLE, "vqa", SINGLE, (1, 1)),
)


def questions(count: int, seed: int, store: Store, size: int = 64) -> Questions:
    """Yield `count` questions of each part, from the split that is never used for training. Kinship asks about parents and
    search for captions, as in the paper. size: the longest side of an image, in pixels."""
    from s2h import tasks

    wishes = {"kinship": {"relations": {"parent": 1.0}}, "search": {"forms": {"caption": 1.0}}}
    for category, task, level, per_prompt in PARTS:
        for pair in tasks.generate(
            task,
            n=count,
            seed=seed,
            split="heldout",
            per_prompt=per_prompt,
            images=store,
            size=size,
            **wishes.get(task, {}),
        ):
            yield question(pair, bench="builtin", category=category, level=level)


BENCH = Bench(
    title="Built-in world",
    about="held-out questions, levels 1 to 3 and single images; needs no files",
    draw=questions,
    levels={category: level for category, _, level, _ in PARTS},
)
