"""Bring the question of a row to the form that all benchmarks share: a prediction line that lacks its response, and the
messages of its prompt."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from string import ascii_letters, ascii_uppercase
from typing import Any

from s2h.eval import gold, predictions
from s2h.eval.benches import CheckedQuestion, Line, Question
from s2h.eval.questions import Settings, styles
from s2h.images.references import anchored
from s2h.images.store import Store
from s2h.record import Record, RecordError
from s2h.streams import jsonl

# Texts that stand for an answer that is not public. The second list applies only to questions with options, since other
# questions may have these texts as their answers.
HIDDEN, HIDDEN_CHOICE = ("", "hidden", "?", "n/a", "nan"), ("-", "-1", "none", "null")


def line(bench: str, row: Record, asked: Question, settings: Settings) -> tuple[Line, list[dict]]:
    """Return (prediction line, messages of the prompt) of a row's question. Raises RecordError."""
    name, text, checked, answer = _parts(row, asked)
    images = asked.images
    if not isinstance(images, list) or not images or any(image is None for image in images):
        raise RecordError("is missing or not a list", "images", row.where)
    references = [_stored(image, i, row, settings.store) for i, image in enumerate(images)]
    made = _line(bench, asked, (name, text), checked, answer, references)
    messages = styles.messages(bench, checked, settings.style, settings.place)
    made["_pair"] = Record({"images": references}, where=row.where)
    return made, messages


def bare(bench: str, row: Record, asked: Question) -> Line:
    """Return the prediction line of a question whose images are not at hand. Raises RecordError."""
    name, text, checked, answer = _parts(row, asked)
    return _line(bench, asked, (name, text), checked, answer, None)


def _parts(row: Record, asked: Question) -> tuple[str, str, CheckedQuestion, Any]:
    """Return a question's id, its text, the checked question and its answer. Raises RecordError."""
    name = str(asked.id) if type(asked.id) is int else asked.id
    name, text = _text(name, "id", row.where), _text(asked.text, "question", row.where)
    return name, text, *_checked(asked, text, row.where)


def _line(
    bench: str,
    asked: Question,
    named: tuple[str, str],
    checked: CheckedQuestion,
    answer: Any,
    references: list[str] | None,
) -> Line:
    name, text = named
    made: Line = {
        "id": name if asked.own_id or name.startswith(bench) else f"{bench}/{name}",
        "bench": bench, "category": asked.category,
    }  # fmt: skip
    if references is not None:
        made["images"] = references
    made["question"] = text
    if checked.choices:
        made["choices"] = checked.choices
    made["answer"] = answer
    made["answer_type"] = checked.answer_type
    made |= asked.fields
    # An answer that can't be read is an error before a model is asked. A free answer is kept as it is written.
    read = gold.read(made)
    if checked.choices:
        made["answer"] = read
    # So is a field that can't be scored or written.
    gold.check_bench(made)
    predictions.read(made)
    jsonl.dump(made)
    return made


def _text(value: object, field: str, where: str) -> str:
    """Return a text that a question must have. Raises RecordError."""
    if value is None or (
        isinstance(value, str) and value.strip() in ("", "None")
    ):  # pandas writes None for an empty cell
        raise RecordError("is missing", field, where)
    if not isinstance(value, str):
        raise RecordError("must be a text", field, where)
    return value


def _checked(asked: Question, text: str, where: str) -> tuple[CheckedQuestion, Any]:
    """Find the options and the type of the answer. Return the question and its answer, which is None if it is hidden."""
    answer, kind, in_text = asked.answer, asked.answer_type, False
    if isinstance(answer, float) and math.isnan(answer):
        answer = None
    labelled, numbers = lettered(asked.options, where)
    choices: dict[str, str] = {}
    if labelled:
        choices = _unlabelled(labelled)
        if not numbers:
            choices, numbers = _unnumbered(choices)
        answer = _by_number(answer, choices, numbers, where)
    elif kind in (None, "choice"):
        choices = options_within(text)
        if answer is not None and str(answer).strip("(). ") not in choices:
            choices = {}
        if not choices and kind == "choice":
            known = asked.letters
            choices = dict(known) if isinstance(known, Mapping) else dict.fromkeys(known, "")
            if not choices:
                raise RecordError("is missing", "choices", where)
        in_text = bool(choices)
    hidden = HIDDEN + (HIDDEN_CHOICE if choices else ())
    if isinstance(answer, str):
        word = answer.strip().lower()
        if word in hidden and word not in (option.strip().lower() for option in choices.values()):
            answer = None
    if not kind:
        word = str(answer).strip().lower()
        kind = "choice" if choices else "yes/no" if word in ("yes", "no") else "word"
    images = len(asked.images) if isinstance(asked.images, list) else 0
    checked = CheckedQuestion(
        text=text, images=images, category=asked.category, answer_type=kind, choices=choices, labelled=labelled,
        in_text=in_text, hint=asked.hint, prompt=asked.prompt,
    )  # fmt: skip
    return checked, answer


def lettered(options: Any, where: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return (options by letter, letter by number). The items of a list get the letters from A on; the labels of an object
    are letters, or numbers, which become letters in their order. Options that are null or empty are left out, and the others
    keep their letters. Raises RecordError."""
    if options is None:
        return {}, {}
    numbers: dict[str, str] = {}
    if isinstance(options, list) and len(options) <= len(ascii_uppercase):
        options = dict(zip(ascii_uppercase, options, strict=False))
    elif isinstance(options, dict) and options and all(str(label).isdecimal() for label in options):
        ordered = sorted(options, key=int)
        if len(ordered) > len(ascii_uppercase):
            raise RecordError("must be an object of letters or a list of at most 26", "choices", where)
        numbers = {str(int(label)): letter for label, letter in zip(ordered, ascii_uppercase, strict=False)}
        options = {letter: options[label] for label, letter in zip(ordered, ascii_uppercase, strict=False)}
    if not isinstance(options, dict):
        raise RecordError("must be an object of letters or a list of at most 26", "choices", where)
    made: dict[str, str] = {}
    for letter, option in options.items():
        if len(letter) != 1 or letter not in ascii_letters:
            raise RecordError(f"must have letters as labels: {letter[:60]!r}", "choices", where)
        if predictions.absent(option):
            continue
        if not isinstance(option, str | int | float):
            raise RecordError("must be a text or a number", f"choices[{letter}]", where)
        made[letter] = str(option)
    return made, {number: letter for number, letter in numbers.items() if letter in made}


def _unlabelled(options: dict[str, str]) -> dict[str, str]:
    """Remove the options' own labels ('(A) yes', 'B. no') if each has the right one."""
    found = {}
    for letter, option in options.items():
        label = re.escape(letter)
        if match := re.fullmatch(rf"\s*(?:\({label}\)|{label}[.):])\s*(\S.*)", option, re.DOTALL):
            found[letter] = match[1]
    return found if len(found) == len(options) else options


_NUMBERED = re.compile(r"\s*\(?(\d{1,2})[.):]\s+(\S.*)", re.DOTALL)


def _unnumbered(options: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return (options without numbers, letter by number) if all are numbered in their order ('1. red', '2. blue'), else the
    options unchanged."""
    texts, numbers = {}, {}
    for letter, option in options.items():
        match = _NUMBERED.fullmatch(option)
        if match and int(match[1]) == ascii_uppercase.find(letter) + 1:
            texts[letter] = match[2]
            numbers[str(int(match[1]))] = letter
    return (texts, numbers) if len(texts) == len(options) > 1 else (options, {})


def _by_number(answer: Any, choices: dict[str, str], numbers: dict[str, str], where: str) -> Any:
    """Return the letter of the option that an answer names by its number ('2', '2.', '2. blue'), if options are numbered;
    any other answer unchanged. Raises RecordError if another option's text is that number."""
    if not numbers or answer is None or isinstance(answer, bool):
        return answer
    text = str(answer).strip()
    full = _NUMBERED.fullmatch(text)
    number = full[1] if full else text.strip("(). ")
    letter = numbers.get(str(int(number)) if number.isdecimal() else "")
    if letter is None or (full and full[2].strip() != choices[letter].strip()):
        return answer
    others = [other for other, option in choices.items() if option.strip() == number and other != letter]
    if others and not full:
        raise RecordError(
            f"names an option by its number and another by its text: {text[:60]!r}", "answer", where,
            "label the options with letters",
        )  # fmt: skip
    return letter


_OPTION = re.compile(r"(?:^|(?<=[\s,;]))\(?([A-Z])(?:\)|[.:])\s*", re.MULTILINE)


def options_within(question: str) -> dict[str, str]:
    """Return by letter the options that a question's text contains ('Options: A: left, B: right', lines 'A. …'): the last
    run of labels from A on, if it has at least two."""
    marks = list(_OPTION.finditer(question))
    starts = [i for i, mark in enumerate(marks) if mark[1] == "A"]
    for start in reversed(starts):
        run = [marks[start]]
        for mark in marks[start + 1 :]:
            if mark[1] == ascii_uppercase[len(run)]:
                run.append(mark)
        if len(run) > 1:
            ends = [mark.start() for mark in run[1:]] + [len(question)]
            return {
                mark[1]: question[mark.end() : end].strip().rstrip(",;").split("\n")[0].strip()
                for mark, end in zip(run, ends, strict=True)
            }
    return {}


_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{65,}")


def _stored(image: Any, i: int, row: Record, store: Store | None) -> str:
    """Return a reference to an image that is valid in the working directory. Bytes go to the store; files stay where they
    are. Raises RecordError."""
    import base64
    import binascii

    field = f"images[{i}]"
    if isinstance(image, dict):
        image = image.get("bytes") or image.get("path")
    try:
        if isinstance(image, str) and _BASE64.fullmatch(image[:200]) and not _is_file(image, row.base):
            image = base64.b64decode("".join(image.split()), validate=True)
        if isinstance(image, bytes):
            if store is None:
                raise RecordError(
                    "is stored inside the file", remedy="name a folder for images with --image-dir"
                )
            return store.put(image)
    except (RecordError, binascii.Error) as error:
        message = error.message if isinstance(error, RecordError) else f"damaged base64: {error}"
        raise RecordError(message, field, row.where) from None
    if not isinstance(image, str) or not image:
        raise RecordError("is not an image", field, row.where)
    try:
        return anchored(image, row.base)
    except RecordError as error:
        error.field, error.where = field, row.where
        raise


def _is_file(reference: str, base: str) -> bool:
    """Return whether a text that could be base64 is the name of a file."""
    return "\0" not in reference and os.path.isfile(os.path.join(base, reference))
