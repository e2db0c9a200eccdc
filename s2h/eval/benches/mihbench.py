"""MIHBench: hallucinated objects over several images, POPE's questions for 2 to 4 photographs (Li et al., ACM MM 2025).

It asks whether an object is in every image (`existence`; absent objects are random, popular or adversarial), or whether two
images show equally many of it (`count`). The copy on the Hub lacks the paper's third task, the identity of an object.
"""

from __future__ import annotations

import dataclasses
import os

from s2h.eval.benches import Bench, CheckedQuestion, Line, Metric, Question, letters_of, one_category
from s2h.eval.confusion import by_split
from s2h.eval.questions.tables import beside, first, number_of
from s2h.images.references import is_relative
from s2h.record import Record

EXISTENCE = ("existence_adversarial", "existence_popular", "existence_random")
TASKS = ("count", *EXISTENCE)
LONGEST = 255  # characters of a file's path; a longer text is the image itself
FOLDERS = ("", "images", "val2014", "../images", "../val2014", "../../images", "../../val2014")


def question(row: Record, file: str) -> Question:
    """Make a question of a row. Its task is the configuration, which the file is named after, else its column `task`."""
    task = _task(os.path.basename(file).split(".")[0]) or _task(str(row.get("task") or ""))
    number = first(row, "question_id", "id", "idx")
    images = first(row, "images", "image")
    return Question(
        id=f"{task or 'all'}/{number_of(row) if number is None else number}",
        category=task,
        text=first(row, "question", "text"),
        answer=first(row, "label", "answer"),
        images=[_photograph(row, one) for one in images] if isinstance(images, list) else images,
    )


def _task(name: str) -> str:
    """Return the task that a name means, "" for none. Existence without a kind of absent objects is a task of its own."""
    said = letters_of(name)
    kind = next((kind for kind in ("adversarial", "popular", "random") if kind in said), "")
    if kind and ("exist" in said or said == kind):
        return f"existence_{kind}"
    if "exist" in said:
        return "existence"
    if "count" in said:
        return "count"
    return "identity" if "ident" in said or "consist" in said else ""


def _photograph(row: Record, image: object) -> object:
    """Find the file of an image that a row only names, as the release does: by its path, or by its name alone."""
    if not isinstance(image, str) or len(image) > LONGEST or not is_relative(image):
        return image
    places = "beside the questions, in images/ or in val2014/"
    return beside(row, image, FOLDERS, "images", places, by_name=True)


def own_prompt(asked: CheckedQuestion) -> str:
    """Return the question alone."""
    return asked.text


def metrics(known: list[Line], seed: int) -> list[Metric]:
    """Return POPE's metrics of each task, and the means over the three kinds of absent objects, which the paper prints."""
    found = by_split(known, one_category, seed)
    existence = [p for p in known if p.get("category") in EXISTENCE]
    if len({p["category"] for p in existence}) == len(EXISTENCE):
        found += [
            dataclasses.replace(metric, name=f"existence {metric.name}")
            for metric in by_split(existence, one_category, seed)
            if metric.name.startswith("mean ")
        ]
    return found


BENCH = Bench(
    title="MIHBench",
    about="objects hallucinated over 2 to 4 images; accuracy, precision, recall, F1 and yes-ratio by task",
    hub="MM-Hallu/MIHBench",
    configs=TASKS,
    splits={"test": ("test", "train")},
    rows={"test": 3200},
    layouts="parquet (a file a task), JSON or JSON Lines beside val2014/, TSV in VLMEvalKit's form",
    license="CC-BY-4.0 (the questions; the photographs are COCO's)",
    required=("question", ("images", "image"), ("label", "answer")),
    aliases=("mih",),
    question=question,
    prompts={"vlmevalkit": own_prompt, "official": own_prompt},
    answer_type="yes/no",
    metrics=metrics,
    grid=True,
    clusters="questions that share a photograph of COCO's val2014, which POPE's photographs are from, too",
    guess="50%, or the share of the more frequent answer of a task",
)
