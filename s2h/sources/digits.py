"""Digits from files, for arithmetic: MNIST and EMNIST (idx files, gzipped or not) and folders named 0 to 9.

    s2h-gen arithmetic --source mnist/ -n 1000
    s2h-gen arithmetic --source digits:scans/ -n 1000

idx layout: `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`, big-endian, magic 2051 (count, rows, columns) and 2049
(count). EMNIST has the same container with pixels transposed, known by its name.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from s2h.sources import PICTURES, Item, SourceError, belongs

IMAGES, LABELS = 2051, 2049
_IDX = re.compile(r"^(.*)-images[-.]idx3-ubyte(\.gz)?$")


def looks_like(folder: str) -> bool:
    """Whether a folder holds idx files, or folders that are all named by a digit."""
    with os.scandir(folder) as entries:
        seen = [(entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
    folders = [name for name, is_dir in seen if is_dir]
    return any(_IDX.match(name) for name, is_dir in seen if not is_dir) or (
        len(folders) > 1 and all(re.fullmatch(r"\d", name) for name in folders)
    )


def read_digits(folder: str, *, spec: str, split: str = "train") -> Digits:
    """Read the labels below a folder; raises SourceError where nothing can be used."""
    root = Path(folder)
    if not root.is_dir():
        raise SourceError(f"source {spec!r}: no such folder")
    found = Digits(root.resolve(), spec)
    files = sorted(path for path in root.iterdir() if _IDX.match(path.name))
    for value, name in found.read_idx(files) if files else found.read_folders():
        if value > 9:
            found.unused["not a digit"] += 1
        elif not belongs("digits", name, split):
            found.unused[f"not in the {split} split"] += 1
        else:
            found.by_value[value].append(found.count)
        found.count += 1
    if missing := [str(value) for value, places in enumerate(found.by_value) if not places]:
        raise SourceError(
            f"source {spec!r}: no picture of the digit {missing[0]} (give idx files as MNIST has them, or folders 0 to 9)"
        )
    return found


def read_idx(path: Path, magic: int) -> Any:
    """An idx file of unsigned bytes as an array: [count, rows, columns] for pictures, [count] for labels."""
    import numpy as np

    rank = 3 if magic == IMAGES else 1
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as data:
            content = data.read()
    except (OSError, EOFError) as error:
        raise SourceError(f"{path}: can't be read: {error} (copy it anew)") from error
    if len(content) < 4 + 4 * rank or struct.unpack(">I", content[:4])[0] != magic:
        raise SourceError(
            f"{path}: not an idx file of {'pictures' if rank == 3 else 'labels'} (magic {magic})"
        )
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    found = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank)
    if len(found) != np.prod(shape):
        raise SourceError(f"{path}: says {shape} but holds {len(found)} bytes (copy it anew)")
    return found.reshape(shape)


class Digits:
    """Pictures of digits by value; a place is a number, in the order in which files and folders were read."""

    def __init__(self, root: Path, spec: str) -> None:
        self.root, self.spec, self.unused, self.count = root, spec, Counter(), 0
        self.by_value = [array("I") for _ in range(10)]
        self.names: list[str] = []  # of pictures in folders
        self.arrays: list[tuple[Any, bool]] = []  # of idx files: pictures, and whether they are transposed
        self.starts: list[int] = []  # the place of each array's first picture

    def __len__(self) -> int:
        return sum(map(len, self.by_value))

    def read_idx(self, files: list[Path]) -> Iterator[tuple[int, str]]:
        """(label, name) of each picture; EMNIST's letters have labels above 9."""
        for path in files:
            labels = path.with_name(re.sub(r"images([-.])idx3", r"labels\1idx1", path.name))
            if not labels.is_file():
                other = labels.with_suffix("") if labels.suffix == ".gz" else Path(f"{labels}.gz")
                if not other.is_file():
                    raise SourceError(f"{path}: its labels are missing (put {labels.name} beside it)")
                labels = other
            pictures, values = read_idx(path, IMAGES), read_idx(labels, LABELS)
            if len(pictures) != len(values):
                raise SourceError(
                    f"{path}: {len(pictures)} pictures but {len(values)} labels in {labels.name}"
                )
            self.starts.append(self.count)
            self.arrays.append((pictures, "emnist" in path.name.lower()))
            for index, value in enumerate(values.tolist()):
                yield value, f"{_IDX.match(path.name)[1]} {index}"

    def read_folders(self) -> Iterator[tuple[int, str]]:
        for folder in sorted(self.root.iterdir()):
            if not folder.is_dir() or not re.fullmatch(r"\d", folder.name):
                continue
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in PICTURES and path.is_file():
                    self.names.append(f"{folder.name}/{path.name}")
                    yield int(folder.name), self.names[-1]
                else:
                    self.unused["not a picture"] += 1

    def digit(self, rng: Random, value: int | None = None) -> Item:
        value = rng.randrange(10) if value is None else value
        place = rng.choice(self.by_value[value])
        labels = {"kind": "digit", "value": value, "hand": "written"}
        if self.names:
            return Item(self.names[place], labels, reference=str(self.root / self.names[place]))
        return Item(str(place), labels, draw=lambda size: self.draw(place, size))

    def draw(self, place: int, size: int) -> Any:
        """A picture of an idx file, enlarged to size x size pixels, RGB."""
        from PIL import Image

        at = bisect_right(self.starts, place) - 1
        pictures, transposed = self.arrays[at]
        pixels = pictures[place - self.starts[at]]
        picture = Image.fromarray((pixels.T if transposed else pixels).copy())
        return picture.resize((size, size), Image.Resampling.BICUBIC).convert("RGB")
