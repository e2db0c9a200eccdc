"""A question in the form that all benchmarks share: what a row asks as a prediction line without its response, and the
prompt's messages beside it."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import Any

from s2h.eval.benches import prompts
from s2h.record import Record, RecordError
from s2h.references import anchored

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
    if asked["choices"] and made["answer"] is not None:
        from s2h.eval.answers import key

        made["answer"] = key(made)
    messages = prompts.messages(bench, asked, style, place)
    made["_pair"] = Record({"images": references}, where=row.where)
    return made, messages


def _choose(asked: dict[str, Any], where: str) -> None:
    """Settles choices, the kind of answer, and whether the answer is hidden."""
    options, answer = asked.get("options"), asked["answer"]
    if isinstance(options, list) and len(options) <= len(ascii_uppercase):
        options = dict(zip(ascii_uppercase, options, strict=False))
    if options is not None and not isinstance(options, dict):
        raise RecordError("must be an object of letters or a list of at most 26", "choices", where)
    if options:
        asked["labelled"] = {str(letter): str(option) for letter, option in options.items()}
        asked["choices"] = _unlabelled(asked["labelled"])
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
    if (
        isinstance(answer, str)
        and answer.strip().lower() in hidden
        and answer not in asked["choices"].values()
    ):
        asked["answer"] = None
    if not asked.get("answer_type"):
        said = str(asked["answer"]).strip().lower()
        asked["answer_type"] = "choice" if asked["choices"] else "yes/no" if said in ("yes", "no") else "word"


def _unlabelled(options: dict[str, str]) -> dict[str, str]:
    """Options without labels of their own ('(A) yes', 'B. no'), where all have the right one."""
    found = {
        letter: re.fullmatch(
            rf"\s*(?:\({re.escape(letter)}\)|{re.escape(letter)}[.):])\s*(\S.*)", option, re.DOTALL
        )
        for letter, option in options.items()
    }
    return {letter: match[1] for letter, match in found.items()} if all(found.values()) else options


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
        if isinstance(image, str) and _BASE64.fullmatch(image[:200]):
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
