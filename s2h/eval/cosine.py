"""Captions over photographs have no exact check: many captions are right, and no labels say which. `--scoring cosine`
gives each the cosine of a text model's embeddings between the reply's caption and the right one, labelled
`scoring: "cosine"`. It is a mean over captions from -1 to 1, no accuracy; `correct` stays null."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

SCORING = "cosine"
DIGITS = 4
Z = 1.959964  # of a 95% interval
KEPT = ("cosine", "text_model")


def needed(line: dict) -> bool:
    """Whether a prediction is a caption that only a text model can score: its answer is known, and no labels are there."""
    caption = line.get("answer_type") == "caption" and line.get("scoring") != "likelihood"
    return (
        caption
        and isinstance(line.get("answer"), str)
        and line["answer"] != "none"
        and line.get("correct") is None
    )


def scored(lines: Iterable[dict], give: Callable[[], Any], batch: int = 1) -> Iterator[dict]:
    """The predictions in their order; those that need it with `cosine` (0 where nothing was read), `text_model` and
    `scoring`. give: loads the text model when the first caption comes. batch: predictions that are encoded together."""
    lines, model = iter(lines), None
    while some := list(islice(lines, batch)):
        captions = [line for line in some if needed(line)]
        if captions and model is None:
            model = give()
        for line in captions:
            line["cosine"], line["text_model"], line["scoring"] = 0.0, model.name, SCORING
        said = [line for line in captions if str(line.get("parsed") or "").strip()]
        if said:
            rows = model.encode([text for line in said for text in (str(line["parsed"]), line["answer"])])
            for at, line in enumerate(said):
                line["cosine"] = round(float(rows[2 * at] @ rows[2 * at + 1]), DIGITS)
        yield from some


def load(name: str | None, say: Callable[[str], None]) -> Any:
    """The text model of this name, or MPNet; tells which it is."""
    from s2h.models import text

    loaded = text.load(name or text.DEFAULT)
    say(f"captions over photographs are compared by {loaded.name}")
    return loaded


def kept(line: dict) -> dict:
    """What `rows` needs of a prediction."""
    return {name: line[name] for name in KEPT if name in line}


def rows(predictions: Iterable[dict]) -> list[dict]:
    """The mean cosine of each benchmark and category with its 95% interval (normal): name, n, cosine, low, high, model,
    scoring."""
    groups: dict[tuple[str, str], list[float]] = {}
    for p in predictions:
        if p.get("scoring") == SCORING and isinstance(p.get("cosine"), float):
            name = " ".join(str(p[key]) for key in ("bench", "category") if p.get(key))
            groups.setdefault((name, str(p.get("text_model"))), []).append(p["cosine"])
    made = []
    for (name, model), values in sorted(groups.items()):
        n, mean = len(values), sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n) if n > 1 else math.inf
        low, high = max(-1.0, mean - Z * spread), min(1.0, mean + Z * spread)
        made.append(
            {
                "name": name,
                "n": n,
                "cosine": mean,
                "low": low,
                "high": high,
                "model": model,
                "scoring": SCORING,
            }
        )
    return made


def table(found: list[dict]) -> str:
    """The rows as text for a terminal."""
    lines = [
        f"{'captions over photographs, mean cosine':44s}{'n':>6s}{'cosine':>8s}{'95% interval':>17s}  text model"
    ]
    for row in found:
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        lines.append(f"{row['name']:44s}{row['n']:6d}{row['cosine']:8.3f}{interval:>17s}  {row['model']}")
    return "\n".join(lines)


def markdown(found: list[dict]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "",
        "| captions over photographs | n | mean cosine | 95% interval | text model |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        cells = (
            row["name"],
            row["n"],
            f"{row['cosine']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            row["model"],
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"
