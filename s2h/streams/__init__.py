"""Streams of records: JSON lines, files that are written whole or not at all, locks, and the journal of a killed run. The
names that `--help` needs are here, so that it imports nothing heavy."""

from __future__ import annotations

import os

PARTIAL = ".partial"
WORK = (
    PARTIAL,
    ".progress",
    ".progress.part",
)  # work files beside an output; the last is the next version of the notes


def can_grow(path: str) -> bool:
    """Return whether a run can resume an output of this name: a regular file that isn't compressed."""
    return (
        path != "-"
        and not path.endswith((".gz", ".zst"))
        and (os.path.isfile(path) or not os.path.exists(path))
    )
