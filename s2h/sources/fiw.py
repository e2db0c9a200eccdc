"""FIW (Families in the Wild): `FIDs/F####/MID#/P#####_face#.jpg`, and for each family `mid.csv` or `F####.csv`. That file
is a matrix with the relation of each row's member to each column's member: 1 child, 2 sibling, 3 grandchild, 4 parent, 5
spouse, 6 grandparent, 7 great-grandchild, 8 great-grandparent, 9 undecided; then name and gender. Relations whose inverse
disagrees and families whose matrix can't be read are left out.

    s2h-gen kinship --source FIDs/ -n 1000
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter

from s2h.sources import picture_folders, text_files
from s2h.sources.items import SourceError
from s2h.sources.kinship_people import People, Person
from s2h.sources.shapes import PEOPLE
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

RELATIONS = {2: "sibling", 4: "parent", 6: "grandparent"}
INVERSES = {1: 4, 2: 2, 3: 6, 4: 1, 5: 5, 6: 3, 7: 8, 8: 7}
_FAMILY, _MEMBER = re.compile(r"F\d{3,5}"), re.compile(r"MID(\d{1,9})", re.IGNORECASE)


def looks_like(root: str) -> bool:
    return bool(_root(root))


def _root(root: str) -> str:
    """Return the folder that holds the families, "" if there is none."""
    for folder in (root, *(os.path.join(root, name) for name in ("FIDs", "train-faces", "train"))):
        if os.path.isdir(folder) and any(map(_FAMILY.fullmatch, picture_folders.folders(folder))):
            return folder
    return ""


def read(request: Request) -> People:
    """Open FIW. Raises SourceError if no family can be used."""
    root = _root(request.path) if os.path.isdir(request.path) else ""
    if not root:
        raise request.error("no folders F0001 and so on there")
    root = os.path.abspath(root)
    excluded: Counter[str] = Counter()
    people: dict[str, Person] = {}
    relatives: list[tuple[str, str, str]] = []
    matrices = 0
    faults: list[str] = []
    for family in filter(_FAMILY.fullmatch, picture_folders.folders(root)):
        below = os.path.join(root, family)
        matrix = next(
            (p for n in ("mid.csv", f"{family}.csv") if os.path.isfile(p := os.path.join(below, n))), None
        )
        if matrix is None:
            excluded["families without a matrix"] += 1
            continue
        matrices += 1
        if in_split("fiw", family, request.split, excluded, what="families "):
            try:
                _add_family(root, family, matrix, people, relatives, excluded)
            except SourceError as fault:
                faults.append(fault.message)
    if faults:
        excluded[f"families whose matrix can't be read (first {faults[0]})"] = len(faults)
    if not matrices and os.path.isfile(os.path.join(os.path.dirname(root), "train_relationships.csv")):
        raise request.error(
            "train_relationships.csv says who is related but not how (FIW's own mid.csv files do)"
        )
    return People(request.spec, root, people, relatives, excluded)


def _add_family(
    root: str,
    family: str,
    matrix: str,
    people: dict[str, Person],
    relatives: list[tuple[str, str, str]],
    excluded: Counter[str],
) -> None:
    """Add the members of a family who have pictures to `people`, and their relations to `relatives`."""
    pictures: dict[int, list[str]] = {}
    for folder in sorted(os.listdir(os.path.join(root, family))):
        if match := _MEMBER.fullmatch(folder):
            below = os.path.join(root, family, folder)
            pictures[int(match[1])] = [
                os.path.join(family, folder, name) for name in picture_folders.pictures(below, excluded)
            ]
    cells, sexes = _matrix(matrix)
    held: dict[int, list[tuple[str, int]]] = {}
    for (one, other), code in sorted(cells.items()):
        if code not in RELATIONS or (code == 2 and one > other):
            continue
        if cells.get((other, one)) != INVERSES[code]:
            excluded["relations whose inverse disagrees"] += 1
        elif not pictures.get(one) or not pictures.get(other):
            excluded["relations of a member without pictures"] += 1
        else:
            held.setdefault(one, []).append((RELATIONS[code], other))
            held.setdefault(other, [])
    generations = {
        one: "elder"
        if any(r == "grandparent" for r, _ in known)
        else "middle"
        if any(r == "parent" for r, _ in known)
        else "younger"
        for one, known in held.items()
    }
    for one in held:
        key = f"{family}/MID{one}"
        people[key] = Person(key, family, sexes.get(one, ""), generations[one], tuple(pictures[one]))
    relatives += [(f"{family}/MID{a}", r, f"{family}/MID{b}") for a, known in held.items() for r, b in known]


def _matrix(path: str) -> tuple[dict[tuple[int, int], int], dict[int, str]]:
    """Return (row's member, column's member) -> code, and member -> sex. A header is optional. Raises SourceError."""
    try:  # names are in various encodings, and nothing depends on them
        cut = ([cell.strip() for cell in row] for row in csv.reader(text_files.lines(path, errors="replace")))
        rows = [row for row in cut if any(row)]
    except csv.Error as error:
        raise SourceError(f"{path}: not CSV: {error}") from error
    if not rows:
        raise SourceError(f"{path}: is empty (copy it anew)")
    # A header begins with a word or with 0; members are numbered from 1.
    header = rows[0] if _number(rows[0][0]) in (None, 0) else None
    body = rows[1:] if header else rows
    numbers = {at: _number(cell) for at, cell in enumerate(header or ()) if at}
    members = {at: number for at, number in numbers.items() if number}
    if not members:
        members = {at: at for at in range(1, len(body) + 1)}
    gender = next((at for at, cell in enumerate(header or ()) if cell.lower() == "gender"), None)
    cells: dict[tuple[int, int], int] = {}
    sexes: dict[int, str] = {}
    for number, row in enumerate(body, start=2 if header else 1):
        where = f"{path}:{number}"
        one = _number(row[0])
        if one is None:
            raise SourceError(f"{where}: {row[0]!r} is no member's number")
        for at, other in members.items():
            cell = row[at] if at < len(row) and row[at].lower() != "nan" else ""
            if cell and not re.fullmatch(r"\d(?:\.0)?", cell):
                raise SourceError(f"{where}: column {at + 1}: {cell!r} is no relation (0 to 9)")
            if cell and int(float(cell)) and one != other:
                cells[one, other] = int(float(cell))
        sex = row[gender] if gender is not None and gender < len(row) else row[-1]
        sexes[one] = {"f": "female", "m": "male"}.get(sex[:1].lower(), "")
    return cells, sexes


def _number(cell: str) -> int | None:
    """Return the number of a member, written 3, 3.0 or MID3; None if it is no number."""
    match = re.fullmatch(r"(?:MID)?(\d{1,9})(?:\.0)?", cell, re.IGNORECASE)
    return int(match[1]) if match else None


SOURCE = Source(
    title="FIW (Families in the Wild): families with matrices of their relations",
    read=read,
    serves=(PEOPLE,),
    looks_like=looks_like,
    priority=70,
)
