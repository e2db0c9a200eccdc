"""Read the image that a reply names, or the order of images that it gives. An image is not the answer if the reply denies it
('not image 1'), compares with it ('than Image 1') or gives it as a reason ('since Image 1 shows …')."""

from __future__ import annotations

import re
from collections.abc import Callable

from s2h.parsers import plain
from s2h.parsers.numbers import ORDINALS, WORDS

NONE = "none"
_THING = r"(?:image|picture|photo|photograph|figure|frame|panel|pic|img|fig\.?)"
_NUMBER_WORD = "|".join(word for word, n in WORDS.items() if 0 < n <= 20)
_ORDINAL = "|".join(ORDINALS)
_GOES_ON = r"(?:do|does|did|are|is|were|both|all|show|have|look|contain|depict|differ)\b"
_LIST = (
    rf"(?:\s*(?:,|(?:,\s*and|&|\band\b|\bor\b|/|\+|-|–|\bto\b)\s*(?:{_THING}s?)?)\s*(?:\#\s*)?"
    rf"\d+(?![\d.]*[A-Za-z%])(?!\s+(?!{_GOES_ON})[a-z]))*"
)
MENTION = re.compile(
    rf"\b{_THING}s?\s*(?:(?:number|no\.?)\s*|\#\s*|[-_(\[]\s*)?(?P<number>\d+|(?:{_NUMBER_WORD})\b)(?![.]\d)(?![A-Za-z])(?P<more>{_LIST})"
    rf"|\b(?P<nth>{_ORDINAL}|\d+(?:st|nd|rd|th))(?:\s*,?\s*(?:and|or)\s+(?:the\s+)?(?P<nth2>{_ORDINAL}|\d+(?:st|nd|rd|th)))?\s+(?:{_THING}s?|ones?)\b(?:\s*,?\s*(?:and|or)\s+(?:the\s+)?(?P<nth3>{_ORDINAL}|\d+(?:st|nd|rd|th))\b(?!\s+\w))?"
    rf"|(?:图(?:像|片)?\s*(?P<cn>\d+)|第\s*(?P<cnth>\d+)\s*[张幅])",
    re.IGNORECASE,
)
NONE_SAID = re.compile(
    rf"\b(?:none\s+of\s+(?:the|these|them|those)\b|no\s+(?:such\s+)?{_THING}s?\b|not?\s+in\s+any\b|neither\s+(?:of\s+(?:the|them|these)|{_THING}(?!\s*#?\d))|not\s+any\s+of\s+the)",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"[^\w]*(?:(?:the|correct|right|option|number|no\.?|in|is|it's|it\s+is|{_THING})[\s:#]*)*[^\w]*(?P<said>\d+(?:st|nd|rd|th)?|{_NUMBER_WORD}|{_ORDINAL})\s*(?:one|{_THING})?[^\w]*",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(  # an image after these words is denied or compared with
    r"(?:\b(?:not|no|isn't|never|neither|nor|than|unlike|except|besides|without|versus|vs\.?)|\brather\s+than|\binstead\s+of|\bcompared\s+(?:to|with)|\b(?:all|any|anything|everything|both|each|every\s+\w+)\s+but"
    r"|\b(?:similar|identical|equal|related|opposed|next|close|closer)\s+(?:to|with)|\bdiffer(?:s|ent)?\s+from|\bas\s+\w+\s+as|\bsame\s+(?:\w+\s+)?as|\b(?:parent|father|mother|child|son|daughter|sibling|brother|sister|grand\w+)\s+of)"
    r"\s+(?:(?:just|only|in|the|that|those|of|from|by|with|person|one|object|digit|number)\s+)*$",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\b(?:unlike|compared\s+(?:to|with)|besides|except|than)\s+(?:the\s+)?$", re.IGNORECASE)
_DENIED_AFTER = re.compile(  # an image before these words is denied
    r"(?:\s*,)?\s*(?:\([^)]*\)\s*)?(?:(?:does|do|did|is|are|was|has|have|can|could|would|will|should)(?:\s+(?:certainly|clearly|definitely|also|both))?\s*(?:not\b|n't)|cannot\b|never\b|lacks?\b|shows?\s+(?:no\b|none|nothing|neither)|has\s+no\b|contains?\s+no\b|is\s+(?:wrong|incorrect|empty|without)\b|isn't|doesn't|don't|hasn't|haven't|aren't|wasn't|can't|couldn't|wouldn't)",
    re.IGNORECASE,
)
_BECAUSE = re.compile(
    r"[,;]?\s*\b(?:since|because|as|while|whereas|given\s+that|although|though|but)\b|;|\(", re.IGNORECASE
)
_FIRST_PERSON = re.compile(
    r"\b(?:(?:it|this|that)(?:\s+is|'s|\s+must\s+be|\s+would\s+be)|i\s+(?:choose|pick|select|would\s+(?:choose|pick|say))|so|therefore|thus|hence)\b[,:]?",
    re.IGNORECASE,
)
_IS_IN = re.compile(
    r"\b(?:is|are|was|be)\s+(?:shown\s+|found\s+|located\s+|seen\s+|visible\s+)?(?:(?:in|on|by|the|from)\s+)*$",
    re.IGNORECASE,
)
_JUDGING = re.compile(
    r"\b(?:the|more|fewer|less|most|least|only|odd|same|different|larger|smaller|bigger|greater|best|\w{3,}est|therefore|so|thus|hence)\b",
    re.IGNORECASE,
)
_REASON = re.compile(r"[,;]?\s*\b(?:since|because|whereas|while|given\s+that|as)\b", re.IGNORECASE)
Named = int | str


def exact(text: str) -> int | None:
    """Return the image of a text that is only its name or number."""
    text = plain.plain(text)
    found = _BARE.fullmatch(text) if len(text) <= plain.SHORT else None
    return _index(found["said"]) if found else None


def image(text: str) -> Named | None:
    """Return the 1-based number of the image that a reply names as its answer, 'none' if it says that there is no such
    image, or None if no image can be read."""
    text = plain.corrected(text, by_no=True)
    declared: Named | plain.Ambiguous | None = plain.declared(text, _stated)
    first, *rest = text.split("\n", 1)
    if declared is not None:
        other = exact(first) if rest and not plain.CORRECTION.search(text) else None
        return None if declared is plain.AMBIGUOUS or other not in (None, declared) else declared
    if (bare := _bare(text)) is not None:
        return None if bare is plain.AMBIGUOUS else bare
    if plain.UNSURE.search(text) and not NONE_SAID.search(text):
        return None
    whole = _claimed(text)
    if len(whole) == 1:
        return whole.pop()
    picks: tuple[Callable[[str], Named | plain.Ambiguous | None], ...] = (_concluding, _subject, _judged)
    for pick in picks:
        found = pick(text)
        if found is not None:
            return None if found is plain.AMBIGUOUS else found
    return None


def order(text: str) -> list[int] | None:
    """Return the order of images that a reply gives: a list of their names or numbers with only 'and', 'then', commas and
    arrows between them. If there are several lists, it is the declared one, or the one that all agree on."""
    text = _FIRST.sub("", plain.corrected(text, by_no=True))
    declared = plain.declared(
        text,
        _listed,
        re.compile(rf"{plain.DECLARING.pattern}|\border\b[^.!?\n]*?(?:\bis\b|:)", re.IGNORECASE),
    )
    if declared is not None:
        return list(declared) if isinstance(declared, tuple) else None
    found = {tuple(one) for one in _lists(text)}
    return list(found.pop()) if len(found) == 1 and not plain.UNSURE.search(text) else None


def _index(word: str) -> int | None:
    word = word.lower()
    if word in ORDINALS:
        return ORDINALS.index(word) + 1
    if word in WORDS:
        return WORDS[word]
    digits = re.match(r"\d{1,4}(?!\d)", word)
    return int(digits[0]) or None if digits else None


def _mentions(text: str) -> list[tuple[int, int, list[int]]]:
    """Find where images are named, and which: (start, end, indices)."""
    found = []
    for match in MENTION.finditer(text):
        one = match["number"] or match["nth"] or match["cn"] or match["cnth"]
        some = [
            one,
            *(match[name] for name in ("nth2", "nth3") if match[name]),
            *re.findall(r"\d+", match["more"] or ""),
        ]
        indices = [index for index in map(_index, some) if index is not None]
        if indices:
            found.append((match.start(), match.end(), indices))
    return found


def _claimed(text: str) -> set[Named]:
    """Return the images that a text names and neither denies nor compares with; 'none' if it says that no image fits."""
    found: set[Named] = set()
    named, denied = _mentions(text), False
    for at, (start, end, indices) in enumerate(named):
        before = text[named[at - 1][1] if at else 0 : start]
        listed = (
            denied
            and re.fullmatch(r"\s*(?:,|,?\s*(?:and|or|nor))\s*(?:the\s+)?", before)
            and not _ASIDE.search(plain.before(text, named[at - 1][0]))
        )
        denied = bool(
            listed or _DENIED_BEFORE.search(plain.before(text, start)) or _DENIED_AFTER.match(text, end)
        )
        if not denied:
            found.update(indices)
    if NONE_SAID.search(text):
        found = {NONE} if not found else {NONE, *found}
    return found


def _stated(rest: str) -> Named | plain.Ambiguous | None:
    """Return the image right after a declaration."""
    sentence = re.split(r"[!?\n;]|\.(?!\d)", rest.strip().replace("fig.", "fig"), maxsplit=1)[0]
    if re.match(r"[\s\"'(\[:]*(?:either|both|neither)\b", sentence, re.IGNORECASE):
        return plain.AMBIGUOUS
    if re.match(r"[\s\"'(\[:]*none\b", sentence, re.IGNORECASE):
        return NONE
    if found := re.match(_BARE, sentence):
        after = sentence[found.end() :]
        if (
            not after
            or re.match(r"(?<=[\W])(?:because|since|as|not|which|where|for|it)\b", " " + after)
            or not _mentions(sentence)
        ):
            if re.match(
                r"\s*(?:,|/|&|\band\b|\bor\b)\s*(?:the\s+)?(?:\d|image)",
                sentence[found.end("said") :],
                re.IGNORECASE,
            ):
                return plain.AMBIGUOUS
            if not re.match(r"[a-z]", after, re.IGNORECASE) or re.match(
                r"(?:because|since|as|not|which|where|for)\b", after
            ):
                return _index(found["said"])
    claimed = _claimed(_BECAUSE.split(sentence, maxsplit=1)[0]) or _claimed(sentence)
    if len(claimed) == 1:
        return claimed.pop()
    return plain.AMBIGUOUS if claimed or _mentions(sentence) else None


def _bare(text: str) -> Named | plain.Ambiguous | None:
    """Return the image that is the whole reply, or its first or last line or sentence."""
    parts, lines = plain.sentences(text), [line.strip() for line in text.splitlines() if line.strip()]
    found: set[Named | None] = set()
    for part in {text, *parts[:1], *parts[-1:], *lines[:1], *lines[-1:]}:
        if re.fullmatch(r"[\W\d]+", part):
            found.update(map(_index, re.findall(r"\d+", part)))
        elif len(part) > plain.SHORT:
            continue
        elif match := _BARE.fullmatch(part):
            found.add(_index(match["said"]))
        elif re.fullmatch(
            r"[^\w]*none(?:\s+of\s+(?:them|these|those|the\s+\w+))?[^\w]*", part, re.IGNORECASE
        ):
            found.add(NONE)
    if not found:
        return None
    return found.pop() if len(found) == 1 and None not in found else plain.AMBIGUOUS


def _concluding(text: str) -> Named | plain.Ambiguous | None:
    """Return the one image that follows 'so', 'therefore', 'it is' or a similar phrase."""
    return plain.declared(text, _stated_at_once, _FIRST_PERSON)


def _stated_at_once(rest: str) -> Named | plain.Ambiguous | None:
    """Return the only image of the first sentence, or the one that it names first after words such as 'in' and 'the'."""
    sentence = re.split(r"[!?\n;]|\.(?!\d)", rest, maxsplit=1)[0]
    named = _mentions(sentence)
    if len(claimed := _claimed(sentence)) == 1 and len({i for _, _, some in named for i in some}) == 1:
        return claimed.pop()
    if not named or not re.fullmatch(
        r"[\s\"'(\[:]*(?:(?:in|on|the|it\s+is|it's|answer|is|must|be|only)\s+)*",
        sentence[: named[0][0]],
        re.IGNORECASE,
    ):
        return None
    return _stated(sentence)


def _subject(text: str) -> Named | plain.Ambiguous | None:
    """Return the only image that something 'is in', in the clauses before reasons."""
    found: set[Named] = set()
    for start, _, indices in _mentions(text):
        before = plain.before(text, start)
        if _IS_IN.search(re.split(r"[.!?;\n]", before)[-1]) and not _DENIED_BEFORE.search(before):
            found.update(indices)
    if len(found) != 1 or not re.search(r"\b(?:the|it|odd|answer|larg|small)\w*", text, re.IGNORECASE):
        return None
    return found.pop() if _alone(text, found) else None


def _alone(text: str, found: set) -> bool:
    """Return whether the last sentence that names images names only the found one."""
    named = [part for part in plain.sentences(text) if _claimed(part)]
    return bool(named) and _claimed(named[-1]) <= found


def _judged(text: str) -> Named | plain.Ambiguous | None:
    """Return the only image of the last sentence, if that sentence judges ('the larger', 'more') what the sentences before
    it say; or the only image of the first sentence, if reasons follow it."""
    parts = [part for part in plain.sentences(text) if _claimed(part)]
    if len(parts) > 1:
        last, before = _claimed(parts[-1]), set().union(*map(_all_named, parts[:-1]))
        if len(last) == 1 and last <= before | {NONE} and len(before) > 1 and _JUDGING.search(parts[-1]):
            return last.pop()
        return None
    if not parts:
        return None
    head, *rest = _REASON.split(parts[0], maxsplit=1)
    claimed = _claimed(head)
    stated = _JUDGING.search(head) or (len(head) <= plain.SHORT and _BARE.fullmatch(head))
    return claimed.pop() if rest and len(claimed) == 1 and stated else None


def _all_named(text: str) -> set[Named]:
    """Return the images that a text names, denied ones too."""
    return {index for _, _, indices in _mentions(text) for index in indices}


_ITEM = (
    rf"(?:(?:the\s+)?{_THING}s?\s*(?:number\s*|no\.?\s*|\#\s*)?)?"
    rf"\(?(?:\d+(?:st|nd|rd|th)?|(?:{_ORDINAL}|{_NUMBER_WORD})\b)\)?(?:\s+(?:{_THING}|one))?"
)
_FIRST = re.compile(
    rf"\bfirst(?:ly)?[,:]?\s+(?=(?:is\s+)?(?:{_THING}\s*)?\#?\d)", re.IGNORECASE
)  # 'First 2, then 1'
_SEQUENCE_ITEM = re.compile(rf"(?:the\s+)?(?P<thing>{_THING})?", re.IGNORECASE)
_SEQUENCE = re.compile(
    rf"(?<![\w.\-])(?<!-\s){_ITEM}(?:\s*(?:,?\s*(?:and|then|followed\s+by|and\s+then|and\s+finally|finally)\s+|,|;|>|<|→|=>|->|-|\s)\s*{_ITEM})+(?![\w])(?!\.\d)",
    re.IGNORECASE,
)


def _lists(text: str) -> list[list[int]]:
    """Return the lists of at least two different images in a text."""
    found = []
    for match in _SEQUENCE.finditer(text):
        first = _SEQUENCE_ITEM.match(match[0])
        if not (first and first["thing"]) and re.search(rf"\b{_THING}", match[0], re.IGNORECASE):
            continue  # the list begins with the number of something else: 'Image 2 has 5, image 1 …'
        some = [
            _index(one)
            for one in re.findall(
                rf"\d+(?:st|nd|rd|th)?|\b(?:{_ORDINAL}|{_NUMBER_WORD})\b(?!\s*$)|\b(?:{_ORDINAL}|{_NUMBER_WORD})\b",
                match[0],
                re.IGNORECASE,
            )
        ]
        images = [one for one in some if one is not None]
        if len(set(images)) == len(some) > 1:
            found.append(images)
    return found


def _listed(rest: str) -> tuple[int, ...] | None:
    """Return the list of images right after a declaration."""
    lead = re.match(
        r"[\s\"'(\[:]*(?:is\s+|as\s+follows\s*:?\s*|the\s+order\s+(?:is\s+)?)?[\"'(\[:]*\s*",
        rest,
        re.IGNORECASE,
    )
    found = _SEQUENCE.match(rest, lead.end() if lead else 0)
    lists = _lists(found[0]) if found else []
    return tuple(lists[0]) if lists else None
