"""Match two models' predictions question by question, and report the questions that can't be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s2h.errors import counted
from s2h.eval import benches, gold, predictions, revisions
from s2h.eval.benches import Line
from s2h.record import Record, RecordError, fail, where_of

Pair = tuple[Record, Record]  # before, after
NAMED = 3  # questions that an error names
_RESCORE = "--score reads both anew with one --parser"
_REMEDIES = {"answer": _RESCORE, "parser": _RESCORE, "scoring": "ask both models with the same --scoring"}


def join(
    before: Iterable[Line],
    after: Iterable[Line],
    names: tuple[str, str],
    on_error: Callable[[RecordError], None] = fail,
) -> list[Pair]:
    """Return the two models' lines of each question. A RecordError goes to on_error for questions that are left out: those
    whose right answer can't be read, those that are in one file only, those whose question, choices, answer, scoring or
    parser differ between the files, and those of a category whose answers were corrected (`Bench.revision`) if the files
    have different answers."""
    first, second = (
        {line["id"]: line for line in _readable(lines, name, on_error)}
        for lines, name in zip((before, after), names, strict=True)
    )
    where = f"{names[0]} and {names[1]}"
    if first.keys() != second.keys():
        unmatched = sorted(first.keys() ^ second.keys())
        sides = ((first.keys() - second.keys(), names[0]), (second.keys() - first.keys(), names[1]))
        counts = ", ".join(f"{len(keys)} only in {name}" for keys, name in sides)
        on_error(
            RecordError(
                f"different questions: {len(unmatched)} of {len(first | second)} are in one file only, such as "
                f"{unmatched[0]!r} ({counts})",
                where=where,
                remedy="ask both models with the same --bench, -n and --seed; --score --questions FILE gives our ids to the "
                "replies of another evaluator",
            )
        )  # fmt: skip
    pairs: dict[str, Pair] = {key: (line, second[key]) for key, line in first.items() if key in second}
    left_out = _relabelled(pairs, names, on_error)
    differing: dict[str, list[str]] = {}
    for key, (line, other) in pairs.items():
        if key not in left_out and (field := _difference(line, other)):
            differing.setdefault(field, []).append(key)
    for field, keys in differing.items():
        left_out |= set(keys)
        on_error(
            RecordError(
                f"another {field} under the same id: {len(keys)} of {counted(len(pairs), 'question')}: "
                f"{_named(pairs, keys, names)}",
                field, where, _REMEDIES.get(field, "compare answers to the same questions"),
            )
        )  # fmt: skip
    return [pair for key, pair in pairs.items() if key not in left_out]


def _readable(lines: Iterable[Line], name: str, on_error: Callable[[RecordError], None]) -> Iterator[Record]:
    """Yield the lines of a file whose fields and right answer can be read; others go to on_error."""
    for line in predictions.checked(lines, ("id", "bench", "correct"), name=name, on_error=on_error):
        try:
            gold.read(line)
        except RecordError as error:
            error.where = error.where or name
            on_error(error)
        else:
            yield line


def judged(pairs: list[Pair]) -> list[Pair]:
    """Return the pairs whose sides are both known to be right or wrong."""
    return [pair for pair in pairs if all(line["correct"] is not None for line in pair)]


def _relabelled(
    pairs: dict[str, Pair], names: tuple[str, str], on_error: Callable[[RecordError], None]
) -> set[str]:
    """Return the ids of the questions in categories whose answers were corrected, if the two files have different answers
    there."""
    by_bench: dict[str, list[str]] = {}
    for key, (line, _) in pairs.items():
        if revisions.of(line):
            by_bench.setdefault(benches.plain(line["bench"]), []).append(key)
    left_out: set[str] = set()
    for name, some in by_bench.items():
        differing = [key for key in some if _answers_differ(*pairs[key])]
        bench = benches.exact(name)
        if not differing or bench is None or bench.revision is None:
            continue
        found = [revisions.fingerprint(pairs[key][side] for key in some) for side in (0, 1)]
        on_error(
            RecordError(
                f"{name} has other labels of {bench.revision.category} in the two files: fingerprints {found[0]} and "
                f"{found[1]}, another answer in {len(differing)} of {counted(len(some), 'question')}: "
                f"{_named(pairs, differing, names)}",
                "answer", f"{names[0]} and {names[1]}",
                f"ask both models from one copy of {bench.title}; with --on-error skip the task is left out",
            )
        )  # fmt: skip
        left_out |= set(some)
    return left_out


def _named(pairs: dict[str, Pair], keys: list[str], names: tuple[str, str]) -> str:
    """Name the first questions, each with its line in both files."""
    shown = []
    for key in keys[:NAMED]:
        first, second = (where_of(line) or name for line, name in zip(pairs[key], names, strict=True))
        shown.append(f"{key[:60]!r} ({first} and {second})")
    return ", ".join(shown) + (", …" if len(keys) > NAMED else "")


def _difference(line: Line, other: Line) -> str:
    """Return the first field in which two lines with the same id differ, so that they can't be compared; "" if they don't
    differ. A field that only one of them has is ignored."""
    for field, read in (("question", _question), ("choices", _choices)):
        if line.get(field) and other.get(field) and read(line) != read(other):
            return field
    if _answers_differ(line, other):
        return "answer"
    if line.get("scoring", "generate") != other.get("scoring", "generate"):
        return "scoring"
    return "parser" if line.get("parser", "robust") != other.get("parser", "robust") else ""


def _question(line: Line) -> str:
    return " ".join(line["question"].split())


def _choices(line: Line) -> dict[str, str]:
    return {letter: " ".join(option.split()) for letter, option in gold.options(line).items()}


def _answers_differ(line: Line, other: Line) -> bool:
    """Return whether two lines have different right answers, however they write them. One of the lines may lack the fields
    by which an answer is read."""
    if "answer" not in line or "answer" not in other:
        return False
    fields = {field: line.get(field) or other.get(field) for field in ("answer_type", "choices", "bench")}
    return _answer(line["answer"], fields) != _answer(other["answer"], fields)


def _answer(answer: Any, fields: dict) -> Any:
    """Return an answer as `gold.read` does, unchanged if it can't be read."""
    try:
        return gold.read({"answer": answer, **fields})
    except RecordError:
        return answer


def _ignored(error: Exception) -> None:
    """Ignore the error of a question that is left out: the comparison has already reported it."""


def changed(before: list[Line], after: list[Line], names: tuple[str, str]) -> list[Record]:
    """Return the lines after of the questions gained and lost, gained ones first, with the fields `change` and `before`
    (the response before and its verdict)."""
    made = []
    for line, other in judged(join(before, after, names, on_error=_ignored)):
        if bool(line["correct"]) != bool(other["correct"]):
            shown = other.copy()
            shown["change"] = "gained" if other["correct"] else "lost"
            shown["before"] = {"response": line.get("response"), "correct": line["correct"]}
            made.append(shown)
    return sorted(made, key=lambda one: one["change"] == "lost")
