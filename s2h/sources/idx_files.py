"""Read idx files, the format of pictures and labels in MNIST and similar data sets:
`{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`, big-endian, magic 2051 (count, rows, columns) and 2049 (count). MNIST,
Fashion-MNIST, KMNIST and notMNIST use the same file names. The first labels identify the original files of MNIST and
Fashion-MNIST; for all others the names of the folders above them decide, the nearest first."""

from __future__ import annotations

import contextlib
import gzip
import math
import mmap
import os
import re
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from s2h.sources.items import SourceError
from s2h.sources.text_files import opened

if TYPE_CHECKING:
    import numpy as np

PICTURES, LABELS = 2051, 2049
NAME = re.compile(r"^(.*)-images[-.]idx3-ubyte(\.gz)?$")
_TEST = re.compile(r"^t10k\b|\btest\b")
DIGITS, FASHION = "digits", "fashion"
# The first labels of the training and of the test file of each data set.
FIRST = {
    (5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5): DIGITS,
    (7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6): DIGITS,
    (9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9): FASHION,
    (9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5): FASHION,
}
# Name of a folder -> what its pictures show. The first pattern that matches counts.
SHOWN = (
    (re.compile(r"fashion", re.I), FASHION),
    (re.compile(r"kmnist|k-mnist|kuzushiji|k49", re.I), "Japanese characters (KMNIST)"),
    (re.compile(r"not_?-?mnist", re.I), "letters (notMNIST)"),
    (re.compile(r"mnist|digits", re.I), DIGITS),
)

Pair = tuple[str, str]  # paths of pictures and labels


def are_in(folder: str) -> bool:
    """Tell whether a folder holds idx files of pictures."""
    return bool(_names(folder))


def _names(folder: str) -> list[str]:
    names = sorted(os.listdir(folder))
    return [name for name in names if NAME.match(name) and os.path.isfile(os.path.join(folder, name))]


def shown_in(folder: str) -> str:
    """Return what the pictures in a folder's idx files show: DIGITS, FASHION, or a description of other pictures. Raises
    SourceError."""
    for _, labels in pairs(folder):
        try:
            start = tuple(read(labels, LABELS)[: len(next(iter(FIRST)))].tolist())
        except SourceError:  # the reader reports it
            continue
        if start in FIRST:
            return FIRST[start]
    path = os.path.abspath(folder)
    while os.path.dirname(path) != path:
        path, name = os.path.split(path)
        for pattern, shown in SHOWN:
            if pattern.search(name):
                return shown
    return DIGITS


def pairs(folder: str, excluded: Counter[str] | None = None) -> list[Pair]:
    """Return the paths (pictures, labels) of the idx files in a folder, sorted. A .gz file beside its unpacked copy is
    skipped. Files of pictures without labels are counted. Raises SourceError if there are only such files."""
    excluded = Counter() if excluded is None else excluded
    found: list[Pair] = []
    lacking: list[str] = []
    names = _names(folder)
    for name in names:
        if name.endswith(".gz") and name.removesuffix(".gz") in names:
            continue
        plain = re.sub(r"images([-.])idx3", r"labels\1idx1", name).removesuffix(".gz")
        labels = next((p for p in (plain, plain + ".gz") if os.path.isfile(os.path.join(folder, p))), None)
        if labels is None:
            lacking.append(f"{os.path.join(folder, name)}: its labels are missing (put {plain} beside it)")
            excluded[f"pictures without labels (put {plain} beside {name})"] += 1
        else:
            found.append((os.path.join(folder, name), os.path.join(folder, labels)))
    if lacking and not found:
        raise SourceError(lacking[0])
    return found


def of_split(found: list[Pair], split: str) -> tuple[list[Pair], bool]:
    """Return the pairs of a split, and whether the dataset has own files for each split."""
    test = [pair for pair in found if _TEST.search(os.path.basename(pair[0]))]
    apart = 0 < len(test) < len(found)
    return [pair for pair in found if not apart or (pair in test) == (split == "heldout")], apart


def read_pairs(
    found: list[Pair], excluded: Counter[str]
) -> Iterator[tuple[Pair, tuple[np.ndarray, np.ndarray]]]:
    """Yield each pair with its pictures and labels. Pairs that can't be read are counted, and so are the pictures that are
    missing from a truncated file. Raises SourceError if no pair can be read."""
    faults: list[SourceError] = []
    for pair in found:
        try:
            content = read_pair(*pair, excluded)
        except SourceError as fault:
            faults.append(fault)
            excluded[f"a pair of idx files that can't be read ({fault.message})"] += 1
        else:
            yield pair, content
    if faults and len(faults) == len(found):
        raise faults[0]


def read_pair(
    pictures: str, labels: str, excluded: Counter[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures [count, rows, columns] and labels [count] of two idx files. If a file is truncated, return the
    complete pictures that have a label, and count the others in `excluded`. Raises SourceError."""
    (found, count), (values, labelled) = _content(pictures, PICTURES), _content(labels, LABELS)
    if count != labelled:
        raise SourceError(f"{pictures}: {count} pictures but {labelled} labels in {os.path.basename(labels)}")
    whole = min(len(found), len(values))
    if whole < count and (excluded is None or not whole):
        raise SourceError(f"{pictures}: cut short: {whole} of {count} pictures are whole (copy it anew)")
    if whole < count and excluded is not None:
        excluded[f"pictures that an idx file cut short lacks ({os.path.basename(pictures)})"] += count - whole
    return found[:whole], values[:whole]


def read(path: str | Path, magic: int) -> np.ndarray:
    """Return an idx file of unsigned bytes as a memory-mapped array: [count, rows, columns] for PICTURES, [count] for
    LABELS. Raises SourceError if the file can't be read or is truncated."""
    found, count = _content(path, magic)
    if len(found) < count:
        raise SourceError(f"{path}: says {count} but holds {len(found)} (copy it anew)")
    return found


def _content(path: str | Path, magic: int) -> tuple[np.ndarray, int]:
    """Return the complete pictures or labels of an idx file, and the count in its header."""
    import zlib

    import numpy as np

    rank = 3 if magic == PICTURES else 1
    try:
        content = _unpacked(str(path)) if str(path).endswith(".gz") else _mapped(str(path))
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: can't be read: {error} (copy it anew)") from error
    if len(content) < 4 + 4 * rank or struct.unpack(">I", content[:4])[0] != magic:
        raise SourceError(
            f"{path}: not an idx file of {'pictures' if rank == 3 else 'labels'} (magic {magic})"
        )
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    found = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank)
    each = math.prod(shape[1:])
    if not each or len(found) > shape[0] * each:
        raise SourceError(f"{path}: says {shape} but holds {len(found)} bytes (copy it anew)")
    whole = len(found) // each
    return found[: whole * each].reshape(whole, *shape[1:]), shape[0]


def _mapped(path: str) -> mmap.mmap | bytes:
    with opened(path) as plain:
        return mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) if os.stat(path).st_size else b""


def _unpacked(path: str) -> mmap.mmap | bytes:
    """Unpack a .gz file into an unnamed temporary file. A truncated file is unpacked as far as it goes."""
    with opened(path) as raw, gzip.open(raw, "rb") as packed, tempfile.TemporaryFile() as plain:
        with contextlib.suppress(EOFError):
            while piece := packed.read1(1 << 20):
                plain.write(piece)
        plain.flush()
        return mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) if plain.tell() else b""
