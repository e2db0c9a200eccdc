"""How a question is put: in the words of LLaVA's evaluation (`llava`, the default), of VLMEvalKit, of lmms-eval or of the
benchmark itself (`official`); and its images where the benchmark puts them, or all of them first."""

from __future__ import annotations

import re
from typing import Any

from s2h.record import IMAGE, RecordError, interleave

STYLES = ("llava", "vlmevalkit", "lmms", "official")
PLACES = ("interleaved", "first")
LETTER = "Answer with the option's letter from the given choices directly."
WORD = "Answer the question using a single word or phrase."
_MARK = re.compile(r"<image(?:[\s_-]*(\d+))?>", re.IGNORECASE)
_SHORT_ANSWER = (
    "Given the images, answer the following short answer vqa question:\nQ: {}\nYou can first give your analysis, and then "
    'give your final answer as "Final Answer:"'
)
# MIRB's instruction for each of its tasks, by what their names begin with.
_MIRB = (
    (("codeu", "food", "image_jigsaw"), "Answer with the option symbol."),
    (("arxiv",), "Answer with the paper title."),
    (("count",), "Answer with a single number."),
    (
        ("3d_scene",),
        "The following images are different views of the same 3D scene. Answer with a single number.",
    ),
    (("",), "Answer with a single word."),
)


def messages(bench: str, asked: dict[str, Any], style: str, place: str = "interleaved") -> list[dict]:
    """The prompt of a question as messages with as many image parts as it has images. asked: see `lines.line`."""
    return interleave(parts(text(bench, asked, style), len(asked["images"]), place))


def text(bench: str, asked: dict[str, Any], style: str) -> str:
    """The prompt's words, with <image> where images stand."""
    words = {"vlmevalkit": _vlmevalkit, "lmms": _lmms, "official": _official}.get(style, _llava)
    return words(bench, asked)


def _options(asked: dict[str, Any], form: str = "{}. {}") -> str:
    """The options a line each; none where the question has them in its text."""
    if asked.get("options_within"):
        return ""
    return "".join("\n" + form.format(letter, option) for letter, option in asked["choices"].items())


def _llava(bench: str, asked: dict[str, Any]) -> str:
    ending = LETTER if asked["answer_type"] == "choice" else WORD
    return f"{asked['question'].strip()}{_options(asked)}\n{ending}"


def _vlmevalkit(bench: str, asked: dict[str, Any]) -> str:
    question = asked["question"]
    if bench == "muirbench":
        return f"{question}{_options(asked)}\n{LETTER}"
    if asked["answer_type"] != "choice":
        return question
    hint = f"Hint: {asked['hint']}\n" if asked.get("hint") else ""
    options = _options(asked)
    return f"{hint}Question: {question}\n" + (
        f"Options:{options}\nPlease select the correct answer from the options above. \n" if options else ""
    )


def _lmms(bench: str, asked: dict[str, Any]) -> str:
    if bench == "blink":
        letters = ", ".join(asked["choices"])
        return (
            f"Note: You only need to respond with {letters} without providing any additional information.\n"
            + _own_prompt(asked)
        )
    if bench == "mmstar":
        return f"{asked['question'].strip()}{_options(asked)}\n{LETTER[:-1]}"  # without the period
    if bench == "mirb":
        return _instruction(asked) + asked["question"]
    if asked["answer_type"] == "word" and bench == "mantis":
        return _SHORT_ANSWER.format(asked["question"])
    return _llava(bench, asked)


def _official(bench: str, asked: dict[str, Any]) -> str:
    question = asked["question"]
    if bench == "blink":
        return _own_prompt(asked)
    if bench == "muirbench":
        hint = "Hint: Please provide the correct option letter, such as A, B, C, D, directly."
        return f"Question: {question}\nChoices:{_options(asked, '({}) {}')}\n{hint}\nAnswer:"
    if bench in ("mantis", "nlvr2"):
        if asked["answer_type"] == "word":
            return _SHORT_ANSWER.format(question)
        return f"{question}{_labelled(asked)}\n{LETTER}"
    if bench == "mirb":
        return f"{_instruction(asked)}\n{question}\nAnswer:"
    return question if bench == "pope" else _llava(bench, asked)


def _own_prompt(asked: dict[str, Any]) -> str:
    """BLINK's prompt column; without it (in a TSV) in the same words."""
    if asked.get("prompt"):
        return asked["prompt"]
    return f"{asked['question']}\nSelect from the following choices.{_options(asked, '({}) {}')}"


def _labelled(asked: dict[str, Any]) -> str:
    """Options as Mantis writes them: with a label unless they have one."""
    made = ""
    for letter, option in asked["labelled"].items():
        has = any(label in option.upper() for label in (f"{letter})", f"{letter}:", f"{letter}."))
        made += f"\n {option}" if has else f"\n ({letter}) {option}"
    return made


def _instruction(asked: dict[str, Any]) -> str:
    return next(words for starts, words in _MIRB if asked["category"].startswith(starts))


def parts(words: str, images: int, place: str = "interleaved") -> list[object]:
    """The words with IMAGE where the marks stand. Fewer marks than images: those without one come first. A numbered mark
    that names an image again becomes words. Raises RecordError for more marks than images."""
    if not _MARK.search(words):
        return [IMAGE] * images + ([words] if words.strip() else [])
    texts, shown = [], 0
    at = 0
    for mark in _MARK.finditer(words):
        texts.append(words[at : mark.start()])
        at = mark.end()
        if mark[1] and int(mark[1]) <= shown:
            texts.append(f"image {mark[1]}")
        else:
            texts.append(IMAGE)
            shown += 1
    texts.append(words[at:])
    if shown > images:
        raise RecordError(f"more <image> marks than images: {shown} and {images}", "question")
    if place == "first":
        left = re.sub(r"[ \t]{2,}", " ", "".join(part for part in texts if part is not IMAGE)).strip()
        return [IMAGE] * images + ([left] if left else [])
    texts = [IMAGE] * (images - shown) + texts
    return _joined(part for part in texts if part is IMAGE or part.strip())


def _joined(pieces: Any) -> list[object]:
    made: list[object] = []
    for piece in pieces:
        if made and isinstance(piece, str) and isinstance(made[-1], str):
            made[-1] += piece
        else:
            made.append(piece)
    return made
