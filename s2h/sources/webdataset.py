"""WebDataset shards: tar files whose neighbouring members with one key (the name up to the first dot of its last part)
are one sample: `000123.jpg`, `000123.txt` (caption), `000123.cls` (class), `000123.json`. Read in place: nothing is
unpacked, a pair refers to `tar:SHARD!MEMBER`, and a shard is looked through when a picture of it is first wanted.

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

from s2h.images import references, tars
from s2h.language import nouns
from s2h.sources import SourceError, captions, classes, files, in_split, links
from s2h.sources.album import Album
from s2h.sources.captions import COLUMNS, fill
from s2h.sources.page import Page
from s2h.sources.unused import Unused

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
APART = "parts of a sample that are not neighbours"
MORE = "further pictures of one sample"
DOTS = "a sample's name ends at its first dot"
MOST_TEXT = 1 << 20  # bytes of a sample's caption or facts


def looks_like(root: str) -> bool:
    """Whether a folder holds tar files and no pictures of its own: ImageNet's often lie beside what came out of them."""
    shards = any(name.lower().endswith((".tar", *PACKED)) for name in os.listdir(root))
    return shards and not classes.looks_like(root) and not captions.looks_like(root)


def read(path: str, *, spec: str, split: str = "train") -> Album:
    """The album of a folder of shards, of one shard, or of a pattern with {000..099} or *. Raises SourceError."""
    shards = sorted(_shards(path))
    if not shards:
        raise SourceError(f"source {spec!r}: no tar file there")
    listed: Counter = Counter()
    if missing := [shard for shard in shards if not os.path.isfile(shard)]:
        if not os.path.isdir(path):
            raise SourceError(f"source {spec!r}: no such file: {missing[0]}")
        listed.update(f"{files.printable(os.path.basename(shard))}: {files.SPECIAL}" for shard in missing)
    if out := [shard for shard in shards if links.refused(shard)]:
        listed[links.REFUSED] = len(out)
        missing += out
    if odd := [shard for shard in shards if not files.is_text(shard)]:
        listed[files.NOT_UTF8] = len(odd)
    shards = [shard for shard in shards if shard not in {*missing, *odd}]
    if not shards:
        raise SourceError(f"source {spec!r}: no tar file there can be used ({Unused(listed).why('')})")
    if packed := [shard for shard in shards if shard.lower().endswith(PACKED)]:
        if len(packed) == len(shards):
            raise SourceError(f"{packed[0]}: a compressed shard can't be read in place (unpack it to a .tar)")
        listed["a compressed shard, which can't be read in place (unpack it to a .tar)"] = len(packed)
        shards = [shard for shard in shards if shard not in packed]
    if "!" in os.path.abspath(shards[0]):
        raise SourceError(f"{shards[0]}: a shard's path can't have a '!' in it (rename it)")
    # A shard's bytes stand for its number of pictures, which is not known before it is read.
    pages = [(max(1, os.path.getsize(s) >> 10), partial(_page, os.path.abspath(s), split)) for s in shards]
    return Album(spec, "", pages, listed)


def _shards(path: str) -> list[str]:
    if os.path.isdir(path):
        found = [os.path.join(path, name) for name in os.listdir(path)]
        return [name for name in found if name.lower().endswith((".tar", *PACKED))]
    if match := _BRACES.search(path):
        first, last = match.groups()
        numbers = (str(n).zfill(len(first)) for n in range(int(first), int(last) + 1))
        return [found for n in numbers for found in _shards(path[: match.start()] + n + path[match.end() :])]
    return glob.glob(path) if glob.has_magic(path) else [path]


def _page(shard: str, split: str, unused: Counter) -> Page:
    page, parts = Page(references.of_member(shard, "")), Parts()
    for key, members, texts in _samples(shard, unused):
        pictures = [name for name in members if files.is_picture(name)]
        parts.note(key, members, pictures, texts, unused)
        if not pictures:
            unused["a sample without a picture"] += 1
        elif not all(map(files.is_text, (key, pictures[0]))):
            unused[files.NOT_UTF8] += 1
        elif in_split("webdataset", f"{os.path.basename(shard)} {key}", split, unused):
            told, named = _facts(texts)
            if not told and not named and texts.get("cls", "").strip():
                unused["a class that has a number and no name"] += 1
            elif told or not named:
                fill(page, pictures[0], told, unused)
            else:
                page.add(pictures[0], (), named)
    return page.seal()


class Parts:
    """What tells that a shard's samples are not what their writer meant: a sample's name ends at the first dot, and its
    parts are neighbours."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._key = ""  # of the first sample with several pictures
        self._endings = ""  # of the first sample whose texts have other ones than are read

    def note(self, key: str, members: list[str], pictures: list[str], texts: dict, unused: Counter) -> None:
        if hash(key) in self._seen:
            unused[f"{APART} (make the shard with tar --sort=name)"] += 1
        self._seen.add(hash(key))
        if len(pictures) > 1:
            first, second = (os.path.basename(name) for name in pictures[:2])
            same = (
                _ending(first) != _ending(second)
                and os.path.splitext(first)[1] == os.path.splitext(second)[1]
            )
            self._key = self._key or f"{first} has the key {key!r}"
            unused[f"{MORE} ({DOTS}: {self._key})" if same else MORE] += len(pictures) - 1
        elif pictures and not texts and len(members) > 1:
            self._endings = self._endings or " and ".join(f".{_ending(name)}" for name in members[:3])
            unused[
                f"a sample without a part that is read, .{', .'.join(_TEXTS)} (found {self._endings}; {DOTS})"
            ] += 1


def _ending(name: str) -> str:
    return os.path.basename(name).partition(".")[2]


def _facts(texts: dict[str, str]) -> tuple[list[str], list[str]]:
    """Captions and class names of a sample."""
    captions = [
        texts[end].split("\n", 1)[0] for end in ("txt", "caption", "text") if texts.get(end, "").strip()
    ]
    classes: list[str] = []
    if "json" in texts:
        try:
            told = files.loads(texts["json"].encode())
        except ValueError:
            told = {}
        if isinstance(told, dict):
            said = next((told[column] for column in COLUMNS if told.get(column)), None)
            if not captions and said:
                captions = said if isinstance(said, list) else [said]
            classes = [
                told[c]
                for c in ("class_name", "label_name", "class", "label")
                if isinstance(told.get(c), str)
            ][:1]
    label = texts.get("cls", "").strip()
    if not classes and label and not label.lstrip("-").isdigit():
        classes = [nouns.name_of_class(label)]
    return captions, classes


def _samples(shard: str, unused: Counter) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """(key, names of the members, texts by ending) of each sample, in order."""
    key, members, texts = None, [], {}
    try:
        with files.opened(shard) as file:
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
        unused[f"a shard that can't be read to its end ({os.path.basename(shard)}: {error})"] += 1
    if key is not None:
        yield key, members, texts


_TEXTS = ("txt", "caption", "text", "json", "cls")
