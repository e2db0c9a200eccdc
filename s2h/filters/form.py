"""The form of the answers: a length that gives the chosen answer away teaches length and not sight; two answers that are the
same but for a typing error, or have nothing in common, teach little; one that repeats itself or refuses to answer should be
neither learnt nor be all that is learnt to be avoided. No model is needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from s2h.filters import DIGITS, Judgement, Measure, within
from s2h.record import Record, RecordError, text_of

# Ways to say that one can't or won't look, where an answer or one of its sentences begins; "none of the images shows a dog"
# and "I can't see a dog in image 2" are answers.
_SORRY = r"(?:(?:i['’]?m|i am) (?:very |so )?sorry|sorry|unfortunately|i apologi[sz]e|my apologies)"
_CANT = r"(?: can(?:no|['’])?t| can not|(?: am|['’]m) (?:not able to|unable to|not allowed to)| won['’]t| will not)"
_PICTURES = r"(?:the |these |this |your |any |that )?(?:images?|pictures?|photos?|attachments?|files?)"
_TASK = (
    r"(?:help|assist|answer|provide|view|process|analy[sz]e|identify|determine|comply|fulfil+|do that|describe"
    rf"|(?:see|access|open|display|interpret) {_PICTURES})"
)
_REFUSAL = re.compile(
    rf"(?:^|[.!?\n]\s*)(?:{_SORRY}\b[,.:;]?\s*(?:but )?(?:$|i\b[^.!?]*?(?:{_CANT}| don['’]t have)\b)"
    r"|(?:as|i['’]m|i am) (?:just |only )?an? (?:ai\b|(?:large )?language model|text[- ]based)"
    rf"|i{_CANT} (?:be able to )?{_TASK}\b"
    rf"|i (?:don['’]t|do not) (?:have (?:access|the ability)\b|see {_PICTURES}(?: (?:here|attached|in)\b|[.,!]|$))"
    r"|(?:no|there (?:is|are) no) (?:images?|pictures?) (?:was |were |is |are |has been |have been )?"
    r"(?:provided|attached|uploaded)\b)",
    re.IGNORECASE,
)
_MARKS = (
    "sorry", "unfortunately", "apolog", "an ai", "language model", "text-based", "text based", "can't", "can’t", "cannot",
    "can not", "unable", "not able", "allowed", "won't", "won’t", "will not", "don't", "don’t", "do not", "provided",
    "attached", "uploaded",
)  # fmt: skip
RUN = 3  # words of a run that is counted as repeated


def length_ratio(chosen: str, rejected: str) -> float:
    """Characters of the chosen answer over characters of the rejected one, without white space around them."""
    return len(chosen.strip()) / len(rejected.strip())


def edit_distance(one: str, other: str) -> float:
    """Levenshtein's distance over the length of the longer text: 0 for equal texts, 1 where nothing can stay. Insertions,
    deletions and substitutions of characters cost 1 each."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_distance(one, other)


def repetition(chosen: str, rejected: str) -> float:
    """The share of an answer's runs of three words that stood in it before, of the answer that has more: 0 where none is
    repeated. A model that loops comes near 1."""
    return max(_repeated(chosen), _repeated(rejected))


def _repeated(text: str) -> float:
    words = text.lower().split()
    runs = len(words) - RUN + 1
    if runs < 2 or len(set(words)) == len(words):
        return 0.0
    return 1 - len(set(zip(words, words[1:], words[2:], strict=False))) / runs


def refusal(chosen: str, rejected: str) -> float:
    """0 where both answers answer, 1 where the rejected one refuses ("I'm sorry, but I can't see the images"), 2 where the
    chosen one does, 3 where both do. English only."""
    return 2.0 * _refuses(chosen) + _refuses(rejected)


def _refuses(text: str) -> bool:
    low = text.lower()
    # Most answers have none of these words, which is quickly seen.
    return any(word in low for word in _MARKS) and _REFUSAL.search(text) is not None


MEASURES: dict[
    str, tuple[str, Callable[[str, str], float]]
] = {  # by the score: how a reason calls it, and what it is
    "length_ratio": ("length ratio", length_ratio),
    "edit_distance": ("edit distance", edit_distance),
    "repetition": ("repetition", repetition),
    "refusal": ("refusal", refusal),
}


def judgements(bands: dict[str, tuple[float, float] | None]) -> list[Judgement]:
    """For each of some MEASURES, by name: keep pairs that lie within its band, ends included, where it has one; written as
    scores.NAME.value. The first of them measures for all, so that an answer is looked at once."""

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults = {}
        for at, record in enumerate(batch):
            chosen, rejected = text_of(record["chosen"]), text_of(record["rejected"])
            earlier = record.get("scores")
            scores = dict(earlier) if earlier else {}
            for name in bands:
                value = round(MEASURES[name][1](chosen, rejected), DIGITS)
                said = scores.get(name)
                if said is None:
                    scores[name] = {"value": value}
                elif not isinstance(said, dict) or said.get("value") != value:  # it is never rewritten
                    faults[at] = RecordError(
                        f"is not what the answers measure: {value:g}", f"scores.{name}", record.where,
                        f"jq -c 'del(.scores.{name})' forgets it",
                    )  # fmt: skip
                    break
            record["scores"] = scores
        return faults

    made = [_judgement(name, band) for name, band in bands.items()]
    return [replace(made[0], score=score), *made[1:]] if made else []


def _judgement(name: str, band: tuple[float, float] | None) -> Judgement:
    words = MEASURES[name][0]

    def decide(record: Record) -> str:
        value = record["scores"][name]["value"]
        if band is None or band[0] <= value <= band[1]:
            return ""
        return REFUSES[int(value)] if name == "refusal" else within(value, band, words)

    measure = Measure(words, lambda record: record["scores"][name]["value"], *(band or (None, None)))
    return Judgement(name, lambda batch: {}, decide, measures=(measure,))


REFUSES = ("", "the rejected answer refuses", "the chosen answer refuses", "both answers refuse")
