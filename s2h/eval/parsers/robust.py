"""Our own reading of a reply: only valid options count, the last explicit declaration wins, then a bare or bracketed
letter in any case, then an option's text where it is the only one said, then a lone upper-case letter. Nothing is ever
guessed: where the evidence points to several options the answer is unread."""

from __future__ import annotations

import re

from s2h.language.answers import normalise

AMBIGUOUS = ""  # a declaration of several options at once
_THOUGHT = re.compile(r"^.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_DRESS = r"[\s*_\"'`“”‘’:=(\[{$]*"  # what may stand between a declaring phrase and the letter
_NAMED = r"(?:(?:the\s+)?(?:option|choice|letter|answer)\b)?"
_DECLARING = re.compile(
    r"<answer>|\\boxed\s*\{(?:\\text(?:bf)?\s*\{)?"
    r"|\b(?:answer|solution|conclusion|(?:correct|right|best|final|my|chosen|selected)\s+(?:option|choice|letter|one))"
    r"(?:\s+to\s+(?:the|this)\s+question)?"
    r"(?:\s+(?:is|was|would\s+be|should\s+be|must\s+be|will\s+be)\b|\s*[:=：→]|\*\*\s*:?|\s+-+>?)"
    r"|\b(?:i|we)(?:['’](?:d|ll|m)|\s+(?:would|will|shall|am))?\s+(?:choose|choosing|select|selecting|pick|picking"
    r"|go(?:ing)?\s+(?:with|for)|opt(?:ing)?\s+for)\b"
    r"|\b(?:so|therefore|thus|hence)\b[,:]?(?:\s+(?:it\s+is|it['’]s|it\s+must\s+be))?(?=\s*[(\[*]*[A-Z][)\]*.]*\s*$)"
    r"|\b(?:it\s+is|it['’]s|it\s+must\s+be)(?=\s+(?:option\s+|choice\s+)?[(\[*]*[A-Z][)\]*]*(?:[.,;!]|\s*$))"
    r"|\banswer(?=\s+[(\[*]*[A-Z]\b)"
    r"|答案(?:是|为|[:：])|选择?|정답은|答えは",
    re.IGNORECASE,
)
_LETTER = re.compile(
    rf"{_DRESS}{_NAMED}{_DRESS}(?P<letter>[A-Za-z])(?![A-Za-z0-9]|['’]\w|-\w|\.\w)", re.IGNORECASE
)
_ANOTHER = re.compile(
    rf"[\s)\]}}*.\"'`]*(?:,|/|&|\bor\b|\band\b)+\s*{_NAMED}{_DRESS}(?P<letter>[A-Za-z])(?![A-Za-z0-9]|['’]\w)"
    r"(?P<tail>\s+[a-z])?",
    re.IGNORECASE,
)
_AFTERWARDS = re.compile(
    r"(?:\b(?P<named>option|choice|answer)\s+)?(?<![\w'’])[(\[*\"]*(?P<letter>[A-Za-z])[)\]*\".]*"
    r"\s+(?:is|seems|looks|appears)(?:\s+to\s+be)?\s+(?:(?:the|clearly|most\s+likely|likely|obviously)\s+)*"
    r"(?:correct|right|best|answer|true)\b",
    re.IGNORECASE,
)
_CONNECTIVES = r"(?:because|since|as|for|due|is|and|or|based|with)\b"
_ARTICLE = re.compile(rf"\s+(?!{_CONNECTIVES})[A-Za-z]", re.IGNORECASE)
_BARE = re.compile(rf"\W*{_NAMED}\W*([A-Za-z])\W*", re.IGNORECASE)
_LABEL = re.compile(
    r"\W*?(?:(?:option|choice|answer)\W+)?[(\[*]*([A-Za-z])\s*[)\].:*]+(?=\s|$)", re.IGNORECASE
)
_LEADING = re.compile(rf"[\s*\"']*([A-Z])(?:\s*[,;–—]|\s+-|\s+{_CONNECTIVES})")
_BRACKETED = re.compile(
    r"(?<!\w)(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|\*\*\s*([A-Za-z])[.):]?\s*\*\*)"
)
_LONE = re.compile(r"(?<![\w'’&-])([A-Z])(?![\w'’&-])")
_IMAGE = re.compile(r"<image[^>]*>", re.IGNORECASE)  # an option that is an image has no text
_NEGATED = ("not", "t", "never", "neither", "nor")  # 't' is what is left of isn't
_NO_ANSWER = re.compile(
    r"\bno\s+(?:idea|doubt|way\s+(?:to|of)|problem|question)\b|\byes\s*(?:and|or|/)\s*no\b|\bno\s*(?:and|or|/)\s*yes\b",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"(?:<answer>|\\boxed\s*\{(?:\\text\s*\{)?|\banswer(?:\s+(?:is|would\s+be|should\s+be)|\s*[:=]))"
    r"[\s*_\"'`:(\[]*(yes|no)\b",
    re.IGNORECASE,
)


def choice(text: str, choices: dict[str, str]) -> str | None:
    """The letter of an option, or None."""
    text = _THOUGHT.sub("", text).strip()
    choices = {letter: _IMAGE.sub(" ", option) for letter, option in choices.items()}
    letters = {letter.upper(): letter for letter in choices}
    declared = _declared(text, choices, letters)
    if declared is not None:
        return declared or None
    for read in (_bare, _leading, _bracketed):
        if (letter := read(text, letters)) is not None:
            return letter
    if (letter := _said(text, choices)) is not None:
        return letter
    return _lone(text, letters)


def yes_no(text: str) -> str | None:
    """The last declared of yes and no, else the first word of the reply or of its last line, else the only one of the two
    that stands in it."""
    text = _NO_ANSWER.sub("", _THOUGHT.sub("", text))
    if declared := _SAID.findall(text):
        return declared[-1].lower()
    lines = [re.findall(r"[a-z]+", line.lower()) for line in text.splitlines() if line.strip()]
    for words in (lines[0], lines[-1]) if lines else ():
        if words[:1] in (["yes"], ["no"]):
            return words[0]
    said = {word for words in lines for word in words if word in ("yes", "no")}
    return said.pop() if len(said) == 1 else None


def conclusion(text: str) -> str:
    """A short free answer without what leads up to it: what follows the last 'final answer:' or 'answer is', else all."""
    text = _THOUGHT.sub("", text)
    found = list(re.finditer(r"\bfinal answer\s*[:=]|\banswer\s*(?:is\b|[:=])|<answer>", text, re.IGNORECASE))
    return (
        re.sub(r"</answer>.*", "", text[found[-1].end() :], flags=re.DOTALL).strip()
        if found
        else text.strip()
    )


def _declared(text: str, choices: dict[str, str], letters: dict[str, str]) -> str | None:
    """What the last declaration says: a letter, AMBIGUOUS, or None where there is none."""
    found = [
        (match.end(), _stated(text[match.end() :], choices, letters)) for match in _DECLARING.finditer(text)
    ]
    for match in _AFTERWARDS.finditer(text):
        letter = match["letter"]
        # A lower-case letter is a word of the sentence unless it is called an option.
        if (letter.isupper() and letter != "I") or match["named"]:
            found.append((match.start("letter"), letters.get(letter.upper())))
    known = [(at, letter) for at, letter in found if letter is not None]
    return max(known, key=lambda one: one[0])[1] if known else None


def _stated(rest: str, choices: dict[str, str], letters: dict[str, str]) -> str | None:
    """The option that stands right after a declaring phrase, by its letter or by its text."""
    found = _LETTER.match(rest)
    if not found:
        return _beginning(rest, choices)
    letter, tail = found["letter"], rest[found.end() :]
    if letter in "aAiI" and _ARTICLE.match(tail):  # 'the answer is a dog'
        by_text = _beginning(rest, choices)
        if by_text is not None or letter.islower():
            return by_text
    other = _ANOTHER.match(tail)
    if other and other["letter"].upper() in letters and other["letter"].upper() != letter.upper():
        listed = other["letter"].isupper() and not other["tail"]
        if listed or not other["tail"]:
            return AMBIGUOUS
    return letters.get(letter.upper())


def _beginning(rest: str, choices: dict[str, str]) -> str | None:
    """The option whose text the words begin with; of several the longest."""
    words = normalise(rest[:400])
    texts = {letter: normalise(option) for letter, option in choices.items()}
    fits = [letter for letter, option in texts.items() if option and words[: len(option)] == option]
    if not fits:
        return None
    longest = max(len(texts[letter]) for letter in fits)
    fits = [letter for letter in fits if len(texts[letter]) == longest]
    return fits[0] if len(fits) == 1 else None


def _bare(text: str, letters: dict[str, str]) -> str | None:
    """A reply, or its last or first line, that is nothing but a letter."""
    lines = [line for line in text.splitlines() if line.strip()]
    for part in (text, *lines[-1:], *lines[:1]):
        found = _BARE.fullmatch(part)
        if found and found[1].upper() in letters:
            return letters[found[1].upper()]
    return None


def _leading(text: str, letters: dict[str, str]) -> str | None:
    """The label that a reply begins with ('B. a dog', 'b) a dog', 'B, because …'), unless its lines list several."""
    labels = [found[1].upper() for line in text.splitlines() if (found := _LABEL.match(line))]
    labels = [label for label in labels if label in letters]
    first = _LABEL.match(text) or _LEADING.match(text)
    if first and _BRACKETED.match(text):
        labels += {"".join(groups).upper() for groups in _BRACKETED.findall(text)} & set(letters)
    if first and first[1].upper() in letters and len(set(labels) | {first[1].upper()}) == 1:
        return letters[first[1].upper()]
    return None


def _bracketed(text: str, letters: dict[str, str]) -> str | None:
    """The only letter in brackets or bold type; of several the one that the last sentence has alone."""
    for part in (text, re.split(r"(?<=[.!?\n])\s+", text)[-1]):
        found = {"".join(groups).upper() for groups in _BRACKETED.findall(part)} & set(letters)
        if len(found) == 1:
            return letters[found.pop()]
    return None


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".").lower()


def _said(text: str, choices: dict[str, str]) -> str | None:
    """The option that the reply begins with and stops at ('Yes. There is no …'), else the only one that it says."""
    same = [letter for letter, option in choices.items() if _flat(option) == _flat(text)]
    if len(same) == 1:
        return same[0]
    for letter, option in choices.items():
        start = re.match(rf"\W*{re.escape(option.strip())}\s*(?:[.;:!\n]|$)", text, re.IGNORECASE)
        if (
            start
            and normalise(option)
            and sum(normalise(o) == normalise(option) for o in choices.values()) == 1
        ):
            return letter
    words = normalise(text)
    texts = {letter: normalise(option) for letter, option in choices.items()}
    taken = [False] * len(words)
    found = set()
    for option in sorted(texts.values(), key=len, reverse=True):
        for at in range(len(words) - len(option) + 1) if option else ():
            span = slice(at, at + len(option))
            if words[span] == option and not any(taken[span]):
                taken[span] = [True] * len(option)
                if at == 0 or words[at - 1] not in _NEGATED:
                    found.add(option)
    named = [letter for letter, option in texts.items() if option in found]
    return named[0] if len(named) == 1 else None


def _lone(text: str, letters: dict[str, str]) -> str | None:
    """The only upper-case letter that stands as a word and is neither an article nor a pronoun nor denied."""
    found = set()
    for match in _LONE.finditer(text):
        letter, before, after = match[1], text[: match.start()].lower(), text[match.end() :]
        article = letter in "AI" and _ARTICLE.match(after)
        if letter in letters and not article and not re.search(r"(?:\bnot|n['’]t)\s+(?:option\s+)?$", before):
            found.add(letter)
    return letters[found.pop()] if len(found) == 1 else None
