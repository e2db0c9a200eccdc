"""Word the prompt of a question: as LLaVA's evaluation does (`llava`, the default), or as VLMEvalKit, lmms-eval or the
benchmark itself (`official`) does. Images stand where the benchmark puts them, or all of them first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from s2h.eval.benches import CheckedQuestion, exact
from s2h.record import IMAGE, RecordError, interleave

PLACES = ("interleaved", "first")
LETTER = "Answer with the option's letter from the given choices directly."
WORD = "Answer the question using a single word or phrase."
_MARK = re.compile(r"<image(?:[\s_-]*(\d+))?>", re.IGNORECASE)


def messages(bench: str, asked: CheckedQuestion, style: str, place: str = "interleaved") -> list[dict]:
    """Return the prompt of a question as messages, with as many image parts as it has images."""
    return interleave(parts(text(bench, asked, style), asked.images, place))


def text(bench: str, asked: CheckedQuestion, style: str) -> str:
    """Return the prompt's words, with <image> where images stand."""
    known = exact(bench)
    words = known.prompts.get(style) if known else None
    return (words or USUAL[style])(asked)


def listed(asked: CheckedQuestion, form: str = "{}. {}") -> str:
    """Return the options, each on a line of its own; "" if the question's text contains them."""
    if asked.in_text:
        return ""
    return "".join("\n" + form.format(letter, option) for letter, option in asked.choices.items())


def llava(asked: CheckedQuestion) -> str:
    """Return the question, its options, and the instruction how to answer."""
    ending = LETTER if asked.answer_type == "choice" else WORD
    return f"{asked.text.strip()}{listed(asked)}\n{ending}"


def vlmevalkit(asked: CheckedQuestion) -> str:
    """Return the hint, the question and its options; only the question if it has no options."""
    if asked.answer_type != "choice":
        return asked.text
    hint = f"Hint: {asked.hint}\n" if asked.hint else ""
    options = listed(asked)
    return f"{hint}Question: {asked.text}\n" + (
        f"Options:{options}\nPlease select the correct answer from the options above. \n" if options else ""
    )


# The words of each style for benchmarks that have none of their own (`Bench.prompts`).
USUAL: dict[str, Callable[[CheckedQuestion], str]] = {
    "llava": llava, "vlmevalkit": vlmevalkit, "lmms": llava, "official": llava,
}  # fmt: skip
STYLES = tuple(USUAL)


def parts(words: str, images: int, place: str = "interleaved") -> list[object]:
    """Return the parts of a prompt: texts, and IMAGE for each mark. Images without a mark come first. A numbered mark of an
    image that was shown already becomes the text "image N", and all numbered marks do, after all images, if their numbers do
    not follow the order of the images. Raises RecordError for more marks than images."""
    if not _MARK.search(words):
        return [IMAGE] * images + ([words] if words.strip() else [])
    texts, numbers = _split(words)
    if len(numbers) > images:
        raise RecordError(f"more <image> marks than images: {len(numbers)} and {images}", "question")
    first = images - len(numbers)
    if any(number not in (None, at) for at, number in enumerate(numbers, first + 1)):
        texts, first = [_MARK.sub(lambda mark: f"image {mark[1]}" if mark[1] else "", words)], images
    if place == "first":
        joined = "".join(part for part in texts if isinstance(part, str))
        joined = re.sub(r"[ \t]{2,}", " ", joined).strip()
        return [IMAGE] * images + ([joined] if joined else [])
    texts = [IMAGE] * first + texts
    return _joined(part for part in texts if not isinstance(part, str) or part.strip())


def _split(words: str) -> tuple[list[object], list[int | None]]:
    """Return texts and images as the marks order them, and the number of each image, None for a mark without one."""
    texts: list[object] = []
    numbers: list[int | None] = []
    at = 0
    for mark in _MARK.finditer(words):
        texts.append(words[at : mark.start()])
        at = mark.end()
        number = int(mark[1]) if mark[1] else None
        if number is not None and (number in numbers or (number <= len(numbers) and None in numbers)):
            texts.append(f"image {number}")
        else:
            texts.append(IMAGE)
            numbers.append(number)
    return [*texts, words[at:]], numbers


def _joined(pieces: Iterable[object]) -> list[object]:
    """Return the parts of a prompt, with texts that follow each other as one."""
    made: list[object] = []
    for piece in pieces:
        last = made[-1] if made else None
        if isinstance(piece, str) and isinstance(last, str):
            made[-1] = last + piece
        else:
            made.append(piece)
    return made
