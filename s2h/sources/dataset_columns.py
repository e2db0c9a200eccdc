"""Open tables of the library `datasets` as sources. Types and names tell which columns hold the image, a class label,
captions, or question and answer. Pictures stay in the memory-mapped files of `datasets`; those that a pair shows are
written to the image store. datasets.py and hub.py load the tables."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from s2h.images import references
from s2h.language import nouns
from s2h.sources import captions, picture_folders
from s2h.sources.items import SourceError
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import PhotoTable
from s2h.sources.question_set import Questions
from s2h.sources.question_table import QuestionTable
from s2h.sources.source import Request
from s2h.sources.splits import in_split
from s2h.sources.vqav2 import answers_of, unclear

IMAGES = ("image", "img", "picture", "jpg", "png")  # columns that may hold the bytes of an image file
QUESTION = ("question", "query", "problem")
ANSWER = ("multiple_choice_answer", "answer", "answers", "label", "solution")
GIVEN = ("answers",)  # the answers of several annotators; none of them is ever rejected
SPLITS = ("train", "training"), ("validation", "val", "valid", "dev", "test")


@dataclass(frozen=True)
class QuestionColumns:
    """Names of the columns with the question, the answer and, if there is one, the answers of several annotators."""

    question: str
    answer: str
    given: str | None


def open_table(
    request: Request,
    load: Callable[[], tuple[Any, bool]],
    roots: Sequence[str],
    excluded: Counter[str],
) -> Photos | Questions:
    """Open a table: as questions if it has columns of question and answer, otherwise as photos.

    load: returns the table, and whether it holds only the rows of the split. roots: the folders in which a row may name a
    picture. Raises SourceError if the table can't be loaded or used.
    """
    import datasets

    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)  # its errors repeat its log
    try:
        table, apart = load()
        images = [name for name, feature in table.features.items() if isinstance(feature, datasets.Image)]
        images = images or [name for name in IMAGES if _holds_bytes(table, name)]
        if not images:
            raise request.error(f"no image column (there are {', '.join(table.features)})")
        table = table.cast_column(images[0], datasets.Image(decode=False))
    except SourceError:
        raise
    except Exception as error:  # readers and the network raise errors of many types
        raise request.error(f"can't be read: {' '.join(str(error).split())[:300]}") from error
    folders = [os.path.abspath(root) for root in roots]

    @lru_cache(maxsize=64)  # a picture is checked first and then put into the store
    def data(row: str) -> bytes:
        return _bytes_of(table[int(row)][images[0]], folders)

    names = {name.lower(): name for name in table.features}
    question, answer, given, caption = (
        next((names[column] for column in columns if column in names), None)
        for columns in (QUESTION, ANSWER, GIVEN, captions.COLUMNS)
    )
    split = None if apart else request.split
    if question and answer:
        fill = partial(_questions, table, QuestionColumns(question, answer, given), split)
        return Questions(request.spec, "", fill, read=data, excluded=excluded)
    labels = [name for name, feature in table.features.items() if isinstance(feature, datasets.ClassLabel)]
    if not caption and not labels:
        raise request.error(
            f"no captions, class labels or questions among the columns {', '.join(table.features)}"
        )
    label = labels[0] if labels else None
    return Photos(
        request.spec, "", [(1, partial(_photos, table, caption, label, split))], excluded, read=data
    )


def of_split(tables: Any, split: str) -> tuple[Any, bool]:
    """Return the table of a split, and whether each split has its own table."""
    train, held = (next((name for name in names if name in tables), None) for names in SPLITS)
    if train and held:
        return tables[train if split == "train" else held], True
    return tables[train or held or next(iter(tables))], False


def _holds_bytes(table: Any, name: str) -> bool:
    """Tell whether a column holds bytes, by itself or in the field `bytes`."""
    import datasets

    feature = table.features.get(name)
    if isinstance(feature, dict):
        return "bytes" in feature
    return isinstance(feature, datasets.Value) and feature.dtype.endswith("binary")


def _bytes_of(cell: dict[str, Any] | bytes | None, roots: Sequence[str]) -> bytes:
    """Return the bytes of an image cell. Raises ImageError if it names a file that can't be read or is outside the roots."""
    if isinstance(cell, bytes) or cell is None:
        return cell or b""
    if cell.get("bytes") or not cell.get("path"):
        return cell.get("bytes") or b""
    from s2h.images.decoding import ImageError, read_bytes

    why: Counter[str] = Counter()
    for root in roots:
        if (name := picture_folders.inside(cell["path"], root, why)) is not None:
            return read_bytes(references.of_file(os.path.join(root, name)))
    raise ImageError(f"{next(iter(why))}: {cell['path']!r}")


def _photos(
    rows: Any, caption: str | None, label: str | None, split: str | None, excluded: Counter[str]
) -> PhotoTable:
    table = PhotoTable()
    names = rows.features[label].names if label else []
    for row, facts in enumerate(rows.select_columns([name for name in (caption, label) if name])):
        if not in_split("datasets", str(row), split, excluded):
            continue
        value = facts[caption] if caption else None
        texts = [value] if isinstance(value, str) else [text for text in value or () if isinstance(text, str)]
        number = facts[label] if label else None
        if texts:
            captions.add_captioned(table, str(row), texts, excluded)
        elif number is not None and number >= 0:
            table.add(str(row), (), (nouns.name_of_class(names[number]),))
        else:
            excluded["no caption or label"] += 1
    return table.seal()


def _questions(
    rows: Any, columns: QuestionColumns, split: str | None, excluded: Counter[str]
) -> QuestionTable:
    table = QuestionTable()
    wanted = dict.fromkeys(filter(None, (columns.question, columns.answer, columns.given)))
    for row, facts in enumerate(rows.select_columns(list(wanted))):
        if not in_split("datasets", str(row), split, excluded):
            continue
        answer = facts[columns.answer]
        given = answers_of(facts[columns.given] if columns.given else answer)
        if not isinstance(answer, str):
            answer = next((most for most, _ in Counter(answers_of(answer)).most_common(1)), "")
        if why := table.add(str(row), str(row), facts[columns.question], answer, accepted=given):
            excluded[why] += 1
        elif unclear(answer, given):
            table.unclear.add(len(table) - 1)
    return table.seal()
