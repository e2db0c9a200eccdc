"""Find the questions of replies among the lines that `s2h-eval --questions` wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from s2h.eval import benches, gold
from s2h.record import Record, RecordError, where_of

if TYPE_CHECKING:
    from s2h.eval.replies import Reply

_MARK = re.compile(r"<image[^>]*>", re.IGNORECASE)
_SAME = "make the questions from the copy of the benchmark that the other program has asked"


class Questions:
    """Questions by id, by row and by words. Raises RecordError for a line that is not a question."""

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
                    remedy = "--questions takes a file that s2h-eval --questions FILE has written"
                    raise RecordError("is missing", field, where, remedy)
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
        """Return how many questions have no reply so far."""
        return len(self._by_id) - len(self._replied)

    def note(self, name: str) -> None:
        """Note that the question with this id, if there is one, has a reply."""
        if name in self._by_id:
            self._replied.add(name)

    def find(self, reply: Reply) -> Record:
        """Return the question of a reply. Raises RecordError if no question fits, or several."""
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
        """Return the question with the reply's id, unless it has other words: two data sets may number their rows
        differently."""
        if reply.id is None:
            return None
        for name in (reply.id, f"{reply.bench}/{reply.id}"):
            found = self._by_id.get(name)
            if found is not None and self._agrees(found, reply):
                return found
        return None

    def _agrees(self, line: Record, reply: Reply) -> bool:
        """Return whether a question has the words of a reply's question or prompt, and an option in common with it."""
        here = words(str(line["question"]))
        if reply.prompt is not None:
            return here in words(reply.prompt)
        if reply.question is None:
            return True
        # One copy may write an option with a period, another without. If no option is the same, the question is another one.
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
            may_be = f"may be {' or '.join(str(line['id']) for line in found[:3])}"
            raise RecordError(
                f"{what} {may_be if found else 'names no question'} of {self._file}", "doc_id", remedy=_SAME
            )
        if not self._agrees(found[0], reply):
            raise RecordError(
                f"row {row} of {reply.bench} is another question than {found[0]['id']} of {self._file}",
                "doc_id", remedy=f"{_SAME}: rows are counted in their order",
            )  # fmt: skip
        return found[0]

    def _worded(self, reply: Reply) -> Record:
        """Return the only question with the reply's words and options. Raises RecordError."""
        if reply.question is None:
            raise RecordError(f"{reply.id} is none of the questions of {self._file}", "id", remedy=_SAME)
        found = self._by_words.get((reply.bench, words(reply.question)), [])
        if reply.choices:
            found = [
                line for line in found if not line.get("choices") or _options(line) == _lower(reply.choices)
            ]
        if len(found) == 1:
            return found[0]
        examples = " and ".join(str(line["id"]) for line in found[:2])
        fitting = f"{len(found)} questions, such as {examples}," if found else "no question"
        raise RecordError(f"{reply.id} has the words of {fitting} of {self._file}", "id", remedy=_SAME)


def words(text: str) -> str:
    """Return a text in lower case, without marks of images, with single spaces."""
    return " ".join(_MARK.sub(" ", text).lower().split())


def _category(line: Record) -> str:
    return benches.letters_of(str(line.get("category") or ""))


def _options(line: Record) -> dict[str, str]:
    return _lower(gold.options(line))


def _lower(choices: dict[str, str]) -> dict[str, str]:
    return {letter: words(option) for letter, option in choices.items()}


def same_answer(question: Record, reply: Reply) -> bool:
    """Return whether a reply's file and a question have the same right answer, or one of them does not have it."""
    if gold.hidden(reply.answer) or gold.hidden(question.get("answer")):
        return True
    try:
        return gold.read(question | {"answer": reply.answer}) == gold.read(question)
    except RecordError:  # the file has another form of the answer, such as a sentence
        return True
