"""VQAv2: `v2_OpenEnded_mscoco_{split}_questions.json` and `v2_mscoco_{split}_annotations.json`, with the pictures in
`{split}/`, `images/{split}/` or beside as `COCO_{split}_000000000042.jpg`. With
`v2_mscoco_{split}_complementary_pairs.json` many a question is asked of two pictures with different answers: ready-made
counterfactual twins. None of the ten annotators' answers is ever a rejected one.

    s2h-gen vqa --source vqav2/ --model llava-1.5-7b -n 1000
    s2h-gen vqa --source vqav2/ --negative counterpart --twins -n 1000
"""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import partial

from s2h.sources import SourceError, files, in_split
from s2h.sources.quiz import Quiz, Sheet

CLEAR = 0.6  # of the annotators must agree on an answer that is compared with others
_FILE = re.compile(r"v2_OpenEnded_mscoco_(.+)_questions\.json")


def looks_like(root: str) -> bool:
    return bool(_splits(root))


def _splits(root: str) -> dict[str, str]:
    """split -> the folder that holds its files."""
    found: dict[str, str] = {}
    for folder in (root, os.path.join(root, "annotations"), os.path.join(root, "questions")):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if match := _FILE.fullmatch(name):
                found.setdefault(match[1], folder)
    return found


def read(path: str, *, spec: str, split: str = "train") -> Quiz:
    """The quiz of a VQAv2 folder. Where it has questions of train and val, those are the two splits. Raises SourceError."""
    if os.path.isfile(path):
        path = os.path.dirname(os.path.abspath(path))
    root = os.path.abspath(path)
    found = _splits(root) if os.path.isdir(root) else {}
    if not found:
        raise SourceError(f"source {spec!r}: no v2_OpenEnded_mscoco_SPLIT_questions.json there")
    train, held = (
        next((name for name in sorted(found) if name.startswith(start)), None) for start in ("train", "val")
    )
    apart = bool(train and held)
    name = (train if split == "train" else held) if apart else train or held or next(iter(found))
    pictures = next(
        (f for f in (os.path.join(root, name), os.path.join(root, "images", name)) if os.path.isdir(f)), root
    )
    sheet = partial(_sheet, root, found[name], name, pictures, None if apart else split)
    return Quiz(spec, pictures, sheet)


def _beside(root: str, folder: str, name: str) -> str:
    for place in (folder, root, os.path.join(root, "annotations")):
        if os.path.isfile(os.path.join(place, name)):
            return os.path.join(place, name)
    return ""


def answers_of(answers: object) -> list[str]:
    """What several annotators answered: texts, objects with `answer`, or an object with a list of them."""
    if isinstance(answers, dict):
        answers = answers.get("answer")
    several = answers if isinstance(answers, list | tuple) else [answers]
    given = [one.get("answer") if isinstance(one, dict) else one for one in several]
    return [answer for answer in given if isinstance(answer, str)]


def unclear(right: object, given: list[str]) -> bool:
    """Whether fewer than six in ten annotators gave the answer that is taken for the right one."""
    return sum(answer == right for answer in given) < CLEAR * len(given)


def _complementary(path: str, unused: Counter) -> list:
    """The pairs of questions that a file lists. Nothing depends on the file: one that can't be read is counted."""
    try:
        found = files.load_json(path) if path else []
    except SourceError as fault:
        found, path = None, fault.message
    if not isinstance(found, list):
        unused[f"a file of complementary pairs that can't be read ({path})"] += 1
    return found if isinstance(found, list) else []


def _sheet(root: str, folder: str, name: str, pictures: str, split: str | None, unused: Counter) -> Sheet:
    path = os.path.join(folder, f"v2_OpenEnded_mscoco_{name}_questions.json")
    answers = _beside(root, folder, f"v2_mscoco_{name}_annotations.json")
    if not answers:
        raise SourceError(
            f"{path}: its answers are missing (put v2_mscoco_{name}_annotations.json beside it)"
        )
    sheet, there = Sheet(), {}
    try:
        known = {
            one["question_id"]: (
                one.get("multiple_choice_answer"),
                one.get("question_type") or "",
                given := answers_of(one.get("answers")),
                unclear(one.get("multiple_choice_answer"), given),
            )
            for one in files.rows(answers, "annotations", unused, "question_id")
        }
        for one in files.rows(path, "questions", unused, "question_id", "image_id"):
            if not re.fullmatch("[0-9]{1,12}", str(one["image_id"])):
                unused["an image_id that is no number"] += 1
                continue
            picture = f"COCO_{name}_{int(one['image_id']):012d}.jpg"
            if picture not in there:
                there[picture] = files.lacking(os.path.join(pictures, picture))
            if there[picture]:
                unused[there[picture]] += 1
            elif one["question_id"] not in known:
                unused["no answer"] += 1
            elif in_split("vqav2", picture, split, unused):
                said = known[one["question_id"]]
                if why := sheet.add(str(one["question_id"]), picture, one.get("question"), *said[:3]):
                    unused[why] += 1
                elif said[3]:
                    sheet.unclear.add(len(sheet) - 1)
        for both in _complementary(
            _beside(root, folder, f"v2_mscoco_{name}_complementary_pairs.json"), unused
        ):
            if isinstance(both, list) and len(both) == 2:
                sheet.pair(str(both[0]), str(both[1]))
            else:
                unused["complementary pairs that are not two"] += 1
    except KeyError as error:
        raise SourceError(f"{path}: {error.args[0]}: missing (this is not VQAv2's form)") from error
    except SourceError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{path}: not as VQAv2 has it: {error}") from error
    return sheet.seal()
