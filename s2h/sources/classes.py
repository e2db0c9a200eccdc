"""Pictures in one folder for each class: `birds/owl/*.jpg`. In ImageNet the folders are synsets (`n01440764`), whose names
are in `synset_words.txt` or `LOC_synset_mapping.txt`.

    s2h-gen search --source classes:birds -n 100
    s2h-gen compare --source imagenet/ -n 100

If the folder has `train/` and `val/` (or `test/`), these are the two splits. Classes that share their only name (crane,
maillot) are left out. Two classes are never compared if they share a name, or if one contains the other by
`wordnet.is_a.txt` (a parent and a child on each line).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from functools import partial

from s2h.language import nouns
from s2h.sources import picture_folders, text_files
from s2h.sources.items import SourceError
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import Naming, PhotoTable
from s2h.sources.shapes import COMPARABLE, PHOTOS, QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split, split_folder

SYNSETS = ("synset_words.txt", "LOC_synset_mapping.txt", "words.txt")
SOLUTION = "LOC_val_solution.csv"
HIERARCHY = "wordnet.is_a.txt"
_WNID = re.compile(r"n\d{8}")


def looks_like(root: str) -> bool:
    """Tell whether two or more subfolders hold pictures and the folder itself holds none."""
    below, _ = split_folder(root, "train")
    return len(_folders(below)) > 1 and not any(map(picture_folders.is_picture, os.listdir(below)))


def read(request: Request) -> Photos:
    """Open a folder of classes. Raises SourceError if no picture can be used."""
    if not os.path.isdir(request.path):
        raise request.error("no such folder")
    root = os.path.abspath(request.path)
    excluded: Counter[str] = Counter()
    below, apart = split_folder(root, request.split)
    if left := sum(name.lower().endswith(".tar") for name in {*os.listdir(root), *os.listdir(below)}):
        excluded["a tar file beside the folders"] = left
    names = _folders(below, excluded)
    flat = _flat(root, below, excluded) if not names else {}
    classes = sorted(set(flat.values())) or names
    if not classes:
        raise request.error(
            f"no folder with pictures in it (put each class into a folder of its name, or {SOLUTION} beside ImageNet's flat "
            "val)"
        )
    called = _called(root, below, classes)
    chosen = _plain_names(called)
    for name in classes:
        if name not in chosen:
            excluded["name shared with another class" if called[name] else "a class without words"] += 1
    part = partial(_fill, below, flat, names, chosen, None if apart else request.split)
    words = {chosen[c]: frozenset[str]().union(*map(nouns.words_of, called[c])) for c in chosen}
    naming = Naming(words, _containment(root, chosen))
    return Photos(request.spec, below, [(1, part)], excluded, naming=naming)


def _folders(below: str, excluded: Counter[str] | None = None) -> list[str]:
    """Return the folders that hold pictures, sorted."""
    found = []
    for name in picture_folders.folders(below, excluded):
        try:
            with os.scandir(os.path.join(below, name)) as inside:
                if any(picture_folders.is_picture(one.name) for one in inside):
                    found.append(name)
        except OSError:
            if excluded is not None:
                excluded["a folder that can't be read"] += 1
    return found


def _flat(root: str, below: str, excluded: Counter[str]) -> dict[str, str]:
    """Return the class of each picture in ImageNet's flat validation folder, from LOC_val_solution.csv."""
    for folder in (root, below, os.path.dirname(below)):
        path = os.path.join(folder, SOLUTION)
        if os.path.isfile(path):
            rows = text_files.table(path, excluded, "ImageId", "PredictionString")
            classes = ((row["ImageId"], row["PredictionString"].split()) for row in rows)
            return {name: those[0] for name, those in classes if those}
    return {}


def _called(root: str, below: str, classes: list[str]) -> dict[str, list[str]]:
    """Return the names of each class: the lemmas of its synset, or the name of its folder."""
    if not any(_WNID.fullmatch(name) for name in classes):
        return {name: [nouns.name_of_class(name)] for name in classes}
    for folder in (root, below, os.path.dirname(root)):
        for file in SYNSETS:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                rows = (line.strip().split(None, 1) for line in text_files.lines(path, "replace"))
                lemmas = {
                    row[0]: [name.strip() for name in row[1].split(",") if "\ufffd" not in name]
                    for row in rows
                    if len(row) == 2
                }
                if not any(name in lemmas for name in classes):
                    raise SourceError(
                        f"{path}: no words for {classes[0]} (each line: the synset, then its words)"
                    )
                return {name: lemmas.get(name, []) for name in classes}
    raise SourceError(f"{root}: the folders are synsets without names (put {SYNSETS[0]} there)")


def _plain_names(called: dict[str, list[str]]) -> dict[str, str]:
    """Return the first name of each class that no other class has, without classes that have no such name."""
    owners = Counter(name.casefold() for names in called.values() for name in set(names))
    chosen = {}
    for one, names in called.items():
        own = [name for name in names if owners[name.casefold()] == 1 and nouns.head_of(name)]
        if own:
            chosen[one] = own[0]
    return chosen


def _fill(
    below: str,
    flat: dict[str, str],
    names: list[str],
    chosen: dict[str, str],
    split: str | None,
    excluded: Counter[str],
) -> PhotoTable:
    table = PhotoTable()
    if flat:
        for name in picture_folders.pictures(below, excluded):
            one = flat.get(os.path.splitext(os.path.basename(name))[0])
            _add(table, name, chosen.get(one or ""), split, excluded)
    for folder in names:
        for name in picture_folders.pictures(os.path.join(below, folder), excluded):
            _add(table, os.path.join(folder, name), chosen.get(folder), split, excluded)
    return table.seal()


def _add(
    table: PhotoTable, name: str, concept: str | None, split: str | None, excluded: Counter[str]
) -> None:
    if concept is None:
        excluded["of a class that can't be asked about"] += 1
    elif in_split("classes", name, split, excluded):
        table.add(name, (), (concept,))


def _containment(root: str, chosen: dict[str, str]) -> Callable[[str, str], bool] | None:
    """Return a function that tells whether one of two names contains the other, by wordnet.is_a.txt; None if there is no
    such file."""
    path = os.path.join(root, HIERARCHY)
    if not os.path.isfile(path):
        return None
    parents: dict[str, set[str]] = {}
    for line in text_files.lines(path, "replace"):
        if len(pair := line.split()) == 2:
            parents.setdefault(pair[1], set()).add(pair[0])
    above: dict[str, set[str]] = {}
    for one, name in chosen.items():
        reached: set[str] = set()
        waiting = [one]
        while waiting:
            for parent in parents.get(waiting.pop(), ()):
                if parent not in reached:
                    reached.add(parent)
                    waiting.append(parent)
        above[name] = {chosen[parent] for parent in reached if parent in chosen}
    return lambda one, other: other in above.get(one, ()) or one in above.get(other, ())


SOURCE = Source(
    title="Pictures in a folder for each class; ImageNet",
    read=read,
    serves=(COMPARABLE, PHOTOS, QUESTIONS),
    looks_like=looks_like,
    priority=120,
    aliases=("imagenet",),
)
