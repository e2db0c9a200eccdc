"""Benchmarks: each gives questions as prediction lines that still lack a response, with the prompt's messages beside them.

A question is (line, messages): the line has id, bench, category, images, question, answer, answer_type and, where they
help to read an answer, choices, candidates and target_labels; `_pair` is a record that has the images as they are opened.
A module of a benchmark says what it is (ABOUT), which columns a parquet file must have (REQUIRED), and makes of a row what
is asked.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from s2h.errors import plural
from s2h.eval.benches import names, rows
from s2h.eval.benches.lines import line
from s2h.record import RecordError, fail
from s2h.streams import jsonl

Questions = Iterator[tuple[dict, list[dict]]]


def module(name: str) -> ModuleType:
    """The module of a benchmark that is read from files."""
    return importlib.import_module(f"s2h.eval.benches.{name}")


def listing() -> str:
    """What each benchmark is, where it is had, what is read, and how many rows are to be expected."""
    told = [
        "builtin     held-out questions of the built-in world, levels 1 to 3 and single images; nothing is needed"
    ]
    for name in names.NAMES[1:]:
        about = module(name).ABOUT
        counts = ", ".join(f"{split} {count:,}" for split, count in about["rows"].items())
        told += [
            f"{name:12s}{about['title']}",
            f"{'':12s}Hub: {about['hub']} ({counts} questions; license: {about['license']})",
            f"{'':12s}read from a local copy: {about['layouts']}",
        ]
    told += [
        "FILE        any lines of questions (images, question, choices or answer) or of pairs, .jsonl, .gz or .zst",
        "--bench NAME=PATH names a local copy, --data DIR a folder of them; without either the Hub is asked",
    ]
    return "\n".join(told)


def locate(
    name: str, path: str | None = None, data: str | None = None, split: str | None = None
) -> tuple[str, list[str] | None]:
    """(split, its files): of a path, else of the benchmark's copy in the folder `data`, else None for the Hub. split: one
    that it has, by default the one that its scores are reported on. Raises RecordError."""
    splits = module(name).ABOUT["splits"]
    split = split or next(iter(splits))
    if split not in splits:
        raise RecordError(f"{name} has no split {split!r}: it has {', '.join(splits)}")
    path = path or (find(name, data) if data else None)
    belongs = getattr(module(name), "belongs", lambda stem: names.plain(stem) == name or name in stem.lower())
    files = rows.files(path, splits[split], lambda file: belongs(_stem(file))) if path else None
    return split, files


def read(
    name: str, located: tuple[str, list[str] | None], *, store: Any, style: str = "llava", place: str = "interleaved",
    tell: Callable[[str], None] = lambda words: None, on_error: Callable[[Exception], None] = fail,
) -> Questions:  # fmt: skip
    """The questions of a benchmark where `locate` has found it. What can't be read goes to on_error and is left out; tell
    hears whether there were as many rows as the benchmark has."""
    bench = module(name)
    split, files = located
    words = bench.ABOUT["splits"][split]
    if files is None:
        found = rows.hub(bench.ABOUT["hub"], bench.ABOUT["configs"], words, bench.REQUIRED, on_error)
    else:
        found = rows.read(files, required=bench.REQUIRED, on_error=on_error)
    seen = jsonl.Seen()
    count = 0
    for file, row in found:
        count += 1
        try:
            made = line(name, row, bench.asked(row, file), style=style, place=place, store=store)
            if not seen.add(made[0]["id"]):
                raise RecordError(
                    f"is here twice: {made[0]['id']}", "id", row.where, "one copy of a split is enough"
                )
        except RecordError as error:
            error.where = error.where or row.where
            on_error(error)
            continue
        yield made
    whole = bench.ABOUT["rows"].get(split)
    joined = files is not None and files[0].endswith(".tsv")  # where one row may stand for several questions
    if whole and count != whole and not joined:
        tell(f"{name}: {count:,} {plural(count, 'row')}, where the benchmark's {split} split has {whole:,}")


def _stem(file: str) -> str:
    return os.path.basename(file).split(".")[0]


def find(name: str, data: str) -> str:
    """A benchmark's copy in a folder of several, by any of its names. Raises RecordError where there is none."""
    if not os.path.isdir(data):
        raise RecordError(f"no such folder: {data}", remedy="--data takes the folder that benchmarks lie in")
    if names.plain(os.path.abspath(data)) == name:
        return data
    held = sorted(os.listdir(data))
    for entry in held:
        stem = re.sub(r"(\.parquet|\.tsv|\.jsonl?(\.gz|\.zst)?)$", "", entry)
        whole = os.path.join(data, entry)
        if names.plain(stem) == name:
            return whole
        inside = sorted(os.listdir(whole)) if os.path.isdir(whole) else ()
        nested = next((one for one in inside if names.plain(one) == name), None)  # OWNER/NAME
        if nested:
            return os.path.join(whole, nested)
    raise RecordError(
        f"no copy of {name} in {data}: it holds {', '.join(held[:12]) or 'nothing'}",
        remedy=f"--bench {name}=PATH",
    )
