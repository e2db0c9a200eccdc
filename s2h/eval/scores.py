"""Scores of predictions: accuracy with a 95% interval, the share that could not be read, and what a blind guesser gets."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

# The order of tables and plots: level 1, the two tasks of level 2 and both together, level 3, single images.
ROWS = (
    ("level 1 (vqa)", lambda p: p.get("level") == 1),
    ("level 2 kinship", lambda p: p.get("category") == "kinship"),
    ("level 2 arithmetic", lambda p: p.get("category") == "arithmetic"),
    ("level 2", lambda p: p.get("level") == 2),
    ("level 3 (search)", lambda p: p.get("level") == 3),
    ("single image", lambda p: p.get("level") == "single"),
)


def groups(predictions: list[dict]) -> dict[str, list[dict]]:
    """Row name -> its predictions: the levels where lines have one, else benchmarks and their categories."""
    if any("level" in p for p in predictions):
        made = {name: [p for p in predictions if belongs(p)] for name, belongs in ROWS}
        rest = [p for p in predictions if not any(belongs(p) for _, belongs in ROWS)]
        made["other"] = rest
    else:
        made = defaultdict(list)
        for p in predictions:
            made[p["bench"]].append(p)
            if p.get("category"):
                made[f"{p['bench']} {p['category']}"].append(p)
    return {name: some for name, some in made.items() if some}


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def chance(predictions: Iterable[dict]) -> float | None:
    """What a blind guesser gets, who knows the kind of question and the number of images but sees nothing: for each such
    kind the answer that is most frequent among the other questions of the kind, or one of the candidates at random where
    that is better. None where an answer is a free caption."""
    right = total = 0.0
    kinds: dict[tuple, list[dict]] = defaultdict(list)
    for p in predictions:
        if p.get("scoring") == "likelihood":
            right, total = right + 0.5, total + 1
        elif p.get("answer_type") == "caption":
            return None
        else:
            # The number of images bounds a count and an index; an attribute's value does not depend on it.
            images = 0 if p.get("answer_type") == "word" else len(p.get("images") or ())
            kinds[p.get("category"), p.get("answer_type"), p.get("about"), images].append(p)
    for some in kinds.values():
        answers = Counter(str(p["answer"]) for p in some)
        # Left out of its own count, a question can't make its answer the frequent one.
        guessed = sum(n for answer, n in answers.items() if n - 1 >= max(_others(answers, answer), 1))
        options = [len(p.get("choices") or p.get("candidates") or ()) for p in some]
        uniform = sum(1 / n for n in options if n) if all(options) else 0.0
        right += max(float(guessed), uniform)
        total += len(some)
    return right / total if total else None


def _others(answers: Counter, answer: str) -> int:
    return max((n for other, n in answers.items() if other != answer), default=0)


def summarise(predictions: list[dict]) -> list[dict]:
    """One row for each group: name, n, correct (count), score, low, high, chance, unparsed (shares of 1). Lines whose answer
    is hidden count as unscored and are left out of the score."""
    rows = []
    for name, some in groups(predictions).items():
        known = [p for p in some if p.get("correct") is not None]
        right = sum(bool(p["correct"]) for p in known)
        low, high = wilson(right, len(known))
        rows.append(
            {
                "name": name, "n": len(known), "correct": right, "score": right / len(known) if known else None,
                "low": low, "high": high, "chance": chance(known), "unscored": len(some) - len(known),
                "unparsed": sum(p.get("parsed") is None for p in some) / len(some),
            }
        )  # fmt: skip
    return rows


def table(rows: list[dict]) -> str:
    """The rows as text for a terminal, in percent."""
    lines = [f"{'':22s}{'n':>6s}{'score':>8s}{'95% interval':>16s}{'chance':>8s}{'unread':>8s}"]
    for row in rows:
        if row["score"] is None:
            lines.append(f"{row['name']:22s}{row['n']:6d}  answers hidden: predictions written, no score")
            continue
        interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
        guess = "-" if row["chance"] is None else f"{100 * row['chance']:.1f}"
        lines.append(
            f"{row['name']:22s}{row['n']:6d}{100 * row['score']:8.1f}{interval:>16s}{guess:>8s}{100 * row['unparsed']:8.1f}"
        )
    lines.append("chance: a blind guess, the answer most frequent among the other questions of the kind")
    return "\n".join(lines)
