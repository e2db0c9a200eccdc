"""Bring the words of a short text to one form, so that right answers in other words are not taken for wrong ones."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {word: str(n) for n, word in enumerate(_NUMBERS)}


def normalise(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, without articles and plural endings, number words as digits.

    >>> normalise("The three Buses")
    ('3', 'buse')
    """
    words = []
    for word in _WORD.findall(text.casefold()):
        if word in ("a", "an", "the"):
            continue
        word = _DIGITS.get(word, word)
        if word.endswith("sses"):
            word = word[:-2]
        elif len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
            word = word[:-1]
        words.append(word)
    return tuple(words)
