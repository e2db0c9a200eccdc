"""CLIP: does each answer fit the images that it speaks of, and does the chosen one single its images out? An answer's score
is the mean cosine over its grounding claims, each a text about one image; without claims it is the mean of the answer's text
against each target image. Texts beyond the model's context are cut there, as CLIP does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.filters import DIGITS, Judgement, Measure, add_score, earlier_score, is_builtin, is_number
from s2h.filters.engine import Engine, Place
from s2h.images.decoding import ImageError
from s2h.models.clip import BUNDLED, DEFAULT
from s2h.record import Record, RecordError, claims_of, target_of, text_of

SIDES = ("chosen", "rejected")


def claims(record: Record, side: str) -> list[tuple[int, str]]:
    """What the chosen or rejected answer claims: (image position, text). Raises RecordError where the record does not say
    which of its images the answer is about."""
    if found := claims_of(record, side):
        return found
    if not (target := target_of(record)):
        remedy = "--clip needs grounding, or the target images of a pair that has several images"
        raise RecordError("is missing", "target", record.where, remedy)
    return [(at, text_of(record[side])) for at in target]


def judgement(
    engine: Engine,
    *,
    least: float | None = None,
    margin: float | None = None,
    model: str | None = None,
) -> Judgement:
    """Keep pairs whose chosen answer scores at least `least` and beats the rejected one by at least `margin` (cosines); both
    scores are written as scores.clip.

    The bundled model sees the built-in world's records and ViT-B/32 all others, unless `model` names one for all.
    """

    def measure(name: str, record: Record, rows: dict, read: dict) -> dict[str, Any]:
        said = {}
        for side in SIDES:
            cosines = [float(rows[_place(record, at)] @ read[text]) for at, text in claims(record, side)]
            said[side] = sum(cosines) / len(cosines)
        return said

    def wanted(record: Record) -> tuple[set[int], set[str]]:
        said = claims(record, "chosen") + claims(record, "rejected")
        return {at for at, _ in said}, {text for _, text in said}

    def decide(record: Record) -> str:
        said = record["scores"]["clip"]
        if least is not None and said["chosen"] < least:
            return f"clip below {least:g}"
        # Rounded as the two scores are: 0.3 - 0.25 is a hair less than 0.05.
        if margin is not None and round(said["chosen"] - said["rejected"], 9) < margin:
            return f"clip margin below {margin:g}"
        return ""

    def of(side: str) -> Callable[[Record], float]:
        return lambda record: record["scores"]["clip"][side]

    def lead(record: Record) -> float:
        return of("chosen")(record) - of("rejected")(record)

    measures = (
        Measure("clip of chosen", of("chosen"), least),
        Measure("clip of rejected", of("rejected")),
        Measure("clip margin", lead, margin),
    )
    scorer = _scorer("clip", SIDES, engine, model, wanted, measure)
    return Judgement("clip", scorer, decide, heavy=True, measures=measures)


def judge_rank(engine: Engine, *, first: bool = False, model: str | None = None) -> Judgement:
    """Does the chosen answer single out what it speaks of? Each text that it claims is held against every image of the
    prompt; written as scores.clip_images.

    images: for each distinct text of the chosen claims a row of cosines, one for each image. lead: the least distance, over
    the texts, from the worst image that it is claimed of to the best one that it is not. rank: 1 where no other image is
    ahead of one that the text is claimed of, else one more than the most images that are.

    An image that a text is claimed of is no rival for it, nor is a second copy of one (by its bytes). Where all images are
    claimed there is no rival: rank 1, and no lead. With `first` only rank 1 is kept.
    """

    def measure(name: str, record: Record, rows: dict, read: dict) -> dict[str, Any]:
        digests = engine.digests(_place(record, at) for at in range(len(record["images"])))[0]
        keys = [digests[_place(record, at)] for at in range(len(record["images"]))]
        table, rank, leads = [], 1, []
        for text, owners in _owners(record).items():
            cosines = [round(float(rows[_place(record, at)] @ read[text]), DIGITS) for at in range(len(keys))]
            table.append(cosines)
            own = {keys[at] for at in owners}
            rivals = {key: cosines[at] for at, key in enumerate(keys) if key not in own}
            worst = min(cosines[at] for at in owners)
            if rivals:
                leads.append(worst - max(rivals.values()))
                rank = max(rank, 1 + sum(cosine > worst for cosine in rivals.values()))
        return {"rank": rank, **({"lead": min(leads)} if leads else {}), "images": table}

    def wanted(record: Record) -> tuple[set[int], set[str]]:
        return set(range(len(record["images"]))), set(_owners(record))

    def decide(record: Record) -> str:
        return "clip rank above 1" if first and record["scores"]["clip_images"]["rank"] > 1 else ""

    scorer = _scorer("clip_images", ("rank",), engine, model, wanted, measure)
    measure_lead = Measure("clip lead of target", lambda record: record["scores"]["clip_images"].get("lead"))
    return Judgement("clip_images", scorer, decide, heavy=True, measures=(measure_lead,))


def _owners(record: Record) -> dict[str, set[int]]:
    """The distinct texts of the chosen claims, each with the images that it is claimed of."""
    owners: dict[str, set[int]] = {}
    for at, text in claims(record, "chosen"):
        owners.setdefault(text, set()).add(at)
    return owners


def _scorer(
    score: str,
    keys: tuple[str, ...],
    engine: Engine,
    model: str | None,
    wanted: Callable[[Record], tuple[set[int], set[str]]],
    measure: Callable[[str, Record, dict, dict], dict[str, Any]],
) -> Callable[[list[Record]], dict[int, RecordError]]:
    """A Judgement's `score`: embeds what the batch wants (image positions and texts of each record) and writes what is
    measured on it, for each model in turn."""

    def judge_batch(batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        waiting: dict[str, list[int]] = {}
        asked: dict[int, tuple[set[int], set[str]]] = {}
        for at, record in enumerate(batch):
            name = model or (BUNDLED if is_builtin(record) else DEFAULT)
            try:
                if not earlier_score(record, score, name, keys, "--clip-model"):
                    asked[at] = wanted(record)
                    waiting.setdefault(name, []).append(at)
            except RecordError as error:
                faults[at] = error
        for name, positions in waiting.items():
            rows, damaged = engine.images(
                name, (_place(batch[at], i) for at in positions for i in sorted(asked[at][0]))
            )
            read = engine.texts("clip", name, (text for at in positions for text in sorted(asked[at][1])))
            for at in positions:
                record = batch[at]
                try:
                    for i in sorted(asked[at][0]):
                        _check_image(record, i, damaged)
                    said = measure(name, record, rows, read)
                    _check_numbers(said, score, name, record)
                except RecordError as error:
                    faults[at] = error
                else:
                    add_score(record, score, **said, model=name)
        return faults

    return judge_batch


def _check_image(record: Record, at: int, damaged: dict[Place, ImageError]) -> None:
    if error := damaged.get(_place(record, at)):
        raise ImageError(error.message, f"images[{at}]", record.where, error.remedy)


def _check_numbers(said: dict[str, Any], score: str, name: str, record: Record) -> None:
    values = [value for value in said.values() if not isinstance(value, list)]
    values += [value for row in said.get("images", ()) for value in row]
    if bad := [value for value in values if not is_number(value)]:
        raise RecordError(f"is no number: {bad[0]} from {name}", f"scores.{score}", record.where,
                          "the weights may be damaged")  # fmt: skip


def _place(record: Record, at: int) -> Place:
    return record.base, record["images"][at]
