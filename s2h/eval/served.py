"""Ask a model on an OpenAI-compatible server. Every server gives replies. The likelihood of option letters, and of yes and
no, needs a server that returns log-probabilities of tokens; that of a pair's two answers needs vLLM's `prompt_logprobs`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from s2h.eval import ask, likelihood
from s2h.models import completions, server
from s2h.models.tokens import refusals
from s2h.record import RecordError, base_of


@dataclass
class Served:
    """A model on a server (see `ask.Asker`). A window is larger than the number of requests in flight, so that few requests
    wait for the end of a window. It is the same for every --concurrency, which a resumed run may change."""

    server: server.Server
    scoring: str
    max_new_tokens: int
    size: int = 512

    @property
    def name(self) -> str:
        return self.server.name

    def answers(self, window: list[ask.Question], known: Collection[int]) -> Iterator[dict[int, Any]]:
        rest = [at for at in range(len(window)) if at not in known]
        for number, outcome in self.server.run(partial(self._answer, *window[at]) for at in rest):
            at = rest[number]
            if isinstance(outcome, RecordError):
                outcome.where = outcome.where or ask.place_of(window[at][0])
            yield {at: outcome}

    async def _answer(self, line: dict, prompt: list[dict]) -> dict[str, Any]:
        labels = likelihood.labels_of(line) if self.scoring == "likelihood" else None
        messages = await asyncio.to_thread(self._messages, line, prompt)
        if labels is None:
            reply = await self.server.complete(messages, self.max_new_tokens)
            return {"response": reply.text}
        if labels == likelihood.PAIR:
            logps = await self.server.answer_logps(messages, [line["_pair"][which] for which in labels])
            return likelihood.likeliest(
                dict(zip(labels, (logp for logp, _ in logps), strict=True)), whole=True
            )
        first = await self.server.likeliest(messages)
        found = completions.label_logps(first, {label: likelihood.words_of(line, label) for label in labels})
        if not any(logp is not None for logp in found.values()):
            raise RecordError(
                f"not among the {server.LIKELIEST} likeliest first tokens: {', '.join(labels)}", field="choices",
                remedy="use --scoring generate",
            )  # fmt: skip
        return likelihood.likeliest(found)

    def _messages(self, line: dict, prompt: list[dict]) -> list[dict]:
        """Open the images of a question, and return its messages in the form that the server takes."""
        record = line.get("_pair") or line
        with refusals(self.name, ask.place_of(line)):
            base, shown = base_of(record), self.server.pixels
            images = [ask.load_image(record, base, i, shown) for i in range(len(record["images"]))]
            return completions.messages(prompt, images)
