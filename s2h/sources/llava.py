"""LLaVA-instruct: a JSON list of `{id, image, conversations: [{from: human, value}, {from: gpt, value}, …]}`, or one of them
a line (.jsonl), with the pictures below the file's folder, or below `images/` there. A turn that leans on an earlier one
('What colour is it?') is no question by itself and is left out. Options on lines of their own ('A. red') stay there.

    s2h-gen vqa --source llava:llava_v1_5_mix665k.json --model llava-1.5-7b -n 1000
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from functools import partial

from s2h.sources import SourceError, files, in_split, options
from s2h.sources.quiz import Quiz, Sheet

_LEANS = re.compile(
    r"\b(?:it|its|they|them|their|he|she|his|her|him|this|that|these|those|above|previous|else|more)\b",
    re.IGNORECASE,
)


def looks_like(root: str) -> bool:
    return bool(_files(root))


def _files(root: str) -> list[str]:
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(root), "*.json"))):
        with open(path, "rb") as file:
            if b'"conversations"' in file.read(1 << 16):
                found.append(path)
    return found


def read(path: str, *, spec: str, split: str = "train") -> Quiz:
    """The quiz of a JSON file, or of the one in a folder. Raises SourceError."""
    if os.path.isdir(path):
        found = _files(path)
        if len(found) != 1:
            raise SourceError(
                f"source {spec!r}: {len(found)} files of conversations there (name one: llava:FILE.json)"
            )
        path = found[0]
    root = os.path.dirname(os.path.abspath(path))
    return Quiz(spec, root, partial(_sheet, path, root, split))


def _sheet(path: str, root: str, split: str, unused: Counter) -> Sheet:
    rows = _rows(path)
    sheet, places = Sheet(), {}
    for number, row in enumerate(rows):
        where = f"{path}: entry {number + 1}"
        if not isinstance(row, dict) or not isinstance(row.get("conversations"), list):
            unused["no conversations"] += 1
            continue
        name = row.get("image")
        if not name:
            unused["no image"] += 1
            continue
        if not isinstance(name, str):
            unused["several images"] += 1
            continue
        files.inside(name, f"{where}: image")
        if name not in places:
            places[name] = next(
                (p for p in (name, os.path.join("images", name)) if os.path.isfile(os.path.join(root, p))),
                None,
            )
        if places[name] is None:
            unused["file missing"] += 1
        elif in_split("llava", name, split, unused):
            _turns(sheet, f"{number}", places[name], row["conversations"], unused)
    return sheet.seal()


def _rows(path: str) -> list:
    """The conversations of a JSON list, or of a file with one on each line (.jsonl)."""
    if path.endswith(".jsonl"):
        from s2h import jsonl

        return list(jsonl.read(path, check=None))
    rows = files.load_json(path)
    if not isinstance(rows, list):
        raise SourceError(f"{path}: not a list of conversations")
    return rows


def _turns(sheet: Sheet, name: str, picture: str, turns: list, unused: Counter) -> None:
    said = [turn if isinstance(turn, dict) else {} for turn in turns]
    said = said[1:] if said and said[0].get("from") == "system" else said
    for at in range(0, len(said) - 1, 2):
        ask, reply = said[at], said[at + 1]
        if (ask.get("from"), reply.get("from")) != ("human", "gpt"):
            unused["turns that aren't a human's and then gpt's"] += 1
            return
        question, answer = ask.get("value"), reply.get("value")
        if isinstance(question, str) and at and _LEANS.search(options.parse(question).stem):
            unused["a turn that leans on an earlier one"] += 1
            continue
        if why := sheet.add(f"{name}.{at}", picture, question, answer):
            unused[why] += 1
