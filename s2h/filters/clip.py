"""CLIP: does each answer fit the images that it speaks of? An answer's score is the mean cosine over its grounding claims,
each a text about one image; without claims it is the mean of the answer's text against each target image. Texts beyond the
model's context are cut there, as CLIP does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from s2h.filters import Judgement, add_score, earlier_score, is_builtin, is_number
from s2h.filters.cache import Embeddings, brief
from s2h.images import open_image
from s2h.models.clip import BUNDLED, DEFAULT
from s2h.record import Record, RecordError, text_of

THREADS = 4  # that open and prepare images while the model runs; Pillow and torch leave the interpreter while they work
AT_ONCE = 32  # images that the model embeds in one call
AHEAD = 2 * AT_ONCE  # images open before their turn: 40 MB at 224 pixels, whatever the batch of records
SIDES = ("chosen", "rejected")

Key = tuple  # (model, base, reference): what an image's embedding is kept by


def claims(record: Record, side: str) -> list[tuple[int, str]]:
    """What the chosen or rejected answer claims: (image position, text)."""
    said = record.get("grounding", {}).get(side)
    return (
        [(at, text) for at, text in said]
        if said
        else [(at, text_of(record[side])) for at in record["target"]]
    )


def judgement(
    load: Callable[[str], Any],
    *,
    least: float | None = None,
    margin: float | None = None,
    model: str | None = None,
) -> Judgement:
    """Keep pairs whose chosen answer scores at least `least` and beats the rejected one by at least `margin` (cosines); both
    scores are written as scores.clip.

    load(name) gives a models.clip.Clip and is called once a model, when its first record comes; the bundled model sees the
    built-in world's records and ViT-B/32 all others, unless `model` names one for all.
    """
    loaded: dict[str, Any] = {}
    images, texts = Embeddings(), Embeddings()

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        waiting: dict[str, list[int]] = {}
        for at, record in enumerate(batch):
            name = model or (BUNDLED if is_builtin(record) else DEFAULT)
            try:
                if not earlier_score(record, "clip", name, SIDES, "--clip-model"):
                    waiting.setdefault(name, []).append(at)
            except RecordError as error:
                faults[at] = error
        for name, positions in waiting.items():
            if name not in loaded:
                loaded[name] = load(name)
            faults.update(_score(loaded[name], {at: batch[at] for at in positions}, images, texts))
        return faults

    def decide(record: Record) -> str:
        said = record["scores"]["clip"]
        if least is not None and said["chosen"] < least:
            return f"clip below {least:g}"
        # Rounded as the two scores are: 0.3 - 0.25 is a hair less than 0.05.
        if margin is not None and round(said["chosen"] - said["rejected"], 9) < margin:
            return f"clip margin below {margin:g}"
        return ""

    return Judgement("clip", score, decide, heavy=True)


def _score(
    model: Any, records: dict[int, Record], images: Embeddings, texts: Embeddings
) -> dict[int, RecordError]:
    """Score records by one model; what was wrong with those that could not be."""
    said = {at: {side: claims(record, side) for side in SIDES} for at, record in records.items()}
    pictures: dict[Key, tuple[Record, int]] = {}
    wordings: dict[tuple, str] = {}
    for at, record in records.items():
        for position, text in said[at]["chosen"] + said[at]["rejected"]:
            pictures.setdefault(_key(model, record, position), (record, position))
            wordings[model.name, brief(text)] = text
    damaged: dict[Key, RecordError] = {}
    seen = images.get(
        pictures, lambda missing: _look(model, {key: pictures[key] for key in missing}, damaged)
    )
    read = texts.get(
        wordings, lambda missing: zip(missing, model.texts([wordings[key] for key in missing]), strict=True)
    )

    faults = {}
    for at, record in records.items():
        try:
            means = {side: _mean(model, record, said[at][side], seen, read, damaged) for side in SIDES}
        except RecordError as error:
            faults[at] = error
        else:
            add_score(record, "clip", **means, model=model.name)
    return faults


def _look(
    model: Any, wanted: dict[Key, tuple[Record, int]], damaged: dict[Key, RecordError]
) -> Iterator[tuple[Key, Any]]:
    """Embeds images, the next ones being opened in threads meanwhile. Those that cannot be opened go to `damaged`."""

    def prepare(key: Key) -> tuple[Key, Any]:
        record, position = wanted[key]
        try:
            return key, model.prepare(open_image(record["images"][position], record.base))
        except RecordError as error:
            damaged[key] = error
            return key, None

    def in_turn(pool: ThreadPoolExecutor) -> Iterator[tuple[Key, Any]]:
        keys = iter(wanted)
        waiting = deque(pool.submit(prepare, key) for key in islice(keys, AHEAD))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(prepare, key) for key in islice(keys, 1))

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            ready = (pair for pair in in_turn(pool) if pair[1] is not None)
            while some := list(islice(ready, AT_ONCE)):
                yield from zip(
                    (key for key, _ in some), model.images([tensor for _, tensor in some]), strict=True
                )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _mean(
    model: Any, record: Record, said: list[tuple[int, str]], seen: dict, read: dict, damaged: dict
) -> float:
    """The mean cosine of an answer's claims. Raises RecordError for an image that could not be opened, and for NaN."""
    total = 0.0
    for position, text in said:
        key = _key(model, record, position)
        if key in damaged:
            error = damaged[key]
            raise type(error)(error.message, f"images[{position}]", record.where, error.remedy)
        total += float(seen[key] @ read[model.name, brief(text)])
    if not is_number(total):
        raise RecordError(f"is no number: {total} from {model.name}", "scores.clip", record.where,
                          "the weights may be damaged")  # fmt: skip
    return total / len(said)


def _key(model: Any, record: Record, position: int) -> Key:
    return model.name, record.base, brief(record["images"][position])
