"""LLaVA-instruct: a JSON list of `{id, image, conversations: [{from: human, value}, {from: gpt, value}, ...]}`, or JSON
lines. The pictures are in the folder of the file or in its `images/`. A turn that depends on an earlier one ("What colour is
it?") is left out.

    s2h-gen vqa --source llava:llava_v1_5_mix665k.json --model llava-1.5-7b -n 1000
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections import Counter
from functools import partial

from s2h.sources import lettered_options, picture_folders, text_files
from s2h.sources.question_set import Questions
from s2h.sources.question_table import QuestionTable
from s2h.sources.shapes import QUESTIONS, SHARED_QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

_LEANS = re.compile(
    r"\b(?:it|its|they|them|their|he|she|his|her|him|this|that|these|those|above|previous|else|more)\b",
    re.IGNORECASE,
)


def looks_like(root: str) -> bool:
    return bool(_files(root))


def _files(root: str) -> list[str]:
    """Return the JSON files in a folder that hold conversations."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(root), "*.json"))):
        with contextlib.suppress(OSError), text_files.opened(path) as file:
            if b'"conversations"' in file.read(1 << 16):
                found.append(path)
    return found


def read(request: Request) -> Questions:
    """Open a JSON file, or a folder that has one such file. Raises SourceError."""
    path = request.path
    if os.path.isdir(path):
        found = _files(path)
        if len(found) != 1:
            raise request.error(f"{len(found)} files of conversations there (name one: llava:FILE.json)")
        path = found[0]
    root = os.path.dirname(os.path.abspath(path))
    return Questions(request.spec, root, partial(_fill, path, root, request.split))


def _fill(path: str, root: str, split: str, excluded: Counter[str]) -> QuestionTable:
    rows = text_files.json_rows(path, excluded)
    table = QuestionTable()
    places: dict[str, str | None] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
            excluded["no conversations"] += 1
            continue
        name = row.get("image")
        if isinstance(name, list) and len(name) == 1:
            name = name[0]
        if not name or isinstance(name, list):
            excluded["several images" if name else "no image"] += 1
            continue
        if (name := picture_folders.inside(name, root, excluded)) is None:
            continue
        if name not in places:
            places[name] = next(
                (p for p in (name, os.path.join("images", name)) if os.path.isfile(os.path.join(root, p))),
                None,
            )
        picture = places[name]
        if picture is None:
            excluded["file missing"] += 1
        elif in_split("llava", name, split, excluded):
            _add_turns(table, f"{number}", picture, row["conversations"], excluded)
    return table.seal()


def _add_turns(table: QuestionTable, name: str, picture: str, turns: list, excluded: Counter[str]) -> None:
    """Add the questions and answers of a conversation."""
    messages = [turn if isinstance(turn, dict) else {} for turn in turns]
    messages = messages[1:] if messages and messages[0].get("from") == "system" else messages
    for at in range(0, len(messages) - 1, 2):
        ask, reply = messages[at], messages[at + 1]
        if (ask.get("from"), reply.get("from")) != ("human", "gpt"):
            excluded["turns that aren't a human's and then gpt's"] += 1
            return
        question, answer = ask.get("value"), reply.get("value")
        if isinstance(question, str) and at and _LEANS.search(lettered_options.parse(question).stem):
            excluded["a turn that leans on an earlier one"] += 1
            continue
        if why := table.add(f"{name}.{at}", picture, question, answer):
            excluded[why] += 1


SOURCE = Source(
    title="LLaVA-instruct: JSON or JSON lines of conversations",
    read=read,
    serves=(QUESTIONS, SHARED_QUESTIONS),
    looks_like=looks_like,
    priority=110,
    files=("*.json", "*.jsonl"),
)
