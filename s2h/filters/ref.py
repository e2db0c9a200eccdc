"""The reference model's opinion: log-probabilities of both answers under a vision-language model, with the images and
without. Their difference says how hard a pair is; without images it says what the model answers unseen; per token it is the
perplexity. s2h-train uses scores.ref where its fingerprint fits and skips its reference pass.

    s2h-filter l3 --ref llava-1.5-7b --margin :5 --blind-margin 2 > hard.jsonl
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from s2h.filters import Judgement, Measure, add_score, earlier_score, is_number, within
from s2h.filters.engine import Engine
from s2h.images.decoding import ImageError, open_image
from s2h.models import ModelError, fingerprint, hub, names, vlm
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError

SIDES = ("chosen", "rejected")
PRINTS = 200_000  # images whose digests are kept


@dataclass
class Reference:
    """A loaded model with what the cache asks of it."""

    vlm: vlm.VLM

    @property
    def files(self) -> tuple[str, ...]:
        """What the model was read from: of a local folder every file, else none, and it is loaded to be told."""
        import os

        place = names.resolve(self.vlm.name)
        return hub.listed(place) if os.path.isdir(place) else ()

    def fingerprint(self) -> str:
        return fingerprint.of_model(self.vlm.model, self.vlm.processor)


def load(name: str, dtype: str = "auto") -> Reference:
    """A model by any name that s2h-train takes, in the number format that it would train with. Raises ModelError."""
    from s2h import accel

    return Reference(vlm.load(name, dtype=accel.dtype(dtype)))


def judgement(
    engine: Engine,
    name: str | None,
    *,
    margin: tuple[float, float] | None = None,
    perplexity: tuple[float, float] | None = None,
    batch_size: int = 16,
) -> Judgement:
    """Keep pairs whose margin, chosen minus rejected, and whose two perplexities lie within the bands, ends included.
    Written as scores.ref: chosen and rejected (nats, summed over the answer's tokens), their tokens, model and fingerprint.

    Without a name the scores that the records bring are judged.
    """

    def decide(record: Record) -> str:
        said = record["scores"]["ref"]
        if margin is not None and (reason := within(_margin(record, "ref"), margin, "margin")):
            return reason
        for side in SIDES if perplexity is not None else ():
            if reason := within(_perplexity(said, side), perplexity, f"perplexity of {side}"):
                return reason
        return ""

    keys = (*SIDES, *(f"{side}_tokens" for side in SIDES if perplexity is not None))
    measures = (
        Measure("margin", lambda record: _margin(record, "ref"), *(margin or ())),
        *(
            Measure(
                f"perplexity of {side}",
                lambda record, side=side: _perplexity(record["scores"]["ref"], side),
                *perplexity,
            )
            for side in SIDES
            if perplexity is not None
        ),
    )
    scorer = _scorer("ref", engine, name, keys, batch_size)
    return Judgement("ref", scorer, decide, heavy=True, measures=measures)


def judge_blind(
    engine: Engine, name: str | None, *, most: float | None = None, batch_size: int = 16
) -> Judgement:
    """Drop pairs whose chosen answer the model, shown no image, prefers by at least `most` nats: they can be had without
    looking. Written as scores.blind, as scores.ref is."""

    def decide(record: Record) -> str:
        too_easy = most is not None and _margin(record, "blind") >= most
        return f"blind margin of {most:g} or more" if too_easy else ""

    measures = (Measure("blind margin", lambda record: _margin(record, "blind"), None, most),)
    scorer = _scorer("blind", engine, name, SIDES, batch_size)
    return Judgement("blind", scorer, decide, heavy=True, measures=measures)


def _margin(record: Record, score: str) -> float:
    said = record["scores"][score]
    return round(said["chosen"] - said["rejected"], 9)  # as the two are rounded


def _perplexity(said: dict[str, Any], side: str) -> float:
    return math.exp(min(-said[side] / said[f"{side}_tokens"], 700))


def unseen(prompt: list[dict]) -> list[dict]:
    """The prompt with its images left out; its texts stay as they are."""
    return [
        {**message, "content": [part for part in message["content"] if part["type"] != "image"]}
        for message in prompt
    ]


def attach(engine: Engine) -> None:
    """Let an engine do this module's work, in whichever process it is."""

    def work(blind: bool) -> Callable[[str, list], Iterator[list]]:
        return lambda name, chunks: (_values(engine.model("ref", name), chunk, blind) for chunk in chunks)

    engine.add("ref values", work(False))
    engine.add("blind values", work(True))


def _scorer(
    score: str, engine: Engine, name: str | None, keys: tuple[str, ...], batch_size: int
) -> Callable[[list[Record]], dict[int, RecordError]]:
    """A Judgement's `score`, for scores.ref and scores.blind."""
    what = f"{score} values"
    attach(engine)
    images: dict[str, str] = {}

    def judge_batch(batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        waiting: dict[bytes, list[int]] = {}
        prints: dict[bytes, str] = {}
        if len(images) > PRINTS:
            images.clear()
        model_print = engine.fingerprint("ref", name) if name is not None else ""
        for at, record in enumerate(batch):
            try:
                if name is None:
                    _check_there(record, score, keys)
                    continue
                whole = fingerprint.scores_ref_fingerprint(model_print, record, images)
                if not _there(record, score, name, whole, keys):
                    key = blake2b(whole.encode(), digest_size=16).digest()
                    waiting.setdefault(key, []).append(at)
                    prints[key] = whole
            except RecordError as error:
                faults[at] = error
        refused: dict[bytes, RecordError] = {}

        def compute(missing: list[bytes]) -> Iterator[tuple[bytes, Any]]:
            parts = [missing[i : i + batch_size] for i in range(0, len(missing), batch_size)]
            chunks = [[_row(batch[waiting[key][0]]) for key in part] for part in parts]
            for part, values in zip(parts, engine.run(what, name, chunks), strict=True):
                for key, value in zip(part, values, strict=True):
                    if isinstance(value, RecordError):
                        refused[key] = value
                    else:
                        yield key, value

        rows = engine.results("ref", name, score).get(waiting, compute) if waiting else {}
        for key, positions in waiting.items():
            for at in positions:
                record = batch[at]
                if key in refused:
                    fault = refused[key]
                    faults[at] = type(fault)(fault.message, fault.field, record.where, fault.remedy)
                    continue
                chosen, rejected, *tokens = (float(value) for value in rows[key])
                if not is_number(chosen) or not is_number(rejected):
                    faults[at] = RecordError(
                        f"is no number: {chosen}, {rejected} from {name}", f"scores.{score}", record.where,
                        "the weights may be damaged, or --dtype float32 helps",
                    )  # fmt: skip
                    continue
                add_score(
                    record, score, chosen=chosen, rejected=rejected, chosen_tokens=int(tokens[0]),
                    rejected_tokens=int(tokens[1]), model=name, fingerprint=prints[key],
                )  # fmt: skip
        return faults

    return judge_batch


def _row(record: Record) -> tuple[list, list, list, str, list[str]]:
    """What a process needs to score a record."""
    return record["prompt"], record["chosen"], record["rejected"], record.base, record["images"]


def _values(reference: Reference, rows: list[tuple], blind: bool) -> list[Any]:
    """For each row an array of the log-probabilities of chosen and rejected and of their numbers of tokens, or the
    RecordError that says why the model can't score it."""
    import numpy as np

    model = reference.vlm
    fit = TokenCounter.of(model.model, model.processor, model.name)
    made: list[Any] = []
    asked: list[tuple[list[dict], list[dict], list[Any]]] = []
    tokens: list[int] = []
    for prompt, chosen, rejected, base, references in rows:
        try:
            shown = [] if blind else [_opened(base, reference, i) for i, reference in enumerate(references)]
            prompt = unseen(prompt) if blind else prompt
            known = fit.count(Record(prompt=prompt, chosen=chosen, rejected=rejected), shown)
            if known.row > fit.window:
                raise RecordError(
                    f"does not fit the model's window: {known.row} tokens, and the window holds {fit.window}",
                    remedy="a shorter answer, fewer or smaller images, or a model with a longer window",
                )
        except RecordError as error:
            made.append(error)
            continue
        made.append(len(asked))
        asked += [(prompt, answer, shown) for answer in (chosen, rejected)]
        tokens += known.answers
    try:
        values = list(vlm.score(model, asked, batch_size=max(len(asked), 1)))
    except (IndexError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"--ref {model.name} can't score a batch: {hub.reason(error)} (a smaller --ref-batch-size, or another model)"
        ) from error
    return [
        one
        if isinstance(one, RecordError)
        else np.array([*values[one : one + 2], *tokens[one : one + 2]], dtype=np.float32)
        for one in made
    ]


def _opened(base: str, reference: str, at: int) -> Any:
    try:
        return open_image(reference, base)
    except ImageError as error:
        error.field = f"images[{at}]"
        raise


def _there(record: Record, score: str, name: str, whole: str, keys: tuple[str, ...]) -> bool:
    """Whether the record has this very score already. Raises RecordError for one that was measured on something else."""
    said = record.get("scores", {}).get(score)
    if said is None:
        return False
    if (
        isinstance(said, dict)
        and said.get("fingerprint") == whole
        and all(is_number(said.get(key)) for key in keys)
    ):
        return True
    earlier_score(record, score, name, keys, "--ref")
    raise RecordError(
        "was measured on other weights, another processor or another record",
        f"scores.{score}",
        record.where,
        f"jq -c 'del(.scores.{score})' forgets it",
    )


def _check_there(record: Record, score: str, keys: tuple[str, ...]) -> None:
    said = record.get("scores", {}).get(score)
    if said is None:
        raise RecordError("is missing", f"scores.{score}", record.where, "--ref MODEL measures it")
    if not isinstance(said, dict) or not all(is_number(said.get(key)) for key in keys):
        raise RecordError(
            f"holds no score: {' and '.join(keys)} must be numbers", f"scores.{score}", record.where,
            f"--ref MODEL measures it once jq -c 'del(.scores.{score})' has forgotten it",
        )  # fmt: skip
