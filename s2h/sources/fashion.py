"""Fashion-MNIST: idx files like MNIST's whose labels are ten kinds of clothing; known by the first labels of
the original, or by `fashion` in the name of the nearest folder that tells (idx.py).

s2h-gen compare --source fashion:dataset-fashion-mnist/ -n 1000
"""

from __future__ import annotations

import os
from collections import Counter
from functools import lru_cache, partial

from s2h.sources import SourceError, idx, in_split
from s2h.sources.album import Album
from s2h.sources.digits import idx_pairs, looks_like_idx, of_split
from s2h.sources.page import Page

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
    return looks_like_idx(root) and idx.kind_of(root) == idx.FASHION


def read(path: str, *, spec: str, split: str = "train") -> Album:
    """The album of Fashion-MNIST; `t10k` is held out where both parts are there. Raises SourceError."""
    if not os.path.isdir(path):
        raise SourceError(f"source {spec!r}: no such folder")
    unused: Counter = Counter()
    chosen, apart = of_split(idx_pairs(path, unused), split)
    arrays: list = []

    @lru_cache(maxsize=64)  # looked at first, then put into the store
    def data(name: str) -> bytes:
        """A picture as PNG, enlarged from 28 x 28 pixels, dark on light."""
        import io

        from PIL import Image

        at, index = map(int, name.split(" "))
        picture = Image.fromarray(255 - arrays[at][index]).resize((224, 224), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "PNG")
        return buffer.getvalue()

    pages = [(1, partial(_page, chosen, arrays, None if apart else split))]
    return Album(spec, "", pages, unused, read=data)


def _page(parts: list, arrays: list, split: str | None, unused: Counter) -> Page:
    from s2h.sources.digits import sound_pairs

    page = Page()
    for at, (_, (pictures, labels)) in enumerate(sound_pairs(parts, unused)):
        arrays.append(pictures)
        for index, label in enumerate(labels.tolist()):
            if label >= len(NAMES):
                unused["an unknown label"] += 1
            elif in_split("fashion", f"{at} {index}", split, unused):
                page.add(f"{at} {index}", (), (NAMES[label],))
    return page.seal()
