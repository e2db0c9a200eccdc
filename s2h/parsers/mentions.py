"""Find which of several texts (options, candidates, right answers) a reply says. A text counts if its words stand in the
reply, and if the reply neither denies it ('not a cat') nor compares with it ('darker than the cat'). Longer texts come
first."""

from __future__ import annotations

import re

from s2h.language.normalisation import normalise

_WORD = re.compile(r"(?<![\w.])-\d+(?:[.,/:]\d+)*|\d+(?:[.,/:]\d+)+|[^\W_]+|[.!?;,\n]")
_DENYING = frozenset(
    ("not", "t", "never", "neither", "nor", "no", "without", "than", "unlike", "except", "cannot")
)
# The words that may stand between a denial and what is denied.
_LINKING = frozenset(
    ("be", "really", "just", "only", "any", "in", "of", "is", "are", "see", "show", "seem", "look", "like", "or")
)  # fmt: skip
_REACH = 3  # at most so many of them


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
    """Return the keys of the texts that a reply says. Of texts with the same words, all keys are returned."""
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
    """Return whether the words before a text deny it."""
    for back, word in enumerate(reversed(before)):
        if word in _DENYING:
            return back == 0 or all(one in _LINKING for one in before[len(before) - back :])
    return False
