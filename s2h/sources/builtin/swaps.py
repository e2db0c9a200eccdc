"""Change one attribute: labels that differ from those of an image in a single place and keep the concept of the prompt."""

from __future__ import annotations

from copy import deepcopy
from random import Random

from s2h.errors import NoPair
from s2h.sources.builtin import families, scenes


def _another(rng: Random, values: tuple, value: object) -> object:
    return rng.choice([v for v in values if v != value])


def swap(rng: Random, labels: dict, concept: str) -> dict:
    """Return the labels with one attribute exchanged that is visible and always mentioned in captions: count or colour of a
    group (never the concept's own colour), or the hair of a face.

    Swapped labels are as usual as true ones: where the new labels are rarer in scenes than the old ones, as one small
    object is beside one large, the swap is given up (NoPair) as often as that takes, so that a caption's words don't tell.
    """
    new = deepcopy(labels)
    if labels["kind"] == "face":
        trait = rng.choice(("hair", "texture"))
        new[trait] = _another(rng, families.TRAITS[trait], labels[trait])
        return new
    at = rng.randrange(len(new["groups"]))
    group, old = new["groups"][at], labels["groups"][at]
    fixed = concept.endswith(f"{group['colour']} {group['shape']}")
    if fixed or rng.random() < 0.5:
        group["count"] = _another(rng, tuple(range(1, scenes.MOST + 1)), group["count"])
        there, here = (scenes.chance_of_size(g["size"], g["count"], len(new["groups"])) for g in (group, old))
        if rng.random() * here >= there:
            raise NoPair("a swap that words would tell")
    else:
        taken = {g["colour"] for g in new["groups"]}
        group["colour"] = rng.choice([c for c in scenes.COLOURS if c not in taken])
    return new
