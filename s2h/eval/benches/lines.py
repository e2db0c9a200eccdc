"""A question in the form that all benchmarks share: what a row asks as a prediction line without its response, and the
prompt's messages beside it."""

from __future__ import annotations

import math
import os
import re
from string import ascii_letters, ascii_uppercase
from typing import Any

from s2h.eval import gold
from s2h.eval.benches import prompts
from s2h.eval.predictions import absent
from s2h.images.references import anchored
from s2h.record import Record, RecordError

# What stands for an answer that is not public; of a question with options also what could be another's answer.
HIDDEN, HIDDEN_CHOICE = ("", "hidden", "?", "n/a", "nan"), ("-", "-1", "none", "null")


def line(
    bench: str, row: Record, asked: dict[str, Any], *, style: str, place: str, store: Any
) -> tuple[dict, list[dict]]:
    """A question in the form of all. asked: id, category, question (with <image> where images stand), options (None for a
    free answer), answer, images (references, bytes, base64, or what parquet files hold); where they help answer_type,
    prompt, hint, letters (of options inside the question) and more (fields that the line keeps). Raises RecordError."""
    for field in ("id", "question"):
        if not isinstance(asked[field], str) or not asked[field].strip() or asked[field] == "None":
            raise RecordError("is missing", field, row.where)
    asked = dict(asked)
    _choose(asked, row.where)
    images = asked["images"]
    if not isinstance(images, list) or not images or any(image is None for image in images):
        raise RecordError("is missing or no list", "images", row.where)
    references = [_stored(image, i, row, store) for i, image in enumerate(images)]
    made: dict[str, Any] = {
        "id": asked["id"] if asked.get("own_id") or asked["id"].startswith(bench) else f"{bench}/{asked['id']}",
        "bench": bench, "category": asked["category"], "images": references, "question": asked["question"],
    }  # fmt: skip
    if asked["choices"]:
        made["choices"] = asked["choices"]
    made["answer"] = asked["answer"]
    made["answer_type"] = asked["answer_type"]
    made |= asked.get("more") or {}
    # It must be readable before a model is asked; a free answer stays in its own words.
    answer = gold.read(made)
    if asked["choices"]:
        made["answer"] = answer
    messages = prompts.messages(bench, asked, style, place)
    made["_pair"] = Record({"images": references}, where=row.where)
    return made, messages


def _choose(asked: dict[str, Any], where: str) -> None:
    """Settles choices, the kind of answer, and whether the answer is hidden."""
    answer = asked["answer"]
    if isinstance(answer, float) and math.isnan(answer):
        answer = asked["answer"] = None
    labelled, numbers = lettered(asked.get("options"), where)
    if labelled:
        asked["labelled"] = labelled
        asked["choices"] = _unlabelled(labelled)
        if not numbers:
            asked["choices"], numbers = _unnumbered(asked["choices"])
        answer = asked["answer"] = _by_number(answer, asked["choices"], numbers, where)
    else:
        asked["choices"] = {}
        if asked.get("answer_type") in (None, "choice"):
            within = options_within(asked["question"])
            if answer is not None and str(answer).strip("(). ") not in within:
                within = {}
            if not within and asked.get("answer_type") == "choice":
                within = dict.fromkeys(asked.get("letters", ""), "")
                if not within:
                    raise RecordError("is missing", "choices", where)
            asked["choices"], asked["options_within"] = within, bool(within)
    hidden = HIDDEN + (HIDDEN_CHOICE if asked["choices"] else ())
    if isinstance(answer, str):
        said = answer.strip().lower()
        if said in hidden and said not in (option.strip().lower() for option in asked["choices"].values()):
            asked["answer"] = None
    if not asked.get("answer_type"):
        said = str(asked["answer"]).strip().lower()
        asked["answer_type"] = "choice" if asked["choices"] else "yes/no" if said in ("yes", "no") else "word"


def lettered(options: Any, where: str) -> tuple[dict[str, str], dict[str, str]]:
    """(the options by letter, letter by number). A list has the letters from A on; an object has letters, or numbers, which
    become letters in their order. What is null or empty is no option, and the others keep their letters. Raises
    RecordError."""
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
        if absent(option):
            continue
        if not isinstance(option, str | int | float):
            raise RecordError("must be a text or a number", f"choices[{letter}]", where)
        made[letter] = str(option)
    return made, {number: letter for number, letter in numbers.items() if letter in made}


def _unlabelled(options: dict[str, str]) -> dict[str, str]:
    """Options without labels of their own ('(A) yes', 'B. no'), where all have the right one."""
    found = {
        letter: re.fullmatch(
            rf"\s*(?:\({re.escape(letter)}\)|{re.escape(letter)}[.):])\s*(\S.*)", option, re.DOTALL
        )
        for letter, option in options.items()
    }
    return {letter: match[1] for letter, match in found.items()} if all(found.values()) else options


_NUMBERED = re.compile(r"\s*\(?(\d{1,2})[.):]\s+(\S.*)", re.DOTALL)


def _unnumbered(options: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(options, letter by number) where all are numbered in their order from 1 on ('1. red', '2. blue'), else the options as
    they stand."""
    found = {letter: _NUMBERED.fullmatch(option) for letter, option in options.items()}
    right = all(
        match and int(match[1]) == ascii_uppercase.find(letter) + 1 for letter, match in found.items()
    )
    if not right or len(options) < 2:
        return options, {}
    return (
        {letter: match[2] for letter, match in found.items()},
        {str(int(match[1])): letter for letter, match in found.items()},
    )


def _by_number(answer: Any, choices: dict[str, str], numbers: dict[str, str], where: str) -> Any:
    """The letter of the option that an answer names by its number ('2', '2.', '2. blue'), where options are numbered. Raises
    RecordError where another option's text is that number."""
    if not numbers or answer is None or isinstance(answer, bool):
        return answer
    said = str(answer).strip()
    full = _NUMBERED.fullmatch(said)
    number = full[1] if full else said.strip("(). ")
    letter = numbers.get(str(int(number)) if number.isdecimal() else "")
    if letter is None or (full and full[2].strip() != choices[letter].strip()):
        return answer
    others = [other for other, option in choices.items() if option.strip() == number and other != letter]
    if others and not full:
        raise RecordError(
            f"names an option by its number and another by its text: {said[:60]!r}", "answer", where,
            "label the options with letters",
        )  # fmt: skip
    return letter


_OPTION = re.compile(r"(?:^|(?<=[\s,;]))\(?([A-Z])(?:\)|[.:])\s*", re.MULTILINE)


def options_within(question: str) -> dict[str, str]:
    """The options that a question has in its text ('Options: A: left, B: right', 'A. …' lines), by letter: the last run of
    labels from A on; none where there is no such run of at least two."""
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


def _stored(image: Any, i: int, row: Record, store: Any) -> str:
    """An image as a reference that holds in the working directory: bytes go to the store, files stay where they are."""
    import base64
    import binascii

    field = f"images[{i}]"
    if isinstance(image, dict):
        image = image.get("bytes") or image.get("path")
    try:
        if isinstance(image, str) and _BASE64.fullmatch(image[:200]) and not _is_file(image, row.base):
            image = base64.b64decode("".join(image.split()), validate=True)
        if isinstance(image, bytes):
            return store.put(image)
    except (RecordError, binascii.Error) as error:
        message = error.message if isinstance(error, RecordError) else f"damaged base64: {error}"
        raise RecordError(message, field, row.where) from None
    if not isinstance(image, str) or not image:
        raise RecordError("is no image", field, row.where)
    try:
        return anchored(image, row.base)
    except RecordError as error:
        error.field, error.where = field, row.where
        raise


def _is_file(reference: str, base: str) -> bool:
    """Whether a text that could be base64 names a file that is there."""
    return "\0" not in reference and os.path.isfile(os.path.join(base, reference))
