"""WebDataset shards: tar files in which consecutive members with the same key (the path up to the first dot of the file
name) are a sample: `000123.jpg`, `000123.txt` (caption), `000123.cls` (class), `000123.json`. Nothing is unpacked: a pair
refers to `tar:SHARD!MEMBER`, and a shard is read when one of its pictures is first drawn.

    s2h-gen search --source webdataset:shards/ -n 1000
    s2h-gen search --source 'webdataset:shards/cc3m-{0000..0099}.tar' -n 1000
"""

from __future__ import annotations

import glob
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial

from s2h.escape import terminal
from s2h.images import references, tars
from s2h.language import nouns
from s2h.sources import captions, classes, picture_folders, symlinks, text_files
from s2h.sources.exclusions import Exclusions
from s2h.sources.items import SourceError
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import PhotoTable
from s2h.sources.shapes import PHOTOS, QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
APART = "parts of a sample that are not neighbours"
MORE = "further pictures of one sample"
DOTS = "a sample's name ends at its first dot"
_TEXTS = ("txt", "caption", "text", "json", "cls")
MOST_TEXT = 1 << 20  # bytes of a sample's caption or facts


def looks_like(root: str) -> bool:
    """Tell whether a folder holds tar files and no layout of pictures. ImageNet's tar files are often left beside the
    folders that were unpacked from them."""
    shards = any(name.lower().endswith((".tar", *PACKED)) for name in os.listdir(root))
    return shards and not classes.looks_like(root) and not captions.looks_like(root)


def read(request: Request) -> Photos:
    """Open a folder of shards, one shard, or a pattern with {000..099} or *. Raises SourceError."""
    path = request.path
    shards = sorted(_shards(path))
    if not shards:
        raise request.error("no tar file there")
    excluded: Counter[str] = Counter()
    if missing := [shard for shard in shards if not os.path.isfile(shard)]:
        if not os.path.isdir(path):
            raise request.error(f"no such file: {missing[0]}")
        names = (terminal(os.path.basename(shard)) for shard in missing)
        excluded.update(f"{name}: {picture_folders.SPECIAL}" for name in names)
    if out := [shard for shard in shards if symlinks.refused(shard)]:
        excluded[symlinks.REFUSED] = len(out)
        missing += out
    if odd := [shard for shard in shards if not picture_folders.is_text(shard)]:
        excluded[picture_folders.NOT_UTF8] = len(odd)
    shards = [shard for shard in shards if shard not in {*missing, *odd}]
    if not shards:
        raise request.error(f"no tar file there can be used ({Exclusions(excluded).summary('')})")
    if packed := [shard for shard in shards if shard.lower().endswith(PACKED)]:
        if len(packed) == len(shards):
            raise SourceError(f"{packed[0]}: a compressed shard can't be read in place (unpack it to a .tar)")
        excluded["a compressed shard, which can't be read in place (unpack it to a .tar)"] = len(packed)
        shards = [shard for shard in shards if shard not in packed]
    if "!" in os.path.abspath(shards[0]):
        raise SourceError(f"{shards[0]}: a shard's path can't have a '!' in it (rename it)")
    # The weight of a shard is its size in bytes: its number of pictures is not known before it is read.
    weights = [max(1, os.path.getsize(shard) >> 10) for shard in shards]
    readers = [partial(_fill, os.path.abspath(shard), request.split) for shard in shards]
    return Photos(request.spec, "", list(zip(weights, readers, strict=True)), excluded)


def _shards(path: str) -> list[str]:
    if os.path.isdir(path):
        found = [os.path.join(path, name) for name in os.listdir(path)]
        return [name for name in found if name.lower().endswith((".tar", *PACKED))]
    if match := _BRACES.search(path):
        first, last = match.groups()
        numbers = (str(n).zfill(len(first)) for n in range(int(first), int(last) + 1))
        return [found for n in numbers for found in _shards(path[: match.start()] + n + path[match.end() :])]
    return glob.glob(path) if glob.has_magic(path) else [path]


def _fill(shard: str, split: str, excluded: Counter[str]) -> PhotoTable:
    table, parts = PhotoTable(references.of_member(shard, "")), Parts()
    for key, members, texts in _samples(shard, excluded):
        pictures = [name for name in members if picture_folders.is_picture(name)]
        parts.note(key, members, pictures, texts, excluded)
        if not pictures:
            excluded["a sample without a picture"] += 1
        elif not all(map(picture_folders.is_text, (key, pictures[0]))):
            excluded[picture_folders.NOT_UTF8] += 1
        elif in_split("webdataset", f"{os.path.basename(shard)} {key}", split, excluded):
            found, named = _facts(texts)
            if not found and not named and texts.get("cls", "").strip():
                excluded["a class that has a number and no name"] += 1
            elif found or not named:
                captions.add_captioned(table, pictures[0], found, excluded)
            else:
                table.add(pictures[0], (), named)
    return table.seal()


class Parts:
    """Counts signs that a shard was written with other rules than WebDataset's: a sample's key ends at the first dot, and
    its parts are consecutive."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._key = ""  # the first sample with several pictures, for the message
        self._endings = ""  # endings in the first sample without a text that is read, for the message

    def note(
        self, key: str, members: list[str], pictures: list[str], texts: dict, excluded: Counter[str]
    ) -> None:
        if hash(key) in self._seen:
            excluded[f"{APART} (make the shard with tar --sort=name)"] += 1
        self._seen.add(hash(key))
        if len(pictures) > 1:
            first, second = (os.path.basename(name) for name in pictures[:2])
            same = (
                _ending(first) != _ending(second)
                and os.path.splitext(first)[1] == os.path.splitext(second)[1]
            )
            self._key = self._key or f"{first} has the key {key!r}"
            excluded[f"{MORE} ({DOTS}: {self._key})" if same else MORE] += len(pictures) - 1
        elif pictures and not texts and len(members) > 1:
            self._endings = self._endings or " and ".join(f".{_ending(name)}" for name in members[:3])
            excluded[
                f"a sample without a part that is read, .{', .'.join(_TEXTS)} (found {self._endings}; {DOTS})"
            ] += 1


def _ending(name: str) -> str:
    return os.path.basename(name).partition(".")[2]


def _facts(texts: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the captions and class names of a sample."""
    found = [texts[end].split("\n", 1)[0] for end in ("txt", "caption", "text") if texts.get(end, "").strip()]
    named: list[str] = []
    if "json" in texts:
        try:
            fields = text_files.loads(texts["json"].encode())
        except ValueError:
            fields = {}
        if isinstance(fields, dict):
            text = next((fields[column] for column in captions.COLUMNS if fields.get(column)), None)
            if not found and text:
                found = text if isinstance(text, list) else [text]
            named = [
                fields[c]
                for c in ("class_name", "label_name", "class", "label")
                if isinstance(fields.get(c), str)
            ][:1]
    label = texts.get("cls", "").strip()
    if not named and label and not label.lstrip("-").isdigit():
        named = [nouns.name_of_class(label)]
    return found, named


def _samples(shard: str, excluded: Counter[str]) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield (key, names of the members, texts by ending) for each sample, in order."""
    key: str | None = None
    members: list[str] = []
    texts: dict[str, str] = {}
    try:
        with text_files.opened(shard) as file:
            for name, offset, size in tars.members(shard):
                folder, _, base = name.rpartition("/")
                stem, _, ending = base.partition(".")
                ending = ending.lower()
                this = f"{folder}/{stem}" if folder else stem
                if this != key:
                    if key is not None:
                        yield key, members, texts
                    key, members, texts = this, [], {}
                members.append(name)
                if size <= MOST_TEXT and ending in _TEXTS:
                    file.seek(offset)
                    texts[ending] = file.read(size).decode("utf-8", "replace")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        excluded[f"a shard that can't be read to its end ({os.path.basename(shard)}: {error})"] += 1
    if key is not None:
        yield key, members, texts


SOURCE = Source(
    title="WebDataset: tar shards, read in place",
    read=read,
    serves=(PHOTOS, QUESTIONS),
    looks_like=looks_like,
    priority=80,
    files=("*.tar",),
    aliases=("tar",),
)
