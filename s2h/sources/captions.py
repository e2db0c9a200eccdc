"""A folder of captioned pictures: `photo.jpg` beside `photo.txt`, whose first line is the caption, or a Hugging Face
imagefolder with `metadata.jsonl`, `metadata.csv` or `metadata.parquet` (`file_name` and a caption column). If the folder has
`train/` and `val/` (or `test/`), these are the two splits.

    s2h-gen search --source captions:photos -n 100

At the start only names or offsets of rows are read. Captions are read in blocks of 20,000 pictures when one is first drawn.
"""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from s2h.language.concepts import find
from s2h.language.one_word_names import general_of
from s2h.sources import picture_folders, symlinks, text_files
from s2h.sources.exclusions import Exclusions
from s2h.sources.items import SourceError
from s2h.sources.packed_lists import Texts
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import PhotoTable
from s2h.sources.shapes import PHOTOS, QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split, split_folder
from s2h.streams import parse

COLUMNS = ("text", "caption", "captions", "description", "sentence", "sentences", "raw")
METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
AT_ONCE = 20_000  # pictures whose captions are read together
LONGEST = 4_000  # characters of the longest caption that is used
TOO_LONG = f"a caption of more than {LONGEST:,} characters"
NOTHING = frozenset(("nan", "none", "null", "n/a"))  # in place of an empty cell
BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HALF = re.compile(r"[\ud800-\udfff]")  # a lone surrogate, which JSON can hold and UTF-8 cannot

Rows = Callable[[], Iterator[bytes]]  # returns rows as lines of JSON


def looks_like(root: str) -> bool:
    """Tell whether there is a metadata file, or a picture with a text beside it."""
    if _metadata(root) or _metadata(split_folder(root, "train")[0]):
        return True
    some = (name for name, _ in zip(picture_folders.pictures(root), range(500), strict=False))
    return any(_sidecar(root, name) for name in some)


def _metadata(root: str) -> str:
    """Return the path of the metadata file of a folder, "" if it has none."""
    paths = (os.path.join(root, name) for name in METADATA)
    return next((path for path in paths if os.path.isfile(path) and not symlinks.refused(path)), "")


def _sidecar(root: str, name: str) -> str:
    """Return the path of the text file beside a picture, "" if there is none."""
    stem = os.path.join(root, os.path.splitext(name)[0])
    return next((stem + end for end in (".txt", ".TXT") if os.path.isfile(stem + end)), "")


def read(request: Request) -> Photos:
    """Open a folder of captioned pictures. Raises SourceError if none can be used."""
    if not os.path.isdir(request.path):
        raise request.error("no such folder")
    root = os.path.abspath(request.path)
    excluded: Counter[str] = Counter()
    below, apart = split_folder(root, request.split)
    metadata = _metadata(root)
    split: str | None = request.split
    if not metadata and (apart or _metadata(below)):
        root, metadata, split = below, _metadata(below), None if apart else split
    if metadata:
        blocks = _blocks(metadata, excluded)
        if not blocks:
            why = Exclusions(excluded).summary("it may be cut short: copy it anew")
            raise SourceError(f"{metadata}: has no rows that can be used ({why})")
        parts = [(count, partial(_described, root, rows, split)) for count, rows in blocks]
        return Photos(request.spec, root, parts, excluded)
    found = picture_folders.pictures(root, excluded, beside=(".txt",))
    names = [name for name in found if in_split("captions", name, split, excluded)]
    packed = [Texts(names[start : start + AT_ONCE]).seal() for start in range(0, len(names) or 1, AT_ONCE)]
    return Photos(
        request.spec, root, [(len(some), partial(_beside, root, some)) for some in packed], excluded
    )


def add_captioned(table: PhotoTable, name: str, captions: object, excluded: Counter[str]) -> None:
    """Add a captioned picture to a table, or count why it can't be used. Its concepts are the first one that `find` gives
    for a caption ("race car"), and its one-word form ("car")."""
    texts = texts_of(captions)
    usable = [text for text in texts if len(text) <= LONGEST and "\ufffd" not in text]
    concept = next(filter(None, (find(caption).concept for caption in usable)), "")
    if not texts:
        excluded["no caption"] += 1
    elif not usable:
        excluded[TOO_LONG if len(texts[0]) > LONGEST else "a caption that is not UTF-8"] += 1
    elif not concept:
        excluded[find(usable[0]).reason] += 1
    else:
        table.add(name, usable, filter(None, (concept, general_of(concept))), in_class=False)


def texts_of(captions: object) -> list[str]:
    """Return the captions that are strings, each on one line and without control characters. captions: a caption or a
    list."""
    several = captions if isinstance(captions, list | tuple) else [captions]
    whole = (_HALF.sub("\ufffd", text) for text in several if isinstance(text, str))
    tidied = (" ".join(_CONTROL.sub(" ", text).split()) for text in whole)
    return [text for text in tidied if text and text.casefold() not in NOTHING]


def _beside(root: str, names: Texts, excluded: Counter[str]) -> PhotoTable:
    table = PhotoTable()
    for at in range(len(names)):
        stem = os.path.join(root, os.path.splitext(names[at])[0])
        try:
            caption = _first_line(stem + ".txt")
            caption = _first_line(stem + ".TXT") if caption is None else caption
        except OSError:
            excluded["caption file unreadable"] += 1
            continue
        if caption is None:
            excluded["no caption beside it"] += 1
        else:
            add_captioned(table, names[at], [caption], excluded)
    return table.seal()


def _first_line(path: str) -> str | None:
    """Return the first line of a file that isn't blank, None if there is no file."""
    try:
        with io.TextIOWrapper(text_files.opened(path), encoding="utf-8-sig", errors="replace") as file:
            return file.read(LONGEST + 1).strip().split("\n", 1)[0]
    except FileNotFoundError:
        return None


def _described(root: str, rows: Rows, split: str | None, excluded: Counter[str]) -> PhotoTable:
    """Return the pictures of one block of rows of a metadata file."""
    table = PhotoTable()
    seen: set[int] = set()
    for line in rows():
        row = text_files.json_line(line, excluded)
        if row is None:
            continue
        named = _name(row)
        captions = next((row[column] for column in COLUMNS if row.get(column)), ())
        if isinstance(named, list):
            excluded["several pictures in one row"] += 1
            continue
        name = picture_folders.inside(named, root, excluded)
        if name is None or not in_split("captions", name, split, excluded):
            continue
        if hash(name) in seen:
            excluded["listed twice"] += 1
        elif not os.path.isfile(os.path.join(root, name)):
            excluded["file missing"] += 1
        else:
            seen.add(hash(name))
            add_captioned(table, name, captions, excluded)
    return table.seal()


def _name(row: dict) -> str | list:
    """Return the file name of a row's picture: `file_name`, or the only column whose name ends in `_file_name`. Return a
    list if the row has several pictures, "" if it names none."""
    name: object = row.get("file_names")
    if name is not None:
        name = list(name) if isinstance(name, list | tuple) else [name]
        name = name[0] if len(name) == 1 else name
    else:
        columns = _name_columns(row)
        name = row[columns[0]] if len(columns) == 1 else ""
    return name if isinstance(name, str | list) else ""


def _name_columns(columns: Iterable[str]) -> list[str]:
    columns = [column for column in columns if column]
    return ["file_name"] if "file_name" in columns else [c for c in columns if c.endswith("_file_name")]


def _check_columns(metadata: str, columns: Iterable[str]) -> None:
    """Raise SourceError if a table lacks a column of file names or of captions."""
    columns = list(columns)
    there = f"there are {', '.join(map(str, columns)) or 'none'}"
    if "file_names" not in columns and len(_name_columns(columns)) != 1:
        raise SourceError(
            f"{metadata}: file_name: no such column ({there}); rename the column of picture names"
        )
    if not set(columns) & set(COLUMNS):
        raise SourceError(
            f"{metadata}: no column of captions: {there} (call it {COLUMNS[0]} or {COLUMNS[1]})"
        )


def _blocks(metadata: str, excluded: Counter[str]) -> list[tuple[int, Rows]]:
    """Return the blocks of a metadata file, each with its number of rows. JSON lines are read later, by the block's offset;
    rows of other files are read now and packed."""
    if metadata.endswith(".jsonl"):
        return list(_places(metadata))
    read_rows = _csv_rows if metadata.endswith(".csv") else _parquet_rows
    rows = read_rows(metadata, excluded)
    blocks: list[tuple[int, Rows]] = []
    while len(block := Texts(islice(rows, AT_ONCE)).seal()):
        blocks.append((len(block), partial(_unpacked, block)))
    return blocks


def _places(path: str) -> Iterator[tuple[int, Rows]]:
    """Yield the blocks of a file of JSON lines: the number of lines, and a function that reads them from their offset."""
    with text_files.opened(path) as file:
        start = len(BOM) if file.read(len(BOM)) == BOM else 0
        file.seek(start)
        while lengths := [len(line) for line in islice(file, AT_ONCE)]:
            yield len(lengths), partial(_lines, path, start, len(lengths))
            start += sum(lengths)


def _lines(path: str, start: int, count: int) -> Iterator[bytes]:
    with text_files.opened(path) as file:
        file.seek(start)
        yield from islice(file, count)


def _unpacked(block: Texts) -> Iterator[bytes]:
    for at in range(len(block)):
        yield block[at].encode()


def _csv_rows(metadata: str, excluded: Counter[str]) -> Iterator[str]:
    for number, row in enumerate(text_files.table(metadata, excluded)):
        row = {column: cell for column, cell in row.items() if column}
        if not number:
            _check_columns(metadata, row)
        yield _packed(row)


def _parquet_rows(metadata: str, excluded: Counter[str]) -> Iterator[str]:
    import pyarrow.parquet as parquet

    faults: list[Exception] = []
    try:
        table = parquet.ParquetFile(metadata)
        columns = table.schema_arrow.names
    except (OSError, ValueError) as error:  # pyarrow's errors are among them
        raise SourceError(f"{metadata}: can't be read: {error} (copy it anew)") from error
    _check_columns(metadata, columns)
    for number in range(table.num_row_groups):
        try:
            rows = table.read_row_group(number, columns=_wanted(columns)).to_pylist()
        except (OSError, ValueError) as error:
            faults.append(error)
            excluded["a part of a parquet file that can't be read"] += 1
        else:
            yield from map(_packed, rows)
    if faults and len(faults) == table.num_row_groups:
        raise SourceError(f"{metadata}: can't be read: {faults[0]} (copy it anew)")


def _wanted(columns: Iterable[str]) -> list[str]:
    return [c for c in columns if c in COLUMNS or c == "file_names" or c.endswith("file_name")]


def _packed(row: dict) -> str:
    import orjson

    kept = {column: row[column] for column in _wanted(row)}
    return (parse.dumps(kept) if parse.has_digits(kept) else orjson.dumps(kept, default=str)).decode()


SOURCE = Source(
    title="Pictures with captions in texts beside them, or in metadata.jsonl, .csv or .parquet",
    read=read,
    serves=(PHOTOS, QUESTIONS),
    looks_like=looks_like,
    priority=100,
)
