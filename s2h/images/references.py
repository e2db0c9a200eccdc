"""Write and read image references. Every stage builds and takes apart references here, so that any stage can open what
another one wrote.

    photos/a.png   /data/a.png   tar:shard.tar!a.png   data:image/png;base64,…

A relative path starts at the folder of the record's file, or for a stream at the working directory. It may go through
symbolic links, which only the user makes, but it can't leave the folder by `..`. A file's name is never read as another kind
of reference: `of_file` writes ./tar:a.png for a file with the name tar:a.png.
"""

from __future__ import annotations

import os
import re

from s2h.record import RecordError

TAR, DATA = "tar:", "data:"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Held(str):
    """A data URI made of the bytes of an image object ({"bytes", "path"}). jsonl.Writer puts the bytes into an image store
    and writes a reference to the file there, so that lines stay short."""

    __slots__ = ()


class ReferenceError(RecordError):
    """A reference that is refused: it leaves its folder, or it is not a reference."""


def is_url(reference: str) -> bool:
    return _URL.match(reference) is not None


def is_relative(reference: str) -> bool:
    """Return whether the reference, or the archive that it names, starts at the folder of its record."""
    if reference.startswith(TAR):
        return not os.path.isabs(reference[len(TAR) :])
    return not (reference.startswith(DATA) or os.path.isabs(reference) or is_url(reference))


def of_file(path: str) -> str:
    """Return the reference to a file by its path."""
    return os.path.join(os.curdir, path) if path.startswith((TAR, DATA)) or is_url(path) else path


def of_member(archive: str, member: str) -> str:
    """Return the reference to a member of a tar file."""
    return f"{TAR}{archive}!{member}"


def member_of(reference: str, base: str = "") -> tuple[str, str]:
    """Return (path of the archive as written, member) of a `tar:` reference. Both may hold `!`: the archive is the shortest
    path before one that is a file. Raises ReferenceError."""
    body = reference[len(TAR) :]
    cuts = [at for at, sign in enumerate(body) if sign == "!" and 0 < at < len(body) - 1]
    if not cuts:
        raise ReferenceError(f"no tar reference: {reference}", remedy="tar:PATH!MEMBER")
    if len(cuts) > 1:
        cuts = [at for at in cuts if os.path.isfile(located(body[:at], base))] or cuts
    return body[: cuts[0]], body[cuts[0] + 1 :]


def located(path: str, base: str = "") -> str:
    """Return the full path of a file that a reference names. Raises ReferenceError if a relative one leaves its base."""
    if os.path.isabs(path):
        return path
    clean = os.path.normpath(path)
    if clean.split(os.sep)[0] == os.pardir:
        raise ReferenceError(f"leaves the folder of its record: {path}", remedy="use an absolute path")
    return os.path.abspath(os.path.join(base, clean))


def prefix(base: str, out: str) -> str:
    """Return the prefix that makes a reference relative to `base` valid in the folder `out`: relative if base is below out,
    else absolute; "" if both are the same."""
    base, out = os.path.abspath(base), os.path.abspath(out)
    relative = os.path.relpath(base, out)
    if relative == os.curdir:
        return ""
    return base if relative.split(os.sep)[0] == os.pardir else of_file(relative)


def moved(reference: str, prefix: str) -> str:
    """Return a relative reference with the result of `prefix` before its path; any other unchanged."""
    if not prefix or not is_relative(reference):
        return reference
    if reference.startswith(TAR):
        return TAR + os.path.join(prefix, reference[len(TAR) :])
    return os.path.join(prefix, reference)


def anchored(reference: str, base: str) -> str:
    """Return a reference relative to `base` as one that is valid in the working directory. Raises ReferenceError."""
    if is_relative(reference):
        located(reference[len(TAR) :] if reference.startswith(TAR) else reference, base)
    return moved(reference, prefix(base, ""))


def spelled(reference: str, base: str) -> str:
    """Return the reference in the one form in which references from different folders can be compared."""
    if not is_relative(reference):
        return reference
    if reference.startswith(TAR):
        return TAR + os.path.abspath(os.path.join(base, reference[len(TAR) :]))
    return os.path.abspath(os.path.join(base, reference))
