"""Streams of records: `journal` is how a run that was killed goes on. What --help needs of it stands here."""

from __future__ import annotations

import os

PARTIAL = ".partial"
WORK = (PARTIAL, ".progress", ".progress.part")  # what lies beside an output; the last one is the next notes


def can_grow(path: str) -> bool:
    """Return whether a run can go on with an output of this name: a file on a disk that isn't compressed."""
    return (
        path != "-"
        and not path.endswith((".gz", ".zst"))
        and (os.path.isfile(path) or not os.path.exists(path))
    )
