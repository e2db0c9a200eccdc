"""Read a choice by our own rules. Only the question's letters count. The evidence is, from the strongest: a declaration
('the answer is B'), a reply that is just a letter, a label at its start, a letter in brackets, an option's text, and a lone
letter. The parser does not guess: a reply is unread if it declares several options, has evidence for several, or hedges.
`yesno`, `numbers` and `images` read the other types of answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import takewhile

from s2h.parsers import images, mentions, numbers, plain
from s2h.parsers.plain import AMBIGUOUS, Ambiguous
from s2h.parsers.yesno import yes_no

__all__ = ["VALUES", "choice", "conclusion", "yes_no"]
# The reader of each type of answer that is one value.
VALUES: dict[str, Callable[[str], object]] = {
    "number": numbers.number, "image": images.image, "order": images.order, "yes/no": yes_no,
}  # fmt: skip
Said = str | Ambiguous | None  # a letter, AMBIGUOUS for several, None for none
_BETWEEN = r"[\s*_\"'`:=(\[{<]*"  # what may stand between a declaring phrase and the letter
_NAMED = r"(?:(?:the\s+)?(?:option|choice|letter|answer|选项|项)(?![A-Za-z]))?"
_BE = r"(?:\s+(?:is|was|would\s+be|should\s+be|must\s+be|will\s+be)\b|\s*[:=→]+|\s+-+>?(?=\s))"
_DECLARING = re.compile(
    rf"{plain.DECLARING.pattern}"
    rf"|\b(?:correct|right|best|final|my|chosen|selected|only)\s+(?:\w+\s+)?(?:option|choice|letter|one|label){_BE}"
    r"|\b(?:i|we)(?:'(?:d|ll|m)|\s+(?:would|will|shall|am))?\s+(?:choose|choosing|select|selecting|pick|picking|conclude"
    r"|go(?:ing)?\s+(?:with|for)|opt(?:ing)?\s+for)\b"
    r"|\b(?:so|therefore|thus|hence|in\s+conclusion)\b[,:]?(?:\s+(?:it\s+is|it's|it\s+must\s+be|we\s+have))?"
    r"(?=\s*(?:option\s+)?[(\[]*[A-Z][)\].]*\s*$)"
    r"|\b(?:so|therefore|thus|hence)\b[,:]?(?=\s+(?:option\s+)?[(\[]*[B-HJ-Z][)\].]*(?:\s*[.,;!\n]|\s*$))"
    r"|\b(?:it\s+is|it's|it\s+must\s+be)(?=\s+(?:option\s+|choice\s+)?[(\[]*[A-Z][)\]]*(?:[.,;!]|\s*$))"
    r"|\banswer(?=\s+[(\[]*[A-Z]\b)|选项?择?",
    re.IGNORECASE | re.MULTILINE,
)
_LETTER = re.compile(
    rf"{_BETWEEN}{_NAMED}{_BETWEEN}(?P<letter>[A-Za-z])(?![A-Za-z0-9]|'\w|-\w|\.[A-Za-z0-9]\.)", re.IGNORECASE
)
# What may stand between 'or' and another option.
_HEDGES = ("maybe", "perhaps", "even", "also", "possibly", "rather", "probably", "more", "likely")
_ANOTHER = re.compile(
    rf"[\s)\]}}.\"'>(]*(?:,|/|&|;|\||\+|-|\n|、|或者?|和|与|\bor\b|\band\b|\bplus\b|\bvs\b)+\s*(?:(?:{'|'.join(_HEDGES)}|or|and|then|either)\s+)*"
    rf"{_NAMED}{_BETWEEN}(?P<letter>[A-Za-z])(?![A-Za-z0-9]|'\w)(?P<tail>\s+[a-z])?",
    re.IGNORECASE,
)
_AFTERWARDS = re.compile(
    r"(?:\b(?P<named>option|choice|answer|letter)\s+)?(?<![\w'])[(\[\"]*(?P<letter>[A-Za-z])[)\]\".]*"
    r"\s+(?:is|seems|looks|appears|must\s+be)(?:\s+to\s+be)?\s+(?:(?:the|clearly|most\s+likely|likely|obviously|therefore)\s+)*"
    r"(?:correct|right|best|answer|true)\b",
    re.IGNORECASE,
)
_CONNECTIVES = r"(?:because|since|as|for|due|based|with)\b"
_VERBS = "is|are|was|seems|looks|appears|shows|has|would|could|does|may|might|can|must|should"
_ARTICLE = re.compile(
    rf"\s+(?!(?:{_CONNECTIVES}|(?:{_VERBS}|and|or|in|at|on|than|not)\b))[A-Za-z]", re.IGNORECASE
)
_LABEL = re.compile(
    r"\W*?(?:(?:option|choice|answer)\W+)?[(\[]*(?:([A-Za-z])\s*[)\].:]+(?=\s|$)|([A-Z])[).:](?=[a-z0-9]))"
)
_LEADING = re.compile(
    rf"[\s\"']*(?:(?:option|choice)\s+)?([A-Z])(?:\s*[,;–—]|\s+-(?=\s)|\s+{_CONNECTIVES}|\s+(?=\())"
)
_BRACKETED = re.compile(r"(?<!\w)(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\])")
_LONE = re.compile(r"(?<![A-Za-z0-9_'&/-])([A-Z])(?![A-Za-z0-9_'&-])")
_LONE_AFTER = re.compile(  # the words after which a lone letter is one of the options
    r"(?:^|[^\w\s]|[^\x00-\x7f]|\b(?:option|choice|letter|answer|label|image|picture|point|is|be|it's|pick|choose|select|say|think|so|thus"
    r"|therefore|hence|with|for|but|and|or|to|then|not|neither|nor|than|either|both|only))\s*[(\[\"']*$",
    re.IGNORECASE,
)
_REASON = re.compile(r"[,;]?\s*\b(?:because|since|given\s+that|whereas|while)\b", re.IGNORECASE)
_IMAGE = re.compile(r"<image[^>]*>", re.IGNORECASE)  # an option that is an image has no text
_WRONG = re.compile(
    r"[)\].\"']*\s+(?:(?:is|are|was|seems|looks|does|can|could|would|must|should)\s*(?:n't|not\b)|cannot\b|(?:is|are)\s+(?:\w+\s+)?(?:wrong|incorrect|false|out|unlikely|likely|less|worse|excluded|eliminated)\b)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not|neither|nor|never|than|unlike|except|(?:anything|everything|all|nothing)\s+but|excludes?|eliminates?|rules?\s+out|reject|instead\s+of|rather\s+than)|n't)\s+(?:be\s+|the\s+|option\s+|choice\s+|answer\s+)*[(\[\"']*$",
    re.IGNORECASE,
)
_CONCLUDING = re.compile(
    r"\b(?:so|therefore|thus|hence|answer|correct|choose|pick|select|conclude|conclusion|it\s+is|it's|must\s+be|final\w*)\b",
    re.IGNORECASE,
)
_FILLERS = frozenset(
    {
        *("option", "options", "choice", "choices", "letter", "letters", "answer", "answers"),
        *("the", "and", "or", "both", "either", "vs", "plus"),
    }
)
_LETTERS_ALONE = re.compile(r"(?<![A-Za-z0-9'])[A-Z](?![A-Za-z0-9'])")
_PLURAL = re.compile(r"\W*(?:,|;|/|&|\bor\b|\band\b)\W*[A-Z]\W*\s+(?:are|were|both)\b")


_RIGHT = frozenset(("yes", "true", "correct", "right"))
_VERDICT = re.compile(
    r"(?<!\w)[(\[]?([A-Z])[)\].]?\s*[:=-]+\s*(yes|no|true|false|correct|incorrect|right|wrong)\b",
    re.IGNORECASE,
)
_NEITHER = re.compile(r"\bneither\b[^.;,!?\n]*\bnor\b[^.;,!?\n]*", re.IGNORECASE)


def choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter of the option that a reply chooses; None if it can't be read."""
    text = plain.corrected(text, by_no=not any(_yes_or_no(option) for option in choices.values()))
    if re.search(r"\w", rest := _NEITHER.sub(" ", text)):
        text = rest
    choices = {letter: _IMAGE.sub(" ", option) for letter, option in choices.items()}
    letters = {letter.upper(): letter for letter in choices}
    for read in (_declared, _each, _bare, _leading, _bracketed, _option_named, _lone):
        found = read(text, choices, letters)
        if found is not None:
            return None if found is AMBIGUOUS else found
    return None


def conclusion(text: str) -> str:
    """Return a short free answer without its introduction: the text after the last 'final answer:' or 'answer is', else the
    whole reply."""
    text = plain.plain(text)
    found = list(plain.DECLARING.finditer(text))
    rest = text[found[-1].end() :].split("</answer>")[0].strip(" \n:") if found else ""
    return rest or text.replace("<answer>", "").replace("</answer>", "").strip()


def _declared(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the letter that the text declares."""
    found = []
    for match in _DECLARING.finditer(text):
        rest = text[match.end() : match.end() + plain.FAR]
        if match[0].lower() == "<answer>":
            rest = rest.split("</answer>")[0]
        if not plain.doubted(text, match) and (value := _stated(rest, choices, letters)) is not None:
            found.append((match.start(), match.end(), value))
    for match in _AFTERWARDS.finditer(text):
        letter, before = match["letter"], plain.before(text, match.start())
        # A lower-case letter is a word of the sentence unless it is called an option.
        named = match["named"] or (letter.isupper() and letter != "I" and _LONE_AFTER.search(before))
        if named and letter.upper() in letters and not _DENIED.search(before):
            several = re.search(r"\b[A-Z]\W*(?:,|\band\b|\bor\b)\s*$", before)
            found.append((match.start(), match.end(), AMBIGUOUS if several else letters[letter.upper()]))
    settled = plain.settled(text, found)
    first, *more = text.split("\n", 1)
    if settled in choices and more and not plain.CORRECTION.search(text):
        return settled if _bare(first, choices, letters) in (None, settled) else AMBIGUOUS
    return settled


def _each(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the only option that is called right in a text that judges several one by one ('A: no. B: yes.')."""
    found = _VERDICT.findall(text)
    right = {letter.upper() for letter, word in found if word.lower() in _RIGHT}
    judged = {letter.upper() for letter, _ in found}
    if len(judged) < 2 or len(judged) < len(found) or not judged <= set(letters):
        return None
    return letters[right.pop()] if len(right) == 1 else AMBIGUOUS


def _stated(rest: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the option right after a declaring phrase, by its letter or by its text; AMBIGUOUS for several options, or a
    letter beside the text of another option."""
    if re.match(r"[\s\"'(\[:]*(?:both|either|neither|maybe|perhaps|possibly)\b", rest, re.IGNORECASE):
        return AMBIGUOUS
    found = _LETTER.match(rest)
    if not found:
        return _beginning(rest, choices)
    letter, tail = found["letter"], rest[found.end() :]
    if re.match(r"[)\].\"']*\?", tail):
        return None
    if letter in "aAiI" and _ARTICLE.match(tail):  # 'the answer is a dog'
        return _beginning(rest, choices)
    if letter.upper() not in letters:
        return _beginning(rest, choices)
    line = tail.split("\n")[0]
    listed = set(_LETTERS_ALONE.findall(line)) & set(letters) - {letter.upper()}
    if listed and re.fullmatch(r"(?:[^\w]|\b(?:[A-Z]|and|or|both)\b)*", line):
        return AMBIGUOUS
    other = _ANOTHER.match(tail)
    if (
        other
        and other["letter"].upper() in letters
        and other["letter"].upper() != letter.upper()
        and not other["tail"]
    ):
        return AMBIGUOUS
    beside = _beginning(tail, choices) if re.match(r"[)\].:,\s]*[(\[–—=).:,\]-]", tail) else None
    own = letters[letter.upper()]
    return AMBIGUOUS if beside is not None and beside != own and not _begins(tail, choices[own]) else own


def _begins(text: str, option: str) -> bool:
    """Return whether a text begins with the words of an option."""
    wanted = mentions.words(option)
    return bool(wanted) and mentions.words(text)[: len(wanted)] == wanted


@cache
def _hedges() -> frozenset[str]:
    return frozenset(mentions.words(" ".join(_HEDGES)))


def _beginning(rest: str, choices: dict[str, str]) -> Said:
    """Return the option with whose text the words begin, the longest of several; AMBIGUOUS if another follows after 'or'."""
    rest = rest[:400]
    spoken = mentions.words(rest)
    texts = {letter: mentions.words(option) for letter, option in choices.items()}
    fits = {
        letter: len(option) for letter, option in texts.items() if option and spoken[: len(option)] == option
    }
    longest = [letter for letter, size in fits.items() if size == max(fits.values())]
    if len(longest) != 1:
        return None
    after = spoken[fits[longest[0]] :]
    hedges = len(list(takewhile(_hedges().__contains__, after[1:])))
    starts = range(1, hedges + 2)
    other = any(
        option and after[at : at + len(option)] == option for option in texts.values() for at in starts
    )
    if other and after[:1] in (("or",), ("and",)):
        return AMBIGUOUS
    return longest[0]


def _bare(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the letter that is the whole reply, or its first or last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    found: set[str] = set()
    for part in {text, *lines[-1:], *lines[:1]}:
        words = [word for word in re.findall(r"[^\W_]+", part) if word.lower() not in _FILLERS]
        if words and all(len(word) == 1 and word.upper() in letters for word in words):
            found |= {letters[word.upper()] for word in words}
            found |= {letter for letter, option in choices.items() if option.strip() == part.strip()}
    return None if not found else found.pop() if len(found) == 1 else AMBIGUOUS


def _leading(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the label at the start of a reply ('B. a dog', 'b) a dog', 'B, because …'); AMBIGUOUS if it lists several, or
    if the text of another option follows."""
    first = _LABEL.match(text) or _LEADING.match(text)
    if first is None or (letter := next((one for one in first.groups() if one), "").upper()) not in letters:
        return None
    own, tail, after = letters[letter], text[first.end() :], text[first.end(first.lastindex or 1) :]
    if _WRONG.match(after) or plain.UNSURE.search(plain.sentences(text)[0]):
        return None
    if _begins(tail, choices[own]):
        tail = _after(tail, choices[own])
    elif (beside := _beginning(tail, choices)) is not None and beside != own:
        return AMBIGUOUS
    labels = {"".join(one).upper() for line in tail.splitlines() for one in _LABEL.findall(line[:12])}
    labels |= {"".join(one).upper() for one in _BRACKETED.findall(tail)}
    labels |= {one for one in re.findall(r"(?:^|[\s(])([A-Z])[).:](?=\s|$)", tail) if one != "I"}
    other = _ANOTHER.match(after)
    if other and other["letter"].isupper() and (not other["tail"] or _PLURAL.match(after)):
        labels.add(other["letter"].upper())
    return own if not labels & set(letters) - {letter} else AMBIGUOUS


def _after(tail: str, option: str) -> str:
    """Return the text after an option's text at the start of `tail`."""
    at = tail.lower().find(option.strip().lower())
    return tail[at + len(option.strip()) :] if at >= 0 else ""


def _bracketed(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the only letter in brackets; if there are several, the only one in a concluding last sentence."""
    parts = plain.sentences(text)
    for part in (text, *parts[-1:]):
        if part is not text and not _CONCLUDING.search(part):
            continue
        found = {
            "".join(match.groups(default="")).upper()
            for match in _BRACKETED.finditer(part)
            if not _DENIED.search(plain.before(part, match.start())) and not _WRONG.match(part, match.end())
        } & set(letters)
        if len(found) == 1 and not plain.UNSURE.search(part):
            own = letters[found.pop()]
            return (
                AMBIGUOUS if mentions.named(text, choices) - {own} and not _CONCLUDING.search(part) else own
            )
    return None


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".").lower()


def _option_named(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the option whose text is the reply or its first sentence ('Yes. There is no …'), else the only option that the
    reply says by its text. If all options are numbers, images, or yes and no, the reply is read as one of these."""
    same = [letter for letter, option in choices.items() if _flat(option) == _flat(text)]
    if len(same) == 1:
        return same[0]
    for exact, read in ((_yes_or_no, yes_no), (numbers.exact, numbers.number), (images.exact, images.image)):
        values = {letter: exact(option) for letter, option in choices.items()}
        if None not in values.values() and len(set(values.values())) == len(values) > 1:
            value = read(text)
            return next((letter for letter, one in values.items() if one == value), None)
    if plain.UNSURE.search(text) and not any(plain.UNSURE.search(option) for option in choices.values()):
        return None
    for letter, option in choices.items():
        start = re.match(rf"\W*{re.escape(option.strip())}\s*(?:[.;:!\n]|$)", text, re.IGNORECASE)
        alike = [one for one in choices.values() if mentions.words(one) == mentions.words(option)]
        if start and mentions.words(option) and len(alike) == 1:
            rest = mentions.named(text[start.end() :], choices) - {letter}
            return letter if not rest or len(choices) == 2 else AMBIGUOUS
    if any(numbers.exact(option) is not None for option in choices.values()):
        text = numbers.LABEL.sub(" ☐ ", text)
    named = mentions.named(text, choices)
    head = _REASON.split(plain.sentences(text)[0], maxsplit=1)[0] if len(named) > 1 else ""
    if len(named) > 1 and len(mentions.named(head, choices)) == 1 and len(plain.sentences(text)) == 1:
        named = mentions.named(head, choices)
    label = re.match(r"\W*([B-HJ-Z])(?![\w'])", text)
    if len(named) != 1 or (label and label[1] in letters and letters[label[1]] not in named):
        return AMBIGUOUS if named else None
    return named.pop()


def _yes_or_no(option: str) -> str | None:
    word = _flat(option)
    return word if word in ("yes", "no") else None


def _lone(text: str, choices: dict[str, str], letters: dict[str, str]) -> Said:
    """Return the only upper-case letter that is a word, is neither an article nor a pronoun, and is not denied."""
    found: set[str] = set()
    others: set[str] = set()
    denied, end = False, 0
    for match in _LONE.finditer(text):
        letter, before, after = (
            match[1],
            plain.before(text, match.start()),
            text[match.end() : match.end() + plain.REACH],
        )
        listed = denied and re.fullmatch(
            r"[\s)\]\"']*(?:,|,?\s*(?:and|or|nor))\s*[(\[\"']*", text[end : match.start()]
        )
        if letter not in letters or (letter in "AI" and _ARTICLE.match(after)):
            continue
        denied, end = bool(listed or _DENIED.search(before) or _WRONG.match(after)), match.end()
        if not denied:
            (found if _LONE_AFTER.search(before) or not before.strip() else others).add(letter)
    if len(found) != 1 or others - found or plain.UNSURE.search(text):
        return None
    return letters[found.pop()]
