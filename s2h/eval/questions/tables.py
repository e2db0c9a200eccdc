"""Read the rows of a benchmark: from the Hub's parquet files, VLMEvalKit's TSV, JSON or JSON Lines on a disk, or from the
Hub through `datasets`. Rows are read one by one with their images, so that memory use does not grow with their number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from s2h.errors import one_line
from s2h.eval.benches import Columns
from s2h.eval.questions import tsv
from s2h.record import Record, RecordError, fail
from s2h.streams import jsonl
from s2h.streams.files import below

# In the order in which a folder is searched.
KINDS = (".parquet", ".tsv", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".json")
FILES = (*jsonl.SUFFIXES, ".json", ".parquet", ".tsv")  # endings of a user's own files
BATCH = 8  # rows of a parquet file that are converted at a time


def files(path: str, splits: Sequence[str], belongs: Callable[[str], bool]) -> list[str]:
    """Return the files of a benchmark below a path, all of one kind: those of the split if the names of files or folders
    contain its name (`val-00000-of-00001`), else all. belongs: returns whether a file belongs to the benchmark, for folders
    with several benchmarks. Raises RecordError."""
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise RecordError(
            f"no such file or folder: {path}", remedy="name a local copy: --bench NAME=PATH or --data DIR"
        )
    path = _snapshot(path)
    found = sorted(
        name
        for name in below(path)
        if not os.path.basename(name).startswith(".") and name.endswith(KINDS) and os.path.isfile(name)
    )
    for kind in KINDS:
        candidates = [name for name in found if name.endswith(kind)]
        if kind != ".parquet":
            own = [name for name in candidates if belongs(name)]
            candidates = own or ([] if kind == ".tsv" and len(candidates) > 1 else candidates)
        if candidates:
            return [name for name in candidates if _of_split(name, path, splits)] or candidates
    raise RecordError(
        f"no file of the benchmark in this folder: {path}", remedy=f"readable are {', '.join(KINDS)}"
    )


def _snapshot(path: str) -> str:
    """Return the newest snapshot if the folder is a Hub cache's, else the folder."""
    place = os.path.join(path, "snapshots")
    if not os.path.isdir(place):
        return path
    held = [os.path.join(place, name) for name in os.listdir(place)]
    return max(held, key=lambda one: (os.path.getmtime(one), one), default=path)


def _of_split(name: str, root: str, splits: Sequence[str]) -> bool:
    *folders, file = os.path.relpath(name, root).split(os.sep)
    first = file.split(".")[0].split("-")[0].lower()
    return first in splits or any(folder.lower() in splits for folder in folders)


def read(
    names: Iterable[str],
    *,
    required: Columns = (),
    own: bool = False,
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[tuple[str, Record]]:
    """Yield (file, row) of files in their order. A row has its file and line (`where`), and the folder to which its images
    are relative (`base`). A file that lacks a column, is empty or can't be read is an error for on_error, and the next file
    follows. own: whether the files are a user's own, in which rows may be pairs, also in the layout of another tool."""
    for name in names:
        errors = _Counted(on_error)
        found = False
        try:
            if os.path.getsize(name) == 0:
                raise RecordError("is empty", where=name, remedy="a failed download?")
            for row in _own(name, errors) if own else _rows(name, required, errors):
                found = True
                yield name, row
        except RecordError as error:
            errors(error)
        if not found and not errors.count:
            on_error(RecordError("holds no rows", where=name, remedy="a failed download?"))


class _Counted:
    """Pass errors on to another handler, and count them."""

    def __init__(self, on_error: Callable[[RecordError], None]) -> None:
        self.on_error, self.count = on_error, 0

    def __call__(self, error: RecordError) -> None:
        self.count += 1
        self.on_error(error)


def _own(name: str, on_error: Callable[[RecordError], None]) -> Iterator[Record]:
    from s2h.shorthand import convert

    if name.endswith(".tsv"):
        yield from _rows(name, (), on_error)
    else:
        yield from jsonl.read(name, check=convert, unique=False, on_error=on_error)


def _rows(name: str, required: Columns, on_error: Callable[[RecordError], None]) -> Iterator[Record]:
    if name.endswith(".parquet"):
        yield from _parquet(name, required)
    elif name.endswith(".tsv"):
        yield from tsv.read(
            name, lambda columns: demand(columns, ("question", ("image", "image_path")), name), on_error
        )
    else:
        yield from jsonl.read(name, check=None, on_error=on_error)


def demand(names: Iterable[str], required: Columns, where: str) -> None:
    """Raise RecordError if a column is missing."""
    names = list(names)
    for column in required:
        alternatives = (column,) if isinstance(column, str) else column
        if not any(one in names for one in alternatives):
            raise RecordError(
                f"no such column: there are {', '.join(names)}", " or ".join(alternatives), where,
                "is it this benchmark's file?",
            )  # fmt: skip


def _parquet(name: str, required: Columns) -> Iterator[Record]:
    from pyarrow.parquet import ParquetFile

    try:
        with open(name, "rb") as raw, ParquetFile(raw) as file:  # Arrow opens no name that is not UTF-8
            demand(file.schema_arrow.names, required, name)
            number = 0
            for batch in file.iter_batches(batch_size=BATCH):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(fields, where=f"{name}: row {number}", base=os.path.dirname(name))
    except RecordError:
        raise
    except Exception as error:  # a damaged file can raise anything in pyarrow
        raise RecordError(f"can't be read: {' '.join(str(error).split())[:200]}", where=name) from error


def hub(
    name: str,
    configs: Sequence[str | None],
    splits: Sequence[str],
    required: Columns = (),
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[tuple[str, Record]]:
    """Stream (name/config, row) of a data set on the Hub. If it can't be loaded, a RecordError goes to on_error."""
    import datasets

    from s2h.models.hub_files import quiet

    datasets.disable_progress_bars()
    label = name
    try:
        _check_reachable(name)
        for config in configs:
            label = f"{name}/{config}" if config else name
            with quiet():
                parts = datasets.load_dataset(name, config, streaming=True)
            split = next((one for one in splits if one in parts), None)
            if split is None:
                raise RecordError(
                    f"no split {' or '.join(splits)}: there are {', '.join(parts)}", where=label
                )
            table = parts[split].decode(False)  # images stay bytes
            if table.column_names:
                demand(table.column_names, required, label)
            for number, fields in enumerate(table, 1):
                yield label, Record(fields, where=f"{label}: row {number}")
    except RecordError as error:
        on_error(error)
    except Exception as error:  # the Hub's client and the network raise many kinds of error
        remedy = "give a local copy: --bench NAME=PATH"
        on_error(
            RecordError(f"can't be loaded from the Hub: {one_line(error, 160)}", where=label, remedy=remedy)
        )


def _check_reachable(name: str) -> None:
    """Request a file that every data set on the Hub has. Without a network, `datasets` would try for half a minute. Raises
    the errors of the Hub's client."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    if not os.path.isdir(name):
        get_hf_file_metadata(hf_hub_url(name, "README.md", repo_type="dataset"))


def first(row: dict, *names: str) -> Any:
    """Return the value of the first of these fields that is in the row and not null; None if there is none."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def number_of(row: Record) -> str:
    """Return the number of a row in its file, for benchmarks whose rows have no id."""
    return row.where.rpartition(" ")[2].rpartition(":")[2]


def beside(
    row: Record, file: str, folders: Sequence[str], field: str, places: str, by_name: bool = False
) -> str:
    """Return the path of an image's file in the first of some folders that has it. folders: relative to the folder of the
    row's own file. by_name: whether the file may also be there without its own folders. Raises RecordError with the field
    and the folders in words (places) if none has the file."""
    for name in (file, os.path.basename(file)) if by_name else (file,):
        for folder in folders:
            path = os.path.normpath(os.path.join(row.base or "", folder, name))
            if os.path.isfile(path):
                return os.path.abspath(path)
    raise RecordError(f"no such file: {file} {places}", field, row.where)
