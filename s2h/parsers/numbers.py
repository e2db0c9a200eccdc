"""Read the number that a reply gives as digits, number words or a fraction, with or without a unit. The numbers of images
are labels, not values. A reply is unread if it gives a range, a bound, several values, or a form with two readings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from s2h.parsers import plain

Number = int | float
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDS = {word: n for n, word in enumerate(_UNITS)} | {word: 10 * (n + 2) for n, word in enumerate(_TENS)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = r"(?:half|halves|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|hundredth)s?|dozen)"
_ANY = "|".join([*WORDS, *_SCALES])
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_THINGS = r"(?:images?|pictures?|photos?|photographs?|figures?|frames?|panels?|pics?|imgs?|figs?\.?)"
_INDEX = rf"(?:\d+(?:st|nd|rd|th)?|{_ANY})"
LABEL = re.compile(
    rf"\b{_THINGS}\s*(?:(?:number|no\.?|\#)\s*|\#)?[-_]?\(?{_INDEX}\b\)?(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s+or\s+|\s*&\s*){_INDEX}\b(?!\s+\w))*"
    rf"|\b(?:option|choice|question|step|q)\s*\#?\d+\b"
    r"|图(?:像|片)?\s*\d+|第\s*\d+\s*[张幅个]",
    re.IGNORECASE | re.MULTILINE,
)
_DIGITS = r"\d+(?:[.,'/:^]\d+|(?<=\d) \d{3}\b|[.]?\d)*"
_TOKEN = re.compile(
    rf"(?P<sign>(?<![\w.)\]])(?:[-–+]|\b(?:minus|negative)\s+))?(?P<digits>(?<![A-Za-z0-9_.]){_DIGITS})(?P<after>(?:st|nd|rd|th)\b|[A-Za-z_^]|\s+\d+/\d+\b|\+)?"
    rf"|(?P<minus>\b(?:minus|negative)\s+)?\b(?P<words>(?:(?:a\s+)?(?:{_ANY}))(?:(?:\s+and\s+|\s*-\s*|\s+)(?:{_ANY}))*)\b(?P<half>(?:\s+and)?\s+(?:a\s+)?{_PARTS}\b|-(?:{_PARTS}|fold|way)\b|\s+point\b)?"
    r"|\b(?P<vague>half|dozens?|couple|several|few|pair)\b",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:more|less|fewer|greater|larger|smaller|bigger|higher|lower)\s+than\s+$|\b(?:at\s+(?:least|most)|over|under|above|below|up\s+to"
    r"|between|nearly|almost|exceeds)\s+$|[<>≤≥]\s*$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:^|\n)[ \t]*[-–][ \t]+$")  # a list's, or a minus sign
_PERCENT = re.compile(r"\s*(?:[%‰]|per\s?cent\b)", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bno|\brather\s+than|\binstead\s+of|\b(?:anything|any|all)\s+but)\s+(?:(?:be|just|only|exactly|equal|the|to)\s+)*$",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"\s*(?:-|–|—|~|/|\bor\b|\bto\b|\bversus\b|\bvs\.?)\s*(?:about\s+|even\s+|maybe\s+|perhaps\s+)?",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:the|this|that|each|which|no|every|any|some|only|another|other|left|right|middle|\w+er|\w+est|first|second|third|last|odd|same|correct|\w+ing)\s+$",
    re.IGNORECASE,
)
_FILLERS = (
    r"about|around|approximately|roughly|exactly|just|only|probably|clearly|equal\s+to|equals|that|there\s+(?:is|are)"
    r"|a\s+total\s+of|total|of|the\s+number|number|is|it\s+is|it's|still"
)
_ONE_OF = re.compile(r"\s+(?:of|that|which|who)\b", re.IGNORECASE)
_LEAD = rf"[\s\"'(\[:=~≈$€£,]*(?:(?:{_FILLERS})[\s:]+)*[\"'(\[]*"
_WEAK = re.compile(
    r"\b(?:sum|total|difference|product|count|distance)\b[^.!?\n;]*?(?:\b(?:is|was|equals|are|would\s+be|be|gives|makes|comes\s+to)\b|[=:])"
    r"|\b(?:so|therefore|thus|hence|altogether|in\s+total|overall)\b[,:]?(?=\s)|\b(?:total\s+of|adds?\s+up\s+to|(?:giv|mak|total|totall|leav)ing|sums?\s+(?:up\s+)?to|equals|result\s+in|which\s+makes)\b|(?<![<>=!])=+>?",
    re.IGNORECASE,
)
_BECAUSE = re.compile(
    r"[,;]?\s+(?:since|because|given\s+that|namely)\b(?![^.!?\n]*(?:\btotal|\bsum\b|\bmake|\bgive|=|\bequal|\bso\b))[^.!?\n]*|\((?![^)]*(?:total|sum))[^()]*\)",
    re.IGNORECASE,
)
_BARE_AROUND = re.compile(
    r"[^\w\n]*(?:about|around|approximately|roughly|exactly|just|only|answer)?[^\w\n]*", re.IGNORECASE
)
_LONGEST = 15  # digits of the longest value that is read


@dataclass(frozen=True)
class Value:
    """A value in a text: its place, and its number, which is None if it has two readings."""

    start: int
    end: int
    number: Number | None


def number(text: str) -> Number | None:
    """Return the number that a reply declares, else its only number; None if there is none, or several, a range or a
    bound."""
    text = _unnumbered(plain.corrected(text, by_no=True))
    declared = plain.declared(text, _stated)
    if declared is not None:
        return None if declared is plain.AMBIGUOUS or _otherwise(text, declared) else declared
    declared = plain.declared(text, _concluded, _WEAK)
    if (bare := _bare(text)) is not None and (declared is None or not _listing(text)):
        return None if bare is plain.AMBIGUOUS or declared not in (None, bare, plain.AMBIGUOUS) else bare
    if declared is not None:
        return None if declared is plain.AMBIGUOUS or plain.UNSURE.search(text) else declared
    for part in (text, _BECAUSE.sub(" ", text)):
        numbers = {one.number for one in values(part)}
        if len(numbers) == 1:
            return None if plain.UNSURE.search(text) else numbers.pop()
    return None


def _unnumbered(text: str) -> str:
    """Remove the line numbers of a numbered list ('1. 3', '2. 4', 'Total: 7')."""
    lines = re.findall(r"^[ \t]*(\d+)[.)][ \t]+\S", text, re.MULTILINE)
    if len(lines) < 2 or lines != [str(n + 1) for n in range(len(lines))]:
        return text
    return re.sub(r"^[ \t]*\d+[.)][ \t]+", "- ", text, flags=re.MULTILINE)


def _listing(text: str) -> bool:
    """Return whether several lines are only a number, as in a reply that lists what it adds."""
    lines = [(line, values(line)) for line in text.splitlines()]
    bare = [line for line, found in lines if len(found) == 1 and not re.search(r"[^\W\d_]{2}", line)]
    return len(bare) > 1


def exact(text: str) -> Number | None:
    """Return the number of a text that is only a number, such as a benchmark's answer."""
    text = plain.plain(text).strip(" .")
    found = values(text)
    whole = len(found) == 1 and found[0].start == 0 and found[0].end == len(text)
    return found[0].number if whole else None


def values(text: str) -> list[Value]:
    """Return the values of a text in order, without labels of images, ordinals, and values that are denied."""
    text = LABEL.sub(lambda match: "☐" * len(match[0]), text)
    text = re.sub(r"(?<=\d)\.{2,}(?=\d)", lambda match: "~" * len(match[0]), text)
    found = []
    for match in _TOKEN.finditer(text):
        before = plain.before(text, match.start())
        if match["digits"] and (match["after"] or "").lower() in ("st", "nd", "rd", "th"):
            continue
        if (match["words"] or "").lower() == "one" and (
            _PRONOUN.search(before) or _ONE_OF.match(text, match.end())
        ):
            continue
        if _DENIED.search(before):
            continue
        unclear = _BOUND.search(before) or _BULLET.search(before) or _PERCENT.match(text, match.end())
        found.append(Value(match.start(), match.end(), None if unclear else _number(match)))
    # A percentage beside a value says how sure the reply is.
    without_percentages = [one for one in found if not _PERCENT.match(text, one.end)]
    return _without_ranges(text, without_percentages or found)


def _without_ranges(text: str, found: list[Value]) -> list[Value]:
    """Mark the values of a range or of two alternatives as unreadable."""
    joined = set()
    for at in range(len(found) - 1):
        between = text[found[at].end : found[at + 1].start]
        if _JOINED.fullmatch(between) or (between == "" and text[found[at + 1].start] in "-–"):
            joined |= {at, at + 1}
    return [Value(one.start, one.end, None) if at in joined else one for at, one in enumerate(found)]


def _number(match: re.Match) -> Number | None:
    if match["vague"] or match["half"]:
        return None
    if match["words"]:
        spelled = _of_words(match["words"].lower())
        return spelled if spelled is None or not match["minus"] else -spelled
    if match["after"] and not re.fullmatch(r"\s+\d+/\d+", match["after"]):
        return None
    made = _of_digits(match["digits"])
    if made is not None and match["after"]:
        more = _of_digits(match["after"].strip())
        made = made + more if more is not None and type(made) is int and more < 1 else None
    if made is None:
        return None
    sign = (match["sign"] or "").strip().lower()
    return _whole(-made if sign in ("-", "–", "minus", "negative") else made)


def _of_digits(text: str) -> Number | None:
    if len(text) > _LONGEST + 6:
        return None
    if re.fullmatch(r"\d+", text) or re.fullmatch(r"\d{1,3}(?:,\d{3})+", text):
        digits = text.replace(",", "")
        return int(digits) if len(digits) <= _LONGEST else None
    if re.fullmatch(r"(?:\d+|\d{1,3}(?:,\d{3})+)\.\d+", text) and not re.fullmatch(r"\d{1,3}\.000", text):
        return _whole(float(text.replace(",", "")))
    if re.fullmatch(r"\d+/\d+", text):
        over, under = map(int, text.split("/"))
        return _whole(float(Fraction(over, under))) if under else None
    return None


def _whole(made: Number) -> Number:
    return int(made) if float(made).is_integer() else made


def _of_words(text: str) -> int | None:
    """Return 2021 for 'two thousand and twenty-one'; None if the words are not one number ('two three')."""
    total = part = 0
    largest, words = 10**12, re.findall(r"[a-z]+", text)
    below = 10**3  # what may follow within the part: after 'twenty' only units
    seen = False
    for word in words:
        if word in ("and", "a"):
            if word == "and" and below not in (100, 10**3):  # 'twenty and three' are two numbers
                return None
            continue
        if word in WORDS:
            value = WORDS[word]
            if value >= below or (value == 0 and len(words) > 1):
                return None
            part, below, seen = part + value, (10 if value >= 20 else 1), True
        elif word == "hundred":
            if part >= 10 or (seen and part == 0):
                return None
            part, below, seen = (part or 1) * 100, 100, True
        else:
            scale = _SCALES[word]
            if scale >= largest or (seen and part == 0):
                return None
            total, part, largest, below, seen = total + (part or 1) * scale, 0, scale, 10**3, False
    return total + part


def _stated(rest: str) -> Number | plain.Ambiguous | None:
    """Return the number right after a declaration; AMBIGUOUS if it is denied, bounded or one of several."""
    sentence = re.split(r"(?<=[!?\n;])|(?<=\.)(?!\d)", rest.lstrip() + "\n", maxsplit=1)[0]
    if re.match(
        r"[\s\"'(\[:]*(?:not|n't|neither|either|none|unknown)\b|\s*(?:between|more|less|fewer|at)\b",
        sentence,
        re.IGNORECASE,
    ):
        return plain.AMBIGUOUS
    lead = re.match(_LEAD, sentence, re.IGNORECASE)
    found = values(sentence)
    if not found or lead is None or found[0].start > lead.end():
        equals = re.split(r"(?<![<>=!])=+", sentence)
        if len(equals) > 1:
            return _stated(equals[-1])
        numbers = {one.number for one in found}
        if not numbers:
            return None
        return numbers.pop() if len(numbers) == 1 and None not in numbers else plain.AMBIGUOUS
    first, after = found[0], sentence[found[0].end :]
    if first.number is None:
        return plain.AMBIGUOUS
    if re.match(r"\s*[-+*/×x÷]\s*\d", after):  # 'the answer is 3 + 4 = 7'
        equals = re.split(r"=", sentence)
        return _stated(equals[-1]) if len(equals) > 1 else plain.AMBIGUOUS
    explained = re.search(
        r"[(;:=—–]|\b(?:since|because|as|for|with|given|where|namely)\b", after, re.IGNORECASE
    )
    following = [one for one in found[1:] if explained is None or one.start < first.end + explained.start()]
    if any(one.number != first.number for one in following):
        return plain.AMBIGUOUS
    return first.number


def _concluded(rest: str) -> Number | plain.Ambiguous | None:
    """Read as `_stated` does, but only a number that follows immediately, since these phrases are weaker declarations."""
    sentence = rest.split("\n")[0]
    lead = re.match(_LEAD, sentence, re.IGNORECASE)
    found = values(sentence)
    if not found or lead is None or found[0].start > lead.end():
        return None
    return _stated(sentence)


def _otherwise(text: str, declared: Number) -> bool:
    """Return whether the first line is only a number, and differs from the one that the text declares below it."""
    first, *rest = text.split("\n", 1)
    found = values(first) if len(first) <= plain.SHORT else []
    bare = len(found) == 1 and re.fullmatch(r"\W*", first[: found[0].start] + first[found[0].end :])
    return bool(rest and bare) and found[0].number != declared and not plain.CORRECTION.search(text)


def _bare(text: str) -> Number | plain.Ambiguous | None:
    """Return the number that is the whole reply, its first or last line or sentence, or with which one of these begins
    ('7 (3 and 4)', '7 = 3 + 4'); AMBIGUOUS if they differ."""
    parts = plain.sentences(text)
    lines = [line for line in text.splitlines() if line.strip()]
    found = set()
    for part in {*parts[:1], *parts[-1:], *lines[:1], *lines[-1:]}:
        some = values(part) if not plain.UNSURE.search(part) else []
        if some and _BARE_AROUND.fullmatch(part[: some[0].start]):
            after = part[some[0].end :]
            fragment = re.fullmatch(r"\s*(?:[a-z]+\s*){0,2}[^\w]*", after, re.IGNORECASE) and len(some) == 1
            explained = re.match(
                r"\s*(?:[a-z]+\s*){0,2}(?:\(|[,;]?\s*(?:since|because|as)\b|=)", after, re.IGNORECASE
            )
            twice = re.match(r"\s*\(\s*(\d+)\s*\)", after)
            if twice and int(twice[1][:_LONGEST]) != some[0].number:  # 'seven (8)'
                found |= {some[0].number, None}
            elif (fragment or explained) and "+" not in after.split("=")[0][:3]:
                found.add(some[0].number)
            elif part == text.strip():
                numbers = {one.number for one in some}
                found |= numbers if len(numbers) == 1 and len(some) > 1 else set()
    if not found:
        return None
    return found.pop() if len(found) == 1 and None not in found else plain.AMBIGUOUS
