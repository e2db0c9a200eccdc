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
from string import ascii_uppercase
from types import ModuleType
from typing import Any

from s2h import jsonl
from s2h.eval.benches import names, prompts, rows
from s2h.record import Record, RecordError, fail

# What stands for an answer that is not public; of a question with options also what could be another's answer.
HIDDEN, HIDDEN_CHOICE = ("", "hidden", "?", "n/a", "nan"), ("-", "-1", "none", "null")
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
) -> tuple[tuple[str, ...], list[str] | None]:
    """(what the split is called, its files): of a path, else of the benchmark's copy in the folder `data`, else None for the
    Hub. split: one that it has, by default the one that its scores are reported on. Raises RecordError."""
    splits = module(name).ABOUT["splits"]
    split = split or next(iter(splits))
    if split not in splits:
        raise RecordError(f"{name} has no split {split!r}: it has {', '.join(splits)}")
    path = path or (find(name, data) if data else None)
    belongs = getattr(module(name), "belongs", lambda stem: names.plain(stem) == name or name in stem.lower())
    files = rows.files(path, splits[split], lambda file: belongs(_stem(file))) if path else None
    return splits[split], files


def read(
    name: str, located: tuple[tuple[str, ...], list[str] | None], *, store: Any, style: str = "llava",
    place: str = "interleaved", on_error: Callable[[Exception], None] = fail,
) -> Questions:  # fmt: skip
    """The questions of a benchmark where `locate` has found it. What can't be read goes to on_error and is left out."""
    bench = module(name)
    words, files = located
    if files is None:
        found = rows.hub(bench.ABOUT["hub"], bench.ABOUT["configs"], words, bench.REQUIRED, on_error)
    else:
        found = rows.read(files, required=bench.REQUIRED, on_error=on_error)
    seen = jsonl.Seen()
    for file, row in found:
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


def line(
    bench: str, row: Record, asked: dict[str, Any], *, style: str, place: str, store: Any
) -> tuple[dict, list[dict]]:
    """A question in the form of all. asked: id, category, question (with <image> where images stand), options (None for a
    free answer), answer, images (references, bytes, base64, or what parquet files hold); where they help answer_type,
    prompt, hint, letters (of options inside the question) and more (fields that the line keeps). Raises RecordError."""
    for field in ("id", "question"):
        if not isinstance(asked[field], str) or not asked[field].strip() or asked[field] == "None":
            raise RecordError("is missing", field, row.where)
    asked = dict(asked)
    _choose(asked, row.where)
    images = asked["images"]
    if not isinstance(images, list) or not images or any(image is None for image in images):
        raise RecordError("is missing or no list", "images", row.where)
    references = [_stored(image, i, row, store) for i, image in enumerate(images)]
    made: dict[str, Any] = {
        "id": asked["id"] if asked.get("own_id") or asked["id"].startswith(bench) else f"{bench}/{asked['id']}",
        "bench": bench, "category": asked["category"], "images": references, "question": asked["question"],
    }  # fmt: skip
    if asked["choices"]:
        made["choices"] = asked["choices"]
    made["answer"] = asked["answer"]
    made["answer_type"] = asked["answer_type"]
    made |= asked.get("more") or {}
    if asked["choices"] and made["answer"] is not None:
        from s2h.eval.answers import key

        made["answer"] = key(made)
    messages = prompts.messages(bench, asked, style, place)
    made["_pair"] = Record({"images": references}, where=row.where)
    return made, messages


def _choose(asked: dict[str, Any], where: str) -> None:
    """Settles choices, the kind of answer, and whether the answer is hidden."""
    options, answer = asked.get("options"), asked["answer"]
    if isinstance(options, list) and len(options) <= len(ascii_uppercase):
        options = dict(zip(ascii_uppercase, options, strict=False))
    if options is not None and not isinstance(options, dict):
        raise RecordError("must be an object of letters or a list of at most 26", "choices", where)
    if options:
        asked["labelled"] = {str(letter): str(option) for letter, option in options.items()}
        asked["choices"] = _unlabelled(asked["labelled"])
    else:
        asked["choices"] = {}
        if asked.get("answer_type") in (None, "choice"):
            within = options_within(asked["question"])
            if answer is not None and str(answer).strip("(). ") not in within:
                within = {}
            if within or asked.get("answer_type") == "choice":
                asked["choices"] = within or dict.fromkeys(asked["letters"], "")
                asked["options_within"] = True
    hidden = HIDDEN + (HIDDEN_CHOICE if asked["choices"] else ())
    if (
        isinstance(answer, str)
        and answer.strip().lower() in hidden
        and answer not in asked["choices"].values()
    ):
        asked["answer"] = None
    if not asked.get("answer_type"):
        said = str(asked["answer"]).strip().lower()
        asked["answer_type"] = "choice" if asked["choices"] else "yes/no" if said in ("yes", "no") else "word"


def _unlabelled(options: dict[str, str]) -> dict[str, str]:
    """Options without labels of their own ('(A) yes', 'B. no'), where all have the right one."""
    found = {
        letter: re.fullmatch(
            rf"\s*(?:\({re.escape(letter)}\)|{re.escape(letter)}[.):])\s*(\S.*)", option, re.DOTALL
        )
        for letter, option in options.items()
    }
    return {letter: match[1] for letter, match in found.items()} if all(found.values()) else options


_OPTION = re.compile(r"(?:^|(?<=[\s,;]))\(?([A-Z])(?:\)|[.:])\s*", re.MULTILINE)


def options_within(question: str) -> dict[str, str]:
    """The options that a question has in its text ('Options: A: left, B: right', 'A. …' lines), by letter: the last run of
    labels from A on; none where there is no such run of at least two."""
    marks = list(_OPTION.finditer(question))
    starts = [i for i, mark in enumerate(marks) if mark[1] == "A"]
    for start in reversed(starts):
        run = [marks[start]]
        for mark in marks[start + 1 :]:
            if mark[1] == ascii_uppercase[len(run)]:
                run.append(mark)
        if len(run) > 1:
            ends = [mark.start() for mark in run[1:]] + [len(question)]
            return {
                mark[1]: question[mark.end() : end].strip().rstrip(",;").split("\n")[0].strip()
                for mark, end in zip(run, ends, strict=True)
            }
    return {}


_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{65,}")


def _stored(image: Any, i: int, row: Record, store: Any) -> str:
    """An image as a reference that holds in the working directory: bytes go to the store, files stay where they are."""
    import base64
    import binascii

    field = f"images[{i}]"
    if isinstance(image, dict):
        image = image.get("bytes") or image.get("path")
    try:
        if isinstance(image, str) and _BASE64.fullmatch(image[:200]):
            image = base64.b64decode("".join(image.split()), validate=True)
        if isinstance(image, bytes):
            return store.put(image)
    except (RecordError, binascii.Error) as error:
        message = error.message if isinstance(error, RecordError) else f"damaged base64: {error}"
        raise RecordError(message, field, row.where) from None
    if not isinstance(image, str) or not image:
        raise RecordError("is no image", field, row.where)
    try:
        return anchored(image, row.base)
    except RecordError as error:
        error.field, error.where = field, row.where
        raise


def anchored(reference: str, base: str) -> str:
    """A reference relative to a folder, which it must not leave, as one that holds in the working directory; below it as a
    relative one. Raises RecordError."""
    if reference.startswith("tar:"):
        path, mark, member = reference[4:].partition("!")
        return f"tar:{anchored(path, base)}{mark}{member}"
    if os.path.isabs(reference) or reference.startswith("data:") or "://" in reference[:16]:
        return reference
    if os.path.normpath(reference).split(os.sep)[0] == os.pardir:
        raise RecordError(f"leaves the folder of its record: {reference}", remedy="use an absolute path")
    path = os.path.abspath(os.path.join(base, reference))
    here = os.path.join(os.path.realpath(""), "")
    return path.removeprefix(here) if os.path.realpath(path).startswith(here) else path
