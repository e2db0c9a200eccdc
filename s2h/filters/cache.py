"""Embeddings kept while a run lasts, so that each distinct image and text is embedded once; the least recently used go when
there are more than a bounded number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

MOST = 50_000  # embeddings of 512 float32 numbers: 100 MB


class Embeddings:
    """At most `most` embeddings by key."""

    def __init__(self, most: int = MOST) -> None:
        self.most, self.kept = most, OrderedDict()

    def get(self, keys: list[Hashable], embed: Callable[[list[Hashable]], Any]) -> dict[Hashable, Any]:
        """The embeddings of the keys; those not kept are made by one call `embed(missing)`, which gives a row for each, or
        a dict of those that it could embed."""
        wanted = list(dict.fromkeys(keys))
        missing = [key for key in wanted if key not in self.kept]
        found = {}
        for key in wanted:
            if key in self.kept:
                self.kept.move_to_end(key)
                found[key] = self.kept[key]
        if missing:
            made = embed(missing)
            made = made if isinstance(made, dict) else dict(zip(missing, made, strict=True))
            found.update(made)
            self.kept.update(made)
            while len(self.kept) > self.most:
                self.kept.popitem(last=False)
        return found
