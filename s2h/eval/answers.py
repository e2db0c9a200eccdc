"""Reading an answer out of free text. The parser `robust`: the last explicit declaration wins, a value counts only where it
stands as whole words, and nothing is ever guessed; what can't be read is None and its share is reported."""

from __future__ import annotations

import re
from collections.abc import Callable

from s2h.answers import normalise, values_said

TYPES = ("number", "yes/no", "image", "order", "word", "caption", "choice")
_NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?![\w])(?!\.\d)|\b(?:" + "|".join(_NUMBERS) + r")\b", re.IGNORECASE)
_IMAGE = re.compile(r"\b(?:image|picture|photo)\s*(?:number\s*|no\.?\s*|#\s*)?(\d+|[a-z]+)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"\bimages?\s*(?:number\s*|no\.?\s*|#\s*)?(\d+)", re.IGNORECASE)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL = re.compile(r"\b(" + "|".join(_ORDINALS) + r")\s+(?:image|picture|photo|one)\b", re.IGNORECASE)
_NONE = re.compile(
    r"\b(?:none of (?:the|these)|no (?:such )?(?:image|picture|photo)s?|not? in any)\b", re.IGNORECASE
)
_LETTER = re.compile(
    r"\(([A-Za-z])\)|\b(?:answer|option|choice)(?:\s+is)?\s*:?\s*\(?([A-Za-z])\b", re.IGNORECASE
)


def number(text: str) -> int | None:
    """The last whole number said, as digits or as a word."""
    found = _NUMBER.findall(text)
    if not found:
        return None
    last = found[-1].lower()
    return _NUMBERS.index(last) if last in _NUMBERS else int(last)


def yes_no(text: str) -> str | None:
    """The first word where it is yes or no, else the only one of the two that stands in the text."""
    words = re.findall(r"[a-z]+", text.lower())
    if words[:1] in (["yes"], ["no"]):
        return words[0]
    said = {word for word in words if word in ("yes", "no")}
    return said.pop() if len(said) == 1 else None


def image(text: str) -> int | str | None:
    """The 1-based index of the image named last ('Image 3', 'the third image'), or a bare number; 'none' where the last
    word is that there is no such image."""
    found: list[tuple[int, int | str]] = [(match.start(), "none") for match in _NONE.finditer(text)]
    for match in _IMAGE.finditer(text):
        word = match[1].lower()
        if word.isdigit():
            found.append((match.start(), int(word)))
        elif word in _NUMBERS:
            found.append((match.start(), _NUMBERS.index(word)))
    found += [(match.start(), _ORDINALS.index(match[1].lower()) + 1) for match in _ORDINAL.finditer(text)]
    if found:
        return max(found, key=lambda at: at[0])[1]
    words = normalise(text)
    if len(words) == 1:
        if words[0].isdigit():
            return int(words[0])
        if words[0] in _ORDINALS:
            return _ORDINALS.index(words[0]) + 1
    return None


def order(text: str) -> list[int] | None:
    """The images of the last sentence that names several, in the order in which they are named; or bare numbers."""
    for sentence in reversed(re.split(r"[.\n]\s*(?=\S)", text.strip())):
        named = [int(number) for number in _NUMBERED.findall(sentence)] or [
            int(number) for number in re.findall(r"\d+", sentence)
        ]
        if len(named) > 1:
            return named
    return None


def choice(text: str, choices: dict[str, str]) -> str | None:
    """The letter of an option: the last declared one, a bare letter, or the only option whose text is said."""
    letters = {letter.upper(): letter for letter in choices}
    declared = [(a or b).upper() for a, b in _LETTER.findall(text)]
    declared = [letters[letter] for letter in declared if letter in letters]
    if declared:
        return declared[-1]
    bare = re.fullmatch(r"\W*([A-Za-z])\W*(?:[.):].*)?", text.strip(), re.DOTALL)
    if bare and bare[1].upper() in letters:
        return letters[bare[1].upper()]
    said = values_said(text, choices.values())
    if len(said) == 1:
        return next(letter for letter, option in choices.items() if option == said[0])
    return None


def read(line: dict) -> tuple[object, bool | None]:
    """(parsed, correct) of a prediction line: `response` against `answer` by its `answer_type`; without one it is a choice
    where the line has `choices`, yes/no where the answer is that, else words. correct is None where the answer is unknown
    (a hidden test split)."""
    response, answer = str(line.get("response") or ""), line.get("answer")
    kind = line.get("answer_type") or _type_of(line)
    if kind == "caption":
        return _caption(response, line)
    if kind == "word":
        candidates = line.get("candidates") or [str(answer)]
        said = values_said(response, candidates)
        parsed: object = said[0] if len(said) == 1 else None
    elif kind == "choice":
        parsed = choice(response, line["choices"])
        if answer not in line["choices"] and answer is not None:
            answer = choice(str(answer), line["choices"])
    else:
        readers: dict[str, Callable[[str], object]] = {
            "number": number,
            "yes/no": yes_no,
            "image": image,
            "order": order,
        }
        parsed = readers[kind](response)
        if kind == "yes/no":
            answer = answer.lower() if isinstance(answer, str) else answer
    return parsed, None if answer is None else parsed == answer


def _type_of(line: dict) -> str:
    if line.get("choices"):
        return "choice"
    answer = line.get("answer")
    if isinstance(answer, str) and answer.lower() in ("yes", "no"):
        return "yes/no"
    return "number" if isinstance(answer, int) else "word"


_LOOK = re.compile(r"image \d+(?: shows\b|:).*?(?:\.(?=\s|$)|$)", re.IGNORECASE)


def caption(text: str) -> str | None:
    """What is said apart from the working: lines that begin as 'Image 2 shows …' are left out, and of a single line the
    leading sentences of that kind. A lone such sentence is the caption itself; several and nothing else are none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if plain := [line for line in lines if not _LOOK.match(line)]:
        return " ".join(plain)
    if len(lines) != 1:
        return None
    rest, looks = lines[0], 0
    while look := _LOOK.match(rest):
        rest, looks = rest[look.end() :].lstrip(), looks + 1
    return rest or (lines[0] if looks == 1 else None)


def _caption(response: str, line: dict) -> tuple[object, bool | None]:
    """A caption is right when everything that it says is true of the target and it says something; without labels, when it
    has the answer's words. Of an answer that tells its working only the conclusion counts."""
    parsed, labels, answer = caption(response), line.get("target_labels"), line.get("answer")
    if answer == "none" or (parsed is not None and _NONE.search(parsed)):  # that no image shows it
        said = "none" if _NONE.search(response) else parsed
        return said, None if answer is None else said == answer
    if labels:
        from s2h.sources.builtin.words import holds

        return parsed, parsed is not None and holds(parsed, labels)
    if answer is None:
        return parsed, None
    return parsed, parsed is not None and normalise(parsed) == normalise(str(answer))
