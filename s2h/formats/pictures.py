"""Pictures as files that other tools can open: in full, as each tool looks for a relative one somewhere else."""

from __future__ import annotations

import os
from functools import lru_cache

from s2h.images.decoding import ImageError, file_of, glance, read_bytes
from s2h.images.store import Store
from s2h.record import Record

KNOWN = 1 << 14  # references that are not looked at again


class Pictures:
    """Paths of records' images; those of data URIs and tar members are put into a store first."""

    def __init__(self, folder: str) -> None:
        self._store = Store(folder)
        self._of = lru_cache(maxsize=KNOWN)(self._path)

    def paths(self, record: Record) -> list[str]:
        """The full path of every image in its order. Raises ImageError, with the field."""
        found = []
        for i, reference in enumerate(record["images"]):
            try:
                # A data URI is as long as its picture: it is not remembered.
                path = self._path if reference.startswith("data:") else self._of
                found.append(path(reference, getattr(record, "base", "")))
            except ImageError as error:
                error.field = f"images[{i}]"
                raise
        return found

    def _path(self, reference: str, base: str) -> str:
        path = file_of(reference, base)
        if path is not None:
            return path
        data = read_bytes(reference, base)
        glance(data, reference[:60])
        return os.path.abspath(self._store.put(data))
