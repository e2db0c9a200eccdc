"""The messages that an OpenAI-compatible server takes and the completions that it returns: images as data URIs in their
places, replies, log-probabilities of the first token and of a whole answer."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from s2h.errors import RecordError, one_line
from s2h.models import ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

BLANK = " \t\n\r▁Ġ"  # white space, and the signs that stand for it in the tokens of some servers
LOST = "\ufffd"  # in a token that is a part of a character


class Card(msgspec.Struct):
    """A model in a server's list. owned_by: the engine, or the model's owner. root: what the server loaded."""

    id: str
    owned_by: str | None = None
    root: str | None = None


class _Cards(msgspec.Struct):
    data: list[Card]


class _Token(msgspec.Struct):
    token: str
    logprob: float


class _Step(msgspec.Struct):
    top_logprobs: list[_Token] = []


class _Steps(msgspec.Struct):
    content: list[_Step] | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Steps | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0


class _PromptToken(msgspec.Struct):
    logprob: float
    decoded_token: str | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None
    prompt_logprobs: list[dict[str, _PromptToken] | None] | None = None


Parsed = TypeVar("Parsed", _Body, _Cards)


@dataclass(frozen=True)
class Completion:
    """The answer of a server. text: without white space around it. cut: whether the token limit ended it. model: the
    server's name for the model. tokens: number of tokens of the prompt. first: (text, log-probability in nats) of the
    likeliest first tokens; prompt: the same of each token of the prompt; None for what the server does not give."""

    text: str
    cut: bool
    model: str = ""
    tokens: int = 0
    first: list[tuple[str, float]] | None = None
    prompt: list[tuple[str, float]] | None = None


def data_uri(image: Image) -> str:
    """Return an image as a data URI. PNG keeps every pixel, so that the server sees what a local model sees."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getbuffer()).decode()


def messages(prompt: list[dict], images: list[Image]) -> list[dict]:
    """Return the messages of a prompt as a server takes them, each image in its place."""
    coming = iter(images)

    def part(one: dict) -> dict:
        if one["type"] == "image":
            return {"type": "image_url", "image_url": {"url": data_uri(next(coming))}}
        return {"type": "text", "text": one["text"]}

    return [{**message, "content": [part(one) for one in message["content"]]} for message in prompt]


def completion(raw: bytes) -> Completion:
    """Read a completion. Raises RecordError if the body is none."""
    found = _read(raw, _Body)
    if not found.choices:
        raise RecordError("the server's reply is no completion: it has no choices")
    choice, prompt = found.choices[0], None
    first = choice.logprobs.content[0].top_logprobs if choice.logprobs and choice.logprobs.content else None
    if found.prompt_logprobs is not None:
        # One entry for each token, by its id. If there are several, the token of the prompt comes first.
        entries = (next(iter(one.values())) if one else None for one in found.prompt_logprobs)
        prompt = [(one.decoded_token or "", one.logprob) if one else ("", 0.0) for one in entries]
    return Completion(
        (choice.message.content or "").strip(),
        choice.finish_reason == "length",
        found.model or "",
        found.usage.prompt_tokens if found.usage else 0,
        None if first is None else [(one.token, one.logprob) for one in first],
        prompt,
    )


def models(raw: bytes, url: str) -> list[Card]:
    """Read a list of models. Raises ModelError if the body is none."""
    try:
        return _read(raw, _Cards).data
    except RecordError as error:
        raise ModelError(
            f"no OpenAI-compatible server at {url}: {error.message} (correct --base-url)"
        ) from None


def label_logps(first: list[tuple[str, float]], labels: dict[str, set[str]]) -> dict[str, float | None]:
    """Return the log-probability of each label, None if none of its words is among the likeliest first tokens. labels: the
    words that stand for each; white space before a word does not count, and probabilities of the same word are added."""
    found: dict[str, float | None] = {}
    for label, words in labels.items():
        shares = [math.exp(logp) for token, logp in first if token.strip(BLANK) in words]
        found[label] = math.log(total) if (total := sum(shares)) else None
    return found


def answer_logp(prompt: list[tuple[str, float]], start: int, answer: str) -> tuple[float, int]:
    """Return the log-probability (nats, summed) and the number of the tokens from `start` on, which are the answer as the
    chat template writes and ends it. If its first token begins with the prompt's last white space, that token is at
    start - 1. Raises RecordError if the answer's text begins at neither."""
    for first in (start, start - 1):
        tokens = prompt[max(first, 0) :]
        written = _bare("".join(text for text, _ in tokens))
        if tokens and (LOST in written or written.startswith(_bare(answer))):
            return sum(logp for _, logp in tokens), len(tokens)
    raise RecordError(
        "the server's chat template writes the prompt differently once an answer follows",
        remedy="use another template",
    )


def _bare(text: str) -> str:
    return "".join(sign for sign in text if sign not in BLANK)


def _read(raw: bytes, kind: type[Parsed]) -> Parsed:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"the server's reply can't be read: {one_line(error)}") from None
