"""Compare captions of photographs with the reference caption by a text model (`--scoring cosine`). Such captions have no
exact check, because many captions are right and no labels tell which. The score is the cosine of the two texts' embeddings,
from -1 to 1, and the line has `scoring: "cosine"`. It is not an accuracy, so `correct` stays null."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from s2h.errors import counted, plural
from s2h.escape import markdown as escaped
from s2h.escape import terminal
from s2h.eval import clusters, statistics
from s2h.seeds import seed_of

SCORING = "cosine"
DIGITS = 4
KEPT = ("cosine", "text_model")


def needed(line: dict) -> bool:
    """Return whether only a text model can score a prediction: a caption whose answer is known and has no labels."""
    caption = line.get("answer_type") == "caption" and line.get("scoring") != "likelihood"
    return (
        caption
        and isinstance(line.get("answer"), str)
        and line["answer"] != "none"
        and line.get("correct") is None
    )


def scored(lines: Iterable[dict], load: Callable[[], Any], batch: int = 1) -> Iterator[dict]:
    """Yield the predictions in their order, and add `cosine` (0 if nothing was read), `text_model` and `scoring` to those
    that need a text model. load: loads the model, and is called for the first caption. batch: the number of predictions that
    are encoded together."""
    lines, model = iter(lines), None
    while window := list(islice(lines, batch)):
        captions = [line for line in window if needed(line)]
        if not captions:
            yield from window
            continue
        model = model or load()
        for line in captions:
            line["cosine"], line["text_model"], line["scoring"] = 0.0, model.name, SCORING
        readable = [line for line in captions if str(line.get("parsed") or "").strip()]
        if readable:
            rows = model.encode([text for line in readable for text in (str(line["parsed"]), line["answer"])])
            for at, line in enumerate(readable):
                line["cosine"] = round(float(rows[2 * at] @ rows[2 * at + 1]), DIGITS)
        yield from window


def load(name: str | None, say: Callable[[str], None]) -> Any:
    """Load the text model of this name, by default MPNet. say: receives a message that names it."""
    from s2h.models import text

    loaded = text.load(name or text.DEFAULT)
    say(f"captions of photographs are compared by {loaded.name}")
    return loaded


def kept(line: dict) -> dict:
    """Return the fields of a prediction that `rows` needs beside those of `accuracy.slim`."""
    return {name: line[name] for name in KEPT if name in line}


def rows(predictions: Iterable[dict]) -> list[dict]:
    """Return the mean cosine of each benchmark and category with its normal 95% interval over clusters: name, n, cosine,
    low, high, model, scoring."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for p in filter(_has_cosine, predictions):
        groups.setdefault(_group(p), []).append(p)
    made = []
    for (name, model), lines in sorted(groups.items()):
        values = [line["cosine"] for line in lines]
        mean, error = sum(values) / len(values), statistics.standard_error(values, clusters.labels(lines))
        half = math.inf if error is None else statistics.Z * error
        made.append(
            {
                "name": name, "n": len(values), "cosine": mean, "low": max(-1.0, mean - half),
                "high": min(1.0, mean + half), "model": model, "scoring": SCORING,
            }
        )  # fmt: skip
    return made


def _has_cosine(prediction: dict) -> bool:
    cosine = prediction.get("cosine")
    return prediction.get("scoring") == SCORING and type(cosine) in (float, int)


def _group(prediction: dict) -> tuple[str, str]:
    """Return the row of a prediction: the names of its benchmark and category, and the text model."""
    name = " ".join(str(prediction[key]) for key in ("bench", "category") if prediction.get(key))
    return name, str(prediction.get("text_model"))


def notes(pairs: Iterable[tuple[dict, dict]]) -> list[str]:
    """Return a note that counts the lines that `compared` leaves out; an empty list if it leaves out none."""
    count = sum(all(map(_has_cosine, pair)) and _group(pair[0])[1] != _group(pair[1])[1] for pair in pairs)
    if not count:
        return []
    captions = f"{counted(count, 'caption')} left out"
    return [f"{captions}: {plural(count, 'its', 'their')} cosines are of different text models"]


def compared(pairs: Iterable[tuple[dict, dict]], seed: int) -> list[dict]:
    """Return the change of the mean cosine between two models on the same questions, by benchmark and category: name, n,
    clusters, before, after, gain, its paired bootstrap interval over clusters (low, high), model, scoring. Lines scored by
    different text models are left out (see `notes`)."""
    groups: dict[tuple[str, str], list[tuple[dict, dict]]] = {}
    for line, other in pairs:
        if _has_cosine(line) and _has_cosine(other) and _group(line)[1] == _group(other)[1]:
            groups.setdefault(_group(line), []).append((line, other))
    made = []
    for (name, model), some in sorted(groups.items()):
        changes = [other["cosine"] - line["cosine"] for line, other in some]
        labels = clusters.joined([[*clusters.keys(line), *clusters.keys(other)] for line, other in some])
        low, high = statistics.gain(changes, labels, seed_of(seed, "cosine", name))
        before, after = (sum(pair[side]["cosine"] for pair in some) / len(some) for side in (0, 1))
        made.append(
            {
                "name": name, "n": len(some), "clusters": len(set(labels)), "before": before, "after": after,
                "gain": after - before, "low": low, "high": high, "model": model, "scoring": SCORING,
            }
        )  # fmt: skip
    return made


def compared_table(found: list[dict]) -> str:
    """Return the rows of `compared` as text for a terminal."""
    lines = [
        f"{'captions of photographs, mean cosine':44s}{'n':>6s}{'before':>8s}{'after':>8s}{'gain':>8s}"
        f"{'95% interval':>18s}  text model"
    ]
    for row in found:
        interval = f"{row['low']:+.3f} to {row['high']:+.3f}"
        lines.append(
            f"{terminal(row['name']):44s}{row['n']:6d}{row['before']:8.3f}{row['after']:8.3f}{row['gain']:+8.3f}{interval:>18s}"
            f"  {terminal(row['model'])}"
        )
    return "\n".join(lines)


def compared_markdown(found: list[dict]) -> str:
    """Return the rows of `compared` as a Markdown table."""
    lines = [
        "", "| captions of photographs, mean cosine | n | before | after | gain | 95% interval | text model |",
        "|---" * 7 + "|",
    ]  # fmt: skip
    lines += [
        f"| {escaped(row['name'])} | {row['n']} | {row['before']:.3f} | {row['after']:.3f} | {row['gain']:+.3f} "
        f"| {row['low']:+.3f} to {row['high']:+.3f} | {escaped(row['model'])} |"
        for row in found
    ]
    return "\n".join(lines) + "\n"


def table(found: list[dict]) -> str:
    """Return the rows as text for a terminal."""
    lines = [
        f"{'captions of photographs, mean cosine':44s}{'n':>6s}{'cosine':>8s}{'95% interval':>17s}  text model"
    ]
    for row in found:
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        lines.append(
            f"{terminal(row['name']):44s}{row['n']:6d}{row['cosine']:8.3f}{interval:>17s}  {terminal(row['model'])}"
        )
    return "\n".join(lines)


def markdown(found: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "",
        "| captions of photographs | n | mean cosine | 95% interval | text model |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        cells = (
            escaped(row["name"]),
            row["n"],
            f"{row['cosine']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            escaped(row["model"]),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"
