"""Find the reader of a source: by the kind that `--source KIND:PATH` names, by the layout of a folder, or by the name of a
file. The readers are the modules of this package that define a `SOURCE`; `s2h.registry` lists them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch

from s2h import registry
from s2h.errors import suggestion
from s2h.sources import symlinks
from s2h.sources.items import SourceError, UnknownSource
from s2h.sources.picture_folders import is_text, only_folder
from s2h.sources.shapes import Dataset
from s2h.sources.source import Request, Source

NESTED = 3  # levels of folders that hold a single folder, as unpacking makes them, that are searched
# The source that reads a folder whose layout no source recognises; its error says what a folder should hold.
FALLBACK = "captions"


def open_source(
    spec: str = "builtin", *, seed: int = 0, split: str = "train", follow: bool = True
) -> Dataset:
    """Open a source. spec: `builtin`, a path whose layout tells its kind, or KIND:PATH.

    split: `train` or `heldout`, which never share an image, a person or a family. follow: whether to follow links that lead
    out of the source's folder; otherwise they are refused and counted. Raises SourceError.
    """
    if not is_text(os.path.abspath(spec)):
        name = os.fsencode(spec).decode("ascii", "backslashreplace")
        raise SourceError(
            f"source {name}: the path is not UTF-8, which no record can hold (rename the folder)"
        )
    if not follow and (folder := folder_of(spec)):
        symlinks.fence(folder)
    kind, path = split_spec(spec)
    source, path = _named(kind, path, spec) if kind or _stands_alone(spec) else _recognised(spec)
    return source.read(Request(path, spec, split, seed))


def split_spec(spec: str) -> tuple[str, str]:
    """Return (kind, path) of a spec, or ("", spec) if the spec is a path. A file called tar:x is a path."""
    kind, colon, path = spec.partition(":")
    return (kind, path) if colon and not os.path.exists(spec) else ("", spec)


def folder_of(spec: str) -> str:
    """Return the folder of a source's files: the path in the spec, or the folder of the file there; "" if there is none."""
    kind, path = split_spec(spec)
    if kind and ((source := source_of(kind)) is None or source.place != "path"):
        return ""
    if path and not os.path.isdir(path):
        path = os.path.dirname(path) or os.curdir
    return path if path and os.path.isdir(path) else ""


def source_of(kind: str) -> Source | None:
    """Return the source with a name or an alias, None if there is none."""
    if kind in registry.names("source"):
        return registry.load("source", kind)
    return next((source for source in registry.values("source").values() if kind in source.aliases), None)


def kinds() -> list[str]:
    """Return the names and aliases of all sources that take a path or a name."""
    sources = {name: one for name, one in registry.values("source").items() if one.place != "nothing"}
    return [*sources, *(alias for source in sources.values() for alias in source.aliases)]


def _stands_alone(spec: str) -> bool:
    return spec in registry.names("source") and registry.load("source", spec).place == "nothing"


def _named(kind: str, path: str, spec: str) -> tuple[Source, str]:
    """Return the source of a kind, and its path: the nested folder that has the source's layout, if there is one."""
    source = source_of(kind or spec)
    if source is not None and source.place == "nothing":
        if kind:
            raise SourceError(f"source {spec!r}: {kind} takes no path (use --source {kind})")
        return source, ""
    if source is None or not path:
        raise _unknown(spec)
    if source.place == "path" and os.path.isdir(path) and source.looks_like is not None:
        path = next((folder for folder in _nested(path) if source.looks_like(folder)), path)
    return source, path


def _recognised(path: str) -> tuple[Source, str]:
    """Return the source that recognises a folder's layout or a file's name, and the folder or file. Raises SourceError."""
    sources = sorted(registry.values("source").values(), key=lambda source: source.priority)
    if os.path.isdir(path):
        for folder in _nested(path):
            for source in sources:
                if source.looks_like is not None and source.looks_like(folder):
                    return source, folder
        return registry.load("source", FALLBACK), path
    if os.path.isfile(path):
        name = os.path.basename(path).lower()
        for source in sources:
            if any(fnmatch(name, pattern) for pattern in source.files):
                return source, path
    raise _unknown(path)


def _unknown(spec: str) -> SourceError:
    """Return the error about a spec that no source reads."""
    if os.path.isfile(spec):
        return SourceError(
            f"source {spec!r}: no source recognises this file (unpack an archive and give its folder; name a table "
            "metadata.csv, put it beside the pictures and give the folder; or give KIND:PATH)"
        )
    kind, known = split_spec(spec)[0], kinds()
    if spec.rstrip(":") in known:
        return UnknownSource(f"source {spec!r}: the kind needs a path (--source {spec.rstrip(':')}:PATH)")
    near = suggestion(kind or spec, ["builtin", *known])
    error = UnknownSource if kind or near else SourceError
    return error(
        f"source {spec!r}: no such folder, and not one of the kinds {', '.join(known)} (give builtin, a folder, or "
        f"KIND:PATH){near and '.' + near}"
    )


def _nested(root: str) -> Iterator[str]:
    """Yield a folder, then the only folder that it holds, and so on: unpacking often makes `photos/photos/`."""
    for _ in range(NESTED + 1):
        yield root
        root = only_folder(root)
        if not root:
            return
