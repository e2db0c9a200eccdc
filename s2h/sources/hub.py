"""What `datasets` reads: a folder that `save_to_disk` wrote, parquet files with an image column, or the name of a dataset on
the Hub. The columns are found by their types: the image, a class label, captions, or question and answer.

    s2h-gen search --source datasets:flowers/ -n 1000
    s2h-gen search --source parquet:data/train-00000-of-00002.parquet -n 1000
    s2h-gen vqa --source hub:HuggingFaceM4/A-OKVQA:validation -n 1000

Pictures stay where `datasets` keeps them, mapped into memory; those that a pair shows go to the image store.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from s2h.images import references
from s2h.language import nouns
from s2h.sources import SourceError, files, in_split, links
from s2h.sources.album import Album
from s2h.sources.captions import COLUMNS, fill
from s2h.sources.page import Page
from s2h.sources.quiz import Quiz, Sheet
from s2h.sources.vqav2 import answers_of, unclear
from s2h.streams.files import below

QUESTIONS, ANSWERS = (
    ("question", "query", "problem"),
    ("multiple_choice_answer", "answer", "answers", "label", "solution"),
)
GIVEN = ("answers",)  # what several annotators answered, of which none is ever rejected
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


def is_shown(name: str, root: str) -> bool:
    """Whether neither a file nor a folder between it and the root is hidden."""
    return not any(part.startswith(".") for part in os.path.relpath(name, root).split(os.sep))


def _parquet(path: str, unused: Counter) -> list[str]:
    """The parquet files of a folder or a pattern; what is no regular file, or a link that is refused, is counted."""
    if os.path.isdir(path):
        found = [name for name in below(path) if is_shown(name, path) and name.endswith(".parquet")]
    else:
        found = glob.glob(path)
    usable = []
    for name in sorted(found):
        if links.refused(name):
            unused[links.REFUSED] += 1
        elif os.path.isfile(name):
            usable.append(name)
        elif not os.path.isdir(name):
            unused[f"{files.printable(os.path.basename(name))}: {files.SPECIAL}"] += 1
    return usable


def read(path: str, *, spec: str, split: str = "train", kind: str = "datasets") -> Album | Quiz:
    """An album, or a quiz where the rows have questions. Raises SourceError where the data can't be had or used."""
    import datasets

    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)  # what it logs, its errors say
    unused: Counter = Counter()
    try:
        table, apart = _table(path, split, kind, spec, unused)
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
    given = next((names[c] for c in GIVEN if c in names), None)
    keep = None if apart else split

    roots = _roots(path, kind)

    @lru_cache(maxsize=64)  # looked at first, then put into the store
    def data(row: str) -> bytes:
        return _bytes(table[int(row)][images[0]], roots)

    if question and answer:
        columns = Columns(question, answer, given)
        return Quiz(spec, "", partial(_sheet, table, columns, keep), read=data, listed=unused)
    labels = [name for name, feature in table.features.items() if isinstance(feature, datasets.ClassLabel)]
    captions = next((names[c] for c in COLUMNS if c in names), None)
    if not captions and not labels:
        raise SourceError(
            f"source {spec!r}: no captions, class labels or questions among the columns {', '.join(table.features)}"
        )
    pages = [(1, partial(_page, table, captions, labels[:1], keep))]
    return Album(spec, "", pages, unused, read=data)


def _table(path: str, split: str, kind: str, spec: str, unused: Counter) -> tuple[Any, bool]:
    """The rows, and whether they are those of the split alone. Files that can't be read are counted."""
    import datasets

    if kind == "hub":
        name, _, part = path.partition(":")
        if part:
            return datasets.load_dataset(name, split=part), False
        return _of_split(datasets.load_dataset(name), split)
    if os.path.isdir(path) and _saved(path):
        loaded = _from_disk(path, unused)
        return _of_split(loaded, split) if isinstance(loaded, datasets.DatasetDict) else (loaded, False)
    found = _parquet(path, unused)
    if not found:
        raise SourceError(f"source {spec!r}: no such folder or parquet file")
    named = {
        which: [f for f in found if os.path.basename(f).startswith(AHEAD[at])]
        for at, which in enumerate(("train", "heldout"))
    }
    apart = all(named.values())
    chosen = named[split] if apart else found
    try:
        return datasets.load_dataset("parquet", data_files=chosen, split="train"), apart
    except Exception:  # whatever a damaged file makes the reader stumble over
        sound = _sound(chosen, unused)
        if len(sound) == len(chosen):
            raise
    return datasets.load_dataset("parquet", data_files=sound, split="train"), apart


def _sound(paths: list[str], unused: Counter) -> list[str]:
    """The parquet files that can be read to their end and have the columns of the first one that can; others are counted.
    Raises SourceError where none can."""
    from pyarrow import parquet

    sound, faults, columns = [], [], None
    for path in paths:
        try:
            with parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                for number in range(file.num_row_groups):
                    file.read_row_group(number)
        except Exception as error:  # whatever a damaged file makes pyarrow stumble over
            faults.append(f"{path}: can't be read: {' '.join(str(error).split())[:200]}")
            continue
        columns = names if columns is None else columns
        if names == columns:
            sound.append(path)
        else:
            unused["a parquet file with other columns"] += 1
    if not sound:
        raise SourceError(f"{faults[0]} (copy it anew)")
    if faults:
        unused[f"a parquet file that can't be read (first {faults[0]})"] = len(faults)
    return sound


def _from_disk(path: str, unused: Counter) -> Any:
    """What `save_to_disk` wrote; of a table of several files those that can be read, others are counted, and so are links
    that are refused."""
    import datasets

    out = [name for name in sorted(os.listdir(path)) if links.refused(os.path.join(path, name))]
    if out:
        unused[links.REFUSED] += len(out)
    if os.path.isfile(os.path.join(path, "dataset_dict.json")):
        names = _tables(path)
        if not names:
            raise SourceError(f"{path}: no table in it ({links.REFUSED if out else 'copy it anew'})")
        return datasets.DatasetDict({name: _from_disk(os.path.join(path, name), unused) for name in names})
    try:
        if out:
            raise SourceError(f"{path}: {links.REFUSED}")  # where no part of it may be read
        return datasets.load_from_disk(path)
    except Exception:  # whatever a damaged file makes the reader stumble over
        parts, faults = [], []
        for name in _arrow_files(path):
            if links.refused(name):
                continue
            try:
                parts.append(datasets.Dataset.from_file(name))
            except Exception as error:
                faults.append(f"{name}: can't be read: {' '.join(str(error).split())[:200]}")
        if not parts or not (faults or out):
            raise
    if faults:
        unused[f"an arrow file that can't be read (first {faults[0]})"] = len(faults)
    return datasets.concatenate_datasets(parts)


def _tables(path: str) -> list[str]:
    """The tables that `save_to_disk` wrote into a folder, in their order."""
    there = files.folders(path)
    with contextlib.suppress(SourceError, KeyError, TypeError):
        listed = files.load_json(os.path.join(path, "dataset_dict.json"))["splits"]
        return [name for name in listed if name in there]
    return there


def _of_split(tables: Any, split: str) -> tuple[Any, bool]:
    train, held = (next((name for name in names if name in tables), None) for names in AHEAD)
    if train and held:
        return tables[train if split == "train" else held], True
    return tables[train or held or next(iter(tables))], False


def _arrow_files(path: str) -> list[str]:
    """The files of a table that `save_to_disk` wrote, in order; one that is listed may be missing."""
    listed: object = None
    with contextlib.suppress(SourceError, KeyError, TypeError, AttributeError):
        state = files.load_json(os.path.join(path, "state.json"))
        listed = [os.path.basename(one["filename"]) for one in state["_data_files"]]
    names = listed or sorted(name for name in os.listdir(path) if name.endswith(".arrow"))
    return [os.path.join(path, name) for name in names]


def _is_bytes(table: Any, name: str) -> bool:
    feature = table.features.get(name)
    return (isinstance(feature, dict) and "bytes" in feature) or getattr(feature, "dtype", "").endswith(
        "binary"
    )


def _roots(path: str, kind: str) -> list[str]:
    """The folders below which a row may name a picture: that of the files, or the caches of `datasets` and of the Hub."""
    if kind == "hub":
        import datasets
        from huggingface_hub import constants

        found = (
            constants.HF_HUB_CACHE,
            datasets.config.HF_DATASETS_CACHE,
            datasets.config.EXTRACTED_DATASETS_PATH,
        )
        return [os.path.abspath(root) for root in found]
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    return [os.path.abspath(folder)]


def _bytes(value: dict | bytes | None, roots: list[str]) -> bytes:
    """The bytes of a cell. Raises ImageError where it names a file that can't be had, or one outside the folders."""
    if isinstance(value, bytes) or value is None:
        return value or b""
    if value.get("bytes") or not value.get("path"):
        return value.get("bytes") or b""
    from s2h.images.decoding import ImageError, read_bytes

    unused: Counter = Counter()
    for root in roots:
        if (name := files.inside(value["path"], root, unused)) is not None:
            return read_bytes(references.of_file(os.path.join(root, name)))
    raise ImageError(f"{next(iter(unused))}: {value['path']!r}")


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


@dataclass(frozen=True)
class Columns:
    """The names of the columns of questions: question, answer, and what several annotators answered, if that is told."""

    question: str
    answer: str
    given: str | None


def _sheet(table: Any, columns: Columns, split: str | None, unused: Counter) -> Sheet:
    sheet = Sheet()
    wanted = dict.fromkeys(filter(None, (columns.question, columns.answer, columns.given)))
    for row, facts in enumerate(table.select_columns(list(wanted))):
        if not in_split("datasets", str(row), split, unused):
            continue
        said = facts[columns.answer]
        given = answers_of(facts[columns.given] if columns.given else said)
        if not isinstance(said, str):
            said = next((answer for answer, _ in Counter(answers_of(said)).most_common(1)), "")
        if why := sheet.add(str(row), str(row), facts[columns.question], said, accepted=given):
            unused[why] += 1
        elif unclear(said, given):
            sheet.unclear.add(len(sheet) - 1)
    return sheet.seal()
