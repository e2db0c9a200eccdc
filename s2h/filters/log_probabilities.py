"""Log-probabilities of both answers under a vision-language model, with the images (scores.ref) and without
(scores.blind), for the judgements `ref` and `blind_margin`. Each pair goes through the model once;
`s2h.filters.engine.Engine` shares the work among processes and keeps the results in its cache. s2h-train uses
scores.ref as its reference if the fingerprint fits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from s2h.errors import one_line
from s2h.filters import add_score, earlier_score, is_number
from s2h.filters.engine import Engine
from s2h.images.decoding import ImageError, open_image
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import ModelError, fingerprint, hub_files, image_size, names, prefix_sharing, vlm
from s2h.models.tokens import TokenCounter
from s2h.record import REJECTED_IMAGES, Record, RecordError

if TYPE_CHECKING:
    from PIL.Image import Image

PRINTS = 200_000  # images whose digests are kept

# prompt, chosen, rejected, base, images, rejected images (none for most)
Row = tuple[list[dict], list[dict], list[dict], str, list[str], list[str]]


class ReferenceModel(Protocol):
    """A model that gives log-probabilities: one in this process (`Reference`) or one on a server (`ServedReference`)."""

    @property
    def files(self) -> tuple[str, ...]:
        """Files whose change makes a new fingerprint necessary; none if it is taken in every run."""

    @property
    def engine(self) -> str:
        """The program that computes the values, "" for this one."""

    @property
    def doubled(self) -> str:
        """The reason why a prompt is computed once for each answer, "" if it is computed once for both."""

    def fingerprint(self) -> str:
        """Return a text that differs between models."""

    def values(self, chunks: list[list[Row]], blind: bool) -> Iterator[list[Any]]:
        """Yield for each chunk what `_values` returns for its rows."""


@dataclass
class Reference:
    """A loaded model, with the files and the fingerprint that the engine's cache needs."""

    vlm: vlm.VLM

    @property
    def files(self) -> tuple[str, ...]:
        """The files of a local folder. Empty for a model of the Hub, which is loaded to take its fingerprint."""
        place = names.resolve(self.vlm.name)
        return hub_files.listed(place) if os.path.isdir(place) else ()

    def fingerprint(self) -> str:
        return fingerprint.of_model(self.vlm.model, self.vlm.processor, self.vlm.shown)

    @property
    def engine(self) -> str:
        return ""

    @property
    def doubled(self) -> str:
        return prefix_sharing.why_not(self.vlm.model.config) or ""

    def values(self, chunks: list[list[Row]], blind: bool) -> Iterator[list[Any]]:
        return (_values(self, chunk, blind) for chunk in chunks)


def load(name: str, dtype: str = "auto", pixels: Pixels = WHOLE, thinking: str | None = None) -> Reference:
    """Load a model by any name that s2h-train takes, in the number format that it would train with. pixels, thinking: the
    bounds of an image, and --thinking, if the user gave them. Raises ModelError."""
    from s2h import accel

    bounds = image_size.wanted(name, pixels)
    return Reference(vlm.load(name, dtype=accel.dtype(dtype), pixels=bounds, thinking=thinking))


def unseen(prompt: list[dict]) -> list[dict]:
    """Return the prompt without its images; its texts stay as they are."""
    return [
        {**message, "content": [part for part in message["content"] if part["type"] != "image"]}
        for message in prompt
    ]


def attach(engine: Engine) -> None:
    """Add this module's kinds of work to an engine. Every process of a run must do so."""

    def work(blind: bool) -> Callable[[str, list], Iterator[list]]:
        def values(name: str, chunks: list[list[Row]]) -> Iterator[list]:
            model: ReferenceModel = engine.model("ref", name)
            return model.values(chunks, blind)

        return values

    engine.add("ref values", work(False))
    engine.add("blind values", work(True))


@dataclass
class Scorer:
    """Writes scores.ref or scores.blind of a batch.

    key: "ref" or "blind". name: the model; None requires that the records bring the score. keys: the numbers that an
    earlier score must have. batch_size: pairs that the model computes at a time.
    """

    key: str
    engine: Engine
    name: str | None
    keys: tuple[str, ...]
    batch_size: int
    digests: dict[str, str] = field(default_factory=dict)  # of images, for fingerprints

    def __post_init__(self) -> None:
        attach(self.engine)

    def score(self, batch: list[Record]) -> dict[int, RecordError]:
        if self.name is None:
            return self._check_scores(batch)
        faults: dict[int, RecordError] = {}
        waiting: dict[bytes, _Waiting] = {}
        if len(self.digests) > PRINTS:
            self.digests.clear()
        model_print = self.engine.fingerprint("ref", self.name)
        for at, record in enumerate(batch):
            try:
                whole = fingerprint.scores_ref_fingerprint(model_print, record, self.digests)
                if not _is_there(record, self.key, self.name, whole, self.keys):
                    short = blake2b(whole.encode(), digest_size=16).digest()
                    waiting.setdefault(short, _Waiting(whole, record)).positions.append(at)
            except RecordError as error:
                faults[at] = error
        if waiting:
            self._compute(self.name, waiting, batch, faults)
        return faults

    def _check_scores(self, batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        for at, record in enumerate(batch):
            try:
                _check_score(record, self.key, self.keys)
            except RecordError as error:
                faults[at] = error
        return faults

    def _compute(
        self, name: str, waiting: dict[bytes, _Waiting], batch: list[Record], faults: dict[int, RecordError]
    ) -> None:
        refused: dict[bytes, RecordError] = {}

        def compute(missing: list[bytes]) -> Iterable[tuple[bytes, Any]]:
            parts = [missing[i : i + self.batch_size] for i in range(0, len(missing), self.batch_size)]
            chunks = [[_row(waiting[key].record) for key in part] for part in parts]
            results = self.engine.run(f"{self.key} values", name, chunks)
            for part, values in zip(parts, results, strict=True):
                for key, value in zip(part, values, strict=True):
                    if isinstance(value, RecordError):
                        refused[key] = value
                    else:
                        yield key, value

        rows = self.engine.results("ref", name, self.key).get(waiting, compute)
        for key, one in waiting.items():
            for at in one.positions:
                if key in refused:
                    fault = refused[key]
                    faults[at] = type(fault)(fault.message, fault.field, batch[at].where, fault.remedy)
                elif fault_of_value := self._write(batch[at], name, rows[key], one.fingerprint):
                    faults[at] = fault_of_value

    def _write(self, record: Record, name: str, row: Any, whole: str) -> RecordError | None:
        """Write a score, or return why it can't be one."""
        chosen, rejected, chosen_tokens, rejected_tokens, *other = (float(value) for value in row)
        measured = (chosen, rejected, *other)
        if not all(map(is_number, measured)):
            return RecordError(
                f"is not a number: {', '.join(map(str, measured))} from {name}", f"scores.{self.key}", record.where,
                "the weights may be damaged; also try --dtype float32",
            )  # fmt: skip
        # With a cache, a model in this process may not be loaded. A server always is.
        model: ReferenceModel | None = self.engine.loaded.get(("ref", name))
        more: dict[str, Any] = {"engine": model.engine} if model is not None and model.engine else {}
        add_score(
            record, self.key, chosen=chosen, rejected=rejected, **({REJECTED_IMAGES: other[0]} if other else {}),
            chosen_tokens=int(chosen_tokens), rejected_tokens=int(rejected_tokens), model=name, **more, fingerprint=whole,
        )  # fmt: skip
        return None


@dataclass
class _Waiting:
    """A score that must be computed: its fingerprint, the first record that it is for, and the positions of all of
    them."""

    fingerprint: str
    record: Record
    positions: list[int] = field(default_factory=list)


def _row(record: Record) -> Row:
    """Return the parts of a record that a process needs to score it."""
    other = record.get(REJECTED_IMAGES) or []
    return record["prompt"], record["chosen"], record["rejected"], record.base, record["images"], other


def _values(reference: Reference, rows: list[Row], blind: bool) -> list[Any]:
    """Return for each row an array (log-probability of chosen, of rejected, tokens of chosen, of rejected), float32 [4], or
    the RecordError that says why the model can't score the row. A row with rejected images has a fifth number, the chosen
    answer's log-probability under them."""
    import numpy as np

    model = reference.vlm
    fit = TokenCounter.of(model.model, model.processor, model.name, shown=model.shown)
    made: list[Any] = []
    asked: list[tuple[list[dict], list[Any], list[list[dict]]]] = []
    for prompt, chosen, rejected, base, references, others in rows:
        try:
            shown = [] if blind else [open_at(base, one, i, model.shown) for i, one in enumerate(references)]
            other = [
                open_at(base, one, i, model.shown, REJECTED_IMAGES)
                for i, one in enumerate([] if blind else others)
            ]
            prompt = unseen(prompt) if blind else prompt
            known = fit.count(Record(prompt=prompt, chosen=chosen, rejected=rejected), shown, other)
            if known.row > fit.window:
                raise RecordError(
                    f"does not fit the model's window: {known.row} tokens, and the window holds {fit.window}",
                    remedy="a shorter answer, fewer or smaller images, or a model with a longer window",
                )
        except RecordError as error:
            made.append(error)
            continue
        start = len(asked)
        asked.append((prompt, shown, [chosen, rejected]))
        if other:
            asked.append((prompt, other, [chosen]))
        made.append((slice(start, len(asked)), known.answers))
    try:
        values = vlm.score_pairs(model, asked)
    except (IndexError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"--ref {model.name} can't score a batch: {one_line(error, 160)} (a smaller --ref-batch-size, or another model)"
        ) from error
    whole: list[Any] = []
    for one in made:
        if isinstance(one, RecordError):
            whole.append(one)
            continue
        both, *other = values[one[0]]
        whole.append(np.array([*both, *one[1], *(value for row in other for value in row)], dtype=np.float32))
    return whole


def open_at(base: str, reference: str, at: int, shown: Pixels, field: str = "images") -> Image:
    """Return the image at a position of a record's field, within the bounds. Raises ImageError with its field."""
    try:
        return open_image(reference, base, shown)
    except ImageError as error:
        error.field = f"{field}[{at}]"
        raise


def _is_there(record: Record, score: str, name: str, whole: str, keys: tuple[str, ...]) -> bool:
    """Return whether the record already has this score. Raises RecordError for a score of something else."""
    earlier = record.get("scores", {}).get(score)
    if earlier is None:
        return False
    if (
        isinstance(earlier, dict)
        and earlier.get("fingerprint") == whole
        and all(is_number(earlier.get(key)) for key in keys)
    ):
        return True
    earlier_score(record, score, name, keys, "--ref")
    raise RecordError(
        "was measured on other weights, another processor or another record",
        f"scores.{score}",
        record.where,
        f"jq -c 'del(.scores.{score})' removes it",
    )


def _check_score(record: Record, score: str, keys: tuple[str, ...]) -> None:
    earlier = record.get("scores", {}).get(score)
    if earlier is None:
        raise RecordError("is missing", f"scores.{score}", record.where, "--ref MODEL measures it")
    if not isinstance(earlier, dict) or not all(is_number(earlier.get(key)) for key in keys):
        raise RecordError(
            f"holds no score: {' and '.join(keys)} must be numbers", f"scores.{score}", record.where,
            f"--ref MODEL measures it once jq -c 'del(.scores.{score})' has removed it",
        )  # fmt: skip
