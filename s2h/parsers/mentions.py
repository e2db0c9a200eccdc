"""Find which of several texts (options, candidates, right answers) a reply says: as whole words, the longest first, and
neither denied ('not a cat') nor compared with ('darker than the cat')."""

from __future__ import annotations

import re

from s2h.language.normalisation import normalise

_WORD = re.compile(r"(?<![\w.])-\d+(?:[.,/:]\d+)*|\d+(?:[.,/:]\d+)+|[^\W_]+|[.!?;,\n]")
_DENYING = frozenset(
    ("not", "t", "never", "neither", "nor", "no", "without", "than", "unlike", "except", "cannot")
)
_BETWEEN = frozenset(
    (
        "be",
        "really",
        "just",
        "only",
        "any",
        "in",
        "of",
        "is",
        "are",
        "see",
        "show",
        "seem",
        "look",
        "like",
        "or",
    )
)
_REACH = 3  # words that may stand between a denial and what is denied


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text in one form (s2h.language.normalisation.normalise), where '3.5' and '-3' are each one
    word."""
    return tuple(word for word in _tokens(text) if word not in ".!?;,\n")


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    for token in _WORD.findall(text):
        if token in ".!?;,\n" or not token.isalnum():
            found.append(token)
        else:
            found += normalise(token)
    return found


def named(text: str, texts: dict[str, str]) -> set[str]:
    """Return the keys of the texts that a reply says. Texts with the same words are said together."""
    tokens = _tokens(text)
    wanted = {key: words(one) for key, one in texts.items()}
    taken = [False] * len(tokens)
    found: set[tuple[str, ...]] = set()
    for one in sorted(set(wanted.values()), key=len, reverse=True):
        for at in range(len(tokens) - len(one) + 1) if one else ():
            span = slice(at, at + len(one))
            if tuple(tokens[span]) == one and not any(taken[span]):
                taken[span] = [True] * len(one)
                if not _denied(tokens[max(0, at - _REACH - 1) : at]):
                    found.add(one)
    return {key for key, one in wanted.items() if one in found}


def _denied(before: list[str]) -> bool:
    for back, word in enumerate(reversed(before)):
        if word in _DENYING:
            return back == 0 or all(one in _BETWEEN for one in before[len(before) - back :])
    return False
