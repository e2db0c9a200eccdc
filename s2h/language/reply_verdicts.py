"""Judge a model's reply to a question with a short answer: right, wrong or undecided.

A reply is wrong only if it surely differs in meaning and gives a known value. A refusal, a hedge, several values, a broader
or a narrower term, or anything that no question of this kind has for an answer is undecided, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from s2h.language import short_answers

RIGHT, WRONG, UNDECIDED = "right", "wrong", "undecided"
LONG = 12  # words of the longest reply that a value is read from
SPAN = 4  # words of the longest value that is looked for inside a reply
_REFUSES = re.compile(
    r"\b(?:sorry|can(?:no|')t|can not|unable|impossible|not (?:sure|clear|possible|visible|known|able|certain|enough|"
    r"provided|applicable|specified|shown)|unclear|unknown|unsure|uncertain|don't know|do not know|no (?:idea|information|"
    r"way to)|as an ai|n/a)\b",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|probably|might|may|could|likely|appears?|seems?|looks? like|either|neither|nor|about|"
    r"around|approximately|almost|nearly|at least|at most|more than|less than|fewer than|over|up to|between|except|"
    r"sometimes|partly|mostly|kind of|sort of|if)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(r"\b(?:not|never|without|isn't|aren't|wasn't|doesn't|don't)\b", re.IGNORECASE)
_ANSWER = re.compile(r"^.*\b(?:final )?answer\s*(?:is\b|[:=])\s*", re.IGNORECASE | re.DOTALL)
_OPENING = re.compile(
    r"^(?:(?:well|so|in (?:image|picture|photo) \d+|in the (?:image|picture|photo)|image \d+|the (?:image|picture|photo))"
    r"\s*[,:]?\s*)*"
    r"(?:(?:it|this|that|he|she|there|they|these|those|i|we)\s*(?:'s|’s|\s(?:is|are|was|were|shows?|see|can see))"
    r"|shows?|is|are)\s+",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[*_`\"“”<>\[\]{}]|</?s>")


@dataclass(frozen=True)
class Verdict:
    """What a reply says. kind: right, wrong or undecided. value: what a wrong reply gives, in the source's spelling.
    reason: why nothing was decided."""

    kind: str
    value: str = ""
    reason: str = ""


def undecided(reason: str) -> Verdict:
    """Return the verdict on a reply that can't be used."""
    return Verdict(UNDECIDED, reason=reason)


def judge(
    reply: str,
    question: str,
    accepted: Sequence[str],
    known: Mapping[str, str],
    surely_wrong: Collection[str] = (),
) -> Verdict:
    """Compare a reply with the accepted answers: the right one, then those of other annotators.

    known: the answers that this kind of question has, each key with its spelling; a wrong reply gives one of them.
    surely_wrong: values that are known to be wrong here, as are the other values of an attribute.

    >>> judge("A couch.", "What is this?", ["sofa"], {"sofa": "sofa", "cat": "cat"}).kind
    'right'
    """
    text = _MARKS.sub("", reply).strip()
    if not re.search(r"\w", text):
        return undecided("the model said nothing")
    if _REFUSES.search(text):
        return undecided("the model refused")
    if text.lower().find("answer") >= 0:
        text = _ANSWER.sub("", text).strip() or text
    yes_no = {short_answers.key(answer) for answer in accepted} & {"yes", "no"}
    if yes_no:
        return _yes_no(text, yes_no, known)
    reply = text.rstrip(" .!?")
    if any(short_answers.same(reply, answer) for answer in accepted):
        return Verdict(RIGHT)
    if _HEDGES.search(text):
        return undecided("the model hedged")
    if _DENIES.search(text):
        return undecided("the model denied something")
    if short_answers.key(accepted[0]).isdigit():
        return _number(text, accepted, known)
    wrong = {short_answers.key(value): value for value in surely_wrong}
    words = _core(text, question, (*accepted, *wrong, *(known if len(known) < 64 else ())))
    return _phrase(words, accepted, known, wrong)


def _yes_no(text: str, right: set[str], known: Mapping[str, str]) -> Verdict:
    words = short_answers.words_of(text)
    first, rest = words[0] if words else "", set(words)
    polarity = "yes" if first in short_answers.YES else "no" if first in short_answers.NO else ""
    both = rest & short_answers.YES and rest & short_answers.NO
    contrary = polarity == "yes" and (rest & short_answers.NO or _DENIES.search(text))
    if not polarity or both or contrary or len(right) > 1 or _HEDGES.search(text):
        return undecided("no clear yes or no")
    if polarity in right:
        return Verdict(RIGHT)
    return Verdict(WRONG, known.get(polarity, polarity))


def _number(text: str, accepted: Sequence[str], known: Mapping[str, str]) -> Verdict:
    numbers = {word for word in short_answers.words_of(text) if word.isdigit()}
    if re.search(r"\d\s*[:.\-/]\s*\d", text) or len(numbers) > 1:
        return undecided("the model gave several values")
    if not numbers:
        return undecided("no value of this kind of question")
    (number,) = numbers
    right = {short_answers.key(answer) for answer in accepted}
    if number in right:
        return Verdict(RIGHT)
    if not all(answer.isdigit() for answer in right) or len(short_answers.words_of(text)) > LONG:
        return undecided("too near to the right answer")
    return _known(number, known)


def _known(key: str, known: Mapping[str, str]) -> Verdict:
    if key in known:
        return Verdict(WRONG, known[key])
    return undecided("no value of this kind of question")


def _core(text: str, question: str, kept: Sequence[str]) -> str:
    """Return the part of a reply that answers: without an opening such as "It is" and without the question's words, unless a
    value has them. Commas and "and" stay, since they join values."""
    text = _OPENING.sub("", text.rstrip(" .!?"))
    asked = set(short_answers.words_of(question)) - {
        word for value in kept for word in short_answers.words_of(value)
    }
    parts = re.findall(r"[^\W_]+(?:[-'’.][^\W_]+)*|[,&/;]", text)
    left = []
    for part in parts:
        words = short_answers.words_of(part)
        if (
            part in ",&/;"
            or part.lower() == "and"
            or not words
            or not set(words) <= asked | {"is", "are", "it"}
        ):
            left.append(part)
    return " ".join(left).strip(" ,;&/") or text


def _phrase(
    phrase: str, accepted: Sequence[str], known: Mapping[str, str], wrong: Mapping[str, str]
) -> Verdict:
    if any(short_answers.same(phrase, answer) for answer in accepted):
        return Verdict(RIGHT)
    key, words = short_answers.key(phrase), short_answers.words_of(phrase)
    if key in wrong:
        return Verdict(WRONG, wrong[key])
    if len(words) > LONG:
        return undecided("a long reply to a short question")
    if any(not short_answers.differ(phrase, answer) for answer in accepted):
        return undecided("too near to the right answer")
    if key in known:
        return Verdict(WRONG, known[key])
    if len(short_answers.parts_of(phrase)) > 1 or re.search(r"[.;:]\s+\S", phrase):
        return undecided("the model gave several values")
    inside = _inside(words, {**known, **wrong})
    if len(inside) == 1 and len(words) <= SPAN + 2:
        value = inside.pop()
        if value in wrong or all(short_answers.differ(value, answer) for answer in accepted):
            return Verdict(WRONG, wrong.get(value) or known[value])
    if len(inside) > 1:
        return undecided("the model gave several values")
    return undecided("no value of this kind of question")


def _inside(words: tuple[str, ...], known: Mapping[str, str]) -> set[str]:
    """Return the known values that a reply contains; where one is part of another, only the longer one."""
    found, at = set(), 0
    while at < len(words):
        for length in range(min(SPAN, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            if phrase in known:
                found.add(phrase)
                at += length - 1
                break
        at += 1
    return found
