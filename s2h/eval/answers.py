"""Reading an answer out of free text: choices and yes/no by the parser that is asked for (s2h.eval.parsers), numbers,
images, orders, words and captions in one way. A value counts only where it stands as whole words, and nothing is ever
guessed; what can't be read is None and its share is reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from string import ascii_uppercase

from s2h.eval.benches import names
from s2h.eval.parsers import lmms, official, robust, vlmevalkit
from s2h.language.answers import normalise, values_said
from s2h.record import RecordError, fail

TYPES = ("number", "yes/no", "image", "order", "word", "caption", "choice")
SHORT = 12  # words of a free answer that is still one
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


def number(text: str) -> int | None:
    """The last whole number said, as digits or as a word."""
    found = _NUMBER.findall(text)
    if not found:
        return None
    last = found[-1].lower()
    return _NUMBERS.index(last) if last in _NUMBERS else int(last)


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


def read(line: dict, parser: str = "robust") -> tuple[object, bool | None]:
    """(parsed, correct) of a prediction line: `response` against `answer` by its `answer_type`; without one it is a choice
    where the line has `choices`, yes/no where the answer is that, else words. The parser (`parsers.NAMES`) decides about
    choices and yes/no, `official` about short answers too; all else is read in one way only. correct is None where the
    answer is unknown (a hidden test split). Raises RecordError for an answer that is none of the choices."""
    response, answer = str(line.get("response") or ""), line.get("answer")
    kind = line.get("answer_type") or _type_of(line)
    if kind == "caption":
        return _caption(response, line)
    if kind == "word":
        return _word(response, line, parser)
    if kind == "choice":
        parsed: object = _chosen(response, line, parser)
        answer = None if answer is None else key(line)
    elif kind == "yes/no":
        parsed = _yes_no(response, parser)
        answer = answer.strip().lower() if isinstance(answer, str) else answer
    else:
        readers: dict[str, Callable[[str], object]] = {"number": number, "image": image, "order": order}
        parsed = readers[kind](response)
    return parsed, None if answer is None else parsed == answer


def rescore(
    lines: Iterable[dict], parser: str = "robust", *, on_error: Callable[[Exception], None] = fail
) -> Iterator[dict]:
    """Prediction lines with `parsed` and `correct` made anew from `response`; needs id, bench, answer and response. Lines
    scored by likelihood have no reply to read and stay as they are."""
    for line in lines:
        where = getattr(line, "where", "")
        made = line.copy()
        try:
            for name in ("id", "bench", "answer", "response"):
                if name not in line:
                    raise RecordError(
                        "missing", name, where, "a prediction has id, bench, answer and response"
                    )
            if line.get("answer_type", "choice") not in TYPES:
                raise RecordError(
                    f"unknown: {line['answer_type']!r}", "answer_type", where, f"one of {', '.join(TYPES)}"
                )
            if not isinstance(line.get("choices") or {}, dict | list):
                raise RecordError("must be an object of letters or a list", "choices", where)
            if line.get("scoring") != "likelihood":
                made["parsed"], made["correct"] = read(made, parser)
                made["parser"] = parser
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
            continue
        yield made


def key(line: dict) -> str:
    """The letter of the right answer, where the line has it as a letter, bracketed or not, as a label before the option's
    text, or as that text. Raises RecordError."""
    choices, answer = options(line), str(line["answer"]).strip()
    label = re.match(r"\(?(\w+)[).:]\s", answer)
    for letter in (answer, answer.strip("(). "), answer.strip("(). ").upper(), label[1] if label else ""):
        if letter in choices:
            return letter
    same = [letter for letter, option in choices.items() if normalise(str(option)) == normalise(answer)]
    if len(same) != 1:
        raise RecordError(
            f"is none of the choices: {answer[:60]!r} of {', '.join(choices)}",
            "answer",
            getattr(line, "where", ""),
        )
    return same[0]


def options(line: dict) -> dict[str, str]:
    """The choices by letter; a list has the letters from A on."""
    choices = line["choices"]
    lettered = choices.items() if isinstance(choices, dict) else zip(ascii_uppercase, choices, strict=False)
    return {letter: str(option) for letter, option in lettered}


def _chosen(response: str, line: dict, parser: str) -> str | None:
    choices = options(line)
    bench = names.plain(line.get("bench"))
    if parser == "vlmevalkit":
        return vlmevalkit.choice(response, choices)
    if parser == "lmms":
        return lmms.choice(response, choices, bench)
    if parser == "official" and bench in official.READERS:
        return official.choice(response, choices, bench)
    return robust.choice(response, choices)


def _yes_no(response: str, parser: str) -> str | None:
    reader = {"vlmevalkit": vlmevalkit, "lmms": lmms, "official": official}.get(parser, robust)
    return reader.yes_no(response)


def _word(response: str, line: dict, parser: str) -> tuple[object, bool | None]:
    """A short free answer: one of the candidates where the line names some, else right where it says the answer (or one of
    several right ones) as whole words in its conclusion; any other conclusion is read as it stands if it is short."""
    answer, bench = line.get("answer"), names.plain(line.get("bench"))
    if parser == "official" and bench in ("mantis", "mirb") and answer is not None:
        return official.word(response, str(answer), bench, str(line.get("category")))
    if line.get("candidates"):
        said = values_said(response, line["candidates"])
        parsed = said[0] if len(said) == 1 else None
        return parsed, None if answer is None else parsed == answer
    told = robust.conclusion(response)
    answers = [str(one) for one in (answer if isinstance(answer, list) else [answer])]
    said = values_said(told, answers) if answer is not None else []
    if said:
        return said[0], True
    return (told if 0 < len(told.split()) <= SHORT else None), None if answer is None else False


def _type_of(line: dict) -> str:
    if line.get("choices"):
        return "choice"
    answer = line.get("answer")
    if names.plain(line.get("bench")) == "pope" or (
        isinstance(answer, str) and answer.lower() in ("yes", "no")
    ):
        return "yes/no"
    return "number" if type(answer) is int else "word"


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
