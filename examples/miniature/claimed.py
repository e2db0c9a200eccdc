"""What the miniature CLIP is taught of an image: claims that are true of it and claims that are nearly true, in the forms
that pairs have, and a table that tells for a whole batch which claim is true of which image. The words are those of
s2h/sources/builtin/words.py, so that what is taught is what is asked later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

import numpy as np

from s2h.sources import NoPair
from s2h.sources.builtin import claims, families, scenes, swaps, words

WIDTH = 12 * 7 + 2 + 2 + 11  # columns: shapes, kind and background, digits, faces


def claims_of(labels: dict, rng: Random) -> tuple[str, str]:
    """A claim that is true of an image and one that is false and as close as can be, both in one form that pairs have, so
    that the form alone tells nothing."""
    draw = rng.random()
    if draw < 0.04:
        if draw < 0.01:
            return "a picture", f"There is no Image {rng.randint(1, 8)}."
        return words.caption(labels, rng), rng.choice(words.GENERIC[labels["kind"]])
    if draw < 0.08:
        return _swapped(labels, rng, lambda said: words.caption(said, rng))
    if labels["kind"] == "digit" or draw < 0.5:
        question = rng.choice(words.questions(labels))
        return question.statement(question.answer), question.statement(rng.choice(question.wrong))
    if labels["kind"] == "face":
        if draw < 0.58:
            noun = words.noun_of(labels)
            return words.face_of(noun), words.face_of(rng.choice([n for n in words.PEOPLE if n != noun]))
        return _swapped(labels, rng, words.describe if draw < 0.8 else _looks)
    if draw < 0.65:
        return _swapped(labels, rng, words.describe)
    group = rng.choice(labels["groups"])
    if draw < 0.85:
        count = rng.choice([n for n in range(1, scenes.MOST + 1) if n != group["count"]])
        return counted(group["shape"], group["count"]), counted(group["shape"], count)
    there = {g["shape"] for g in labels["groups"]}
    shape = rng.choice([s for s in scenes.SHAPES if s not in there])
    if draw < 0.93:
        return containing(group["shape"]), containing(shape)
    if rng.random() < 0.6:
        colour = rng.choice([c for c in scenes.COLOURS if c != group["colour"]])
        return containing(group["shape"], group["colour"]), containing(group["shape"], colour)
    return containing(group["shape"], group["colour"]), containing(shape, group["colour"])


def _looks(labels: dict) -> str:
    return f"the face of {words.look(labels)}"


def _swapped(labels: dict, rng: Random, say: Callable[[dict], str]) -> tuple[str, str]:
    """What is said of an image, and the same of one that differs in one attribute which was said."""
    while True:
        false = say(swap_any(rng, labels))
        if not claims.fits(false, labels):
            return say(labels), false


def counted(shape: str, count: int) -> str:
    many = f"{words.COUNTS[count]} {words.shape_word(shape, count)}"
    return f"a picture of {words.with_article(shape) if count == 1 else many}"


def containing(shape: str, colour: str = "") -> str:
    return f"an image containing {words.with_article(f'{colour} {shape}'.strip())}"


def swap_any(rng: Random, labels: dict) -> dict:
    """One attribute wrong."""
    new = json.loads(json.dumps(labels))
    if labels["kind"] == "digit":
        new["value"] = rng.choice([v for v in range(10) if v != labels["value"]])
    elif labels["kind"] == "face" and rng.random() < 0.35:
        noun = rng.choice([n for n in words.PEOPLE if n != words.noun_of(labels)])
        new["sex"], new["age"] = words.PEOPLE[noun]
    elif labels["kind"] == "face":
        trait = rng.choice(("hair", "texture", "skin", "eyes"))
        new[trait] = rng.choice([v for v in families.TRAITS[trait] if v != labels[trait]])
    elif rng.random() < 0.3:
        group = rng.choice(new["groups"])
        group["shape"] = rng.choice(
            [s for s in scenes.SHAPES if s not in {g["shape"] for g in new["groups"]}]
        )
    else:
        while True:
            try:
                return swaps.swap(rng, labels, "nothing at all")
            except NoPair:
                continue
    return new


class Truth:
    """Which claims are true of which images, for whole batches: labels and claims become rows of small numbers, in which a
    claim leaves open (-1) what it doesn't name."""

    def __init__(self) -> None:
        self.columns: dict[tuple, int] = {}
        self.values: dict[object, int] = {}
        for kind in ("scene", "face", "digit"):
            self.values[kind] = len(self.values)

    def of_labels(self, labels: dict) -> np.ndarray:
        row = np.full(WIDTH, -2, dtype=np.int16)
        for name, value in self._facts(labels):
            row[self._column(name)] = self._value(value)
        return row

    def of_claim(self, text: str) -> np.ndarray:
        row = np.full(WIDTH, -1, dtype=np.int16)
        for name, value in self._facts(claims.read(text) or {}):
            row[self._column(name)] = self._value(value)
        return row

    def _column(self, name: tuple) -> int:
        return self.columns.setdefault(name, len(self.columns))

    def _value(self, value: object) -> int:
        return self.values.setdefault(value, len(self.values))

    def _facts(self, labels: dict) -> Iterator[tuple[tuple, object]]:
        for name, value in labels.items():
            if name == "hand":
                yield (name,), "printed" if value == "printed" else "written"
            elif name != "groups":
                yield (name,), value
        for group in labels.get("groups", ()):
            yield (group["shape"],), "there"
            for name, value in group.items():
                yield (group["shape"], name), value
            if group.get("count", 1) > 1 and "several" not in group:
                yield (group["shape"], "several"), True
