"""Find the files of a benchmark, on a disk or on the Hub, and make a question of each row.

A question is (line, messages). The line has id, bench, category, images, question, answer, answer_type and, if they help to
read an answer, choices, candidates and target_labels. Its `_pair` is a record with the references of its images. Its `_row`
is the number of its row in its configuration, from 0.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter

from s2h import registry
from s2h.errors import plural
from s2h.eval import revisions
from s2h.eval.benches import Bench, Question, Questions, plain
from s2h.eval.questions import Settings, tables, tsv
from s2h.eval.questions.lines import line
from s2h.record import Record, RecordError
from s2h.streams.hash_set import HashSet

Located = tuple[str, list[str] | None]  # a split and its files; None: on the Hub


def listing() -> str:
    """Return the text of --list: for each benchmark its title, its place on the Hub, its number of questions, its license
    and the layouts that are read."""
    lines = []
    benches: dict[str, Bench] = registry.values("bench")
    width = max(map(len, benches)) + 2
    for name, bench in benches.items():
        lines.append(f"{name:{width}s}{bench.title}: {bench.about}")
        if bench.draw is not None:
            continue
        counts = ", ".join(f"{split} {count:,}" for split, count in bench.rows.items())
        where = f"Hub: {bench.hub} " if bench.hub else ""
        questions = f"{counts} questions; " if counts else ""
        lines.append(f"{'':{width}s}{where}({questions}license: {bench.license})")
        lines.append(f"{'':{width}s}read from a local copy: {bench.layouts}")
    lines += [
        f"{'FILE':{width}s}questions (images, question, choices or answer) or pairs: {', '.join(tables.FILES)}",
        "--bench NAME=PATH names a local copy, --data DIR a folder of them; without either, it is read from the Hub",
    ]
    return "\n".join(lines)


def locate(name: str, path: str | None = None, data: str | None = None, split: str | None = None) -> Located:
    """Find the files of a split: below `path`, else in the benchmark's copy in the folder `data`, else None for the Hub.
    split: by default the benchmark's first one. Raises RecordError."""
    bench = registry.load("bench", name)
    split = split or next(iter(bench.splits))
    if split not in bench.splits:
        raise RecordError(f"{name} has no split {split!r}: it has {', '.join(bench.splits)}")
    path = path or (find(name, data) if data else None)
    if path is None:
        if not bench.hub:
            raise RecordError(
                f"{name} is not on the Hub", remedy=f"name a local copy: --bench {name}=PATH or --data DIR"
            )
        return split, None  # on the Hub
    owns = bench.owns or (lambda stem: plain(stem) == name or name in stem.lower())
    return split, tables.files(path, bench.splits[split], lambda file: owns(_stem(file)))


def read(name: str, located: Located, settings: Settings) -> Questions:
    """Yield the questions of a benchmark at the place that `locate` has found. The error of a row that can't be read goes to
    settings.on_error; settings.tell receives a message if there are more or fewer rows than the benchmark has."""
    bench: Bench = registry.load("bench", name)
    split, files = located
    if files is None:
        found = tables.hub(bench.hub, bench.configs, bench.splits[split], bench.required, settings.on_error)
    else:
        found = tables.read(files, required=bench.required, on_error=settings.on_error)
    seen = HashSet()
    rows: Counter[str] = Counter()  # by configuration, which is a folder or a name on the Hub
    for file, row in found:
        config = file if files is None else os.path.dirname(file)
        rows[config] += 1
        try:
            made = line(name, row, _question(bench, row, file), settings)
            if not seen.add(made[0]["id"]):
                raise RecordError(
                    f"duplicate: {made[0]['id']}", "id", row.where, "one copy of a split is enough"
                )
        except RecordError as error:
            error.where = error.where or row.where
            settings.on_error(error)
            continue
        made[0]["_row"] = rows[config] - 1
        yield made
    count, whole = rows.total(), bench.rows.get(split)
    # A row of a TSV may stand for several questions.
    is_table = files is not None and files[0].endswith(".tsv")
    if whole and count != whole and not is_table:
        settings.tell(
            f"{name}: {count:,} {plural(count, 'row')}, where the benchmark's {split} split has {whole:,}"
        )


def _question(bench: Bench, row: Record, file: str) -> Question:
    """Let the benchmark make a question of a row. Raises RecordError."""
    try:
        if file.endswith(".tsv"):
            made = (bench.table or tsv.question)(row)
        elif bench.question is not None:
            made = bench.question(row, file)
        else:
            raise RecordError(f"{bench.title} is read from a TSV only")
    except KeyError as error:
        raise RecordError("is missing", str(error.args[0])) from None
    revision = bench.revision
    if revision and file.endswith(".tsv") and revisions.concerns(revision, made.category):
        version = revisions.of_file(revision, file)
        made = made if version is None else _with_field(made, "label_version", version)
    return dataclasses.replace(made, answer_type=made.answer_type or bench.answer_type)


def _with_field(question: Question, name: str, value: str) -> Question:
    return dataclasses.replace(question, fields={**question.fields, name: value})


def _stem(file: str) -> str:
    return os.path.basename(file).split(".")[0]


def find(name: str, data: str) -> str:
    """Find a benchmark's copy, by any of its names, in a folder of several. Raises RecordError."""
    if not os.path.isdir(data):
        raise RecordError(f"no such folder: {data}", remedy="--data takes a folder that contains benchmarks")
    if plain(os.path.abspath(data)) == name:
        return data
    held = sorted(one for one in os.listdir(data) if not one.startswith("."))
    for entry in held:
        stem = re.sub(r"(\.parquet|\.tsv|\.jsonl?(\.gz|\.zst)?)$", "", entry)
        whole = os.path.join(data, entry)
        if plain(stem) == name:
            return whole
        inside = sorted(os.listdir(whole)) if os.path.isdir(whole) else ()
        nested = next((one for one in inside if plain(one) == name), None)  # OWNER/NAME
        if nested:
            return os.path.join(whole, nested)
    raise RecordError(
        f"no copy of {name} in {data}: it holds {', '.join(held[:12]) or 'nothing'}",
        remedy=f"name a local copy: --bench {name}=PATH",
    )
