"""What `datasets` reads: a folder that `save_to_disk` wrote, parquet files with an image column, or the name of a dataset on
the Hub. The columns are found by their types: the image, a class label, captions, or question and answer.

    s2h-gen search --source datasets:flowers/ -n 1000
    s2h-gen search --source parquet:data/train-00000-of-00002.parquet -n 1000
    s2h-gen vqa --source hub:HuggingFaceM4/A-OKVQA:validation -n 1000

Pictures stay where `datasets` keeps them, mapped into memory; those that a pair shows go to the image store.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from functools import lru_cache, partial
from typing import Any

from s2h.language import nouns
from s2h.sources import SourceError, files, in_split
from s2h.sources.album import Album
from s2h.sources.captions import COLUMNS, fill
from s2h.sources.page import Page
from s2h.sources.quiz import Quiz, Sheet

QUESTIONS, ANSWERS = (
    ("question", "query", "problem"),
    ("answer", "answers", "label", "multiple_choice_answer", "solution"),
)
AHEAD = ("train", "training"), ("validation", "val", "valid", "dev", "test")


def looks_like(root: str) -> bool:
    """Whether a folder was written by `save_to_disk` or holds parquet files."""
    if _saved(root):
        return True
    for _, _, names in os.walk(root):  # up to the first file that tells
        if "metadata.parquet" in names:  # an imagefolder's, which names files
            return False
        if any(name.endswith(".parquet") for name in names):
            return True
        if any(map(files.is_picture, names)):
            return False
    return False


def _saved(root: str) -> bool:
    return any(
        os.path.isfile(os.path.join(root, name))
        for name in ("dataset_info.json", "dataset_dict.json", "state.json")
    )


def _parquet(path: str) -> list[str]:
    if os.path.isdir(path):
        return sorted(glob.glob(os.path.join(glob.escape(path), "**", "*.parquet"), recursive=True))
    return sorted(glob.glob(path))


def read(path: str, *, spec: str, split: str = "train", kind: str = "datasets") -> Album | Quiz:
    """An album, or a quiz where the rows have questions. Raises SourceError where the data can't be had or used."""
    import datasets

    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)  # what it logs, its errors say
    try:
        table, apart = _table(path, split, kind, spec)
        images = [name for name, feature in table.features.items() if isinstance(feature, datasets.Image)]
        if not images:
            images = [name for name in ("image", "img", "picture", "jpg", "png") if _is_bytes(table, name)]
        if not images:
            raise SourceError(f"source {spec!r}: no image column (there are {', '.join(table.features)})")
        table = table.cast_column(images[0], datasets.Image(decode=False))
    except SourceError:
        raise
    except Exception as error:  # whatever the reader and the network raise
        raise SourceError(f"source {spec!r}: can't be read: {' '.join(str(error).split())[:300]}") from error
    names = {name.lower(): name for name in table.features}
    question, answer = (
        next((names[c] for c in columns if c in names), None) for columns in (QUESTIONS, ANSWERS)
    )
    keep = None if apart else split

    @lru_cache(maxsize=64)  # looked at first, then put into the store
    def data(row: str) -> bytes:
        return _bytes(table[int(row)][images[0]])

    if question and answer:
        return Quiz(spec, "", partial(_sheet, table, question, answer, keep), read=data)
    labels = [name for name, feature in table.features.items() if isinstance(feature, datasets.ClassLabel)]
    captions = next((names[c] for c in COLUMNS if c in names), None)
    if not captions and not labels:
        raise SourceError(
            f"source {spec!r}: no captions, class labels or questions among the columns {', '.join(table.features)}"
        )
    pages = [(1, partial(_page, table, captions, labels[:1], keep))]
    return Album(spec, "", pages, read=data)


def _table(path: str, split: str, kind: str, spec: str) -> tuple[Any, bool]:
    """The rows, and whether they are those of the split alone."""
    import datasets

    if kind == "hub":
        name, _, part = path.partition(":")
        if part:
            return datasets.load_dataset(name, split=part), False
        return _of_split(datasets.load_dataset(name), split)
    if os.path.isdir(path) and _saved(path):
        loaded = datasets.load_from_disk(path)
        return _of_split(loaded, split) if isinstance(loaded, datasets.DatasetDict) else (loaded, False)
    found = _parquet(path)
    if not found:
        raise SourceError(f"source {spec!r}: no such folder or parquet file")
    named = {
        which: [f for f in found if os.path.basename(f).startswith(AHEAD[at])]
        for at, which in enumerate(("train", "heldout"))
    }
    apart = all(named.values())
    return datasets.load_dataset("parquet", data_files=named[split] if apart else found, split="train"), apart


def _of_split(tables: Any, split: str) -> tuple[Any, bool]:
    train, held = (next((name for name in names if name in tables), None) for names in AHEAD)
    if train and held:
        return tables[train if split == "train" else held], True
    return tables[train or held or next(iter(tables))], False


def _is_bytes(table: Any, name: str) -> bool:
    feature = table.features.get(name)
    return (isinstance(feature, dict) and "bytes" in feature) or getattr(feature, "dtype", "").endswith(
        "binary"
    )


def _bytes(value: dict | None) -> bytes:
    if value is None:
        return b""
    if value.get("bytes"):
        return value["bytes"]
    from s2h.images import read_bytes

    return read_bytes(value["path"]) if value.get("path") else b""


def _page(table: Any, captions: str | None, labels: list[str], split: str | None, unused: Counter) -> Page:
    page = Page()
    columns = [name for name in (captions, *labels) if name]
    names = table.features[labels[0]].names if labels else []
    for row, facts in enumerate(table.select_columns(columns)):
        if not in_split("datasets", str(row), split, unused):
            continue
        said = facts[captions] if captions else None
        texts = [said] if isinstance(said, str) else [text for text in said or () if isinstance(text, str)]
        if texts:
            fill(page, str(row), texts, unused)
        elif labels and facts[labels[0]] is not None and facts[labels[0]] >= 0:
            page.add(str(row), (), (nouns.name_of_class(names[facts[labels[0]]]),))
        else:
            unused["no caption or label"] += 1
    return page.seal()


def _sheet(table: Any, question: str, answer: str, split: str | None, unused: Counter) -> Sheet:
    sheet = Sheet()
    for row, facts in enumerate(table.select_columns([question, answer])):
        if not in_split("datasets", str(row), split, unused):
            continue
        said = facts[answer]
        if isinstance(said, list):
            said = Counter(
                one if isinstance(one, str) else (one or {}).get("answer", "") for one in said
            ).most_common(1)
            said = said[0][0] if said else ""
        if why := sheet.add(str(row), str(row), facts[question], said):
            unused[why] += 1
    return sheet.seal()
