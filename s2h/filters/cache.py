"""Embeddings kept while a run lasts, so that each distinct image and text is embedded once; the least recently used go when
there are more than a stated number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from hashlib import blake2b
from typing import Any

MOST = 50_000  # in each cache: 100 MB of ViT-B/32's 512 numbers, 150 MB of MPNet's 768, half as much again for the keys


class Embeddings:
    """At most `most` embeddings by key."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(
        self, keys: Iterable[Hashable], embed: Callable[[list[Hashable]], Iterable[tuple[Hashable, Any]]]
    ) -> dict[Hashable, Any]:
        """The embeddings of the keys. Those not kept are made by one call: embed(missing) gives (key, embedding) for each of
        them, or leaves out those that cannot be had, which the answer then lacks too."""
        found, missing = {}, []
        for key in dict.fromkeys(keys):
            if key in self.kept:
                self.kept.move_to_end(key)
                found[key] = self.kept[key]
            else:
                missing.append(key)
        if missing:
            for key, row in embed(missing):
                # A copy: a row of a batch would keep the whole batch in memory.
                found[key] = self.kept[key] = row.copy()
            while len(self.kept) > self.most:
                self.kept.popitem(last=False)
        return found


def brief(text: str) -> str | bytes:
    """A key for a text or a reference: itself where it is short, else its hash (a data URI may have megabytes)."""
    return (
        text if len(text) <= 64 else blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    )
