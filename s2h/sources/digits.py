"""MNIST, EMNIST, and folders named 0 to 9.

    s2h-gen arithmetic --source mnist/ -n 1000
    s2h-gen arithmetic --source digits:scans/ -n 1000

MNIST's `t10k` and EMNIST's `test` are the held-out split if the training files are there too, and so is `test/` (`val/`,
`testing/`) beside `train/`. Files with `emnist` in their name have transposed pixels. EMNIST's sets share their pictures, so
only one set of a folder is read. `emnist-SET-mapping.txt` (a label and a code point on each line) says which labels are
digits."""

from __future__ import annotations

import os
import re
from collections import Counter

from s2h.sources import idx_files, picture_folders, text_files
from s2h.sources.digit_set import Digits
from s2h.sources.idx_files import NAME, Pair
from s2h.sources.items import SourceError
from s2h.sources.shapes import COMPARABLE, DIGITS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split, split_folder

_EMNIST = re.compile(r"^emnist-([a-z]+)-", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
SETS = (
    "digits",
    "mnist",
    "balanced",
    "bymerge",
    "byclass",
    "letters",
)  # of EMNIST; the first one in the folder is read


def looks_like(folder: str) -> bool:
    """Tell whether a folder holds idx files, or folders that are all named by a digit."""
    names = picture_folders.folders(split_folder(folder, "train")[0])
    return idx_files.are_in(folder) or (len(names) > 1 and all(map(_DIGIT.fullmatch, names)))


def read(request: Request) -> Digits:
    """Open a folder of digits. Raises SourceError if a digit has no picture."""
    if not os.path.isdir(request.path):
        raise request.error("no such folder")
    found = _read_idx(request) if idx_files.are_in(request.path) else _read_folders(request)
    if missing := [str(value) for value, places in enumerate(found.by_value) if not places]:
        raise request.error(
            f"no picture of the digit {missing[0]} (give idx files as MNIST has them, or folders 0 to 9)"
        )
    return found


def _read_idx(request: Request) -> Digits:
    excluded: Counter[str] = Counter()
    pairs = idx_files.pairs(request.path, excluded)
    shown = idx_files.shown_in(request.path)
    if shown not in (idx_files.DIGITS, idx_files.FASHION):
        raise request.error(f"its pictures show {shown} and no digits (give MNIST or EMNIST)")
    chosen = _one_set(pairs)
    parts, apart = idx_files.of_split(chosen, request.split)
    if others := len(pairs) - len(chosen):
        excluded["files of other sets of EMNIST"] = others
    found = Digits(request.spec, os.path.abspath(request.path), excluded)
    for (path, _), (pictures, labels) in idx_files.read_pairs(parts, excluded):
        name = os.path.basename(path)
        found.add_array(pictures, "emnist" in name.lower())
        digit_of, stem = _digits_of(path), NAME.sub(r"\1", name)
        for index, label in enumerate(labels.tolist()):
            value = digit_of.get(label)
            if value is None:
                excluded["not a digit"] += 1
            elif not in_split("digits", f"{stem} {index}", None if apart else request.split, excluded):
                value = None
            found.add(value)
    return found


def _read_folders(request: Request) -> Digits:
    excluded: Counter[str] = Counter()
    root, apart = split_folder(request.path, request.split)
    found = Digits(request.spec, os.path.abspath(root), excluded)
    for folder in filter(_DIGIT.fullmatch, picture_folders.folders(found.root, excluded)):
        for name in picture_folders.pictures(os.path.join(found.root, folder), excluded):
            name = os.path.join(folder, name)
            here = in_split("digits", name, None if apart else request.split, excluded)
            found.add(int(folder) if here else None, name)
    return found


def _one_set(pairs: list[Pair]) -> list[Pair]:
    """Return the pairs of files without those of all EMNIST sets but one."""
    sets = [_EMNIST.match(os.path.basename(path)) for path, _ in pairs]
    there = [match[1].lower() for match in sets if match]
    taken = next((name for name in SETS if name in there), None)
    return [pair for pair, match in zip(pairs, sets, strict=True) if not match or match[1].lower() == taken]


def _digits_of(path: str) -> dict[int, int]:
    """Return label -> digit, from the mapping file of an EMNIST set. If there is no such file, the labels 0 to 9 are digits,
    except in the set of letters. Raises SourceError for a mapping that can't be read."""
    match = _EMNIST.match(os.path.basename(path))
    mapping = os.path.join(os.path.dirname(path), f"{match[0]}mapping.txt") if match else ""
    if not os.path.isfile(mapping):
        letters = match is not None and match[1].lower() == "letters"
        return {} if letters else {value: value for value in range(10)}
    rows = [line.split() for line in text_files.lines(mapping)]
    if not all(len(row) >= 2 and row[0].isdigit() and row[1].isdigit() for row in rows if row):
        raise SourceError(f"{mapping}: not EMNIST's mapping (each line: the label and its code point)")
    codes = {int(row[0]): int(row[1]) for row in rows if row}
    return {label: code - ord("0") for label, code in codes.items() if 0 <= code - ord("0") <= 9}


SOURCE = Source(
    title="Digits: MNIST's or EMNIST's idx files, or folders named 0 to 9",
    read=read,
    serves=(DIGITS, COMPARABLE),
    looks_like=looks_like,
    priority=40,
    aliases=("mnist", "emnist"),
)
