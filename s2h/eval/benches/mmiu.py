"""MMIU: 52 tasks over 2 to 32 images, of seven kinds of relations between images (Meng et al., ICLR 2025).

The data set names 60 tasks, as some of the paper's tasks have two sources. Its images come as seven zip files, which are
read packed or unpacked.
"""

from __future__ import annotations

import re
from typing import Any

from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Published, Question
from s2h.eval.bootstrap import by_category, subset
from s2h.eval.published import MODEL
from s2h.eval.questions import archives
from s2h.eval.questions.styles import LETTER, llava
from s2h.eval.questions.tables import first, number_of
from s2h.images.references import is_relative
from s2h.parsers import Rules
from s2h.record import Record

# The tasks whose prompt begins with the question; in the others its context comes first.
QUESTION_FIRST = frozenset(
    {
        "person_reid", "multiple_image_captioning", "spot_the_similarity", "face_retrieval", "sketch2image_retrieval",
        "handwritten_retrieval", "spot_the_diff", "image2image_retrieval", "vehicle_retrieval", "text2image_retrieval",
        "general_action_recognition", "video_captioning", "next_img_prediction", "temporal_ordering",
        "meme_vedio_understanding", "action_quality_assessment", "temporal_localization", "mevis",
        "ravens_progressive_matrices", "threed_indoor_recognition", "point_tracking", "threed_cad_recognition",
        "single_object_tracking",
    }
)  # fmt: skip
MEAN = "mean of tasks"
PAPER = "MMIU, ICLR 2025, arXiv 2408.02718"
LONGEST = 1024  # characters of a path; a longer text is the image itself
_LABEL = re.compile(r"(?:^|\n)[ \t]*\(?([A-Z])[:.)][ \t]*")
_ASKS = "\nPlease answer the option directly like A,B,C,D..."


def question(row: Record, file: str) -> Question:
    """Make a question of a row. Its context, which repeats the options, belongs to the prompt."""
    task = str(first(row, "task", "category") or "")
    number, images = first(row, "id", "index"), first(row, "input_image_path", "images", "image")
    asks, context = row.get("question"), row.get("context")
    prompt = None
    if isinstance(asks, str) and isinstance(context, str) and context.strip():
        prompt = f"{asks}\n{context}" if task in QUESTION_FIRST else f"{context}\n{asks}"
    relation = _relation(images)
    if isinstance(images, list):
        images = [_image(row, one) for one in images]
    return Question(
        id=f"{task}/{number_of(row) if number is None else number}",
        category=task,
        text=asks,
        options=options(first(row, "options", "choices")),
        answer=first(row, "output", "answer"),
        images=images,
        answer_type="choice",
        prompt=prompt,
        fields={"l2_category": relation} if relation else {},
    )


def options(listed: Any) -> Any:
    """Return the options by letter of a text that has one on each line ('A: left\\nB: right'); any other value unchanged."""
    if not isinstance(listed, str):
        return listed
    labels = list(_LABEL.finditer(listed))
    ends = [*(label.start() for label in labels[1:]), len(listed)]
    found = {label[1]: listed[label.end() : end].strip() for label, end in zip(labels, ends, strict=False)}
    return found or None


def _relation(images: object) -> str:
    """Return the kind of relation between the images: the first folder of their paths, if there are two."""
    path = images[0] if isinstance(images, list) and images else None
    parts = path.removeprefix("./").split("/") if isinstance(path, str) and len(path) <= LONGEST else []
    return parts[0] if len(parts) > 2 and parts[0] not in ("", "..") else ""


def _image(row: Record, image: object) -> object:
    if not isinstance(image, str) or len(image) > LONGEST or not is_relative(image):
        return image
    return archives.image(row, image)


def llava_prompt(asked: CheckedQuestion) -> str:
    """Return the question, its context, which has the options, and LLaVA's instruction."""
    return f"{asked.prompt.strip()}\n{LETTER}" if asked.prompt else llava(asked)


def official_prompt(asked: CheckedQuestion) -> str:
    return f"{asked.prompt}{_ASKS}" if asked.prompt else llava(asked)


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter that is the whole reply, in either case, without marks around it. The benchmark's script asks
    another model about all other replies."""
    letter = text.strip().strip(".,()").strip().upper()
    return letter if letter in choices else None


def metrics(known: list[Line], seed: int) -> list[Metric]:
    """Return the mean over tasks, which the paper prints, and the accuracy for each kind of relation."""
    relations = sorted({str(p["l2_category"]) for p in known if p.get("l2_category")})
    found = [by_category(MEAN, known, seed)]
    for relation in relations if len(relations) > 1 else ():
        found += subset(relation, [p for p in known if p.get("l2_category") == relation], seed)
    return found


BENCH = Bench(
    title="MMIU",
    about="60 tasks over 2 to 32 images, seven kinds of relations between images",
    hub="FanqingM/MMIU-Benchmark",
    splits={"test": ("test",)},
    rows={"test": 11698},
    layouts="all.parquet or all.json beside its zip files or their folders, TSV in VLMEvalKit's form",
    license="CC-BY-4.0",
    required=("question", "options", ("input_image_path", "images", "image"), ("output", "answer")),
    aliases=("mmiubenchmark",),
    question=question,
    prompts={"llava": llava_prompt, "official": official_prompt},
    rules={"official": Rules(choice=official_choice)},
    metrics=metrics,
    published=(
        Published("base", 19.19, MODEL, PAPER, MEAN, "paper"),
        Published("random guess", 27.4, MODEL, PAPER, MEAN),
        Published("most frequent answer", 31.5, MODEL, PAPER, MEAN),
    ),
    like={"paper": Like(differs=("gpt-4o-mini reads every reply that is not a bare letter",))},
    clusters="questions that share an image",
    guess="one over the number of options; the paper gives 27.4%, and 31.5% for the most frequent answer",
)
