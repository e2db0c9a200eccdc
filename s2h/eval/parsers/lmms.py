"""The labels of lmms-eval, which reads each benchmark in a way of its own. A label is given as that tool gives it, even
where it is no option of the question (its BLINK reads 'T' out of 'The answer is B'): such a letter counts as unread in our
tables and as wrong in both. Short free answers are read in our way."""

from __future__ import annotations

import re

FOUR = ("A", "B", "C", "D")  # MMStar's letters
_LEADING = re.compile(r"[(\s]*([A-Z])", re.IGNORECASE)
_LABEL = re.compile(r"\s*([A-Z])\.")
_STATING = (
    "answer is", "correct answer is", "best answer is", "correct option is", "best option is", "choice is",
    "correct choice is",
)  # fmt: skip
_PHRASES = (
    *_STATING, *(f"the {phrase}" for phrase in _STATING),
    "i choose", "i select", "i pick", "my answer is", "my choice is",
    "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは",
)  # fmt: skip
# How a letter may stand in a reply, from the weakest evidence to the strongest.
_FORMS = ("{} ", "{})", "{}:", "{}.", "({})")
_PHRASE, _END, _START = len(_FORMS), len(_FORMS) + 1, len(_FORMS) + 2


def choice(text: str, choices: dict[str, str], bench: str) -> str | None:
    if bench == "blink":
        found = _LEADING.match(text.strip())
        return found[1].upper() if found else None
    if bench == "mmstar":
        return ranked(text, FOUR)
    label = _LABEL.match(text)
    if label:
        return label[1]
    whole = text.strip()
    return whole.upper() if len(whole) == 1 and whole.isalpha() else None


def yes_no(text: str) -> str | None:
    """Only a reply that is nothing but the word."""
    whole = text.lower().strip()
    return whole if whole in ("yes", "no") else None


def ranked(text: str, letters: tuple[str, ...]) -> str | None:
    """The letter with the strongest evidence, and of equal evidence the one that stands last: first in the reply, last in
    it, after a phrase such as 'answer is', '(A)', 'A.', 'A:', 'A)', 'A ', anywhere. Upper case only."""
    text = text.strip()
    for mark in ",.!?;:'\"":
        text = text.strip(mark)
    bare = text.strip()
    text = f" {text} "
    found: list[tuple[int, int, str]] = []  # strength, place, letter
    for letter in letters:
        for strength, form in enumerate(_FORMS):
            if (at := text.rfind(form.format(letter))) >= 0:
                found.append((strength, at, letter))
        if bare.startswith(letter) and not bare[1:2].isalpha():
            found.append((_START, 0, letter))
        if bare.endswith(letter) and not bare[-2:-1].isalpha():
            found.append((_END, len(text) - 1, letter))
    lower = text.lower()
    for phrase in _PHRASES:
        if (start := lower.find(phrase)) >= 0:
            after = start + len(phrase)
            found += [(_PHRASE, at, letter) for letter in letters if (at := text.find(letter, after)) >= 0]
    found = found or [(-1, at, letter) for letter in letters if (at := text.rfind(letter)) >= 0]
    return max(found, key=lambda one: one[:2])[2] if found else None
