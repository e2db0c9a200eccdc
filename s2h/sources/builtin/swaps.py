"""One attribute told wrongly: labels that differ from an image's in a single place and keep the concept of the prompt."""

from __future__ import annotations

from copy import deepcopy
from random import Random

from s2h.sources.builtin import families, scenes


def _another(rng: Random, values: tuple, value: object) -> object:
    return rng.choice([v for v in values if v != value])


def swap(rng: Random, labels: dict, concept: str) -> dict:
    """A copy of the labels with one visible attribute exchanged that captions always mention: count or colour of a
    group (never the concept's own colour), or the hair of a face."""
    new = deepcopy(labels)
    if labels["kind"] == "face":
        trait = rng.choice(("hair", "texture"))
        new[trait] = _another(rng, families.TRAITS[trait], labels[trait])
        return new
    group = rng.choice(new["groups"])
    fixed = concept.endswith(f"{group['colour']} {group['shape']}")
    if fixed or rng.random() < 0.5:
        group["count"] = _another(rng, (1, 2, 3, 4), group["count"])
    else:
        taken = {g["colour"] for g in new["groups"]}
        group["colour"] = rng.choice([c for c in scenes.COLOURS if c not in taken])
    return new
