"""Get the images of a pair in the form that other tools need: as bytes, or as files with a full path, since each tool
resolves a relative path in its own way."""

from __future__ import annotations

import os
from functools import lru_cache

from s2h.record import Record, base_of

KNOWN = 1 << 14  # references whose paths are remembered


class Pictures:
    """Gives images of records as files. Those of data URIs and tar members are put into a store first."""

    def __init__(self, folder: str) -> None:
        from s2h.images.store import Store

        self._store = Store(folder)
        self._of = lru_cache(maxsize=KNOWN)(self._path)

    def paths(self, record: Record, field: str = "images") -> list[str]:
        """Return the full path of every image of the field, in its order. Raises ImageError, with the field."""
        from s2h.images.decoding import ImageError

        found = []
        for i, reference in enumerate(record[field]):
            try:
                # A data URI is as long as its picture: it is not remembered.
                path = self._path if reference.startswith("data:") else self._of
                found.append(path(reference, base_of(record)))
            except ImageError as error:
                error.field = f"{field}[{i}]"
                raise
        return found

    def _path(self, reference: str, base: str) -> str:
        from s2h.images.decoding import file_of, glance, read_bytes

        path = file_of(reference, base)
        if path is not None:
            return path
        data = read_bytes(reference, base)
        glance(data, reference[:60])
        return os.path.abspath(self._store.put(data))


def contents(record: Record, field: str = "images") -> list[tuple[bytes, str]]:
    """Return (bytes, name) of each image of the field. Raises ImageError, with the field."""
    from s2h.images.decoding import ImageError, glance, read_bytes
    from s2h.images.store import digest

    found = []
    for i, reference in enumerate(record[field]):
        try:
            data = read_bytes(reference, base_of(record))
            shown = reference if len(reference) <= 200 else reference[:40]
            glance(data, shown)
        except ImageError as error:
            error.field = f"{field}[{i}]"
            raise
        name = "" if reference.startswith("data:") else os.path.basename(reference.rpartition("!")[2])
        found.append((data, name or digest(data)))
    return found
