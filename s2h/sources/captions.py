"""A folder of captioned pictures: `photo.jpg` beside `photo.txt` (first line the caption), or a Hugging Face imagefolder
with `metadata.jsonl` or `metadata.csv` (`file_name` and a caption column). Only names and captions are read at the start;
a picture is opened when a pair shows it.

    s2h-gen search --source captions:photos -n 100
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from s2h.answers import normalise
from s2h.sources import PICTURES, Item, NoPair, SourceError, belongs
from s2h.sources.builtin.words import Question, with_article

CAPTION_COLUMNS = ("text", "caption", "captions", "description", "sentence")
REDRAWS = 50
# Words after which a caption's first noun phrase has ended.
_AFTER = re.compile(
    r"[,.;:!?(\u2014\u2013\[\"]|\b(?:of|with|in|on|at|that|which|who|and|or|to|for|from|by|is|are|was|has|called|made|used)\b"
)
_ARTICLE = re.compile(r"^(?:an?|the|some|two|three|this is an?)\s+", re.IGNORECASE)
GENERIC = (
    "A picture of something.",
    "This image shows an object.",
    "There is something to be seen here.",
    "A picture.",
)


@dataclass(frozen=True)
class Entry:
    """One usable picture: file name below the root, caption, and the concept that the caption names first."""

    name: str
    caption: str
    concept: str

    @property
    def heads(self) -> frozenset[str]:
        """Every word that might name something in it, singular, from caption and file name."""
        stem = re.sub(r"[\d_\-]+", " ", Path(self.name).stem)
        return frozenset(normalise(self.caption)) | frozenset(normalise(stem))


def concept_of(caption: str) -> str:
    """The caption's first noun phrase without its article, at most four words; '' where there is none.
    'An Indian blackbuck.' gives 'Indian blackbuck', 'A dumper. It carries …' gives 'dumper'."""
    phrase = _ARTICLE.sub("", caption.strip())
    phrase = _AFTER.split(phrase, maxsplit=1)[0].strip()
    words = phrase.split()
    return phrase if 0 < len(words) <= 4 and all(any(c.isalpha() for c in w) for w in words) else ""


def read_captions(folder: str, *, spec: str, split: str = "train") -> Captions:
    """Read the names and captions below a folder; raises SourceError where nothing can be used."""
    root = Path(folder)
    if not root.is_dir():
        raise SourceError(f"source {spec!r}: no such folder")
    unused: Counter = Counter()
    entries: list[Entry] = []
    for name, caption in _listed(root, unused):
        caption = " ".join(caption.split())
        if not caption:
            unused["no caption"] += 1
            continue
        concept = concept_of(caption)
        if not concept:
            unused["no concept in the caption"] += 1
            continue
        if belongs("captions", name, split):
            entries.append(Entry(name, caption, concept))
        else:
            unused[f"not in the {split} split"] += 1
    if len(entries) < 2:
        why = "; ".join(f"{count} {reason}" for reason, count in unused.items()) or "no pictures"
        raise SourceError(
            f"source {spec!r}: fewer than two captioned pictures ({why}; put photo.txt beside photo.jpg)"
        )
    return Captions(root, spec, entries, unused)


def _listed(root: Path, unused: Counter) -> Iterator[tuple[str, str]]:
    for metadata in ("metadata.jsonl", "metadata.csv"):
        if (root / metadata).is_file():
            yield from _from_metadata(root, root / metadata, unused)
            return
    for folder, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            path = Path(folder) / file
            if path.suffix.lower() not in PICTURES:
                continue
            sidecar = path.with_suffix(".txt")
            if not sidecar.is_file():
                unused["no caption beside it"] += 1
                continue
            try:
                with open(sidecar, encoding="utf-8-sig", errors="replace") as lines:
                    yield str(path.relative_to(root)), lines.readline()
            except OSError:
                unused["caption file unreadable"] += 1


def _from_metadata(root: Path, metadata: Path, unused: Counter) -> Iterator[tuple[str, str]]:
    if metadata.suffix == ".csv":
        with open(metadata, newline="", encoding="utf-8-sig") as lines:
            rows = [(number, row) for number, row in enumerate(csv.DictReader(lines), start=2)]
    else:
        from s2h import jsonl

        rows = [(number, row) for number, row in enumerate(jsonl.read(str(metadata), check=None), start=1)]
    for number, row in rows:
        name = row.get("file_name")
        caption = next((row[c] for c in CAPTION_COLUMNS if row.get(c)), None)
        if isinstance(caption, list):
            caption = caption[0] if caption else None
        if not isinstance(name, str) or not name:
            raise SourceError(f"{metadata}:{number}: file_name: missing (each row names its picture)")
        if caption is not None and not isinstance(caption, str):
            raise SourceError(f"{metadata}:{number}: caption: not a text")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SourceError(f"{metadata}:{number}: file_name: {name!r} leaves the folder")
        if not (root / name).is_file():
            unused["file missing"] += 1
            continue
        yield name, caption or ""


class Captions:
    """The pictures of one folder. A concept is what a caption names first; it is absent from a distractor when none of
    that picture's words is the concept's last word."""

    swaps = False

    def __init__(self, root: Path, spec: str, entries: list[Entry], unused: Counter) -> None:
        self.root, self.spec, self.entries, self.unused = root.resolve(), spec, entries, unused
        self.by_head: dict[str, list[int]] = defaultdict(list)
        for at, entry in enumerate(entries):
            self.by_head[self._head(entry.concept)].append(at)

    def __len__(self) -> int:
        return len(self.entries)

    @staticmethod
    def _head(concept: str) -> str:
        words = normalise(concept)
        return words[-1] if words else ""

    def _item(self, at: int) -> Item:
        entry = self.entries[at]
        labels = {"kind": "captioned", "file": entry.name, "caption": entry.caption, "concept": entry.concept}
        return Item(entry.name, labels, reference=str(self.root / entry.name))

    def _draw(self, rng: Random, together: list[Item], head: str) -> Item:
        taken = {item.key for item in together}
        for _ in range(REDRAWS):
            entry = self.entries[at := rng.randrange(len(self.entries))]
            if entry.name not in taken and head not in entry.heads:
                return self._item(at)
        raise NoPair("no distractor without the target's concept found")

    # Level 1
    def subject(self, rng: Random) -> Item:
        return self._item(rng.randrange(len(self.entries)))

    def companion(self, rng: Random, together: list[Item]) -> Item:
        """A distractor that neither is the target nor shows its concept."""
        return self._draw(rng, together, self._head(together[0].labels["concept"]))

    def questions(self, item: Item) -> list[Question]:
        return [Question("object", "What is shown?", _indefinite(item), (), "a picture of {}")]

    # Level 3
    def target(self, rng: Random) -> tuple[Item, str]:
        item = self.subject(rng)
        return item, _indefinite(item)

    def without(self, rng: Random, concept: str, together: list[Item]) -> Item:
        return self._draw(rng, together, self._head(concept))

    def another(self, rng: Random, concept: str, target: Item) -> Item:
        others = [at for at in self.by_head[self._head(concept)] if self.entries[at].name != target.key]
        if not others:
            raise NoPair("no other picture of the same concept")
        return self._item(rng.choice(others))

    def caption(self, rng: Random, item: Item) -> str:
        return item.labels["caption"]

    def fits(self, caption: str, item: Item) -> bool:
        """Nobody knows what else is true of a photograph: only the same words count as fitting."""
        return normalise(caption) == normalise(item.labels["caption"])

    def claim(self, item: Item) -> str:
        return item.labels["caption"]

    def generic(self, rng: Random, item: Item) -> str:
        return rng.choice(GENERIC)


def _indefinite(item: Item) -> str:
    concept = item.labels["concept"]
    first = concept.split()[0]
    plural = concept.endswith("s") and not concept.endswith("ss")
    return (
        concept
        if plural
        else with_article(
            concept if first.isupper() else first[0].lower() + first[1:] + concept[len(first) :]
        )
    )
