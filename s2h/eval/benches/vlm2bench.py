"""VLM2-Bench: linking what matches across images (Zhang et al., ACL 2025): general cues (gc), objects (oc) and persons (pc).

Each question says how to answer it, and each task has its own score:

- `gc-mat`, `gc-trk`, `oc-cpr`, `pc-cpr`: a statement and its opposite, T or F; a pair counts if both are answered right.
- `oc-cnt`, `pc-cnt`: a number. A wrong number at a distance d from the right one g, over n images, scores
  1 - 4 / n * (d / max(g - 1, n - g)) ** (1 / 10), at least 0 (`counted`).
- `oc-grp`, `pc-grp`: a letter; the score is the accuracy.

Its questions about videos are not read.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

from s2h.eval import gold
from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Published, Question
from s2h.eval.bootstrap import Unit, mean_of, whole_groups
from s2h.eval.published import SEVERAL
from s2h.eval.questions.tables import beside, first
from s2h.parsers import Rules
from s2h.parsers.numbers import WORDS
from s2h.record import Record, RecordError

PAIRS = ("gc-mat", "gc-trk", "oc-cpr", "pc-cpr")
COUNTS = ("oc-cnt", "pc-cnt")
GROUPS = ("oc-grp", "pc-grp")
TASKS = (*PAIRS, *COUNTS, *GROUPS)
MEAN = "mean of eight scores"
LONGEST = 255  # characters of a file's path; a longer text is the image itself
GUESS = 0.5  # the share of statements that a blind guesser judges right
_TRUTH = {"T": "True", "F": "False"}
_FOLDERS = {"gc": "gc/processed", "oc": "oc/original_obj", "pc": "pc/image/picks_face"}
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


def owns(stem: str) -> bool:
    """Return whether a file of the release has questions of the benchmark (`gc_mat.jsonl`), or is VLMEvalKit's table."""
    return stem.replace("_", "-") in TASKS or "vlm2" in stem.lower()


def question(row: Record, file: str) -> Question:
    """Make a question of a row of the release or of the table."""
    task = str(row.get("category") or os.path.basename(file).split(".")[0]).lower().replace("_", "-")
    number = first(row, "q_id", "index", "id")
    images = first(row, "images", "image_seq", "image")
    if isinstance(images, list):
        images = [_image(row, task, one) for one in images]
    answer = first(row, "gt_answer", "answer")
    name = str(number) if str(number).startswith(f"{task}_") else f"{task}_{number}"
    made = Question(
        id=None if number is None else name,
        text=row.get("question"),
        images=images,
        category=task,
        answer=answer,
    )
    if task in COUNTS:
        return replace(made, answer_type="number")
    if task in PAIRS:
        said = None if answer is None else str(answer).strip()[:1].upper()
        return replace(made, answer=said, answer_type="choice", letters=_TRUTH)
    if task not in GROUPS:
        raise RecordError(f"unknown: {task[:60]!r}", "category", row.where, f"one of {', '.join(TASKS)}")
    label = re.match(r"\s*\(?([A-Z])\b", str(answer))
    return replace(made, answer=label[1] if label else answer, answer_type="choice")


def _image(row: Record, task: str, image: object) -> object:
    """Find an image that a row names in the folder that the release's scripts have for its task."""
    if not isinstance(image, str) or len(image) > LONGEST or os.path.isabs(image):
        return image
    folder = _FOLDERS.get(task[:2], "")
    up = [os.path.join(*[".."] * depth, "data", folder) for depth in range(1, 5)]
    folders = ("", "images", folder, f"data/{folder}", *up)
    return beside(row, image, folders, "images", f"beside the questions or in data/{folder}/")


def own_prompt(asked: CheckedQuestion) -> str:
    """Return the question alone, which says how to answer."""
    return asked.text


def official_prompt(asked: CheckedQuestion) -> str:
    return f"\n{asked.text}"


def vlmevalkit_prompt(asked: CheckedQuestion) -> str:
    return f"Question: {asked.text}\n"


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return T or F if the words T, F, true and false occur only once in the reply. Of options, return the letter before the
    first closing bracket, with or without an opening one; None if the reply has several letters in brackets."""
    if set(choices) == set(_TRUTH):
        said = re.findall(r"\b(?:t|f|true|false)\b", text, re.IGNORECASE)
        return said[0][0].upper() if len(said) == 1 else None
    if len(re.findall(r"\([A-Z]\)", text)) > 1:
        return None
    letter = text.split(")")[0].strip().removeprefix("(")
    return letter if letter in choices else None


def official_number(text: str) -> int | None:
    """Return the only number of a reply, in digits or words. All its number words are added up ('twenty one')."""
    digits = [int(found) for found in re.findall(r"\d+", text)]
    words = [WORDS[found.lower()] for found in _NUMBER_WORD.findall(text)]
    total = sum(words)
    found = digits + ([total] if total else [])
    return found[0] if len(found) == 1 else None


def keep(line: Line) -> Line:
    """Return the group of a statement (its id without `_p` or `_n`), and the score of a count."""
    kept: Line = {}
    if line.get("category") in PAIRS and line.get("group") is None:
        kept["group"] = str(line.get("id")).rpartition("_")[0]
    if line.get("category") in COUNTS and line.get("correct") is not None:
        kept["value"] = counted(line)
    return kept


def counted(line: Line) -> float:
    """Return the score of a count, from 0 to 1; 0 if no number was read. With fewer images, a miss costs more."""
    said, images = line.get("parsed"), len(line.get("images") or ()) or 2
    if not isinstance(said, int | float) or isinstance(said, bool):
        return 0.0
    right = gold.read(line, "number")
    if said == right:
        return 1.0
    worst = max(right - 1, images - right, 1)
    return max(0.0, 1 - 4 / images * (abs(said - right) / worst) ** 0.1)


def metrics(known: list[Line], seed: int) -> list[Metric]:
    """Return the benchmark's scores of the tasks that were asked, and their mean if all eight were."""
    found, cells = [], []
    for task in TASKS:
        some = [p for p in known if p.get("category") == task]
        if task in PAIRS:
            units = whole_groups([(str(p.get("group")), p) for p in some], 2)
        elif task in COUNTS:
            units = [Unit(p, float(p["value"] if "value" in p else p["correct"])) for p in some]
        else:
            units = [Unit(p, float(p["correct"])) for p in some]
        if units:
            cells.append((task, units))
            found.append(mean_of(_NAMES[task], [(task, units)], seed, GUESS**2 if task in PAIRS else None))
    if len(cells) == len(TASKS):
        found.append(mean_of(MEAN, cells, seed))
    return found


_NAMES = {
    **{task: f"{task} (pairs)" for task in PAIRS},
    **{task: f"{task} (nearness of counts)" for task in COUNTS},
    **{task: f"{task} (accuracy)" for task in GROUPS},
}
PAPER = "VLM2-Bench, ACL 2025, arXiv 2502.12084"

BENCH = Bench(
    title="VLM2-Bench",
    about="linking what matches across images; scores by pair of statements, by count and by group",
    hub="Sterzhang/vlm2-bench",
    splits={"test": ("test",)},
    rows={"test": 2860},
    layouts="VLM2Bench_img.tsv, the release's jsonl/*/vanilla/*.jsonl beside data/",
    license="CC-BY-NC-4.0",
    required=("question", ("answer", "gt_answer")),
    owns=owns,
    aliases=("vlm2benchimg",),
    question=question,
    table=lambda row: question(row, ""),
    prompts={
        "llava": own_prompt,
        "lmms": own_prompt,
        "vlmevalkit": vlmevalkit_prompt,
        "official": official_prompt,
    },
    rules={
        name: Rules(choice=official_choice, number=official_number) for name in ("vlmevalkit", "official")
    },
    keep=keep,
    metrics=metrics,
    published=(
        Published("Qwen2.5-VL-7B", 55.86, SEVERAL, PAPER, MEAN, "paper"),
        Published("chance", 33.72, SEVERAL, PAPER, MEAN, "paper"),
    ),
    like={
        "vlmevalkit": Like(
            differs=(
                "its result file has no images, so it scores every count as if it were over 2 images",
                "a statement whose opposite is missing counts as wrong; here only whole pairs count",
            )
        ),
        "paper": Like(
            2048,
            differs=(
                "its script leaves counts that it can't read, or that are out of range, out of the mean; here they score 0",
                "its script asks gc-mat and gc-trk with 512 new tokens",
            ),
        ),
    },
    clusters="a statement and its opposite; questions that share an image",
    guess="50% of statements and 25% of pairs; one over the number of options; the paper gives 33.7% for the mean",
)
