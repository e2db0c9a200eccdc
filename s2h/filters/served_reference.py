"""A reference model on an OpenAI-compatible server with vLLM's prompt_logprobs, for `s2h-filter --ref --base-url`. Its
numbers sort and filter pairs. They are no reference for training, which must be computed as the trained model is.

    s2h-filter l3 --ref Qwen/Qwen2.5-VL-7B-Instruct --base-url http://localhost:8000 --margin :5 > hard.jsonl
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from s2h.filters.log_probabilities import Row, open_at, unseen
from s2h.models import completions, fingerprint
from s2h.models.tokens import refusals
from s2h.record import REJECTED_IMAGES, Record, RecordError

if TYPE_CHECKING:
    from s2h.models.server import Server
    from s2h.streams.journal import Journal


@dataclass
class Notes:
    """Values that a server has given, in a run's journal until their pairs are written, so that a resumed run does not ask
    for them again. most: the number that is kept."""

    journal: Journal
    most: int
    known: dict[str, list[float]] = field(default_factory=dict)

    def recall(self) -> None:
        """Take over the values of the run that is resumed, once its journal is open."""
        self.known = dict(self.journal.since)

    def add(self, key: str, values: list[float]) -> None:
        """Keep the values of a pair."""
        self.known[key] = values
        while len(self.known) > self.most:
            del self.known[next(iter(self.known))]
        self.journal.add([key, values])


@dataclass
class ServedReference:
    """A model on a server (see `log_probabilities.ReferenceModel`)."""

    server: Server
    notes: Notes | None = None
    files: tuple[str, ...] = ()  # none that could change: the model is asked for its fingerprint in every run

    @property
    def engine(self) -> str:
        return self.server.engine

    @property
    def doubled(self) -> str:
        return ""  # a server keeps prompts, or doesn't, by its own settings

    def fingerprint(self) -> str:
        return self.server.fingerprint()

    def values(self, chunks: list[list[Row]], blind: bool) -> Iterator[list[Any]]:
        import numpy as np

        rows = [row for chunk in chunks for row in chunk]
        known = self.notes.known if self.notes else {}
        keys = [_key(row, blind) for row in rows]
        found: dict[int, Any] = {at: known[key] for at, key in enumerate(keys) if key in known}
        left = [at for at in range(len(rows)) if at not in found]
        for number, outcome in self.server.run(partial(self._score, rows[at], blind) for at in left):
            at = left[number]
            found[at] = outcome
            if self.notes and keys[at] and not isinstance(outcome, RecordError):
                self.notes.add(keys[at], outcome)
        coming = (found[at] for at in range(len(rows)))
        for chunk in chunks:
            values = [next(coming) for _ in chunk]
            yield [one if isinstance(one, RecordError) else np.array(one, dtype=np.float32) for one in values]

    async def _score(self, row: Row, blind: bool) -> list[float]:
        messages = await asyncio.to_thread(self._messages, row, blind)
        (chosen, c_tokens), (rejected, r_tokens) = await self.server.answer_logps(messages, [row[1], row[2]])
        found = [chosen, rejected, c_tokens, r_tokens]
        if row[5] and not blind:
            messages = await asyncio.to_thread(self._messages, row, False, REJECTED_IMAGES)
            [(other, _)] = await self.server.answer_logps(messages, [row[1]])
            found.append(other)
        return found

    def _messages(self, row: Row, blind: bool, field: str = "images") -> list[dict]:
        prompt, _, _, base, *shown = row
        if blind:
            return completions.messages(unseen(prompt), [])
        with refusals(self.server.name):
            references = shown[field == REJECTED_IMAGES]
            images = [open_at(base, one, i, self.server.pixels, field) for i, one in enumerate(references)]
            return completions.messages(prompt, images)


def _key(row: Row, blind: bool) -> str:
    """Return a key for the content of a pair; "" if an image can't be read."""
    prompt, chosen, rejected, base, images, other = row
    record = Record(prompt=prompt, chosen=chosen, rejected=rejected, images=images, base=base)
    if other and not blind:
        record[REJECTED_IMAGES] = other
    try:
        return f"{'blind' if blind else 'ref'} {fingerprint.of_record(record)}"
    except RecordError:
        return ""
