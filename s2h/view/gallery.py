"""A page of pairs or predictions: images inside it, no network, no scripts but its own. Everything in a record is data and
is escaped."""

from __future__ import annotations

import base64
import difflib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from s2h.images import open_images
from s2h.record import Record, RecordError, check, fail, text_of

PAGE = Path(__file__).with_name("page.html")


def page(
    lines: Iterable[Record], *, title: str, size: int = 224, on_error: Callable[[Exception], None] = fail
) -> Iterator[bytes]:
    """The page in pieces of UTF-8, one a card, as the lines come. A line with `response` is a prediction, any other a pair.
    size: the greatest side of an embedded image in pixels. A line that can't be shown goes to on_error and is left out."""
    whole = PAGE.read_text(encoding="utf-8").replace("@TITLE@", escape(title)).replace("@SIZE@", str(size))
    before, after = whole.split("@CARDS@")
    yield before.encode()
    for line in lines:
        try:
            card = _prediction(line, size) if "response" in line else _pair(line, size)
        except RecordError as error:
            error.where = error.where or line.where
            on_error(error)
            continue
        yield card.encode()
    yield after.encode()


def _pair(record: Record, size: int) -> str:
    check(record)
    chosen, rejected = text_of(record["chosen"]), text_of(record["rejected"])
    marked_chosen, marked_rejected = differing(chosen, rejected)
    tags = [f"level {record['level']}", record["task"], record["negative"]]
    body = (
        _figures(record, size, set(record["target"]))
        + f'<div class="prompt">{escape(_spoken(record["prompt"]))}</div>'
        + '<div class="answers">'
        + f'<div class="answer good"><small>chosen</small>{marked_chosen}</div>'
        + f'<div class="answer bad"><small>rejected: {escape(record["negative"])}</small>{marked_rejected}</div></div>'
        + _scores(record.get("scores"))
        + _folded("facts", record["facts"])
        + (_folded("grounding", record["grounding"]) if record.get("grounding") else "")
    )
    return _card(record, tags, record["level"], record["task"], record["negative"], body)


def _prediction(line: Record, size: int) -> str:
    missing = [name for name in ("id", "bench", "answer", "response") if name not in line]
    if missing:
        raise RecordError(
            "missing", field=missing[0], where=line.where, remedy="not a prediction of s2h-eval"
        )
    correct = line.get("correct")
    verdict = {True: "right", False: "wrong"}.get(correct, "not scored")
    options = "".join(f"\n{letter}. {text}" for letter, text in (line.get("choices") or {}).items())
    body = (
        _figures(line, size, set(line.get("target") or ()))
        + f'<div class="prompt">{escape(str(line.get("question", "")).strip() + options)}</div>'
        + '<div class="answers">'
        + f'<div class="answer good"><small>answer</small>{escape(str(line["answer"]))}</div>'
        + f'<div class="answer {"good" if correct else "bad"}"><small>response: {verdict}</small>'
        + f"{escape(str(line['response']))}</div></div>"
    )
    tags = [str(line["bench"]), str(line.get("category", "")), verdict]
    return _card(
        line,
        [t for t in tags if t],
        line.get("level", line["bench"]),
        line.get("category", ""),
        verdict,
        body,
    )


def _card(line: Record, tags: list[str], level: object, task: object, kind: object, body: str) -> str:
    shown = "".join(
        f'<span class="tag{" level" if i == 0 else ""}">{escape(str(t))}</span>' for i, t in enumerate(tags)
    )
    source = f'<span class="tag">{escape(str(line["source"]))}</span>' if "source" in line else ""
    return (
        f'<article data-level="{escape(str(level))}" data-task="{escape(str(task))}" data-kind="{escape(str(kind))}">'
        f'<div class="tags">{shown}{source}<span class="id">{escape(str(line["id"]))}</span></div>{body}</article>\n'
    )


def _figures(line: Record, size: int, targets: set[int]) -> str:
    figures = []
    for at, image in enumerate(open_images(line)):
        mark = ' class="target"' if at in targets else ""
        name = f"Image {at + 1}" + (" · target" if at in targets else "")
        figures.append(
            f'<figure{mark}><img src="{_embedded(image, size)}" alt="{name}" loading="lazy" decoding="async">'
            f"<figcaption>{name}</figcaption></figure>"
        )
    return f'<div class="images">{"".join(figures)}</div>'


def _embedded(image: Any, size: int) -> str:
    """A data URI: PNG for drawings of few colours, JPEG for the rest, whichever is smaller."""
    if max(image.size) > size:
        image.thumbnail((size, size))
    made = []
    for kind, options in (("png", {"optimize": False}), ("jpeg", {"quality": 85})):
        out = io.BytesIO()
        image.save(out, kind, **options)
        made.append((len(out.getvalue()), kind, out.getvalue()))
    _, kind, data = min(made)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _spoken(prompt: list[dict]) -> str:
    """The prompt's text, with images that stand inside it marked where words name them."""
    parts = [part["text"] for message in prompt for part in message["content"] if part["type"] == "text"]
    spoken = [
        part for part in parts if not part.strip().rstrip(":").lower().startswith("image ") or len(part) > 14
    ]
    return "".join(spoken).strip()


def differing(one: str, other: str) -> tuple[str, str]:
    """Both texts as HTML with the words that the other does not have in <b>."""
    spaced = [re.findall(r"\S+\s*", text) for text in (one, other)]  # each word with the space after it
    a, b = ([word.rstrip() for word in words] for words in spaced)
    marked: tuple[list[str], list[str]] = ([], [])
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for words, out in ((spaced[0][a0:a1], marked[0]), (spaced[1][b0:b1], marked[1])):
            text = "".join(words)
            said, space = escape(text.rstrip()), text[len(text.rstrip()) :]
            out.append((said if kind == "equal" or not said else f"<b>{said}</b>") + space)
    return "".join(marked[0]), "".join(marked[1])


def _scores(scores: dict | None) -> str:
    if not scores:
        return ""
    told = []
    for name, said in scores.items():
        if not isinstance(said, dict):
            continue
        numbers = ", ".join(f"{k} {v:.3f}" for k, v in said.items() if isinstance(v, float | int))
        told.append(f"{name}: {numbers}" + (f" ({said['model']})" if "model" in said else ""))
    return f'<div class="scores">{escape(" · ".join(told))}</div>'


def _folded(name: str, value: object) -> str:
    told = escape(json.dumps(value, indent=1, ensure_ascii=False))
    return f"<details><summary>{name}</summary><pre>{told}</pre></details>"
