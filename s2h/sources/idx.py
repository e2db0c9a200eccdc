"""Which dataset a folder of idx files is. MNIST, Fashion-MNIST, KMNIST and notMNIST give their files the same names, so the
labels of the originals tell, and for others the nearest folder with a name that does."""

from __future__ import annotations

import os
import re

from s2h.sources import SourceError
from s2h.sources.digits import LABELS, idx_pairs, read_idx

DIGITS, FASHION = "digits", "fashion"
# The first labels of the training and of the test files.
FIRST = {
    (5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5): DIGITS,
    (7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6): DIGITS,
    (9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9): FASHION,
    (9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5): FASHION,
}
# What a folder's name says, the most special first, and what its pictures show.
NAMES = (
    (re.compile(r"fashion", re.I), FASHION),
    (re.compile(r"kmnist|k-mnist|kuzushiji|k49", re.I), "Japanese characters (KMNIST)"),
    (re.compile(r"not_?-?mnist", re.I), "letters (notMNIST)"),
    (re.compile(r"mnist|digits", re.I), DIGITS),
)


def kind_of(folder: str) -> str:
    """DIGITS, FASHION, or in words what else the pictures of a folder's idx files show. Raises SourceError."""
    for _, labels in idx_pairs(folder):
        try:
            start = tuple(read_idx(labels, LABELS)[: len(next(iter(FIRST)))].tolist())
        except SourceError:  # said where the file is read
            continue
        if start in FIRST:
            return FIRST[start]
    path = os.path.abspath(folder)
    while os.path.dirname(path) != path:
        path, name = os.path.split(path)
        for pattern, kind in NAMES:
            if pattern.search(name):
                return kind
    return DIGITS
