"""Parse questions with lettered options as in LLaVA-665k: the question, a line for each option ("A. white"), and a closing
line ("Answer with the option's letter from the given choices directly."). Options on the question's line are recognised
too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_uppercase

from s2h.language import short_answers

_OPTION = re.compile(r"\s*\(?([A-Z])[.):]\)?\s+(\S.*?)\s*")
_INLINE = re.compile(r"(?:(?<=\s)|^)\(?([A-Z])[.)]\)?\s+")
_CLOSING = re.compile(
    r"\s*(?:please\s+)?(?:answer|respond|reply|provide|give|choose|select|pick)\b.*", re.IGNORECASE
)
_LETTER = re.compile(r"\b(?:option|choice|answer)(?:['’]s)?\s+letter|letter of the", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:above|below|both|neither|all of|none of|all the|options?|choices?)\b|\b[A-H]\s*(?:and|or|&|,)\s*[A-H]\b",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"<image[^>]*>", re.IGNORECASE)
# A question that numbers images itself; the prompt's own numbers would contradict it.
_NUMBERS_IMAGES = re.compile(
    r"\b(?:images?|pictures?|photos?|photographs?)\s*(?:#|no\.?|number)?\s*(?:\d+|[A-D]|one|two|three|four)\b"
    r"|\b(?:first|second|third|fourth|fifth|last|next|previous|other|two|three|four|both|these|those|all)\s+"
    r"(?:of\s+the\s+)?(?:images?|pictures?|photos?|photographs?)\b",
)


@dataclass(frozen=True)
class ParsedQuestion:
    """The parts of a question. stem: the question itself. options: their texts. closing: the sentence that says how to
    answer."""

    stem: str
    options: tuple[str, ...] = ()
    closing: str = ""

    def text(self) -> str:
        return "\n".join([self.stem, *lettered(self.options), *([self.closing] if self.closing else [])])

    def index_of(self, answer: str) -> int | None:
        """Return the index of the option that an answer names by its letter ("B", "(B)", "B. red") or by its text; None if
        it names none."""
        letters = ascii_uppercase[: len(self.options)]
        if match := re.fullmatch(r"\W*(?:option\s+|answer:?\s+)?\(?([A-Za-z])\)?\W*", answer, re.IGNORECASE):
            at = letters.find(match[1].upper())
            return at if at >= 0 else None
        match = re.match(r"\(?([A-Z])[).:]\)?\s+(\S.*)", answer)
        text = match[2] if match else answer
        same = [at for at, option in enumerate(self.options) if short_answers.same(option, text)]
        if len(same) != 1 or (match and letters.find(match[1]) != same[0]):
            return None
        return same[0]


def lettered(options: tuple[str, ...] | list[str]) -> list[str]:
    """Return the lines of options: "A. white"."""
    return [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]


def parse(question: str) -> ParsedQuestion:
    """Return the parts of a question. The stem of a question without options is put on one line."""
    lines = [line.strip() for line in _IMAGE.sub(" ", question).splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if _letter_of(line) == "A" and i), None)
    if at is not None:
        end = at
        while end < len(lines) and _letter_of(lines[end]) == ascii_uppercase[min(end - at, 25)]:
            end += 1
        if end - at > 1:
            texts = tuple(_spaced(match[2]) for match in map(_OPTION.fullmatch, lines[at:end]) if match)
            return ParsedQuestion("\n".join(map(_spaced, lines[:at])), texts, _spaced(" ".join(lines[end:])))
    if _LETTER.search(question) and (found := _inline(_spaced(" ".join(lines)))):
        return found
    closing: list[str] = []
    while len(lines) > 1 and _CLOSING.fullmatch(lines[-1]):
        closing.insert(0, lines.pop())
    return ParsedQuestion(_spaced(" ".join(lines)), (), _spaced(" ".join(closing)))


def _inline(text: str) -> ParsedQuestion | None:
    """Parse options that follow the question on its own line: "What color? A. red B. blue Answer with ..."."""
    marks: list[re.Match[str]] = []
    wanted = 0
    for mark in _INLINE.finditer(text):
        if mark[1] == ascii_uppercase[min(wanted, 25)]:
            marks.append(mark)
            wanted += 1
    if len(marks) < 2 or not marks[0].start():
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    texts = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    closing = ""
    if match := re.search(
        r"(?<=\S)\s+((?:please\s+)?(?:answer|choose|select|pick)\b.*)$", texts[-1], re.IGNORECASE
    ):
        closing, texts[-1] = match[1], texts[-1][: match.start()]
    return ParsedQuestion(text[: marks[0].start()].strip(), tuple(texts), closing)


def wants_letter(question: str) -> bool:
    """Tell whether a question asks for the letter of an option."""
    return bool(_LETTER.search(question))


def why_not(parsed: ParsedQuestion, answer: str) -> str:
    """Return the reason why a question with its answer can't be used, "" if it can. Options are shuffled, so none of them
    may refer to another, and no two may mean the same."""
    if _NUMBERS_IMAGES.search(parsed.stem):
        return "a question that numbers images"
    if not parsed.options:
        return "a letter question without options" if wants_letter(parsed.closing) else ""
    if any(_REFERS.search(option) for option in parsed.options):
        return "options that name one another"
    keys = [short_answers.key(option) for option in parsed.options]
    if len(set(keys)) < len(keys) or not all(keys):
        return "options that say the same"
    if parsed.index_of(answer) is None:
        return "an answer that is none of the options"
    return ""


def _letter_of(line: str) -> str:
    match = _OPTION.fullmatch(line)
    return match[1] if match else ""


def _spaced(text: str) -> str:
    return " ".join(text.split())
