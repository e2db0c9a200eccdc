"""Text similarity: chosen and rejected should be neither the same thing said twice nor worlds apart. Level 3 is filtered by
the cosine of MPNet's sentence embeddings; any sentence-transformers model does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.filters import Judgement, add_score, earlier_score, is_builtin, is_number, within
from s2h.filters.cache import Embeddings, brief
from s2h.models.text import BUNDLED, DEFAULT
from s2h.record import Record, RecordError, text_of

SIDES = ("chosen", "rejected")


def judgement(
    load: Callable[[str], Any], *, band: tuple[float, float] | None = None, model: str | None = None
) -> Judgement:
    """Keep pairs whose answers' cosine lies within `band`, ends included; it is written as scores.mpnet.similarity.

    load(name) gives a models.text.TextModel and is called once a model, when its first record comes; the bundled model reads
    the built-in world's records and MPNet all others, unless `model` names one for all.
    """
    loaded: dict[str, Any] = {}
    kept = Embeddings()

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        waiting: dict[str, list[int]] = {}
        for at, record in enumerate(batch):
            name = model or (BUNDLED if is_builtin(record) else DEFAULT)
            try:
                if not earlier_score(record, "mpnet", name, ("similarity",), "--text-model"):
                    waiting.setdefault(name, []).append(at)
            except RecordError as error:
                faults[at] = error
        for name, positions in waiting.items():
            if name not in loaded:
                loaded[name] = load(name)
            faults.update(_compare(loaded[name], {at: batch[at] for at in positions}, kept))
        return faults

    def decide(record: Record) -> str:
        return "" if band is None else within(record["scores"]["mpnet"]["similarity"], band, "mpnet")

    return Judgement("mpnet", score, decide, heavy=True)


def _compare(model: Any, records: dict[int, Record], kept: Embeddings) -> dict[int, RecordError]:
    """Score records by one model; what was wrong with those that could not be."""
    texts = {
        (model.name, brief(text)): text
        for r in records.values()
        for text in map(text_of, (r[s] for s in SIDES))
    }

    def embed(missing: list) -> Any:
        return zip(missing, model.encode([texts[key] for key in missing]), strict=True)

    rows = kept.get(texts, embed)
    faults = {}
    for at, record in records.items():
        chosen, rejected = (rows[model.name, brief(text_of(record[side]))] for side in SIDES)
        cosine = float(chosen @ rejected)
        if is_number(cosine):
            add_score(record, "mpnet", similarity=cosine, model=model.name)
        else:
            faults[at] = RecordError(f"is no number: {cosine} from {model.name}", "scores.mpnet", record.where,
                                     "the weights may be damaged")  # fmt: skip
    return faults
