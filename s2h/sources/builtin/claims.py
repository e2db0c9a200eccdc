"""Read the claims about built-in images back: `read` turns a claim into labels, of which it gives only those that the claim
names, and `fits` says whether a claim is true of an image. `words` writes the claims; the benchmark of mini-clip's
calibration and its training use both."""

from __future__ import annotations

import re
from functools import lru_cache

from s2h.sources.builtin import families, scenes, words

_WORD = re.compile(r"[a-z0-9]+")
_COUNTS = {**{word: n for n, word in enumerate(words.COUNTS)}, "a": 1, "an": 1}
_SEXES = {"girl": "female", "woman": "female", "boy": "male", "man": "male"}
_HEADS = {noun: trait for trait, noun in words.TRAIT_NOUNS.items()}
_DENIAL = re.compile(r"there is no\b")


def fits(text: str, labels: dict) -> bool | None:
    """Tell whether a claim is true of an image with these labels; None for a claim that names nothing ("a picture")."""
    claim = read(text)
    if claim is None:
        return False if _DENIAL.match(text.lower()) else None
    if claim["kind"] != labels["kind"]:
        return False
    if claim["kind"] != "scene":
        return _same_hand(claim, labels) and all(
            labels[name] == value for name, value in claim.items() if name != "hand"
        )
    there = {group["shape"]: group for group in labels["groups"]}
    if claim.get("background", labels["background"]) != labels["background"]:
        return False
    return all(
        group["shape"] in there and all(_matches(there[group["shape"]], *item) for item in group.items())
        for group in claim["groups"]
    )


def _matches(group: dict, name: str, value: object) -> bool:
    return group["count"] > 1 if name == "several" else group[name] == value


def _same_hand(claim: dict, labels: dict) -> bool:
    return "hand" not in claim or (claim["hand"] == "printed") == (labels["hand"] == "printed")


@lru_cache(16384)
def read(text: str) -> dict | None:
    """Return the labels that a claim names, in the form of an image's labels; None where it names none. A group may have
    `several`, which means more than one, in place of its `count`."""
    found = _WORD.findall(text.lower())
    if "digit" in found:
        return _digit(found)
    if ("face" in found and "of" in found) or any(word in _SEXES for word in found):
        return _face(found)
    return _scene(found)


def _digit(found: list[str]) -> dict | None:
    claim: dict = {"kind": "digit"}
    for word in found:
        if word.isdigit():
            claim["value"] = int(word)
        elif word in ("printed", "handwritten"):
            claim["hand"] = word.removeprefix("hand")
    return claim if len(claim) > 1 else None


def _face(found: list[str]) -> dict | None:
    claim: dict = {"kind": "face"}
    for noun in found:
        if noun in _SEXES:
            claim["sex"], claim["age"] = words.PEOPLE[f"old {noun}" if "old" in found else noun]
    adjectives: list[str] = []
    for word in found:
        if word in ("with", "without", "and"):
            adjectives = ["no"] if word == "without" else []
        elif word == "freckles":
            claim["freckles"] = "none" if "no" in adjectives else "freckled"
        elif word in _HEADS:
            trait = _HEADS[word]
            for value in adjectives:
                if value in families.TRAITS[trait]:
                    claim[trait] = value
                elif trait == "hair" and value in families.TRAITS["texture"]:
                    claim["texture"] = value
        else:
            adjectives.append(word)
    return claim if len(claim) > 1 else None


def _scene(found: list[str]) -> dict | None:
    claim: dict = {"kind": "scene", "groups": []}
    pending: dict = {}
    above = False
    for i, word in enumerate(found):
        if found[i + 1 : i + 2] == ["background"] and word in scenes.BACKGROUNDS:
            claim["background"] = word
        elif word in _COUNTS:
            pending = {} if i and found[i - 1] == "containing" else {"count": _COUNTS[word]}
        elif word in scenes.SIZES:
            pending["size"] = word
        elif word in scenes.COLOURS:
            pending["colour"] = word
        elif word in scenes.SHAPES or word in words.SINGULAR:
            # "fish" is one and several.
            several = "count" not in pending and word not in scenes.SHAPES
            named = {**pending, **({"several": True} if several else {})}
            claim["groups"].append({**named, "shape": words.SINGULAR.get(word, word)})
            pending = {}
        elif word in words.PLACE_WORDS and claim["groups"]:
            claim["groups"][-1]["place"] = word
        elif word == "above" and claim["groups"]:
            claim["groups"][-1]["place"], above = "top", True
        else:
            pending = {}
    if above and len(claim["groups"]) > 1:
        claim["groups"][1]["place"] = "bottom"
    return claim if claim["groups"] or "background" in claim else None
