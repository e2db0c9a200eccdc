"""Read replies as VLMEvalKit (its head of November 2026) does without a judge model: an upper-case letter among the last
words, else the letter after 'answer is', else an option's text inside a short reply."""

from __future__ import annotations

import re

API_FAILURE = "Failed to obtain answer via API"
REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_SPACED = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
REFUSED = "Z"  # VLMEvalKit's label for a reply that chooses no option; it is never right
_TAIL = 4  # a letter counts only if its first place is among the last four words
_STATED = re.compile(r"answer\s+is\s+\**([ABCD])", re.IGNORECASE)  # 'answer is because' gives B there too
_MARKS = tuple(';/[]"{}()=+\\_-><@`,?!')
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
_PERIODS = 32  # as many periods are removed from a reply at most


def choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter of an option, REFUSED, or None."""
    if API_FAILURE not in text:
        if any(phrase in text for phrase in REFUSALS):
            return REFUSED
        words = text.translate(_SPACED).split()
        named = [letter for letter in choices if letter in words]
        if len(named) == 1 and words.index(named[0]) >= len(words) - _TAIL:
            return named[0]
        if not named and REFUSED in words:
            return REFUSED
        stated = _STATED.search(text)
        if stated and stated[1].upper() in choices:
            return stated[1].upper()
    if len(text.lower()) > 2 * sum(len(str(option)) for option in choices.values()):
        return None
    held = [letter for letter, option in choices.items() if str(option).lower() in text.lower()]
    return held[0] if len(held) == 1 else None


def yes_no(text: str) -> str | None:
    """Return 'yes' or 'no' if exactly one of them is a word of the reply."""
    words = _plain(text.lower()).split()
    verdicts = [word for word in ("yes", "no") if word in words]
    return verdicts[0] if len(verdicts) == 1 else None


def _plain(text: str) -> str:
    """Return a reply without punctuation, by the rules of VQA's evaluation: a mark that touches a space anywhere is removed,
    any other becomes a space; a period is removed unless a digit follows; other signs, such as colons, stay."""
    number = _COMMA_IN_NUMBER.search(text) is not None
    plain = text
    for mark in _MARKS:
        touches = number or f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if touches else " ")
    return _PERIOD.sub("", plain, count=_PERIODS)
