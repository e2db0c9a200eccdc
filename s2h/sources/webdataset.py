"""WebDataset shards: tar files whose neighbouring members with one key (the name up to the first dot of its last part)
are one sample: `000123.jpg`, `000123.txt` (caption), `000123.cls` (class), `000123.json`. Read in place: nothing is
unpacked, a pair refers to `tar:SHARD!MEMBER`, and a shard is looked through when a picture of it is first wanted.

    s2h-gen search --source webdataset:shards/ -n 1000
    s2h-gen search --source 'webdataset:shards/cc3m-{0000..0099}.tar' -n 1000
"""

from __future__ import annotations

import glob
import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial

from s2h import tars
from s2h.language import nouns
from s2h.sources import SourceError, files, in_split
from s2h.sources.album import Album
from s2h.sources.captions import COLUMNS, fill
from s2h.sources.page import Page

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
MOST_TEXT = 1 << 20  # bytes of a sample's caption or facts


def looks_like(root: str) -> bool:
    return any(name.lower().endswith((".tar", *PACKED)) for name in os.listdir(root))


def read(path: str, *, spec: str, split: str = "train") -> Album:
    """The album of a folder of shards, of one shard, or of a pattern with {000..099} or *. Raises SourceError."""
    shards = sorted(_shards(path))
    if not shards:
        raise SourceError(f"source {spec!r}: no tar file there")
    if missing := [shard for shard in shards if not os.path.isfile(shard)]:
        raise SourceError(f"source {spec!r}: no such file: {missing[0]}")
    if packed := [shard for shard in shards if shard.lower().endswith(PACKED)]:
        raise SourceError(f"{packed[0]}: a compressed shard can't be read in place (unpack it to a .tar)")
    if "!" in os.path.abspath(shards[0]):
        raise SourceError(f"{shards[0]}: a shard's path can't have a '!' in it (rename it)")
    # A shard's bytes stand for its number of pictures, which is not known before it is read.
    pages = [(max(1, os.path.getsize(s) >> 10), partial(_page, os.path.abspath(s), split)) for s in shards]
    return Album(spec, "", pages)


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
    page = Page(f"tar:{shard}!")
    for key, members, texts in _samples(shard, unused):
        pictures = [name for name in members if files.is_picture(name)]
        if not pictures:
            unused["a sample without a picture"] += 1
        elif in_split("webdataset", f"{os.path.basename(shard)} {key}", split, unused):
            captions, classes = _facts(texts)
            if not captions and not classes and texts.get("cls", "").strip():
                unused["a class that has a number and no name"] += 1
            elif captions or not classes:
                fill(page, pictures[0], captions, unused)
            else:
                page.add(pictures[0], (), classes)
    return page.seal()


def _facts(texts: dict[str, str]) -> tuple[list[str], list[str]]:
    """Captions and class names of a sample."""
    captions = [
        texts[end].split("\n", 1)[0] for end in ("txt", "caption", "text") if texts.get(end, "").strip()
    ]
    classes: list[str] = []
    if "json" in texts:
        try:
            told = json.loads(texts["json"])
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
        with open(shard, "rb") as file:
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
