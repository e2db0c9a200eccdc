"""The questions that replies are joined to: lines that `s2h-eval --questions` wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from s2h.eval import benches, gold
from s2h.record import Record, RecordError, where_of

if TYPE_CHECKING:
    from s2h.eval.replies import Reply

_MARK = re.compile(r"<image[^>]*>", re.IGNORECASE)
_SAME = "make the questions from the copy of the benchmark that was asked"


class Questions:
    """Questions by their id, by their row and by their words. Raises RecordError for lines that are none."""

    def __init__(self, lines: Iterable[Record]) -> None:
        self._by_id: dict[str, Record] = {}
        self._by_row: dict[tuple[str, int], list[Record]] = {}
        self._by_words: dict[tuple[str, str], list[Record]] = {}
        self._categories: dict[str, set[str]] = {}
        self._replied: set[str] = set()
        self._file = ""
        for line in lines:
            where = where_of(line)
            for field in ("id", "bench", "question", "answer"):
                if field not in line:
                    raise RecordError(
                        "is missing",
                        field,
                        where,
                        "--questions takes what s2h-eval --questions FILE has written",
                    )
            self._file = self._file or where.rpartition(":")[0]
            name, bench = str(line["id"]), benches.plain(line["bench"])
            if name in self._by_id:
                raise RecordError(f"duplicate: {name[:60]!r}", "id", where)
            self._by_id[name] = line
            if isinstance(line.get("row"), int):
                self._by_row.setdefault((bench, line["row"]), []).append(line)
            self._by_words.setdefault((bench, words(str(line["question"]))), []).append(line)
            self._categories.setdefault(bench, set()).add(_category(line))

    def __len__(self) -> int:
        return len(self._by_id)

    def missing(self) -> int:
        """Return how many questions had no reply so far."""
        return len(self._by_id) - len(self._replied)

    def note(self, name: str) -> None:
        """Note that the question of this id, if there is one, has a reply."""
        if name in self._by_id:
            self._replied.add(name)

    def find(self, reply: Reply) -> Record:
        """Return the question of a reply. Raises RecordError if there is none, or if several may be meant."""
        found = self._named(reply) or (self._at(reply) if reply.row is not None else self._worded(reply))
        if not same_answer(found, reply):
            raise RecordError(
                f"{found['id']} has another right answer here, {str(reply.answer)[:40]!r}, than in {self._file}, "
                f"{str(found['answer'])[:40]!r}",
                "answer", remedy=f"{_SAME}; the labels may have been corrected since",
            )  # fmt: skip
        self._replied.add(str(found["id"]))
        return found

    def _named(self, reply: Reply) -> Record | None:
        """Return the question with the reply's id, unless its words are others: data sets number their rows in ways of
        their own."""
        if reply.id is None:
            return None
        for name in (reply.id, f"{reply.bench}/{reply.id}"):
            found = self._by_id.get(name)
            if found is not None and self._agrees(found, reply):
                return found
        return None

    def _agrees(self, line: Record, reply: Reply) -> bool:
        here = words(str(line["question"]))
        if reply.prompt is not None:
            return here in words(reply.prompt)
        if reply.question is None:
            return True
        # One copy may write an option with a period, another without; none in common means another question.
        if (
            reply.choices
            and line.get("choices")
            and not _options(line).items() & _lower(reply.choices).items()
        ):
            return False
        there = words(reply.question)
        return here.startswith(there) or there.startswith(here)

    def _at(self, reply: Reply) -> Record:
        """Return the question of the reply's row, in the configuration that the reply names."""
        row = reply.row or 0
        found = self._by_row.get((reply.bench, row), [])
        part = benches.letters_of(reply.part)
        if part and any(name.startswith(part) for name in self._categories.get(reply.bench, ())):
            found = [line for line in found if _category(line).startswith(part)]
        if len(found) != 1:
            what = f"row {row} of {reply.bench}{' ' + reply.part if reply.part else ''}"
            why = (
                "names no question"
                if not found
                else f"may be {' or '.join(str(line['id']) for line in found[:3])}"
            )
            raise RecordError(f"{what} {why} of {self._file}", "doc_id", remedy=_SAME)
        if not self._agrees(found[0], reply):
            raise RecordError(
                f"row {row} of {reply.bench} is another question there than {found[0]['id']} of {self._file}",
                "doc_id", remedy=f"{_SAME}: rows are counted in their order",
            )  # fmt: skip
        return found[0]

    def _worded(self, reply: Reply) -> Record:
        """Return the only question with the reply's words and options."""
        if reply.question is None:
            raise RecordError(f"{reply.id} is none of the questions of {self._file}", "id", remedy=_SAME)
        found = self._by_words.get((reply.bench, words(reply.question)), [])
        if reply.choices:
            found = [
                line for line in found if not line.get("choices") or _options(line) == _lower(reply.choices)
            ]
        if len(found) == 1:
            return found[0]
        why = "has the words of no question" if not found else (
            f"has the words of {len(found)} questions, such as {' and '.join(str(line['id']) for line in found[:2])},"
        )  # fmt: skip
        raise RecordError(f"{reply.id} {why} of {self._file}", "id", remedy=_SAME)


def words(text: str) -> str:
    """Return a text without marks of images, in lower case, with single spaces."""
    return " ".join(_MARK.sub(" ", text).lower().split())


def _category(line: Record) -> str:
    return benches.letters_of(str(line.get("category") or ""))


def _options(line: Record) -> dict[str, str]:
    return _lower(gold.options(line))


def _lower(choices: dict[str, str]) -> dict[str, str]:
    return {letter: words(option) for letter, option in choices.items()}


def same_answer(question: Record, reply: Reply) -> bool:
    """Return whether a reply's file and a question have the same right answer, as far as both know it."""
    if gold.hidden(reply.answer) or gold.hidden(question.get("answer")):
        return True
    try:
        return gold.read(question | {"answer": reply.answer}) == gold.read(question)
    except RecordError:  # it has another form there, such as a sentence
        return True
