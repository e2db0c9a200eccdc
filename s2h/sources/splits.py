"""The two splits of a source, `train` and `heldout`, which never share an image, a person or a family. A dataset with own
parts for training and validation keeps them; otherwise one picture in ten is held out, by the hash of its name."""

from __future__ import annotations

import os
from collections import Counter

from s2h import seeds

HELD_OUT = 10
FOLDERS = {"train": ("train", "training"), "heldout": ("val", "validation", "valid", "test", "testing")}


def belongs(kind: str, name: str, split: str) -> bool:
    """Tell whether a picture (or a family) belongs to a split, by its name."""
    return (seeds.seed_of(f"{kind} split", name) % HELD_OUT == 0) == (split == "heldout")


def in_split(kind: str, name: str, split: str | None, excluded: Counter[str], what: str = "") -> bool:
    """Tell whether a name belongs to the split, and count it in `excluded` if it does not. With split None every name does,
    for a dataset that has its own part for each split. kind: of the source. what: a word before the reason, such as
    "families "."""
    here = split is None or belongs(kind, name, split)
    if not here:
        excluded[f"{what}not in the {split} split"] += 1
    return here


def split_folder(root: str, split: str) -> tuple[str, bool]:
    """Return the folder of a split, and whether the dataset has one for each split (`train/` and `val/`)."""
    found = {
        name: next((folder for folder in folders if os.path.isdir(os.path.join(root, folder))), None)
        for name, folders in FOLDERS.items()
    }
    train, held = found["train"], found["heldout"]
    if train and held:
        return os.path.join(root, held if split == "heldout" else train), True
    only = train or held
    return (os.path.join(root, only) if only else root), False
