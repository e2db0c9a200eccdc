"""TSKinFace: `TSKinFace_cropped/{FMS,FMD,FMSD}/{FMS|FMD}-<id>-{F,M,S,D}.jpg` shows father, mother, and a son, a daughter or
both. The folders repeat ids, so a family is (folder, id).

    s2h-gen kinship --source TSKinFace/ -n 1000
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict

from s2h.sources import picture_folders
from s2h.sources.kinship_people import People, Person
from s2h.sources.shapes import PEOPLE
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

FOLDERS = ("FMS", "FMD", "FMSD")
_NAME = re.compile(r"(FMSD|FMS|FMD)-(\d+)-([FMSD])\.\w+", re.IGNORECASE)
SEX = {"F": "male", "M": "female", "S": "male", "D": "female"}


def looks_like(root: str) -> bool:
    return bool(_root(root))


def _root(root: str) -> str:
    """Return the folder that holds FMS, FMD or FMSD, "" if there is none."""
    for folder in (
        root,
        os.path.join(root, "TSKinFace_cropped"),
        os.path.join(root, "TSKinFace", "TSKinFace_cropped"),
    ):
        if any(os.path.isdir(os.path.join(folder, name)) for name in FOLDERS):
            return folder
    return ""


def read(request: Request) -> People:
    """Open a TSKinFace folder. Raises SourceError if no family can be used."""
    root = _root(request.path) if os.path.isdir(request.path) else ""
    if not root:
        raise request.error("no FMS or FMD there")
    excluded: Counter[str] = Counter()
    root = os.path.abspath(root)
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for folder in FOLDERS:
        below = os.path.join(root, folder)
        for name in picture_folders.pictures(below, excluded) if os.path.isdir(below) else ():
            match = _NAME.fullmatch(os.path.basename(name))
            if match:
                groups[folder, match[2]][match[3].upper()] = os.path.join(folder, name)
            else:
                excluded["a name of another form"] += 1
    people: dict[str, Person] = {}
    relatives: list[tuple[str, str, str]] = []
    for (folder, number), members in sorted(groups.items()):
        family = f"{folder}-{number}"
        children = [member for member in "SD" if member in members]
        if not children or not {"F", "M"} & set(members):
            excluded["a group without a parent or a child"] += 1
            continue
        if not in_split("tskinface", family, request.split, excluded, what="families "):
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
    return People(request.spec, root, people, relatives, excluded)


SOURCE = Source(
    title="TSKinFace: families of three or four",
    read=read,
    serves=(PEOPLE,),
    looks_like=looks_like,
    priority=60,
)
