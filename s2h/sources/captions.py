"""A folder of captioned pictures: `photo.jpg` beside `photo.txt` (first line the caption), or a Hugging Face imagefolder
with `metadata.jsonl`, `metadata.csv` or `metadata.parquet` (`file_name` and a caption column).

    s2h-gen search --source captions:photos -n 100

Of sidecar captions only names are read at the start; captions are read by the thousand when they are first wanted.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from s2h.sources import SourceError, files, in_split, nouns
from s2h.sources.album import Album
from s2h.sources.packed import Texts
from s2h.sources.page import Page

COLUMNS = ("text", "caption", "captions", "description", "sentence", "sentences", "raw")
METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
AT_ONCE = 20_000  # pictures whose captions are read together


def looks_like(root: str) -> bool:
    """Whether there is a metadata file, or a picture with a text beside it."""
    if any(os.path.isfile(os.path.join(root, name)) for name in METADATA):
        return True
    some = (name for name, _ in zip(files.pictures(root), range(500), strict=False))
    return any(os.path.isfile(os.path.join(root, os.path.splitext(name)[0] + ".txt")) for name in some)


def read(root: str, *, spec: str, split: str = "train") -> Album:
    """The album of a folder; raises SourceError where nothing can be used."""
    if not os.path.isdir(root):
        raise SourceError(f"source {spec!r}: no such folder")
    root, unused = os.path.abspath(root), Counter()
    metadata = next((name for name in METADATA if os.path.isfile(os.path.join(root, name))), None)
    if metadata:
        pages = [(1, partial(_described, root, os.path.join(root, metadata), split))]
        return Album(spec, root, pages)
    names = [name for name in files.pictures(root) if in_split("captions", name, split, unused)]
    blocks = [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)] or [[]]
    packed = [Texts(block).seal() for block in blocks]
    pages = [(len(block), partial(_beside, root, block)) for block in packed]
    return Album(spec, root, pages, unused)


def fill(page: Page, name: str, captions: Iterable[str], unused: Counter) -> None:
    """Add a captioned picture; its concepts are what its first caption names first, and that by its last word alone."""
    captions = [text for caption in captions if (text := " ".join(caption.split()))]
    if not captions:
        unused["no caption"] += 1
        return
    concept = next((found for caption in captions if (found := nouns.concept_of(caption))), "")
    if not concept:
        unused["no concept in the caption"] += 1
        return
    last = concept.split()[-1]
    page.add(
        name, captions, dict.fromkeys((concept, last) if len(last) > 2 and last.isalpha() else (concept,), 0)
    )


def _beside(root: str, names: Texts, unused: Counter) -> Page:
    page = Page()
    for at in range(len(names)):
        name = names[at]
        try:
            with open(
                os.path.join(root, os.path.splitext(name)[0] + ".txt"), encoding="utf-8-sig", errors="replace"
            ) as lines:
                caption = lines.readline(4096)
        except FileNotFoundError:
            unused["no caption beside it"] += 1
        except OSError:
            unused["caption file unreadable"] += 1
        else:
            fill(page, name, [caption], unused)
    return page.seal()


def _described(root: str, metadata: str, split: str, unused: Counter) -> Page:
    page, seen = Page(), set()
    for where, row in _rows(metadata):
        name = _name(row, where)
        if isinstance(name, list):
            unused["several pictures in one row"] += 1
            continue
        captions = next((row[column] for column in COLUMNS if row.get(column)), ())
        captions = [captions] if isinstance(captions, str) else captions
        if not isinstance(captions, list | tuple) or not all(isinstance(text, str) for text in captions):
            raise SourceError(f"{where}: caption: not a text")
        if not in_split("captions", files.inside(name, f"{where}: file_name"), split, unused):
            continue
        if hash(name) in seen:
            unused["listed twice"] += 1
        elif not os.path.isfile(os.path.join(root, name)):
            unused["file missing"] += 1
        else:
            seen.add(hash(name))
            fill(page, name, captions, unused)
    return page.seal()


def _name(row: dict, where: str) -> str | list:
    """The picture's file name: `file_name`, or the one column that ends so."""
    if row.get("file_names"):
        return list(row["file_names"])
    columns = ["file_name"] if "file_name" in row else [c for c in row if c and c.endswith("_file_name")]
    name = row.get(columns[0]) if len(columns) == 1 else None
    if not isinstance(name, str) or not name:
        raise SourceError(f"{where}: file_name: missing (each row names its picture)")
    return name


def _rows(metadata: str) -> Iterator[tuple[str, dict]]:
    """(FILE:LINE, row) of a metadata file."""
    if metadata.endswith(".csv"):
        with open(metadata, newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            for row in rows:
                yield f"{metadata}:{rows.line_num}", row
    elif metadata.endswith(".parquet"):
        import pyarrow.parquet as parquet

        try:
            table = parquet.ParquetFile(metadata)
            number = 0
            for batch in table.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{metadata}: row {number}", row
        except (OSError, ValueError) as error:  # pyarrow's errors are among them
            raise SourceError(f"{metadata}: can't be read: {error}") from error
    else:
        from s2h import jsonl

        for number, row in enumerate(jsonl.read(metadata, check=None), start=1):
            yield f"{metadata}:{number}", row
