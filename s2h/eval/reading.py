"""Read a reply: extract the answer from its text, and compare it with the right one. The user's parser (`s2h.parsers`) reads
choices and yes/no; our own rules alone read numbers, images, orders, words and captions. A value counts only if it appears
as whole words. Nothing is guessed: for a reply that can't be read the answer is None, and reports show the share of
these."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from s2h.eval import answer_types, benches, gold
from s2h.eval.benches import Line
from s2h.eval.gold import options
from s2h.models.thinking import answer_of
from s2h.parsers import Rules, captions, lmms, mentions, official, plain, robust, vlmevalkit
from s2h.parsers.images import NONE_SAID
from s2h.record import RecordError, fail, where_of

SHORT = 12  # words of the longest free answer
# The rules of each parser for benchmarks that have none of their own (`Bench.rules`).
_CHOICE: dict[str, Callable[[str, dict[str, str]], str | None]] = {
    "robust": robust.choice, "vlmevalkit": vlmevalkit.choice, "lmms": lmms.choice, "official": robust.choice,
}  # fmt: skip
_YES_NO: dict[str, Callable[[str], str | None]] = {
    "robust": robust.yes_no, "vlmevalkit": vlmevalkit.yes_no, "lmms": lmms.yes_no, "official": official.yes_no,
}  # fmt: skip


def read(line: Line, parser: str = "robust") -> tuple[object, bool | None]:
    """Return (parsed, correct) of a prediction: its `response` against its `answer`, by the answer's type (`gold.kind_of`).

    parser: one of `parsers.NAMES`. It reads choices and yes/no and, for some benchmarks, short answers and numbers.
    correct is None if the answer is hidden. Raises RecordError for a right answer that can't be read."""
    response = "" if line.get("response") is None else answer_of(str(line["response"]))
    kind = gold.kind_of(line)
    answer = gold.read(line, kind)
    task = answer_types.of_task(line, kind)
    if task is not None and task.read is not None:
        value = task.read(response, line)
        return value, None if answer is None else value == answer
    if kind == "caption":
        return _caption(response, line, answer)
    bench = benches.named(line.get("bench"))
    own = bench.rules.get(parser, Rules()) if bench else Rules()
    if kind == "word":
        if own.word is not None and answer is not None:
            return own.word(response, str(answer), str(line.get("category")))
        return _word(response, line, answer)
    parsed: object
    if kind == "choice":
        parsed = (own.choice or _CHOICE[parser])(response, options(line))
    elif kind == "yes/no":
        parsed = (own.yes_no or _YES_NO[parser])(response)
    elif kind == "number" and own.number is not None:
        parsed = own.number(response)
    else:
        parsed = robust.VALUES[kind](response)
    return parsed, None if answer is None else parsed == answer


def rescore(
    lines: Iterable[Line], parser: str = "robust", *, on_error: Callable[[RecordError], None] = fail
) -> Iterator[Line]:
    """Yield prediction lines with `parsed` and `correct` computed again from `response`. They need id, bench, answer,
    response. Lines scored by likelihood have no reply to read and stay as they are."""
    for line in lines:
        where = where_of(line)
        made = line.copy()
        try:
            for name in ("id", "bench", "answer", "response"):
                if name not in line:
                    raise RecordError(
                        "is missing", name, where, "a prediction has id, bench, answer and response"
                    )
            answer_types.check(line.get("answer_type") or "choice", where=where)
            if not isinstance(line.get("choices") or {}, dict | list):
                raise RecordError("must be an object of letters or a list", "choices", where)
            if line.get("answer_type") == "choice":
                options(line)  # raises an error if there are none
            gold.check_bench(line)
            if line.get("scoring") != "likelihood":
                made["answer"] = gold.read(line)
                made["parsed"], made["correct"] = read(made, parser)
                made["parser"] = parser
        except RecordError as error:
            error.where = error.where or where
            on_error(error)
            continue
        yield made


def _word(response: str, line: Line, answer: object) -> tuple[object, bool | None]:
    """Read a short free answer. If the line has candidates, it is the only one that the reply says. Else the reply is right
    if its conclusion says the answer, or one of several right ones, as whole words. Any other conclusion is returned as the
    answer if it is short."""
    conclusion = robust.conclusion(response)
    if conclusion and not plain.corrected(response):  # the reply only asks a question
        conclusion = response = ""
    if line.get("candidates"):
        candidates = {str(one): str(one) for one in line["candidates"]}
        named = mentions.named(conclusion, candidates) or mentions.named(plain.plain(response), candidates)
        parsed = named.pop() if len(named) == 1 and not plain.UNSURE.search(conclusion) else None
        return parsed, None if answer is None else parsed == answer
    answers = {str(one): str(one) for one in (answer if isinstance(answer, list) else [answer])}
    named = mentions.named(conclusion, answers) if answer is not None else set()
    whole = plain.plain(response).strip(" .()").casefold()
    if answer is not None and (same := [one for one in answers if one.strip(" .()").casefold() == whole]):
        return same[0], True  # also for an answer such as 'A', which `mentions` ignores as an article
    if named and (plain.UNSURE.search(conclusion) or _one_of_several(conclusion, named)):
        return None, False
    if named:
        return min(named, key=conclusion.find), True
    return (conclusion if 0 < len(conclusion.split()) <= SHORT else None), None if answer is None else False


def _one_of_several(conclusion: str, named: set[str]) -> bool:
    """Return whether a reply lists other answers beside the right one ('red or blue', 'red, blue, green')."""
    for answer in named:
        rest = re.sub(re.escape(answer), " ☐ ", conclusion, flags=re.IGNORECASE)
        if re.search(r"\bor\b|☐\s*/|/\s*☐", rest, re.IGNORECASE):
            return True
        items = [part.split() for part in re.split(r"[,;\n]|\band\b", rest) if part.strip()]
        if (
            len(items) > 1
            and all(len(item) <= 2 for item in items)
            and len(conclusion.split()) > len(answer.split()) + 1
        ):
            return True
    return False


def _caption(response: str, line: Line, answer: object) -> tuple[object, bool | None]:
    """Read a caption. It is right if it says something and all of it is true of the target. Photographs have no labels, so
    correct is None for their captions, which `--scoring likelihood` and `--scoring cosine` score. If a reply shows its
    working, only its conclusion counts."""
    parsed, labels = captions.caption(plain.plain(response)), line.get("target_labels")
    absent = parsed is not None and NONE_SAID.search(parsed) is not None
    if answer == "none":  # no image shows what is asked for
        parsed = "none" if NONE_SAID.search(response) else parsed
        return parsed, parsed == answer
    if labels:
        from s2h.sources.builtin.words import holds

        try:
            return "none" if absent else parsed, parsed is not None and not absent and holds(parsed, labels)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            pass  # they are not labels of the built-in world, so the caption can't be checked
    return "none" if absent else parsed, None
