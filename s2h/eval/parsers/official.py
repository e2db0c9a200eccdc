"""The labels of the benchmarks' own scripts where they differ from ours: BLINK, MANTIS-Eval and NLVR2 (which Mantis scores),
MMStar, MuirBench, MIRB and POPE. What a script hands to another model or decides by lot is unread here."""

from __future__ import annotations

import re

_NUMBERED = ("3d_scene", "count", "image_needles", "visual_chain")  # MIRB's tasks whose answer is a number
_YES_NO = ("analogy", "attribute")
_CARDINALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
_NUMBERS = {word: str(n) for n, word in enumerate(_CARDINALS)} | {
    w: str(n + 1) for n, w in enumerate(_ORDINALS)
}


def choice(text: str, choices: dict[str, str], bench: str) -> str | None:
    """The letter of an option, or None. Raises KeyError for a benchmark without a script (see READERS)."""
    return READERS[bench](text, choices)


def _blink(text: str, choices: dict[str, str]) -> str | None:
    """A bare letter, or the only '(A)' of the last paragraph, else of the whole reply."""
    whole = text.strip()
    if whole in choices:
        return whole
    marks = {f"({letter})": letter for letter in choices}
    everywhere, last = ({m for m in part.split() if m in marks} for part in (whole, whole.split("\n\n")[-1]))
    for some in (last, everywhere):
        if len(some) == 1:
            return marks[some.pop()]
    return None


def _mantis(text: str, choices: dict[str, str]) -> str | None:
    """The first letter of the final answer, else an option by its very text."""
    if (first := _first_letter(text)) in choices:
        return first
    return next(
        (letter for letter, option in choices.items() if _unlabelled(option, letter) == text.strip()), None
    )


def _first_letter(text: str) -> str | None:
    answer = final_answer(text)
    stated = re.match(r"Answer: ([A-Z])", answer)
    return stated[1] if stated else next((sign.upper() for sign in answer if sign.isalpha()), None)


def _nlvr2(text: str, choices: dict[str, str]) -> str | None:
    """As Mantis reads it; where no option's letter comes first, the only one of true and false."""
    if (first := _first_letter(text)) in choices:
        return first
    said = [word for word in ("true", "false") if word in text.lower()]
    if len(said) != 1:
        return None
    return next((letter for letter, option in choices.items() if said[0] in option.lower()), None)


def _mmstar(text: str, choices: dict[str, str]) -> str | None:
    """The letter that the reply, an opening bracket, 'option' or 'the answer is' begins with."""
    reply = text.lower().strip().replace("\n", " ")
    letters = {letter.lower(): letter for letter in choices}
    for start in ("", "(", "option ", "the answer is "):
        if reply.startswith(start) and reply[len(start) : len(start) + 1] in letters:
            return letters[reply[len(start)]]
    return None


def _muirbench(text: str, choices: dict[str, str]) -> str | None:
    """'(A)' anywhere, else 'A' between spaces, else in a reply of more than five words an option's text; of several the
    last."""
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    places = {letter: text.rfind(f"({letter})") for letter in choices}
    if max(places.values()) < 0:
        places = {letter: text.rfind(f" {letter} ") for letter in choices}
    if max(places.values()) < 0 and len(text.split()) > 5:
        places = {letter: text.lower().rfind(option.lower()) for letter, option in choices.items()}
    best = max(places, key=lambda letter: places[letter])
    return best if places[best] >= 0 else None


def _mirb(text: str, choices: dict[str, str]) -> str | None:
    reply = _first_sentence(text).upper()
    return reply if reply in choices else None


READERS = {
    "blink": _blink, "mantis": _mantis, "nlvr2": _nlvr2, "mmstar": _mmstar, "muirbench": _muirbench, "mirb": _mirb,
}  # fmt: skip


def yes_no(text: str) -> str:
    """POPE: 'no' where the first sentence has the word No, no or not, 'yes' in every other case; nothing is unread."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"


def word(text: str, answer: str, bench: str, category: str) -> tuple[str | None, bool]:
    """A short answer as (what was read, whether it is right)."""
    if bench != "mirb":
        said = final_answer(text)
        return said, said.lower() == answer.strip("()\n ").lower()
    said = _first_sentence(text)
    if category in _YES_NO or (category == "sightseeing" and answer.lower() in ("yes", "no")):
        said = "yes" if "yes" in said.lower() else "no"
    elif category == "sightseeing":
        return said, answer.lower() in said.lower()
    elif category.removesuffix("_concat") in _NUMBERED:
        found = re.search(r"\d+", said)
        said = found[0] if found else _NUMBERS.get(said.lower(), "")
    return said or None, said.lower() == answer.lower()


def final_answer(text: str) -> str:
    """What follows 'Final Answer:', else the whole reply."""
    at = text.lower().find("final answer:")
    return text if at < 0 else text[at + len("final answer:") :].strip()


def _first_sentence(text: str) -> str:
    text = text.strip()
    end = text.find("\n")
    end = text.find(".") if end <= 0 else end
    return text[:end] if end > 0 else text


def _unlabelled(option: str, letter: str) -> str:
    """An option's text without a label of its own, such as 'A.', 'A:' or '(A)'."""
    for label in (f"{letter}.", f"{letter}:", f"({letter})"):
        if option.startswith(label):
            return option[len(label) :].strip()
    return option.strip()
