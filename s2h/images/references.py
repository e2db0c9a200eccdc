"""How an image reference is written and read. Every stage builds and takes apart references here and nowhere else, so that
what one stage writes, every other stage opens.

    photos/a.png   /data/a.png   tar:shard.tar!a.png   data:image/png;base64,…

A relative path starts at the folder of the file that holds the record, in a stream at the working directory. It may go
through symbolic links, which only the user makes, but it may not climb out with `..`. The name of a file on the disk is
never read as another kind of reference: `of_file` writes ./tar:a.png for a file that is called tar:a.png.
"""

from __future__ import annotations

import os
import re

from s2h.record import RecordError

TAR, DATA = "tar:", "data:"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Held(str):
    """A data URI made of the bytes of an image object ({"bytes", "path"}). jsonl.Writer puts these bytes into an image store
    and writes the reference to the file there, so that lines don't grow by them."""

    __slots__ = ()


class ReferenceError(RecordError):
    """A reference that is refused: it leaves its root, or it is no reference."""


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
    """Return the full path of a file that a reference names. Raises ReferenceError where a relative one climbs out of its
    base."""
    if os.path.isabs(path):
        return path
    clean = os.path.normpath(path)
    if clean.split(os.sep)[0] == os.pardir:
        raise ReferenceError(f"leaves the folder of its record: {path}", remedy="use an absolute path")
    return os.path.abspath(os.path.join(base, clean))


def prefix(base: str, out: str) -> str:
    """Return what stands before a reference that starts at `base` so that it holds in the folder `out`: relative below it,
    absolute elsewhere, "" where nothing is needed."""
    base, out = os.path.abspath(base), os.path.abspath(out)
    relative = os.path.relpath(base, out)
    if relative == os.curdir:
        return ""
    return base if relative.split(os.sep)[0] == os.pardir else of_file(relative)


def moved(reference: str, prefix: str) -> str:
    """Return the reference with a prefix of `prefix` before its path, where it is relative."""
    if not prefix or not is_relative(reference):
        return reference
    if reference.startswith(TAR):
        return TAR + os.path.join(prefix, reference[len(TAR) :])
    return os.path.join(prefix, reference)


def anchored(reference: str, base: str) -> str:
    """Return a reference that starts at `base` as one that holds in the working directory. Raises ReferenceError."""
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
