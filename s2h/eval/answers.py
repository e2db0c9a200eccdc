"""Reading an answer out of free text: choices and yes/no by the parser that is asked for (s2h.eval.parsers), numbers,
images, orders, words and captions in one way. A value counts only where it stands as whole words, and nothing is ever
guessed; what can't be read is None and its share is reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from s2h.eval import gold
from s2h.eval.benches import names
from s2h.eval.gold import key, options
from s2h.eval.parsers import lmms, mentions, official, plain, robust, vlmevalkit
from s2h.eval.parsers.images import NONE_SAID, image, order
from s2h.eval.parsers.numbers import number
from s2h.eval.predictions import TYPES
from s2h.record import RecordError, fail

__all__ = ["TYPES", "caption", "image", "key", "number", "options", "order", "read", "rescore"]
SHORT = 12  # words of a free answer that is still one


def read(line: dict, parser: str = "robust") -> tuple[object, bool | None]:
    """(parsed, correct) of a prediction line: `response` against `answer` by its `answer_type`; without one it is a choice
    where the line has `choices`, yes/no where the answer is that, else words. The parser (`parsers.NAMES`) decides about
    choices and yes/no, `official` about short answers too; all else is read in one way only. correct is None where the
    answer is unknown (a hidden test split). Raises RecordError for an answer that is none of the choices."""
    response = "" if line.get("response") is None else str(line["response"])
    kind = gold.kind_of(line)
    answer = gold.read(line, kind)
    if kind == "caption":
        return _caption(response, line, answer)
    if kind == "word":
        return _word(response, line, answer, parser)
    if kind == "choice":
        parsed: object = _chosen(response, line, parser)
    elif kind == "yes/no":
        parsed = _yes_no(response, parser)
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
            if (line.get("answer_type") or "choice") not in TYPES:
                raise RecordError(
                    f"unknown: {line['answer_type']!r}", "answer_type", where, f"one of {', '.join(TYPES)}"
                )
            if not isinstance(line.get("choices") or {}, dict | list):
                raise RecordError("must be an object of letters or a list", "choices", where)
            if line.get("answer_type") == "choice" and not line.get("choices"):
                raise RecordError("missing", "choices", where, "an object of letters or a list")
            if line.get("scoring") != "likelihood":
                made["answer"] = gold.read(line)
                made["parsed"], made["correct"] = read(made, parser)
                made["parser"] = parser
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
            continue
        yield made


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


def _word(response: str, line: dict, answer: object, parser: str) -> tuple[object, bool | None]:
    """A short free answer: one of the candidates where the line names some, else right where it says the answer (or one of
    several right ones) as whole words in its conclusion; any other conclusion is read as it stands if it is short."""
    bench = names.plain(line.get("bench"))
    if parser == "official" and bench in ("mantis", "mirb") and answer is not None:
        return official.word(response, str(answer), bench, str(line.get("category")))
    told = robust.conclusion(response)
    if told and not plain.corrected(response):  # it only asks
        told = response = ""
    if line.get("candidates"):
        candidates = {str(one): str(one) for one in line["candidates"]}
        said = mentions.said(told, candidates) or mentions.said(plain.plain(response), candidates)
        parsed = said.pop() if len(said) == 1 and not plain.UNSURE.search(told) else None
        return parsed, None if answer is None else parsed == answer
    answers = {str(one): str(one) for one in (answer if isinstance(answer, list) else [answer])}
    said = mentions.said(told, answers) if answer is not None else set()
    whole = plain.plain(response).strip(" .()").casefold()
    if answer is not None and (same := [one for one in answers if one.strip(" .()").casefold() == whole]):
        return same[0], True  # also where the answer is a word that is passed over elsewhere, as 'A' is
    if said and (plain.UNSURE.search(told) or _one_of_several(told, said)):
        return None, False
    if said:
        return min(said, key=told.find), True
    return (told if 0 < len(told.split()) <= SHORT else None), None if answer is None else False


def _one_of_several(told: str, said: set[str]) -> bool:
    """Whether a reply lists other answers beside the right one ('red or blue', 'red, blue, green')."""
    for one in said:
        rest = re.sub(re.escape(one), " ☐ ", told, flags=re.IGNORECASE)
        if re.search(r"\bor\b|☐\s*/|/\s*☐", rest, re.IGNORECASE):
            return True
        items = [part.split() for part in re.split(r"[,;\n]|\band\b", rest) if part.strip()]
        if (
            len(items) > 1
            and all(len(item) <= 2 for item in items)
            and len(told.split()) > len(one.split()) + 1
        ):
            return True
    return False


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


def _caption(response: str, line: dict, answer: object) -> tuple[object, bool | None]:
    """A caption is right when everything that it says is true of the target and it says something. Without labels, as over
    photographs, no exact check can tell, so correct is None: `--scoring likelihood` and `--scoring cosine` score these. Of
    an answer that tells its working only the conclusion counts."""
    parsed, labels = caption(plain.plain(response)), line.get("target_labels")
    absent = parsed is not None and NONE_SAID.search(parsed) is not None
    if answer == "none":  # that no image shows it
        said = "none" if NONE_SAID.search(response) else parsed
        return said, said == answer
    if labels:
        from s2h.sources.builtin.words import holds

        try:
            return "none" if absent else parsed, parsed is not None and not absent and holds(parsed, labels)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            pass  # they are no labels of the built-in world: nothing can be checked by them
    return "none" if absent else parsed, None
