"""Normalise the right answer (gold label) of a question: 'Yes.', true and 'y' become yes, the text '7' the number 7, and
'(B)' and the text of option B the letter B. The readers of benchmarks and `--score` call `read`. An answer that can't be
read is an error; the reply is not counted as wrong."""

from __future__ import annotations

import math
import re
from string import ascii_uppercase
from typing import Any

from s2h.eval import answer_types, benches
from s2h.language.normalisation import normalise
from s2h.record import RecordError, where_of

YES_NO = {"yes": "yes", "y": "yes", "true": "yes", "no": "no", "n": "no", "false": "no"}
_NONE = ("none", "no image", "none of them", "none of the images")
_REMEDY = {
    "yes/no": 'write "yes" or "no"',
    "number": "write a number",
    "image": 'write the number of the image, from 1, or "none"',
    "order": "write a list of the images' numbers",
    "choice": "write the letter of the right option",
    "word": "write a text or a list of texts",
    "caption": "write a text",
}


def read(line: dict, kind: str | None = None) -> Any:
    """Return the normalised answer of a question or prediction: None if it is hidden (null or empty), 'yes' or 'no', a
    number, the 1-based number of an image or 'none', a list of such numbers, a letter of `choices`, a text, or a list of
    right texts. An answer of a task's own type is returned unchanged. kind: the answer's type, by default `kind_of(line)`.

    Raises RecordError with the field `answer`, or `choices` if a line of type choice has none, the line's place if it is
    known, and a remedy.
    """
    answer = line.get("answer")
    if hidden(answer):
        return None
    kind = kind or kind_of(line)
    if kind == "choice":
        return key(line)
    if kind not in answer_types.TYPES:
        return answer
    readers = {
        "yes/no": _yes_no,
        "number": _number,
        "image": _image,
        "order": _order,
        "word": _word,
        "caption": _word,
    }
    found = readers[kind](answer)
    if found is None or (kind == "caption" and not isinstance(found, str)):
        shown = f"{answer!r}"
        raise RecordError(
            f"can't be read as {kind}: {shown if len(shown) < 64 else shown[:60] + ' …'}", "answer",
            where_of(line), _REMEDY[kind],
        )  # fmt: skip
    return found


def check_bench(line: dict) -> None:
    """Raise RecordError for an answer that is not of the type that all answers of its benchmark have: the benchmark's scores
    could not count it, whatever `answer_type` says."""
    bench = benches.named(line.get("bench"))
    if bench and bench.answer_type:
        read(line, bench.answer_type)


def hidden(answer: Any) -> bool:
    """Return whether an answer is not public: null, NaN, or empty."""
    if isinstance(answer, list):
        return all(map(hidden, answer))
    return answer is None or (isinstance(answer, str) and not answer.strip()) or answer != answer


def kind_of(line: dict) -> str:
    """Return the type of the answer: `answer_type`; else choice if the line has choices; else the type of all answers of its
    benchmark, if it has one; else the type that the answer shows: yes/no, number or word."""
    if line.get("answer_type"):
        return line["answer_type"]
    answer = line.get("answer")
    if line.get("choices"):
        return "choice"
    bench = benches.named(line.get("bench"))
    if bench and bench.answer_type:
        return bench.answer_type
    if isinstance(answer, bool):
        return "yes/no"
    if isinstance(answer, str) and _word_of(answer) in ("yes", "no", "y", "n"):
        return "yes/no"
    return "number" if isinstance(answer, int | float) else "word"


def key(line: dict) -> str:
    """Return the letter of the right option. The line may have the letter (with or without brackets), the letter before the
    option's text, or the text alone. Raises RecordError."""
    choices, answer = options(line), str(line["answer"]).strip()
    label = re.match(r"\(?(\w+)[).:]\s", answer)
    for letter in (answer, answer.strip("(). "), answer.strip("(). ").upper(), label[1] if label else ""):
        if letter in choices:
            return letter
    same = [letter for letter, option in choices.items() if option.strip() == answer]
    if len(same) != 1:
        same = [letter for letter, option in choices.items() if normalise(option) == normalise(answer)]
    if len(same) != 1 and (verdict := YES_NO.get(_word_of(answer))):
        same = [letter for letter, option in choices.items() if YES_NO.get(_word_of(option)) == verdict]
    if len(same) != 1:
        raise RecordError(
            f"is none of the choices: {answer[:60]!r} of {', '.join(choices)}", "answer",
            where_of(line), _REMEDY["choice"],
        )  # fmt: skip
    return same[0]


def options(line: dict) -> dict[str, str]:
    """Return the choices by letter. The items of a list get the letters from A on. Raises RecordError if there are none."""
    choices = line.get("choices")
    if not choices:
        raise RecordError("is missing", "choices", where_of(line), "add an object of letters or a list")
    lettered = choices.items() if isinstance(choices, dict) else zip(ascii_uppercase, choices, strict=False)
    return {letter: str(option) for letter, option in lettered}


def _word_of(text: str) -> str:
    return text.strip().strip("\"'()[]*_`.!,").strip().lower()


def _yes_no(answer: Any) -> str | None:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return YES_NO.get(_word_of(answer)) if isinstance(answer, str) else None


def _number(answer: Any) -> int | float | None:
    from s2h.parsers import numbers

    if isinstance(answer, bool):
        return None
    if isinstance(answer, int):
        return answer
    if isinstance(answer, float):
        return (int(answer) if answer.is_integer() else answer) if math.isfinite(answer) else None
    return numbers.exact(answer) if isinstance(answer, str) else None


def _image(answer: Any) -> int | str | None:
    from s2h.parsers import images

    if isinstance(answer, str):
        if _word_of(answer) in _NONE:
            return "none"
        answer = images.exact(answer)
    number = _number(answer)
    return number if type(number) is int and number > 0 else None


def _order(answer: Any) -> list[int] | None:
    from s2h.parsers import images

    if isinstance(answer, str):
        return images.order(answer)
    if not isinstance(answer, list) or not answer:
        return None
    found = [_image(one) for one in answer]
    numbers = [one for one in found if isinstance(one, int)]
    return numbers if len(numbers) == len(found) else None


def _word(answer: Any) -> str | list[str] | None:
    if isinstance(answer, list):
        found = [_word(one) for one in answer if not hidden(one)]
        texts = [one for one in found if isinstance(one, str)]
        return texts if len(texts) == len(found) else None
    if isinstance(answer, bool):
        return str(answer).lower()
    return str(answer) if isinstance(answer, str | int | float) else None
