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
    words = text.split()
    runs = len(words) - RUN + 1
    if runs < 2 or len(set(words)) == len(words):
        return 0.0
    return 1 - len(set(zip(words, words[1:], words[2:], strict=False))) / runs


def refusal(chosen: str, rejected: str) -> float:
    """0 where both answers answer, 1 where the rejected one refuses ("I'm sorry, but I can't see the images"), 2 where the
    chosen one does, 3 where both do. English only."""
    if not _may_refuse(f"{chosen}\n{rejected}".lower()):
        return 0.0
    return 2.0 * (_REFUSAL.search(chosen) is not None) + (_REFUSAL.search(rejected) is not None)


def _may_refuse(low: str) -> bool:
    """Whether a text in small letters has any of the words without which nothing is a refusal: most have none, and that is
    seen in a tenth of the time."""
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

    from rapidfuzz.distance import Levenshtein

    # Once, and not in each call as edit_distance does: tens of thousands of pairs a second pass here.
    direct = {edit_distance: Levenshtein.normalized_distance}
    asked = [(name, direct.get(MEASURES[name][1], MEASURES[name][1])) for name in bands]

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults = {}
        for at, record in enumerate(batch):
            chosen, rejected = text_of(record["chosen"]), text_of(record["rejected"])
            found = {}
            for name, measure in asked:
                found[name] = {"value": round(measure(chosen, rejected), DIGITS)}
            earlier = record.get("scores")
            if not earlier:
                record["scores"] = found
            elif wrong := [
                name for name in found if name in earlier and not _same(earlier[name], found[name])
            ]:
                name = wrong[0]  # it is never rewritten
                faults[at] = RecordError(
                    f"is not what the answers measure: {found[name]['value']:g}", f"scores.{name}", record.where,
                    f"jq -c 'del(.scores.{name})' forgets it",
                )  # fmt: skip
            else:
                record["scores"] = {
                    **earlier,
                    **{name: value for name, value in found.items() if name not in earlier},
                }
        return faults

    made = [_judgement(name, band) for name, band in bands.items()]
    return [replace(made[0], score=score), *made[1:]] if made else []


def _same(said: object, found: dict) -> bool:
    return isinstance(said, dict) and said.get("value") == found["value"]


def _judgement(name: str, band: tuple[float, float] | None) -> Judgement:
    words = MEASURES[name][0]

    def decide(record: Record) -> str:
        value = record["scores"][name]["value"]
        if band[0] <= value <= band[1]:
            return ""
        return REFUSES[int(value)] if name == "refusal" else within(value, band, words)

    measure = Measure(words, lambda record: record["scores"][name]["value"], *(band or (None, None)))
    return Judgement(name, None, decide if band is not None else None, measures=(measure,))


REFUSES = ("", "the rejected answer refuses", "the chosen answer refuses", "both answers refuse")
