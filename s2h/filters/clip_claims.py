"""Judge by CLIP whether each answer fits the images that it is about. An answer's score is the mean cosine over its
grounding claims, each a text about one image; without claims it is the mean cosine of the answer's text and each target
image. CLIP truncates texts beyond its context.

`clip_rank` measures the same claims against the other images of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2h.filters import SIDES, Judge, Measure, add_score, earlier_score, is_builtin, is_number
from s2h.filters.judgement import IMAGES, Judgement, Number, Option
from s2h.filters.scorers import CLIP
from s2h.record import Record, RecordError, claims_of, target_of, text_of

if TYPE_CHECKING:
    from s2h.filters.engine import Engine, Place
    from s2h.images.decoding import ImageError

Embedded = dict[Any, Any]  # by place or text: an embedding of length 1, float32 [D]


def claims(record: Record, side: str) -> list[tuple[int, str]]:
    """Return what the chosen or rejected answer claims: (image position, text). Raises RecordError if the record does
    not say which of its images the answer is about."""
    if found := claims_of(record, side):
        return found
    if not (target := target_of(record)):
        remedy = "--clip needs grounding, or the target images of a pair that has several images"
        raise RecordError("is missing", "target", record.where, remedy)
    return [(at, text_of(record[side])) for at in target]


def build(
    engine: Engine,
    *,
    least: float | None = None,
    margin: float | None = None,
    model: str | None = None,
) -> Judge:
    """Keep pairs whose chosen answer scores at least `least` and beats the rejected one by at least `margin`
    (cosines). scores.clip has both scores.

    The bundled model scores the built-in world's records and ViT-B/32 all others, unless `model` names one for all.
    """

    def decide(record: Record) -> str:
        score = record["scores"]["clip"]
        if least is not None and score["chosen"] < least:
            return f"clip below {least:g}"
        # Rounded as the two scores are: 0.3 - 0.25 is a hair less than 0.05.
        if margin is not None and round(score["chosen"] - score["rejected"], 9) < margin:
            return f"clip margin below {margin:g}"
        return ""

    columns = (
        Measure("clip of chosen", lambda record: record["scores"]["clip"]["chosen"], least),
        Measure("clip of rejected", lambda record: record["scores"]["clip"]["rejected"]),
        Measure("clip margin", _margin, margin),
    )
    scorer = ClipScorer("clip", SIDES, engine, model, _wanted, _cosines)
    return Judge("clip", scorer.score, decide, heavy=True, measures=columns)


def _margin(record: Record) -> float:
    score = record["scores"]["clip"]
    return score["chosen"] - score["rejected"]


def _wanted(record: Record) -> Wanted:
    both = [claim for side in SIDES for claim in claims(record, side)]
    return Wanted({at for at, _ in both}, {text for _, text in both})


def _cosines(record: Record, images: Embedded, texts: Embedded) -> dict[str, Any]:
    means = {}
    for side in SIDES:
        cosines = [float(images[place(record, at)] @ texts[text]) for at, text in claims(record, side)]
        means[side] = sum(cosines) / len(cosines)
    return means


@dataclass
class Wanted:
    """The images (by position) and texts of a record that must be embedded."""

    images: set[int]
    texts: set[str]


@dataclass(frozen=True)
class ClipScorer:
    """Embeds the images and texts of a batch, for each model in turn, measures them and writes the scores.

    key: under `scores`. keys: the numbers that an earlier score must have to be used again. model: for all
    records; None lets each record's source decide. measure: of a record, with the embeddings of its images and texts.
    """

    key: str
    keys: tuple[str, ...]
    engine: Engine
    model: str | None
    wanted: Callable[[Record], Wanted]
    measure: Callable[[Record, Embedded, Embedded], dict[str, Any]]

    def score(self, batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        wanted: dict[str, dict[int, Wanted]] = {}  # by model and position
        for at, record in enumerate(batch):
            name = self.model or _default_model(record)
            try:
                if not earlier_score(record, self.key, name, self.keys, "--clip-model"):
                    wanted.setdefault(name, {})[at] = self.wanted(record)
            except RecordError as error:
                faults[at] = error
        for name, needs in wanted.items():
            places = (place(batch[at], i) for at, need in needs.items() for i in sorted(need.images))
            images, damaged = self.engine.images(name, places)
            texts = self.engine.texts(
                "clip", name, (t for need in needs.values() for t in sorted(need.texts))
            )
            for at, need in needs.items():
                record = batch[at]
                try:
                    for i in sorted(need.images):
                        _check_image(record, i, damaged)
                    measured = self.measure(record, images, texts)
                    _check_numbers(measured, self.key, name, record)
                except RecordError as error:
                    faults[at] = error
                else:
                    add_score(record, self.key, **measured, model=name)
        return faults


def _default_model(record: Record) -> str:
    from s2h.models.clip import BUNDLED, DEFAULT

    return BUNDLED if is_builtin(record) else DEFAULT


def _check_image(record: Record, at: int, damaged: dict[Place, ImageError]) -> None:
    if error := damaged.get(place(record, at)):
        raise type(error)(error.message, f"images[{at}]", record.where, error.remedy)


def _check_numbers(measured: dict[str, Any], score: str, name: str, record: Record) -> None:
    values = [value for value in measured.values() if not isinstance(value, list)]
    values += [value for row in measured.get("images", ()) for value in row]
    if bad := [value for value in values if not is_number(value)]:
        raise RecordError(
            f"is not a number: {bad[0]} from {name}",
            f"scores.{score}",
            record.where,
            "the weights may be damaged",
        )


def place(record: Record, at: int) -> Place:
    """Return the (base, reference) of a record's image, as `Engine.images` takes it."""
    return record.base, record["images"][at]


JUDGEMENT = Judgement(
    about="Does the chosen answer fit its images, and better than the rejected one?",
    options=(
        Option(
            "--clip",
            Number("T", -1, 1),
            "Keep pairs whose chosen answer has a CLIP score of at least T: the mean cosine between its claims and "
            "the images that they are about (the field grounding; without it, the answer's text and the target "
            "images).",
        ),
        Option(
            "--clip-margin",
            Number("M", -2, 2),
            "Keep pairs whose chosen answer's CLIP score is at least M above the rejected answer's.",
        ),
    ),
    build=lambda given, tools: build(
        tools.engine, least=given["clip"], margin=given["clip_margin"], model=given.model(CLIP)
    ),
    heading=IMAGES,
    order=30,
    score="clip",
    short="clip",
    model=CLIP,
    annotates=True,
)
