"""TSKinFace: `TSKinFace_cropped/{FMS,FMD,FMSD}/{FMS|FMD}-<id>-{F,M,S,D}.jpg`: father, mother and son or daughter, or
both. Ids recur across folders, so a family is (folder, id).

    s2h-gen kinship --source TSKinFace/ -n 1000
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict

from s2h.sources import SourceError, files, in_split
from s2h.sources.people import Album, Person

FOLDERS = ("FMS", "FMD", "FMSD")
_NAME = re.compile(r"(FMSD|FMS|FMD)-(\d+)-([FMSD])\.\w+", re.IGNORECASE)
SEX = {"F": "male", "M": "female", "S": "male", "D": "female"}


def looks_like(root: str) -> bool:
    return bool(_root(root))


def _root(root: str) -> str:
    for folder in (
        root,
        os.path.join(root, "TSKinFace_cropped"),
        os.path.join(root, "TSKinFace", "TSKinFace_cropped"),
    ):
        if any(os.path.isdir(os.path.join(folder, name)) for name in FOLDERS):
            return folder
    return ""


def read(path: str, *, spec: str, split: str = "train") -> Album:
    """The people of a TSKinFace folder; raises SourceError where nothing can be used."""
    root, unused = _root(path) if os.path.isdir(path) else "", Counter()
    if not root:
        raise SourceError(f"source {spec!r}: no FMS or FMD there")
    root = os.path.abspath(root)
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for folder in FOLDERS:
        below = os.path.join(root, folder)
        for name in files.pictures(below, unused) if os.path.isdir(below) else ():
            match = _NAME.fullmatch(os.path.basename(name))
            if match:
                groups[folder, match[2]][match[3].upper()] = os.path.join(folder, name)
            else:
                unused["a name of another form"] += 1
    people: dict[str, Person] = {}
    relatives = []
    for (folder, number), members in sorted(groups.items()):
        family = f"{folder}-{number}"
        children = [member for member in "SD" if member in members]
        if not children or not {"F", "M"} & set(members):
            unused["a group without a parent or a child"] += 1
            continue
        if not in_split("tskinface", family, split, unused, what="families "):
            continue
        for member, name in members.items():
            generation = "younger" if member in "SD" else "elder"
            people[f"{family}-{member}"] = Person(
                f"{family}-{member}", family, SEX[member], generation, (name,)
            )
        relatives += [
            (f"{family}-{p}", "parent", f"{family}-{c}") for p in "FM" if p in members for c in children
        ]
        relatives += [(f"{family}-S", "sibling", f"{family}-D")] if len(children) == 2 else []
    return Album(spec, root, people, relatives, unused)
