"""KinFaceW-I and -II: `images/{father-dau,father-son,mother-dau,mother-son}/{fd,fs,md,ms}_NNN_{1,2}.jpg`, the parent 1
and the child 2, and `meta_data/{fd,...}_pairs.mat`, which says of each pair whether it is kin. The folder may be nested in
another of the same name.

    s2h-gen kinship --source KinFaceW-II/ -n 1000

In KinFaceW-II parent and child were cropped from one photograph, so their background gives them away as kin. `s2h-filter
--audit` measures by how much."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import Any

from s2h.escape import terminal
from s2h.sources import picture_folders, symlinks
from s2h.sources.items import SourceError
from s2h.sources.kinship_people import People, Person
from s2h.sources.shapes import PEOPLE
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

FOLDERS = {"father-dau": "fd", "father-son": "fs", "mother-dau": "md", "mother-son": "ms"}
_NAME = re.compile(r"(fd|fs|md|ms)_(\d+)_([12])\.\w+", re.IGNORECASE)


def looks_like(root: str) -> bool:
    return bool(_root(root, 1))


def _root(root: str, deep: int = 2) -> str:
    """Return the folder that holds `images/father-dau`, at most `deep` levels down; "" if there is none."""
    below = [root]
    for level in range(deep + 1):
        for folder in below:
            if any(os.path.isdir(os.path.join(folder, "images", name)) for name in FOLDERS):
                return folder
        below = [os.path.join(f, name) for f in below if level < deep for name in picture_folders.folders(f)]
    return ""


def read(request: Request) -> People:
    """Open a KinFaceW folder. Raises SourceError if no pair can be used."""
    root = _root(request.path) if os.path.isdir(request.path) else ""
    if not root:
        raise request.error("no images/father-dau and so on there")
    excluded: Counter[str] = Counter()
    root = os.path.abspath(root)
    pictures: dict[tuple[str, str], dict[str, str]] = {}
    for folder in FOLDERS:
        below = os.path.join(root, "images", folder)
        for name in picture_folders.pictures(below, excluded) if os.path.isdir(below) else ():
            match = _NAME.fullmatch(os.path.basename(name))
            if match:
                kind, number, which = match.groups()
                pictures.setdefault((kind.lower(), number), {})[which] = os.path.join("images", folder, name)
            else:
                excluded["a name of another form"] += 1
    known: dict[str, set[tuple[str, str]] | None] = {}
    faults: dict[str, str] = {}
    for kind in FOLDERS.values():
        try:
            known[kind] = _read_meta(os.path.join(root, "meta_data", f"{kind}_pairs.mat"))
        except SourceError as fault:
            faults[kind] = fault.message
    if faults and not any(known.values()):
        raise SourceError(next(iter(faults.values())))
    people: dict[str, Person] = {}
    relatives: list[tuple[str, str, str]] = []
    for (kind, number), both in sorted(pictures.items()):
        family = f"{kind}_{number}"
        if len(both) < 2:
            excluded["a pair without its other half"] += 1
        elif kind in faults:
            excluded[f"a pair of a list that can't be read ({terminal(faults[kind])})"] += 1
        elif (kin := known[kind]) is not None and (
            os.path.basename(both["1"]),
            os.path.basename(both["2"]),
        ) not in kin:
            excluded["not kin by meta_data"] += 1
        elif in_split("kinfacew", family, request.split, excluded, what="families "):
            parent = "male" if kind[0] == "f" else "female"
            child = "male" if kind[1] == "s" else "female"
            for which, sex, generation in (("1", parent, "elder"), ("2", child, "younger")):
                key = f"{family}_{which}"
                people[key] = Person(key, family, sex, generation, (both[which],))
            relatives.append((f"{family}_1", "parent", f"{family}_2"))
    return People(request.spec, root, people, relatives, excluded)


def _read_meta(path: str) -> set[tuple[str, str]] | None:
    """Return the pairs of file names that a .mat file lists as kin, None if there is no such file. Raises SourceError."""
    if not os.path.isfile(path):
        return None
    if symlinks.refused(path):
        raise SourceError(f"{path}: {symlinks.REFUSED}")
    from scipy.io import loadmat

    try:
        pairs = loadmat(path, variable_names=["pairs"])["pairs"]
        return {(_text(row[2]), _text(row[3])) for row in pairs if int(_number(row[1])) == 1}
    except Exception as error:  # scipy raises errors of many types for a damaged file
        raise SourceError(f"{path}: no list of pairs can be read: {error} (copy it anew)") from error


def _text(cell: Any) -> str:
    while not isinstance(cell, str):
        cell = cell[0]
    return str(cell)


def _number(cell: object) -> float:
    import numpy as np

    return float(np.asarray(cell).ravel()[0])


SOURCE = Source(
    title="KinFaceW-I and -II: parents and children in pairs",
    read=read,
    serves=(PEOPLE,),
    looks_like=looks_like,
    priority=50,
)
