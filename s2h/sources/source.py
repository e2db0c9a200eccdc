"""The value that makes a module a kind of source. A reader's file defines

    SOURCE = Source(title="Photos with captions", read=read, serves=(PHOTOS, QUESTIONS), looks_like=looks_like)

and `s2h.registry` finds it: `--source KIND:PATH`, folders that it recognises, help texts and errors follow from that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from s2h.sources.items import SourceError
from s2h.sources.shapes import Dataset, Shape


@dataclass(frozen=True)
class Request:
    """The arguments of a reader. path: a folder, a file, a file pattern, or a name (for a source with place="name"). spec:
    the value of `--source`, for records and messages. split: train or heldout. seed: of the run."""

    path: str
    spec: str
    split: str = "train"
    seed: int = 0

    def error(self, message: str) -> SourceError:
        """Return an error about this source, for the reader to raise."""
        return SourceError(f"source {self.spec!r}: {message}")


@dataclass(frozen=True)
class Source:
    """A kind of source. Its name is that of its module.

    title: a description in one line. read: opens the source; raises SourceError. serves: the shapes of its data, from which
    errors list the sources for a task. looks_like: tells whether a folder has the source's layout; None if no folder is
    recognised. priority: layouts are tested in ascending order. files: name patterns of single files that the source reads,
    such as "*.tar". aliases: other names. place: what follows `KIND:`: a path, a name or nothing.
    """

    title: str
    read: Callable[[Request], Dataset]
    serves: tuple[Shape[Any], ...]
    looks_like: Callable[[str], bool] | None = None
    priority: int = 0
    files: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    place: Literal["path", "name", "nothing"] = "path"
