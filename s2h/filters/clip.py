"""CLIP: does each answer fit the images that it speaks of? An answer's score is the mean cosine over its grounding claims,
each a text about one image; without claims it is the answer's text against the target images (contract.md, grounding)."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from s2h.filters import Judgement, add_score, by_model, is_builtin
from s2h.filters.cache import Embeddings
from s2h.images import open_image
from s2h.models.clip import DEFAULT
from s2h.record import Record, RecordError, text_of

BUNDLED = "mini-clip"
THREADS = 4  # that open and prepare images; Pillow and torchvision leave the interpreter while they work


def claims(record: Record, which: str) -> list[tuple[int, str]]:
    """What the chosen or rejected answer claims: (image position, text)."""
    grounding = record.get("grounding") or {}
    said = [(at, text) for at, text in grounding.get(which, ())]
    return said or [(at, text_of(record[which])) for at in record["target"]]


def judgement(
    load: Callable[[str], Any],
    *,
    least: float | None = None,
    margin: float | None = None,
    model: str | None = None,
) -> Judgement:
    """Keep pairs whose chosen answer scores at least `least` and beats the rejected one by at least `margin` (cosines).

    load(name) gives a models.clip.Clip; the built-in world's records are scored by the bundled model and all others by
    ViT-B/32, unless `model` names one for all.
    """
    loaded: dict[str, Any] = {}
    images, texts = Embeddings(), Embeddings()
    pool = ThreadPoolExecutor(THREADS)

    def name_for(record: Record) -> str:
        return model or (BUNDLED if is_builtin(record) else DEFAULT)

    def score(batch: list[Record], on_error: Callable[[Exception], None]) -> list[Record]:
        bad: set[int] = set()
        for name, positions in by_model(batch, name_for).items():
            open_ones = [at for at in positions if not _scored(batch[at], name, bad, at, on_error)]
            if open_ones:
                if name not in loaded:
                    loaded[name] = load(name)
                bad |= _score(
                    loaded[name], {at: batch[at] for at in open_ones}, images, texts, pool, on_error
                )
        return [record for at, record in enumerate(batch) if at not in bad]

    def decide(record: Record) -> str:
        said = record["scores"]["clip"]
        if least is not None and said["chosen"] < least:
            return f"clip below {least:g}"
        if margin is not None and said["chosen"] - said["rejected"] < margin:
            return f"clip margin below {margin:g}"
        return ""

    return Judgement("clip", score, decide)


def _scored(record: Record, name: str, bad: set[int], at: int, on_error: Callable[[Exception], None]) -> bool:
    """Whether this model's score stands in the record already. Another model's score is never overwritten."""
    said = record.get("scores", {}).get("clip")
    if said is None:
        return False
    if said.get("model") == name and all(_is_score(said.get(which)) for which in ("chosen", "rejected")):
        return True
    bad.add(at)
    other = said.get("model")
    on_error(RecordError(
        f"scored before: by {other!r}, now {name!r} is asked for" if other != name else "no number: the earlier score",
        field="scores.clip", where=record.where, remedy="jq 'del(.scores.clip)' forgets it; --clip-model names a model",
    ))  # fmt: skip
    return True


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _score(model: Any, records: dict[int, Record], images, texts, pool, on_error) -> set[int]:
    """Score records by one model; returns the positions of those that could not be."""
    wanted: dict[int, dict[str, list[tuple[int, str]]]] = {
        at: {which: claims(record, which) for which in ("chosen", "rejected")}
        for at, record in records.items()
    }
    keys: dict[tuple, tuple[int, int]] = {}  # image key -> who asked for it first: (record, image position)
    for at, record in records.items():
        for said in wanted[at].values():
            for position, _ in said:
                keys.setdefault(_key(model, record, position), (at, position))
    faults: dict[tuple, RecordError] = {}

    def prepare(key: tuple) -> Any:
        at, position = keys[key]
        try:
            return model.prepare(open_image(records[at]["images"][position], records[at].base))
        except RecordError as error:
            faults[key] = error
            return None

    def embed(missing: list[tuple]) -> dict[tuple, Any]:
        tensors = dict(zip(missing, pool.map(prepare, missing), strict=True))
        good = [key for key, tensor in tensors.items() if tensor is not None]
        return dict(zip(good, model.images([tensors[key] for key in good]), strict=True)) if good else {}

    seen = images.get(list(keys), embed)
    said_texts = [
        (model.name, text) for both in wanted.values() for said in both.values() for _, text in said
    ]
    read = texts.get(said_texts, lambda missing: model.texts([text for _, text in missing]))
    bad = set()
    for at, record in records.items():
        fault = _fault(model, record, wanted[at], faults)
        if fault is not None:
            bad.add(at)
            on_error(fault)
            continue
        means = {
            which: _mean([float(seen[_key(model, record, p)] @ read[model.name, text]) for p, text in said])
            for which, said in wanted[at].items()
        }
        if not all(math.isfinite(value) for value in means.values()):
            bad.add(at)
            on_error(RecordError(f"the score is no number: {model.name}", field="scores.clip", where=record.where,
                                 remedy="check the model's weights and the image"))  # fmt: skip
            continue
        add_score(record, "clip", {**{k: round(v, 6) for k, v in means.items()}, "model": model.name})
    return bad


def _key(model: Any, record: Record, position: int) -> tuple:
    return model.name, record.base, record["images"][position]


def _fault(model: Any, record: Record, wanted: dict, faults: dict) -> RecordError | None:
    for said in wanted.values():
        for position, _ in said:
            error = faults.get(_key(model, record, position))
            if error is not None:
                return type(error)(
                    error.message, field=f"images[{position}]", where=record.where, remedy=error.remedy
                )
    return None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
