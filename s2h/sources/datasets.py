"""Tables of the library `datasets` on disk: a folder that `save_to_disk` wrote, or parquet files with an image column.

    s2h-gen search --source datasets:flowers/ -n 1000
    s2h-gen search --source parquet:data/train-00000-of-00002.parquet -n 1000

Files that can't be read are counted, and the others are used. dataset_columns.py finds the columns.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections import Counter
from typing import Any

from s2h.escape import terminal
from s2h.sources import picture_folders, symlinks, text_files
from s2h.sources.dataset_columns import SPLITS, of_split, open_table
from s2h.sources.items import SourceError
from s2h.sources.photo_set import Photos
from s2h.sources.question_set import Questions
from s2h.sources.shapes import COMPARABLE, PHOTOS, QUESTIONS, SHARED_QUESTIONS
from s2h.sources.source import Request, Source
from s2h.streams.files import below


def looks_like(root: str) -> bool:
    """Tell whether a folder was written by `save_to_disk` or holds parquet files."""
    if _saved(root):
        return True
    for _, _, names in os.walk(root):  # up to the first file that tells
        if "metadata.parquet" in names:  # belongs to an imagefolder: it names files and holds no images
            return False
        if any(name.endswith(".parquet") for name in names):
            return True
        if any(map(picture_folders.is_picture, names)):
            return False
    return False


def _saved(root: str) -> bool:
    return any(
        os.path.isfile(os.path.join(root, name))
        for name in ("dataset_info.json", "dataset_dict.json", "state.json")
    )


def is_shown(name: str, root: str) -> bool:
    """Tell whether neither a file nor any folder between it and the root is hidden."""
    return not any(part.startswith(".") for part in os.path.relpath(name, root).split(os.sep))


def _parquet(path: str, excluded: Counter[str]) -> list[str]:
    """Return the parquet files of a folder or a pattern. Count special files and refused links."""
    if os.path.isdir(path):
        found = [name for name in below(path) if is_shown(name, path) and name.endswith(".parquet")]
    else:
        found = glob.glob(path)
    usable = []
    for name in sorted(found):
        if symlinks.refused(name):
            excluded[symlinks.REFUSED] += 1
        elif os.path.isfile(name):
            usable.append(name)
        elif not os.path.isdir(name):
            excluded[f"{terminal(os.path.basename(name))}: {picture_folders.SPECIAL}"] += 1
    return usable


def read(request: Request) -> Photos | Questions:
    """Open a folder, a parquet file, or a pattern of them. Raises SourceError if nothing can be used."""
    excluded: Counter[str] = Counter()
    folder = request.path if os.path.isdir(request.path) else os.path.dirname(request.path)
    return open_table(request, lambda: _load(request, excluded), [folder], excluded)


def _load(request: Request, excluded: Counter[str]) -> tuple[Any, bool]:
    """Return the table, and whether it holds only the rows of the split. Files that can't be read are counted."""
    import datasets

    path = request.path
    if os.path.isdir(path) and _saved(path):
        loaded = _from_disk(path, excluded)
        return (
            of_split(loaded, request.split) if isinstance(loaded, datasets.DatasetDict) else (loaded, False)
        )
    found = _parquet(path, excluded)
    if not found:
        raise request.error("no such folder or parquet file")
    train, held = ([f for f in found if os.path.basename(f).startswith(names)] for names in SPLITS)
    apart = bool(train and held)
    chosen = found if not apart else held if request.split == "heldout" else train
    try:
        return datasets.load_dataset("parquet", data_files=chosen, split="train"), apart
    except Exception:  # a damaged file can raise errors of many types
        sound = _sound(chosen, excluded)
        if len(sound) == len(chosen):
            raise
    return datasets.load_dataset("parquet", data_files=sound, split="train"), apart


def _sound(paths: list[str], excluded: Counter[str]) -> list[str]:
    """Return the parquet files that can be read to the end and have the same columns as the first of them; count the others.
    Raises SourceError if none can be read."""
    from pyarrow import parquet

    sound: list[str] = []
    faults: list[str] = []
    columns: list[str] | None = None
    for path in paths:
        try:
            with parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                for number in range(file.num_row_groups):
                    file.read_row_group(number)
        except Exception as error:  # a damaged file can raise errors of many types
            faults.append(f"{path}: can't be read: {' '.join(str(error).split())[:200]}")
            continue
        columns = names if columns is None else columns
        if names == columns:
            sound.append(path)
        else:
            excluded["a parquet file with other columns"] += 1
    if not sound:
        raise SourceError(f"{faults[0]} (copy it anew)")
    if faults:
        excluded[f"a parquet file that can't be read (first {faults[0]})"] = len(faults)
    return sound


def _from_disk(path: str, excluded: Counter[str]) -> Any:
    """Return the table or tables that `save_to_disk` wrote. Of a table in several files, those that can be read are used;
    the others and refused links are counted."""
    import datasets

    out = [name for name in sorted(os.listdir(path)) if symlinks.refused(os.path.join(path, name))]
    if out:
        excluded[symlinks.REFUSED] += len(out)
    if os.path.isfile(os.path.join(path, "dataset_dict.json")):
        names = _tables(path)
        if not names:
            raise SourceError(f"{path}: no table in it ({symlinks.REFUSED if out else 'copy it anew'})")
        return datasets.DatasetDict({name: _from_disk(os.path.join(path, name), excluded) for name in names})
    try:
        if out:
            raise SourceError(f"{path}: {symlinks.REFUSED}")  # the error if no other part can be read
        return datasets.load_from_disk(path)
    except Exception:  # a damaged file can raise errors of many types
        parts, faults = [], []
        for name in _arrow_files(path):
            if symlinks.refused(name):
                continue
            try:
                parts.append(datasets.Dataset.from_file(name))
            except Exception as error:
                faults.append(f"{name}: can't be read: {' '.join(str(error).split())[:200]}")
        if not parts or not (faults or out):
            raise
    if faults:
        excluded[f"an arrow file that can't be read (first {faults[0]})"] = len(faults)
    return datasets.concatenate_datasets(parts)


def _tables(path: str) -> list[str]:
    """Return the names of the tables that `save_to_disk` wrote into a folder, in their order."""
    there = picture_folders.folders(path)
    with contextlib.suppress(SourceError, KeyError, TypeError):
        listed: Any = text_files.load_json(os.path.join(path, "dataset_dict.json"))
        return [name for name in listed["splits"] if name in there]
    return there


def _arrow_files(path: str) -> list[str]:
    """Return the files of a table that `save_to_disk` wrote, in order. Some of them may not exist."""
    listed: list[str] = []
    with contextlib.suppress(SourceError, KeyError, TypeError, AttributeError):
        state: Any = text_files.load_json(os.path.join(path, "state.json"))
        listed = [os.path.basename(one["filename"]) for one in state["_data_files"]]
    names = listed or sorted(name for name in os.listdir(path) if name.endswith(".arrow"))
    return [os.path.join(path, name) for name in names]


SOURCE = Source(
    title="Tables of the library datasets: a folder that save_to_disk wrote, or parquet files",
    read=read,
    serves=(PHOTOS, COMPARABLE, QUESTIONS, SHARED_QUESTIONS),
    looks_like=looks_like,
    priority=90,
    files=("*.parquet",),
    aliases=("parquet",),
)
