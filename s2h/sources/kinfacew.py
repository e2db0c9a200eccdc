"""KinFaceW-I and -II: `images/{father-dau,father-son,mother-dau,mother-son}/{fd,fs,md,ms}_NNN_{1,2}.jpg`, the parent 1
and the child 2, and `meta_data/{fd,…}_pairs.mat`, which says of each pair whether it is kin. A doubled root folder is
looked into.

    s2h-gen kinship --source KinFaceW-II/ -n 1000

In KinFaceW-II parent and child were cut from one photograph, so that the background tells; `s2h-filter --audit` measures it.
"""

from __future__ import annotations

import os
import re
from collections import Counter

from s2h.sources import SourceError, files, in_split, links
from s2h.sources.people import Album, Person

FOLDERS = {"father-dau": "fd", "father-son": "fs", "mother-dau": "md", "mother-son": "ms"}
_NAME = re.compile(r"(fd|fs|md|ms)_(\d+)_([12])\.\w+", re.IGNORECASE)


def looks_like(root: str) -> bool:
    return bool(_root(root, 1))


def _root(root: str, deep: int = 2) -> str:
    """The folder with `images/father-dau` in it, at most `deep` folders down; "" where there is none."""
    below = [root]
    for level in range(deep + 1):
        for folder in below:
            if any(os.path.isdir(os.path.join(folder, "images", name)) for name in FOLDERS):
                return folder
        below = [os.path.join(f, name) for f in below if level < deep for name in files.folders(f)]
    return ""


def read(path: str, *, spec: str, split: str = "train") -> Album:
    """The people of a KinFaceW folder; raises SourceError where nothing can be used."""
    root, unused = _root(path) if os.path.isdir(path) else "", Counter()
    if not root:
        raise SourceError(f"source {spec!r}: no images/father-dau and so on there")
    root = os.path.abspath(root)
    pictures: dict[tuple[str, str], dict[str, str]] = {}
    for folder in FOLDERS:
        below = os.path.join(root, "images", folder)
        for name in files.pictures(below, unused) if os.path.isdir(below) else ():
            match = _NAME.fullmatch(os.path.basename(name))
            if match:
                kind, number, which = match.groups()
                pictures.setdefault((kind.lower(), number), {})[which] = os.path.join("images", folder, name)
            else:
                unused["a name of another form"] += 1
    known, faults = {}, {}
    for kind in FOLDERS.values():
        try:
            known[kind] = _read_meta(os.path.join(root, "meta_data", f"{kind}_pairs.mat"))
        except SourceError as fault:
            faults[kind] = fault.message
    if faults and not any(known.values()):
        raise SourceError(next(iter(faults.values())))
    people: dict[str, Person] = {}
    relatives = []
    for (kind, number), both in sorted(pictures.items()):
        family = f"{kind}_{number}"
        if len(both) < 2:
            unused["a pair without its other half"] += 1
        elif kind in faults:
            unused[f"a pair of a list that can't be read ({files.printable(faults[kind])})"] += 1
        elif (
            known[kind] is not None
            and tuple(map(os.path.basename, (both["1"], both["2"]))) not in known[kind]
        ):
            unused["not kin by meta_data"] += 1
        elif in_split("kinfacew", family, split, unused, what="families "):
            parent = "male" if kind[0] == "f" else "female"
            child = "male" if kind[1] == "s" else "female"
            for which, sex, generation in (("1", parent, "elder"), ("2", child, "younger")):
                key = f"{family}_{which}"
                people[key] = Person(key, family, sex, generation, (both[which],))
            relatives.append((f"{family}_1", "parent", f"{family}_2"))
    return Album(spec, root, people, relatives, unused)


def _read_meta(path: str) -> set[tuple[str, str]] | None:
    """The pairs that a file of KinFaceW lists as kin; None where there is no file."""
    if not os.path.isfile(path):
        return None
    if links.refused(path):
        raise SourceError(f"{path}: {links.REFUSED}")
    from scipy.io import loadmat

    try:
        pairs = loadmat(path, variable_names=["pairs"])["pairs"]
        return {(_text(row[2]), _text(row[3])) for row in pairs if int(_number(row[1])) == 1}
    except Exception as error:  # scipy raises whatever a damaged file makes it stumble over
        raise SourceError(f"{path}: no list of pairs can be read: {error} (copy it anew)") from error


def _text(cell: object) -> str:
    while not isinstance(cell, str):
        cell = cell[0]
    return str(cell)


def _number(cell: object) -> float:
    import numpy as np

    return float(np.asarray(cell).ravel()[0])
