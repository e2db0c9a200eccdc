"""Write a page of pairs or predictions. The page holds its images, each distinct one once, and needs no network.
Everything in a record is data and is escaped; the page's content security policy allows its own style and script only.
What a person does on the page (filters, order, marks, zoom) is in page.js; `s2h.mix.marks` reads its marks.

    s2h-gen compare -n 20 --quiet | s2h-view -o gallery.html
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import heapq
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from s2h.eval import gold, predictions
from s2h.filters import is_number
from s2h.images.decoding import ImageError, decode, read_bytes
from s2h.images.store import digest
from s2h.record import REJECTED_IMAGES, Record, RecordError, facts_of, fail, target_of, text_of
from s2h.seeds import seed_of
from s2h.shorthand import accept

if TYPE_CHECKING:
    from PIL.Image import Image

PAGE, STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("page.html", "page.css", "page.js"))
SHOWN = 320  # longest side of an image in a card, in pixels; a larger one shows in full when it is enlarged
AT_FIRST = 20  # cards that are shown while the page loads
VERDICTS: dict[bool | None, str] = {True: "right", False: "wrong"}
CHANGES: dict[tuple[bool | None, bool | None], str] = {
    (False, True): "gained",
    (True, False): "lost",
    (True, True): "right both times",
    (False, False): "wrong both times",
}


def page(
    lines: Iterable[Record],
    *,
    title: str,
    size: int = 224,
    intro: str = "",
    on_error: Callable[[RecordError], None] = fail,
) -> Iterator[bytes]:
    """Yield the page in pieces of UTF-8, one for each card, as the lines come. A line with `response` is a prediction,
    any other line a pair; a prediction's `before` holds another model's `response` and `correct`, which are shown
    beside it. size: the longest side of an embedded image, in pixels. intro: HTML above the cards, such as that of
    `s2h.eval.report_page`. The error of a line that can't be shown goes to on_error."""
    before, after = frame(title, size, intro)
    yield before
    images = EmbeddedImages(size)
    shown = 0
    for line in lines:
        try:
            made = card(line, images)
        except RecordError as error:
            images.forget()
            on_error(error)
            continue
        shown += 1
        # The browser lays out the first cards while the page loads; its script then takes all of them.
        rest = '<div class="rest">' if shown == AT_FIRST + 1 else ""
        yield (rest + images.take_new() + made.html).encode()
    yield (b"</div>" if shown > AT_FIRST else b"") + after


def frame(title: str, size: int, intro: str = "", *, served: bool = False) -> tuple[bytes, bytes]:
    """Return the page before and after its cards. served: the page of `s2h.view.server`, which asks for its cards."""
    whole = PAGE.read_text(encoding="utf-8").replace("@SCRIPT@", SCRIPT.read_text(encoding="utf-8"))
    whole = whole.replace("@STYLE@", STYLE.read_text(encoding="utf-8"))
    whole = whole.replace("@SIZE@", str(min(size, SHOWN)))
    whole = whole.replace("@SERVED@", " data-served" if served else "")
    before, cards = whole.replace("@POLICY@", policy(whole, served)).split("@INTRO@")
    begin, after = cards.split("@CARDS@")
    return (before.replace("@TITLE@", escape(title)) + intro + begin).encode(), after.encode()


class Images(Protocol):
    def place(self, reference: str, base: str) -> tuple[int | str, int, int]:
        """Return the name by which the page's script finds an image, its width and its height. Raises ImageError."""


class Card(NamedTuple):
    """keys: what the page filters and sorts by; scores: numbers by name; html: the card's element."""

    keys: dict[str, str]
    scores: dict[str, float]
    html: str


def card(line: Record, images: Images) -> Card:
    """Return the card of a pair, or of a prediction, which has a `response`. Raises RecordError with the line's place."""
    try:
        return _prediction(line, images) if "response" in line else _pair(line, images)
    except RecordError as error:
        error.where = error.where or line.where
        raise


def draw(lines: Iterable[Record], count: int, seed: int) -> tuple[list[Record], int]:
    """Return `count` random lines in their order, and the number of the others. Lines are drawn by the seed and their ids,
    and only those that are drawn so far are held."""
    numbers = itertools.count()
    keyed = (
        (seed_of(seed, "view", line.get("id")), at, line) for line, at in zip(lines, numbers, strict=False)
    )
    drawn = heapq.nsmallest(count, keyed, key=itemgetter(0, 1))
    return [line for _, _, line in sorted(drawn, key=itemgetter(1))], next(numbers) - len(drawn)


def policy(whole: str, served: bool) -> str:
    """Return the page's content security policy: its one style and its one script, by their hashes, and embedded
    images. A served page also gets its images and its cards from its server."""
    hashes = {}
    for name in ("style", "script"):
        (text,) = re.findall(f"<{name}>(.*?)</{name}>", whole, re.S)
        hashes[name] = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    images = "img-src 'self'; connect-src 'self'" if served else "img-src data:"
    return (
        f"default-src 'none'; {images}; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )


class EmbeddedImages:
    """The images of a page by the digest of their bytes. Each is embedded before the first card that shows it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._known: dict[str, tuple[int, int, int]] = {}  # digest -> number, width, height
        self._new: dict[str, str] = {}  # digest -> HTML that embeds it

    def place(self, reference: str, base: str) -> tuple[int, int, int]:
        """Return (number, width, height) of an image. Raises ImageError."""
        data = read_bytes(reference, base)
        name = digest(data)
        if name not in self._known:
            image = decode(data, reference[:200])
            if max(image.size) > self.size:
                image.thumbnail((self.size, self.size))
            number = len(self._known)
            # A template is not rendered, and unlike a script element it does not make the parser pause.
            self._new[name] = f'<template id="i{number}">{_embedded(image)}</template>\n'
            self._known[name] = (number, *image.size)
        return self._known[name]

    def take_new(self) -> str:
        """Return the HTML that embeds the images added since the last call."""
        made = "".join(self._new.values())
        self._new.clear()
        return made

    def forget(self) -> None:
        """Forget the images added since the last `take_new`, because their card is not shown."""
        for name in self._new:
            del self._known[name]
        self._new.clear()


def _pair(record: Record, images: Images) -> Card:
    accept(record)
    chosen, rejected = text_of(record["chosen"]), text_of(record["rejected"])
    marked_chosen, marked_rejected = differing(chosen, rejected)
    level, task, negative = (record.get(name) for name in ("level", "task", "negative"))
    twin, scores = facts_of(record).get("twin"), record.get("scores")
    tags = [f"level {level}" if level else "no level", *filter(None, (task, negative))]
    if twin is not None:
        tags.append("twin")
    body = (
        _image_sets(record, images)
        + f'<div class="prompt">{escape(_spoken(record["prompt"]))}</div>'
        + _answers(
            ("good", "chosen", marked_chosen),
            ("bad", f"rejected: {negative}" if negative else "rejected", marked_rejected),
        )
        + _scores(scores)
        + (_folded("facts", record["facts"]) if record.get("facts") else "")
        + (_folded("grounding", record["grounding"]) if record.get("grounding") else "")
    )
    keys = {"level": level or "none", "task": task or "", "kind": negative or ""}
    if twin is not None:
        keys["twin"] = twin
    return _card(record, tags, keys, body, _numbers(scores))


def _prediction(line: Record, images: Images) -> Card:
    missing = [name for name in ("id", "bench", "answer", "response") if name not in line]
    if missing:
        raise RecordError(
            "missing", field=missing[0], where=line.where, remedy="not a prediction of s2h-eval"
        )
    line = predictions.read(line)
    correct, before = line.get("correct"), line.get("before")
    verdict = VERDICTS.get(correct, "not scored")
    answers = [("good", "answer", escape(str(line["answer"])))]
    if before is not None:
        if not isinstance(before, dict) or "response" not in before:
            raise RecordError("must be an object with a response", "before", line.where)
        before = {**before, "correct": _known(before.get("correct"))}
        answers.append(_response("before", before))
        verdict = CHANGES.get((before.get("correct"), correct), "not scored")
    answers.append(_response("response" if before is None else "after", line))
    choices = gold.options(line) if line.get("choices") else {}
    options = "".join(f"\n{letter}. {text}" for letter, text in choices.items())
    body = (
        _figures(line, images, set(line.get("target") or ()))
        + f'<div class="prompt">{escape(str(line.get("question", "")).strip() + options)}</div>'
        + _answers(*answers)
    )
    task = str(line.get("category") or "")
    tags = [str(line["bench"]), *([task] if task else []), verdict]
    keys = {"level": line.get("level", line["bench"]), "task": task, "verdict": verdict}
    return _card(line, tags, keys, body, {})


def _known(correct: object) -> bool | None:
    return correct if isinstance(correct, bool) else None


def _response(name: str, line: dict) -> tuple[str, str, str]:
    """Return the (class, heading, text) of a model's reply."""
    correct = line.get("correct")
    by = f" · {line['model']}" if line.get("model") else ""
    heading = f"{name}: {VERDICTS.get(correct, 'not scored')}{by}"
    kind = "good" if correct is True else "bad" if correct is False else "plain"
    return kind, heading, escape(str(line["response"]))


def _answers(*answers: tuple[str, str, str]) -> str:
    """Return blocks of (class, heading, text as HTML), side by side."""
    blocks = (
        f'<div class="answer {kind}"><small>{escape(name)}</small>{text}</div>'
        for kind, name, text in answers
    )
    return f'<div class="answers n{len(answers)}">{"".join(blocks)}</div>'


def _card(
    line: Record, tags: list[str], keys: dict[str, object], body: str, scores: dict[str, float]
) -> Card:
    """Return one card. keys: the values that the page filters and sorts by."""
    shown = ""
    for at, tag in enumerate(tags):
        marked = " level" if at == 0 else " verdict" if tag == keys.get("verdict") else ""
        shown += f'<span class="tag{marked}">{escape(str(tag))}</span>'
    source = f'<span class="tag">{escape(str(line["source"]))}</span>' if "source" in line else ""
    name = str(line["id"])
    said = {key: str(value) for key, value in {**keys, "source": line.get("source", "")}.items()}
    data = said | ({"scores": json.dumps(scores)} if scores else {})
    # The id as JSON, so that no character of it is lost: an HTML parser changes some.
    data["id"] = json.dumps(name)
    attributes = "".join(f' data-{key}="{escape(value)}"' for key, value in data.items())
    return Card(
        said | {"id": name},
        scores,
        f'<article tabindex="-1" aria-label="{escape(name)}"{attributes}>'
        f'<div class="tags">{shown}{source}<span class="id">{escape(name)}</span></div>{body}</article>\n',
    )


def _image_sets(record: Record, images: Images) -> str:
    """Return the images of a pair and, beside them, its rejected images, if it has some."""
    shown = _figures(record, images, set(target_of(record)))
    if not record.get(REJECTED_IMAGES):
        return shown
    sets = {
        "images": shown,
        "rejected images: the chosen answer is wrong": _figures(
            record, images, set(), REJECTED_IMAGES, "Rejected image"
        ),
    }
    blocks = (f"<div><small>{heading}</small>{figures}</div>" for heading, figures in sets.items())
    return f'<div class="sets">{"".join(blocks)}</div>'


def _figures(
    line: Record, images: Images, targets: set[int], field: str = "images", word: str = "Image"
) -> str:
    """Return the images of a field. targets: positions of those to mark. word: begins their names."""
    figures = []
    for at, reference in enumerate(line.get(field) or ()):
        try:
            number, width, height = images.place(reference, line.base)
        except ImageError as error:
            error.where, error.field = line.where, f"{field}[{at}]"
            raise
        mark = ' class="target"' if at in targets else ""
        name = f"{word} {at + 1}" + (" · target" if at in targets else "")
        figures.append(
            f'<figure{mark}><button type="button" class="zoom" aria-label="Enlarge {name.lower()}">'
            f'<img data-i="{number}" width="{width}" height="{height}" alt="{name}"></button>'
            f"<figcaption>{name}</figcaption></figure>"
        )
    return f'<div class="images">{"".join(figures)}</div>'


def encoded(image: Image) -> tuple[str, bytes]:
    """Return an image as ("png" or "jpeg", its bytes), whichever is smaller."""
    made = []
    for kind, options in (("png", {"optimize": False}), ("jpeg", {"quality": 85})):
        out = io.BytesIO()
        image.save(out, kind, **options)
        made.append((len(out.getvalue()), kind, out.getvalue()))
    _, kind, data = min(made)
    return kind, data


def _embedded(image: Image) -> str:
    """Return a data URI."""
    kind, data = encoded(image)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _spoken(prompt: list[dict]) -> str:
    """Return the prompt's text, without the short parts that only name an image ("Image 1:")."""
    parts = [part["text"] for message in prompt for part in message["content"] if part["type"] == "text"]
    spoken = [
        part for part in parts if not part.strip().rstrip(":").lower().startswith("image ") or len(part) > 14
    ]
    return "".join(spoken).strip()


def differing(one: str, other: str) -> tuple[str, str]:
    """Return both texts as HTML, with the words that the other one lacks in <b>."""
    spaced = [re.findall(r"\S+\s*", text) for text in (one, other)]  # each word with the space after it
    a, b = ([word.rstrip() for word in words] for words in spaced)
    marked: tuple[list[str], list[str]] = ([], [])
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for words, out in ((spaced[0][a0:a1], marked[0]), (spaced[1][b0:b1], marked[1])):
            text = "".join(words)
            shown, space = escape(text.rstrip()), text[len(text.rstrip()) :]
            out.append((shown if kind == "equal" or not shown else f"<b>{shown}</b>") + space)
    return "".join(marked[0]), "".join(marked[1])


def _scores(scores: dict | None) -> str:
    if not scores:
        return ""
    parts = []
    for name, values in scores.items():
        if not isinstance(values, dict):
            continue
        numbers = ", ".join(f"{k} {v:.3f}" for k, v in values.items() if is_number(v))
        parts.append(f"{name}: {numbers}" + (f" ({values['model']})" if "model" in values else ""))
    return f'<div class="scores">{escape(" · ".join(parts))}</div>'


def _numbers(scores: dict | None) -> dict[str, float]:
    """Return the numbers that the page can sort by: margins (chosen - rejected) first, then each number of a score."""
    margins: dict[str, float] = {}
    numbers: dict[str, float] = {}
    for name, values in (scores or {}).items():
        if not isinstance(values, dict):
            continue
        known = {key: value for key, value in values.items() if is_number(value)}
        if {"chosen", "rejected"} <= known.keys():
            margins[f"{name} margin"] = float(known["chosen"]) - float(known["rejected"])
        numbers |= {f"{name} {key}": value for key, value in known.items()}
    return {name: value for name, value in (margins | numbers).items() if is_number(value)}


def _folded(name: str, value: object) -> str:
    text = escape(json.dumps(value, indent=1, ensure_ascii=False))
    return f"<details><summary>{name}</summary><pre>{text}</pre></details>"
