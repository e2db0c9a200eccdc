"""Check every file and folder that a command reads or writes, before it opens any of them. An output, a work file, a picture
beside a report, a store or a cache must not be an input or another output, because it would destroy it. Each command calls
`check` with all its paths. Files are compared by their inode, so that `./x`, a link and a hard link are the same.

    check(["l1", "-"], {"-o": "out.jsonl", "--rejects": "l1.jsonl"}, grow=("-o", "--rejects"))
    # UsageError: --rejects l1.jsonl is an input.
"""

from __future__ import annotations

import glob
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import click

from s2h.cli import streams
from s2h.streams import WORK, files, jsonl

# What s2h-train writes into its run folder.
RUN = (
    "args.json", "data.jsonl", "val.jsonl", "reference.json", "probe.json", "metrics.jsonl", "training.png",
    "result.json", "README.md",
)  # fmt: skip
PICTURE = "the picture beside"
PNG = b"\x89PNG\r\n"
EARLIER = (  # fields of a report of s2h-eval, of a line of --captions
    {"rows", "metrics"},
    {"image", "model", "prompt", "caption"},
)
SNIFFED = 1 << 20  # bytes of a file's beginning that tell whether an earlier run wrote it

Identity = tuple[int, int] | tuple[str, str]


class _Claim(NamedTuple):
    """A path that the command writes. words: its name in messages. main: whether the user named it."""

    words: str
    path: str
    main: bool = True

    def sentence(self, read: str) -> str:
        """Return the message that this path is an input. read: the user's name for that input."""
        same = self.main and self.words.endswith(f" {read}")
        return f"{self.words} is an input{'' if same else f': {shown(read)}'}."


def check(
    reads: Iterable[str],
    outputs: Mapping[str, str | None],
    *,
    grow: Iterable[str] = (),
    pictured: Iterable[str] = (),
    replaced: str | None = None,
    ours: str = "chosen",
) -> None:
    """Raise click.UsageError if an output is an input or another output.

    reads: files and folders that are read, "-" for standard input; bare names as for `jsonl.find`; names of nothing are
    ignored. outputs: paths of files and folders by option, "-" for standard output, None for an option that was not given.
    grow: options whose files have work files beside them (WORK). pictured: options whose report has a picture beside it.
    replaced: a folder that is replaced as a whole, in which no input may be. ours: a field of the records that the command
    writes. A file in a folder that is read may be written only if an earlier run wrote it: its first line has this field, or
    it is a report or a file of captions.
    """
    if os.environ.get("RANK", "0") != "0":
        return  # the first process has checked them, and is writing already
    found = [_find(name) for name in reads]
    read: dict[Identity, str] = {}
    for name in found:
        if (key := identity(name, 0)) is not None:
            read.setdefault(key, name)
    claims = list(_claims(outputs, set(grow), set(pictured)))
    _against_inputs(claims, read)
    _against_each_other(claims)
    if replaced is not None:
        _against_replaced(found, replaced)
    _against_folders(found, claims, ours)
    _against_other_pictures(claims)


def identity(path: str, standard: int = 1) -> Identity | None:
    """Return the identity of a file or folder: its device and inode, or its real path if nothing exists there. None if it
    can't be overwritten (a device, a socket). "-" is the standard stream `standard` (0 or 1)."""
    try:
        if path == "-":
            stream = streams.output() if standard else sys.stdin
            status = os.fstat(stream.fileno())
        else:
            status = os.stat(path)
    except (AttributeError, ValueError):  # a closed stream, or one that is no file; a NUL in a name
        return None
    except OSError:
        return None if path == "-" else ("", os.path.realpath(path))
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        return None
    return status.st_dev, status.st_ino


def in_spec(spec: str) -> list[str]:
    """Return the file or folder that a --source reads; for a pattern of names, the folder above it."""
    from s2h.sources import split_spec

    kind, path = split_spec(spec)
    if os.path.exists(path):
        return [path]
    if not kind:
        return []
    if glob.has_magic(path) or "{" in path:
        fixed = []
        for part in path.split(os.sep):
            if glob.has_magic(part) or "{" in part:
                break
            fixed.append(part)
        return [os.sep.join(fixed) or (os.sep if path.startswith(os.sep) else ".")]
    return []


def in_run(folder: str) -> dict[str, str]:
    """Return the files that s2h-train writes into its run folder, as `outputs` of `check`."""
    named = {"-o": folder}
    return named | {f"-o {folder}: its {name}": os.path.join(folder, name) for name in RUN}


def image_store(output: str) -> str:
    """Return the default store for the bytes of image objects: beside the output, or in the working directory for a stream.
    Two outputs of a command share the store of the main one."""
    folder = "" if output == "-" else os.path.dirname(files.target(output))
    return os.path.join(folder, files.IMAGES)


def shown(path: str) -> str:
    return path if len(path) <= 200 else path[:100] + "…" + path[-99:]


def _find(name: str) -> str:
    """Return the file of records for a name, or the name itself if there is none."""
    if name == "-" or os.path.exists(name):
        return name
    return next((name + suffix for suffix in jsonl.SUFFIXES if os.path.exists(name + suffix)), name)


def _claims(outputs: Mapping[str, str | None], grow: set[str], pictured: set[str]) -> Iterator[_Claim]:
    for option, path in outputs.items():
        if path is None:
            continue
        words = option if ": its " in option else "standard output" if path == "-" else f"{option} {path}"
        yield _Claim(words, path)
        if path == "-":
            continue
        if option in pictured:
            yield _Claim(f"{PICTURE} {words}", os.path.splitext(path)[0] + ".png")
        target = os.path.realpath(path)
        if identity(path) is None or os.path.isdir(target):
            continue
        for suffix in WORK if option in grow else ():
            yield _Claim(f"a work file of {words}", files.beside(target, suffix), main=False)
        yield _Claim(f"the lock of {words}", files.hidden(target, ".lock"), main=False)


def _against_inputs(claims: list[_Claim], read: dict[Identity, str]) -> None:
    for claim in claims:
        key = identity(claim.path)
        if key is not None and key in read:
            raise click.UsageError(claim.sentence(read[key]))


def _against_each_other(claims: list[_Claim]) -> None:
    seen: dict[Identity | str, _Claim] = {}
    for claim in claims:
        key = "-" if claim.path == "-" else identity(claim.path)
        keys = [key, identity("-")] if key == "-" else [key]
        named = [one for one in keys if one is not None]
        for one in named:
            if one in seen:
                raise click.UsageError(f"{seen[one].words} and {claim.words} name the same file.")
        seen.update((one, claim) for one in named)


def _against_other_pictures(claims: list[_Claim]) -> None:
    """Raise click.UsageError if the picture beside a report would replace one that s2h has not drawn. The user did not name
    it."""
    for claim in claims:
        drawn = claim.words.startswith(PICTURE) and os.path.isfile(claim.path)
        if drawn and not _from_earlier_run(claim.path, "chosen"):
            raise click.UsageError(
                f"{claim.words} would take the place of {shown(claim.path)}, which s2h has not drawn (move it, or give the "
                "report another name)."
            )


def _against_replaced(found: list[str], replaced: str) -> None:
    """Raise click.UsageError if an input is in the folder that is replaced."""
    root = os.path.realpath(replaced)
    for name in found:
        if name != "-" and os.path.exists(name) and _inside(os.path.realpath(name), root):
            raise click.UsageError(
                f"the folder {replaced} is replaced, and an input is in it: {shown(name)}."
            )


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _against_folders(found: list[str], claims: list[_Claim], ours: str) -> None:
    """Raise click.UsageError if an output is a file in a folder that is read, unless an earlier run wrote it."""
    there = {}
    for claim in claims:
        if claim.main and claim.path != "-" and os.path.isfile(claim.path):
            there[identity(claim.path)] = claim
    if not there:
        return
    visited: set[Identity] = set()
    for folder in found:
        if folder != "-" and os.path.isdir(folder):
            for key, path in _walk(folder, visited):
                if key in there and not _from_earlier_run(path, ours):
                    raise click.UsageError(
                        f"{there[key].words} is one of the files in {folder}, which is read: {shown(path)} (if an earlier "
                        "run wrote it, remove it first)."
                    )


def _walk(folder: str, visited: set[Identity]) -> Iterator[tuple[Identity, str]]:
    """Yield every file below a folder, links followed, with its identity."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            status = os.stat(place)
            entries = os.scandir(place)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in visited:
            entries.close()
            continue
        visited.add((status.st_dev, status.st_ino))
        with entries:
            for entry in entries:
                try:
                    if entry.is_dir():
                        waiting.append(entry.path)
                    elif entry.is_symlink():
                        linked = entry.stat()
                        yield (linked.st_dev, linked.st_ino), entry.path
                    else:
                        yield (status.st_dev, entry.inode()), entry.path
                except OSError:
                    continue


def _from_earlier_run(path: str, ours: str) -> bool:
    """Return whether an earlier run of the same command wrote a file: an empty file, records with the field
    `ours`, or a report."""
    import zlib

    try:
        if os.path.getsize(path) == 0:
            return True
        with files.opened(path) as file:
            head = file.read(SNIFFED)
    except (OSError, EOFError, ValueError, zlib.error, ImportError):
        return False
    if head.startswith((b"# Evaluation\n", PNG)):
        return not head.startswith(PNG) or b"Software\0" + files.MADE_BY.encode() in head[:200]
    for text in (head, head.partition(b"\n")[0]):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        return isinstance(found, dict) and any(fields <= set(found) for fields in ({ours}, *EARLIER))
    return False
