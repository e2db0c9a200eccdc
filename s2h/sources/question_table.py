"""A packed table of questions with their answers and pictures, and the odds of each answer to a question."""

from __future__ import annotations

from array import array
from collections.abc import Container, Sequence
from functools import cached_property, lru_cache
from random import Random
from typing import NamedTuple

from s2h.language import short_answers
from s2h.language.normalisation import normalise
from s2h.sources import lettered_options
from s2h.sources.packed_lists import Groups, Texts

SHORT = 4  # words of an answer that can be exchanged for another of its kind
BACK_OFF = 8  # a question with this many rows is not backed off
OPENING = 3  # first words of a question that are its kind, if the source names none
KEPT = 4096  # groups of rows whose answer counts are cached
WORDS = 6  # words of a question that its answers are backed off to
# Words that say nothing about the answer to a question.
PLAIN = frozenset((
    "a", "an", "the", "of", "in", "on", "at", "is", "are", "was", "do", "does", "did", "this", "that", "these", "those",
    "there", "it", "its", "to", "for", "with", "and", "or", "any", "you", "see", "image", "picture", "photo", "what",
    "which", "who", "how",
))  # fmt: skip


class AnswerCounts(NamedTuple):
    """The answers of a group of rows. often: key -> count. values: key -> number of the value. total: rows."""

    often: dict[str, int]
    values: dict[str, int]
    total: int


def _is_text(value: object) -> bool:
    return isinstance(value, str) and any(sign.isalnum() for sign in value)


class QuestionTable:
    """Rows of question, answer and picture. Fill it with `add`, then call `seal`.

    partner: the row that asks the same about another picture and has another answer, or -1. unclear: rows about whose
    answer annotators disagree. spellings: of each value, as it is first written; keys: its normalised form."""

    def __init__(self) -> None:
        self.pictures, self.questions, self.answers, self.accepted = Texts(), Texts(), Texts(), Texts()
        self.picture_of, self.kind_of, self.ask_of, self.value_of = (array("I") for _ in range(4))
        self.spellings: list[str] = []
        self.keys: list[str] = []
        self.unclear: set[int] = set()
        self.partner = array("i")
        self._rows: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._asks: dict[str, int] = {}
        self._values: dict[str, int] = {}
        self._words: dict[tuple[int, str], int] = {}
        self._word_rows = array("I")

    def __len__(self) -> int:
        return len(self.answers)

    def add(
        self,
        name: str,
        picture: str,
        question: object,
        answer: object,
        kind: str = "",
        accepted: Sequence[str] = (),
    ) -> str:
        """Add a row. Return "" if it was added, or the reason why it can't be used.

        name: identifies the row, for `pair`. picture: the name of its picture. kind: of the question. accepted: the answers
        of other annotators."""
        if name in self._rows:
            return "listed twice"
        if not (
            isinstance(question, str) and isinstance(answer, str) and _is_text(question) and _is_text(answer)
        ):
            return "no question or no answer"
        if "\ufffd" in question or "\ufffd" in answer:
            return "a question or an answer that is not UTF-8"
        parsed, answer = lettered_options.parse(question), " ".join(answer.split())
        if not short_answers.is_answer(answer):
            return "an answer that tells no value"
        if not _is_text(parsed.stem):
            return "no question or no answer"
        if why := lettered_options.why_not(parsed, answer):
            return why
        if picture not in self._places:
            self._places[picture] = len(self.pictures)
            self.pictures.append(picture)
        row, words = len(self), normalise(parsed.stem)
        kind = "letter" if parsed.options else kind or " ".join(words[:OPENING])
        number = self._kinds.setdefault(kind, len(self._kinds))
        self._rows[name] = row
        self.picture_of.append(self._places[picture])
        self.kind_of.append(number)
        ask = " ".join((kind, *words) if parsed.options else words)  # letters answer no other question
        self.ask_of.append(self._asks.setdefault(ask, len(self._asks)))
        for word in _telling(words):
            self._word_rows.extend((self._words.setdefault((number, word), len(self._words)), row))
        self.partner.append(-1)
        self.questions.append(parsed.text())
        self.answers.append(answer)
        self.accepted.append("\n".join(dict.fromkeys(str(other) for other in accepted if _is_text(other))))
        self.value_of.append(self._value(answer))
        return ""

    def _value(self, answer: str) -> int:
        key = short_answers.key(answer)
        if key not in self._values:
            self._values[key] = len(self._values)
            self.keys.append(key)
            self.spellings.append(answer.rstrip(" .!?") or answer)
        return self._values[key]

    def pair(self, one: str, other: str) -> bool:
        """Join two rows that ask the same about two pictures. Return False if a row is missing or the answers are equal."""
        a, b = self._rows.get(one), self._rows.get(other)
        if a is None or b is None or self.value_of[a] == self.value_of[b]:
            return False
        self.partner[a], self.partner[b] = b, a
        return True

    def seal(self) -> QuestionTable:
        """Finish the table: build the lists of the rows of each picture, kind, question and word."""
        for texts in (self.pictures, self.questions, self.answers, self.accepted):
            texts.seal()
        rows = range(len(self))
        self.by_picture = Groups(len(self.pictures), zip(self.picture_of, rows, strict=True))
        self.by_kind = Groups(len(self._kinds), zip(self.kind_of, rows, strict=True))
        self.by_ask = Groups(len(self._asks), zip(self.ask_of, rows, strict=True))
        pairs = zip(self._word_rows[0::2], self._word_rows[1::2], strict=True)
        self.by_word = Groups(len(self._words), pairs)
        del self._rows, self._places, self._kinds, self._asks, self._values, self._word_rows
        self.count = lru_cache(maxsize=KEPT)(self._count)
        return self

    def _count(self, groups: Groups, group: int) -> AnswerCounts:
        """Count the answers in a group of rows."""
        import numpy as np

        rows = np.frombuffer(groups[group], dtype=np.uint32)
        values, counts = np.unique(np.frombuffer(self.value_of, dtype=np.uint32)[rows], return_counts=True)
        found = {self.keys[at]: at for at in values.tolist()}
        return AnswerCounts(dict(zip(found, counts.tolist(), strict=True)), found, len(rows))

    def words_of(self, row: int) -> list[int]:
        """Return the groups in `by_word` of a question's words, without those in PLAIN. A group has the rows of one kind
        with one word."""
        words = _telling(normalise(lettered_options.parse(self.questions[row]).stem))
        return [self._words[self.kind_of[row], word] for word in words]


def _telling(words: Sequence[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word not in PLAIN][-WORDS:]


class BackedOffOdds:
    """The odds of the answers to a question, from the rows that ask the same. If these are few, they are mixed with the
    rows of the same kind, with more weight on rows that share a word with the question."""

    def __init__(self, table: QuestionTable, row: int) -> None:
        self._table, self._row = table, row

    @cached_property
    def _levels(self) -> list[tuple[Groups, int, float]]:
        """The groups of rows that are mixed, each with its weight. Most questions are looked at and never posed, so they are
        found when they are first used."""
        table, row = self._table, self._row
        near, words = table.by_ask.size(table.ask_of[row]), table.words_of(row)
        nearest = 1.0 if near >= BACK_OFF else near / (near + BACK_OFF) if near > 1 else 0.0
        sizes = [table.by_word.size(word) for word in words]
        middle = [(1 - nearest) * size / (size + BACK_OFF) / len(words) for size in sizes]
        levels = [(table.by_ask, table.ask_of[row], nearest)]
        levels += [(table.by_word, word, weight) for word, weight in zip(words, middle, strict=True)]
        levels.append((table.by_kind, table.kind_of[row], 1 - nearest - sum(middle)))
        return [level for level in levels if level[2] > 0]

    def draw(self, rng: Random, settled: Container[str] = ()) -> str:
        ((groups, group, _),) = rng.choices(self._levels, [weight for _, _, weight in self._levels])
        return self._table.spellings[self._table.value_of[groups.pick(rng, group)]]

    def share(self, value: str) -> float:
        key = short_answers.key(value)
        return sum(
            weight * counts.often.get(key, 0) / max(1, counts.total)
            for groups, group, weight in self._levels
            for counts in [self._table.count(groups, group)]
        )

    @property
    def known(self) -> dict[str, str]:
        """All short answers to this kind of question: key -> spelling."""
        groups, group, _ = self._levels[-1]
        values = self._table.count(groups, group).values
        spellings = self._table.spellings
        return {key: spellings[at] for key, at in values.items() if len(key.split()) <= SHORT}

    def rows(self, value: str) -> list[int]:
        """Return rows with this answer to the same question, or else to the most similar questions that have it."""
        key, table = short_answers.key(value), self._table
        for groups, group, _ in self._levels:
            if found := [row for row in groups[group] if table.keys[table.value_of[row]] == key]:
                return found
        return []
