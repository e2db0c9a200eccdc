"""Pictures sorted into a folder for each class: `birds/owl/*.jpg`, and ImageNet, whose folders are synsets (`n01440764`)
with their words in `synset_words.txt` or `LOC_synset_mapping.txt`.

    s2h-gen search --source classes:birds -n 100
    s2h-gen compare --source imagenet/ -n 100

Where the dataset has `train/` and `val/` (or `test/`), the held-out split is the latter. A name that two classes share
(crane, maillot) is asked about in neither. Two classes never stand beside each other as different where one may be called
like the other, or where a file `wordnet.is_a.txt` (parent and child, a pair a line) says that one contains the other.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import partial

from s2h.language import nouns
from s2h.sources import SourceError, files, in_split
from s2h.sources.album import Album
from s2h.sources.page import Page

SYNSETS = ("synset_words.txt", "LOC_synset_mapping.txt", "words.txt")
SOLUTION = "LOC_val_solution.csv"
HIERARCHY = "wordnet.is_a.txt"
_WNID = re.compile(r"n\d{8}")


def looks_like(root: str) -> bool:
    """Whether pictures lie in folders below, two or more of them, and none beside the folders."""
    below, _ = files.split_folder(root, "train")
    return len(_folders(below)) > 1 and not any(map(files.is_picture, os.listdir(below)))


def read(root: str, *, spec: str, split: str = "train") -> Album:
    """The album of class folders; raises SourceError where nothing can be used."""
    if not os.path.isdir(root):
        raise SourceError(f"source {spec!r}: no such folder")
    root, unused = os.path.abspath(root), Counter()
    below, apart = files.split_folder(root, split)
    if left := sum(name.lower().endswith(".tar") for name in {*os.listdir(root), *os.listdir(below)}):
        unused["a tar file beside the folders"] = left
    names = _folders(below, unused)
    flat = _flat(root, below, unused) if not names else {}
    classes = sorted(set(flat.values())) or names
    if not classes:
        raise SourceError(
            f"source {spec!r}: no folder with pictures in it (put each class into a folder of its name, or "
            f"{SOLUTION} beside ImageNet's flat val)"
        )
    called = _called(root, below, classes)
    chosen = _plain_names(called)
    for name in classes:
        if name not in chosen:
            unused["name shared with another class" if called[name] else "a class without words"] += 1
    pages = [(1, partial(_page, below, flat, names, chosen, None if apart else split))]
    words = {chosen[c]: frozenset().union(*map(nouns.words_of, called[c])) for c in chosen}
    return Album(spec, below, pages, unused, words=words, kin=_kinship(root, chosen))


def _folders(below: str, unused: Counter | None = None) -> list[str]:
    """The folders that hold pictures, sorted."""
    found = []
    for name in files.folders(below, unused):
        try:
            with os.scandir(os.path.join(below, name)) as inside:
                if any(files.is_picture(one.name) for one in inside):
                    found.append(name)
        except OSError:
            if unused is not None:
                unused["a folder that can't be read"] += 1
    return found


def _flat(root: str, below: str, unused: Counter) -> dict[str, str]:
    """ImageNet's validation pictures lie in one folder; their classes are in LOC_val_solution.csv."""
    for folder in (root, below, os.path.dirname(below)):
        path = os.path.join(folder, SOLUTION)
        if os.path.isfile(path):
            rows = files.table(path, unused, "ImageId", "PredictionString")
            told = ((row["ImageId"], row["PredictionString"].split()) for row in rows)
            return {name: said[0] for name, said in told if said}
    return {}


def _called(root: str, below: str, classes: list[str]) -> dict[str, list[str]]:
    """What each class may be called: the lemmas of a synset, else the folder's name."""
    if not any(_WNID.fullmatch(name) for name in classes):
        return {name: [nouns.name_of_class(name)] for name in classes}
    for folder in (root, below, os.path.dirname(root)):
        for file in SYNSETS:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                rows = (line.strip().split(None, 1) for line in files.lines(path, "replace"))
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
    raise SourceError(
        f"{root}: its folders are synsets, and nothing says what they are called (put {SYNSETS[0]} there)"
    )


def _plain_names(called: dict[str, list[str]]) -> dict[str, str]:
    """Of each class the first name that no other class has; classes without one are left out."""
    owners = Counter(name.casefold() for names in called.values() for name in set(names))
    chosen = {}
    for one, names in called.items():
        own = [name for name in names if owners[name.casefold()] == 1 and nouns.head_of(name)]
        if own:
            chosen[one] = own[0]
    return chosen


def _page(
    below: str,
    flat: dict[str, str],
    names: list[str],
    chosen: dict[str, str],
    split: str | None,
    unused: Counter,
) -> Page:
    page = Page()
    if flat:
        for name in files.pictures(below, unused):
            one = flat.get(os.path.splitext(os.path.basename(name))[0])
            _add(page, name, chosen.get(one), split, unused)
    for folder in names:
        for name in files.pictures(os.path.join(below, folder), unused):
            _add(page, os.path.join(folder, name), chosen.get(folder), split, unused)
    return page.seal()


def _add(page: Page, name: str, concept: str | None, split: str | None, unused: Counter) -> None:
    if concept is None:
        unused["of a class that can't be asked about"] += 1
    elif in_split("classes", name, split, unused):
        page.add(name, (), (concept,))


def _kinship(root: str, chosen: dict[str, str]):
    """Whether of two names one's class contains the other's, by the hierarchy's file; None where there is none."""
    path = os.path.join(root, HIERARCHY)
    if not os.path.isfile(path):
        return None
    parents: dict[str, set[str]] = {}
    for line in files.lines(path, "replace"):
        if len(pair := line.split()) == 2:
            parents.setdefault(pair[1], set()).add(pair[0])
    above: dict[str, set[str]] = {}
    for one, name in chosen.items():
        reached, waiting = set(), [one]
        while waiting:
            for parent in parents.get(waiting.pop(), ()):
                if parent not in reached:
                    reached.add(parent)
                    waiting.append(parent)
        above[name] = {chosen[parent] for parent in reached if parent in chosen}
    return lambda one, other: other in above.get(one, ()) or one in above.get(other, ())
