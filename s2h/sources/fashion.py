"""Fashion-MNIST: idx files like MNIST's whose labels are ten kinds of clothing. The first labels of the original files
identify it, or else `fashion` in the name of a folder (idx_files.py).

    s2h-gen compare --source fashion:dataset-fashion-mnist/ -n 1000
"""

from __future__ import annotations

import os
from collections import Counter
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from s2h.sources import idx_files
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import PhotoTable
from s2h.sources.shapes import COMPARABLE, PHOTOS, QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

if TYPE_CHECKING:
    import numpy as np

NAMES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def looks_like(root: str) -> bool:
    return idx_files.are_in(root) and idx_files.shown_in(root) == idx_files.FASHION


def read(request: Request) -> Photos:
    """Open Fashion-MNIST; `t10k` is held out if both parts are there. Raises SourceError."""
    if not os.path.isdir(request.path):
        raise request.error("no such folder")
    excluded: Counter[str] = Counter()
    pairs, apart = idx_files.of_split(idx_files.pairs(request.path, excluded), request.split)
    arrays: list[np.ndarray] = []

    @lru_cache(maxsize=64)  # a picture is checked first and then put into the store
    def data(name: str) -> bytes:
        """Return a picture as PNG, enlarged from 28 x 28 pixels, dark on light."""
        import io

        from PIL import Image

        at, index = map(int, name.split(" "))
        picture = Image.fromarray(255 - arrays[at][index]).resize((224, 224), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "PNG")
        return buffer.getvalue()

    part = partial(_fill, pairs, arrays, None if apart else request.split)
    return Photos(request.spec, "", [(1, part)], excluded, read=data)


def _fill(
    pairs: list[idx_files.Pair], arrays: list[np.ndarray], split: str | None, excluded: Counter[str]
) -> PhotoTable:
    """Return the table, and append the pictures of each pair of files to `arrays`."""
    table = PhotoTable()
    for at, (_, (pictures, labels)) in enumerate(idx_files.read_pairs(pairs, excluded)):
        arrays.append(pictures)
        for index, label in enumerate(labels.tolist()):
            if label >= len(NAMES):
                excluded["an unknown label"] += 1
            elif in_split("fashion", f"{at} {index}", split, excluded):
                table.add(f"{at} {index}", (), (NAMES[label],))
    return table.seal()


SOURCE = Source(
    title="Fashion-MNIST: idx files of ten kinds of clothing",
    read=read,
    serves=(PHOTOS, COMPARABLE, QUESTIONS),
    looks_like=looks_like,
    priority=30,
)
