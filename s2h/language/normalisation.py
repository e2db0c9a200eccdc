"""Whether a short free answer gives the right value: whole words in any case, number words as digits, plurals as singulars,
and never by string equality, so that a right paraphrase does not become a rejected answer."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {word: str(n) for n, word in enumerate(_NUMBERS)}


def normalise(text: str) -> tuple[str, ...]:
    """The words of a text in one form: lower case, number words as digits, a plural s taken off, articles left out."""
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


def values_said(text: str, values: Iterable[str]) -> list[str]:
    """Those of the values that stand in the text as whole words, in their order of appearance; where one value contains
    another ('old woman', 'woman'), the longer one counts and not the shorter inside it."""
    words = normalise(text)
    taken = [False] * len(words)
    found: list[tuple[int, str]] = []
    for value in sorted(set(values), key=lambda v: (-len(normalise(v)), v)):
        wanted = normalise(value)
        for at in range(len(words) - len(wanted) + 1) if wanted else ():
            if words[at : at + len(wanted)] == wanted and not any(taken[at : at + len(wanted)]):
                taken[at : at + len(wanted)] = [True] * len(wanted)
                found.append((at, value))
    return list(dict.fromkeys(value for _, value in sorted(found)))
