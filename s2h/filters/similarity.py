"""Text similarity: chosen and rejected should be neither the same thing said twice nor worlds apart. The paper filters
level 3 by MPNet's cosine (method.md); any sentence-transformers model does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from s2h.filters import Judgement, add_score, by_model, is_builtin
from s2h.filters.cache import Embeddings
from s2h.models.text import DEFAULT
from s2h.record import Record, RecordError, text_of

BUNDLED = "mini-text"


def judgement(
    load: Callable[[str], Any], *, band: tuple[float, float] | None = None, model: str | None = None
) -> Judgement:
    """Keep pairs whose answers' cosine lies within `band`, ends included. load(name) gives a models.text.TextModel."""
    loaded: dict[str, Any] = {}
    texts = Embeddings()

    def name_for(record: Record) -> str:
        return model or (BUNDLED if is_builtin(record) else DEFAULT)

    def score(batch: list[Record], on_error: Callable[[Exception], None]) -> list[Record]:
        bad: set[int] = set()
        for name, positions in by_model(batch, name_for).items():
            todo = []
            for at in positions:
                said = batch[at].get("scores", {}).get("mpnet")
                if said is None:
                    todo.append(at)
                elif said.get("model") != name or not _is_number(said.get("similarity")):
                    bad.add(at)
                    on_error(RecordError(
                        f"scored before: by {said.get('model')!r}, now {name!r} is asked for", field="scores.mpnet",
                        where=batch[at].where,
                        remedy="jq 'del(.scores.mpnet)' forgets it; --text-model names a model",
                    ))  # fmt: skip
            if not todo:
                continue
            if name not in loaded:
                loaded[name] = load(name)
            keys = [(name, text_of(batch[at][which])) for at in todo for which in ("chosen", "rejected")]
            read = texts.get(keys, lambda missing, m=loaded[name]: m.encode([text for _, text in missing]))
            for at in todo:
                chosen, rejected = (read[name, text_of(batch[at][which])] for which in ("chosen", "rejected"))
                cosine = float(chosen @ rejected)
                if math.isfinite(cosine):
                    add_score(batch[at], "mpnet", {"similarity": round(cosine, 6), "model": name})
                else:
                    bad.add(at)
                    on_error(RecordError(f"the score is no number: {name}", field="scores.mpnet", where=batch[at].where,
                                         remedy="check the model's weights"))  # fmt: skip
        return [record for at, record in enumerate(batch) if at not in bad]

    def decide(record: Record) -> str:
        if band is None:
            return ""
        cosine = record["scores"]["mpnet"]["similarity"]
        if cosine < band[0]:
            return f"mpnet below {band[0]:g}"
        return f"mpnet above {band[1]:g}" if cosine > band[1] else ""

    return Judgement("mpnet", score, decide)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
