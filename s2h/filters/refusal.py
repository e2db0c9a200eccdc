"""Answers that refuse to answer ("I'm sorry, but I can't see the images"). Such an answer should neither be learnt nor
be the only thing that a model learns to avoid. English only."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from s2h.filters.judgement import ANSWERS, Flag, Judgement, Option, TextMeasure

REASONS = ("", "the rejected answer refuses", "the chosen answer refuses", "both answers refuse")

# Phrases that say that the writer can't or won't look, at the start of an answer or of one of its sentences. "none of the
# images shows a dog" and "I can't see a dog in image 2" are answers.
_SORRY = r"(?:(?:i['’]?m|i am) (?:very |so )?sorry|sorry|unfortunately|i apologi[sz]e|my apologies)"
_CANT = r"(?: can(?:no|['’])?t| can not|(?: am|['’]m) (?:not able to|unable to|not allowed to)| won['’]t| will not)"
_PICTURES = r"(?:the |these |this |your |any |that )?(?:images?|pictures?|photos?|attachments?|files?)"
_TASK = (
    r"(?:help|assist|answer|provide|view|process|analy[sz]e|identify|determine|comply|fulfil+|do that|describe"
    rf"|(?:see|access|open|display|interpret) {_PICTURES})"
)


@functools.cache
def _refuses() -> Callable[[str], re.Match[str] | None]:
    """Compile the pattern when a run needs it: compiling takes longer than --help may."""
    return re.compile(
        rf"(?:^|[.!?\n]\s*)(?:{_SORRY}\b[,.:;]?\s*(?:but )?(?:$|i\b[^.!?]*?(?:{_CANT}| don['’]t have)\b)"
        r"|(?:as|i['’]m|i am) (?:just |only )?an? (?:ai\b|(?:large )?language model|text[- ]based)"
        rf"|i{_CANT} (?:be able to )?{_TASK}\b"
        rf"|i (?:don['’]t|do not) (?:have (?:access|the ability)\b|see {_PICTURES}(?: (?:here|attached|in)\b|[.,!]|$))"
        r"|(?:no|there (?:is|are) no) (?:images?|pictures?) (?:was |were |is |are |has been |have been )?"
        r"(?:provided|attached|uploaded)\b)",
        re.IGNORECASE,
    ).search


def refusal(chosen: str, rejected: str) -> float:
    """Return 0 if both answers answer, 1 if the rejected one refuses, 2 if the chosen one does, 3 if both do."""
    if not _may_refuse(f"{chosen}\n{rejected}".lower()):
        return 0.0
    refuses = _refuses()
    return 2.0 * (refuses(chosen) is not None) + (refuses(rejected) is not None)


def _may_refuse(low: str) -> bool:
    """Return whether a text in small letters has one of the words that every refusal has. Most texts have none, and
    this test takes a tenth of the pattern's time."""
    return (
        "'t" in low
        or "’t" in low
        or " not " in low
        or "cannot" in low
        or "unable" in low
        or "sorry" in low
        or "unfortunately" in low
        or "apolog" in low
        or "an ai" in low
        or "a text" in low
        or " model" in low
        or "provided" in low
        or "attached" in low
        or "uploaded" in low
        or "cant" in low
    )


JUDGEMENT = Judgement(
    about="Does an answer refuse to answer?",
    options=(
        Option("--refusal", Flag(), "Drop pairs with an answer that refuses (I'm sorry, but I can't ...)."),
    ),
    text=TextMeasure(
        "refusal",
        lambda: refusal,
        bounds=lambda given: (0.0, 0.0),
        reason=lambda value: REASONS[int(value)],
    ),
    heading=ANSWERS,
    order=13,
)
