"""VQAv2: `v2_OpenEnded_mscoco_{split}_questions.json` and `v2_mscoco_{split}_annotations.json`, with the pictures
`COCO_{split}_000000000042.jpg` in `{split}/`, `images/{split}/` or the root. `v2_mscoco_{split}_complementary_pairs.json`
lists questions that two pictures answer differently, from which counterfactual twins are made. No answer of the ten
annotators is ever rejected.

    s2h-gen vqa --source vqav2/ --model llava-1.5-7b -n 1000
    s2h-gen vqa --source vqav2/ --negative counterpart --twins -n 1000
"""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import partial

from s2h.sources import picture_folders, text_files
from s2h.sources.items import SourceError
from s2h.sources.question_set import Questions
from s2h.sources.question_table import QuestionTable
from s2h.sources.shapes import QUESTIONS, SHARED_QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

CLEAR = 0.6  # share of annotators who must agree on an answer for it to be used in comparisons
_FILE = re.compile(r"v2_OpenEnded_mscoco_(.+)_questions\.json")


def looks_like(root: str) -> bool:
    return bool(_splits(root))


def _splits(root: str) -> dict[str, str]:
    """Return the folder that holds the files of each split."""
    found: dict[str, str] = {}
    for folder in (root, os.path.join(root, "annotations"), os.path.join(root, "questions")):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if match := _FILE.fullmatch(name):
                found.setdefault(match[1], folder)
    return found


def read(request: Request) -> Questions:
    """Open a VQAv2 folder. Where it has questions for train and val, those are the two splits. Raises SourceError."""
    path, split = request.path, request.split
    if os.path.isfile(path):
        path = os.path.dirname(os.path.abspath(path))
    root = os.path.abspath(path)
    found = _splits(root) if os.path.isdir(root) else {}
    if not found:
        raise request.error("no v2_OpenEnded_mscoco_SPLIT_questions.json there")
    train, held = (
        next((name for name in sorted(found) if name.startswith(start)), None) for start in ("train", "val")
    )
    apart = bool(train and held)
    wanted = (train if split == "train" else held) if apart else train or held
    name = wanted or next(iter(found))
    pictures = next(
        (f for f in (os.path.join(root, name), os.path.join(root, "images", name)) if os.path.isdir(f)), root
    )
    fill = partial(_fill, root, found[name], name, pictures, None if apart else split)
    return Questions(request.spec, pictures, fill)


def _beside(root: str, folder: str, name: str) -> str:
    """Return the path of a file in the folder of the questions, the root or its `annotations/`; "" if there is none."""
    for place in (folder, root, os.path.join(root, "annotations")):
        if os.path.isfile(os.path.join(place, name)):
            return os.path.join(place, name)
    return ""


def answers_of(answers: object) -> list[str]:
    """Return the answers of several annotators as texts. answers: texts, objects with `answer`, or an object whose `answer`
    is a list."""
    if isinstance(answers, dict):
        answers = answers.get("answer")
    several = answers if isinstance(answers, list | tuple) else [answers]
    given = [one.get("answer") if isinstance(one, dict) else one for one in several]
    return [answer for answer in given if isinstance(answer, str)]


def unclear(right: object, given: list[str]) -> bool:
    """Tell whether fewer than six in ten annotators gave the answer that counts as the right one."""
    return sum(answer == right for answer in given) < CLEAR * len(given)


def _complementary(path: str, excluded: Counter[str]) -> list:
    """Return the pairs of questions that a file lists, [] if there is no file. A file that can't be read is counted."""
    found: object
    try:
        found = text_files.load_json(path) if path else []
    except SourceError as fault:
        found, path = None, fault.message
    if not isinstance(found, list):
        excluded[f"a file of complementary pairs that can't be read ({path})"] += 1
    return found if isinstance(found, list) else []


def _fill(
    root: str, folder: str, name: str, pictures: str, split: str | None, excluded: Counter[str]
) -> QuestionTable:
    path = os.path.join(folder, f"v2_OpenEnded_mscoco_{name}_questions.json")
    answers = _beside(root, folder, f"v2_mscoco_{name}_annotations.json")
    if not answers:
        raise SourceError(
            f"{path}: its answers are missing (put v2_mscoco_{name}_annotations.json beside it)"
        )
    table = QuestionTable()
    there: dict[str, str] = {}
    try:
        known = {
            one["question_id"]: (
                one.get("multiple_choice_answer"),
                one.get("question_type") or "",
                given := answers_of(one.get("answers")),
                unclear(one.get("multiple_choice_answer"), given),
            )
            for one in text_files.rows(answers, "annotations", excluded, "question_id")
        }
        for one in text_files.rows(path, "questions", excluded, "question_id", "image_id"):
            if not re.fullmatch("[0-9]{1,12}", str(one["image_id"])):
                excluded["an image_id that is no number"] += 1
                continue
            picture = f"COCO_{name}_{int(one['image_id']):012d}.jpg"
            if picture not in there:
                there[picture] = picture_folders.lacking(os.path.join(pictures, picture))
            if there[picture]:
                excluded[there[picture]] += 1
            elif one["question_id"] not in known:
                excluded["no answer"] += 1
            elif in_split("vqav2", picture, split, excluded):
                answer = known[one["question_id"]]
                if why := table.add(str(one["question_id"]), picture, one.get("question"), *answer[:3]):
                    excluded[why] += 1
                elif answer[3]:
                    table.unclear.add(len(table) - 1)
        for both in _complementary(
            _beside(root, folder, f"v2_mscoco_{name}_complementary_pairs.json"), excluded
        ):
            if isinstance(both, list) and len(both) == 2:
                table.pair(str(both[0]), str(both[1]))
            else:
                excluded["complementary pairs that are not two"] += 1
    except KeyError as error:
        raise SourceError(f"{path}: {error.args[0]}: missing (this is not VQAv2's form)") from error
    except SourceError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{path}: not as VQAv2 has it: {error}") from error
    return table.seal()


SOURCE = Source(
    title="VQAv2: questions and answers about COCO pictures",
    read=read,
    serves=(QUESTIONS, SHARED_QUESTIONS),
    looks_like=looks_like,
    priority=10,
)
