"""A quiz: pictures with questions and their answers, for level 1. A wrong answer without a model is drawn from the
answers of the same question, backed off to its kind, as often as it is right there; where the right one comes out there
is no pair.
So right and wrong answers are two draws of one kind and words alone can't tell which is which."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from random import Random
from typing import Any

from s2h.language import short_answers
from s2h.language.normalisation import normalise
from s2h.sources import Item, NoPair, Question, SourceError, options
from s2h.sources.packed import Groups, Texts
from s2h.sources.shapes import Dataset
from s2h.sources.shared import SharedQuestions
from s2h.sources.unused import Unused

SHORT = 4  # words of an answer that can be exchanged for another of its kind
TRIED = 8  # other pictures that are looked at
SCARCE = 0.05  # of the answers of yes and no, so rare that they can't be asked for
BACK_OFF = 8  # rows of a question from which on its own answers are enough
OPENING = 3  # words of a question that make its kind, where the source names none
WORDS = 6  # words of a question by which answers are backed off
# Words of a question that say nothing about its answer.
PLAIN = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "is",
        "are",
        "was",
        "do",
        "does",
        "did",
        "this",
        "that",
        "these",
        "those",
        "there",
        "it",
        "its",
        "to",
        "for",
        "with",
        "and",
        "or",
        "any",
        "you",
        "see",
        "image",
        "picture",
        "photo",
        "what",
        "which",
        "who",
        "how",
    ]
)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and any(sign.isalnum() for sign in value)


class Sheet:
    """Questions with their answers and pictures. Fill it with `add`, then `seal`."""

    def __init__(self) -> None:
        self.pictures, self.questions, self.answers, self.accepted = Texts(), Texts(), Texts(), Texts()
        self._places: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._asks: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._words: dict[tuple[int, str], int] = {}
        self._word_rows: array = array("I")
        self.picture_of, self.kind_of, self.ask_of, self.value_of = (array("I") for _ in range(4))
        self.spellings: list[str] = []  # of each value, as it is first written
        self.keys: list[str] = []
        self.unclear: set[int] = set()  # rows about whose answer annotators disagree
        self.partner = array(
            "i"
        )  # row -> the row that asks the same of another picture and has another answer, or -1
        self._rows: dict[str, int] | None = {}

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
        """A row: its own name (for `pair`), its picture's, question and answer, the kind of question, and the answers that
        other annotators gave. Returns why it can't be used, "" where it can."""
        if name in self._rows:
            return "listed twice"
        if not (_is_text(question) and _is_text(answer)):
            return "no question or no answer"
        if "\ufffd" in question or "\ufffd" in answer:
            return "a question or an answer that is not UTF-8"
        asked, answer = options.parse(question), " ".join(answer.split())
        if not short_answers.is_answer(answer):
            return "an answer that tells no value"
        if not _is_text(asked.stem):
            return "no question or no answer"
        if why := options.why_not(asked, answer):
            return why
        if picture not in self._places:
            self._places[picture] = len(self.pictures)
            self.pictures.append(picture)
        row, words = len(self), normalise(asked.stem)
        kind = "letter" if asked.options else kind or " ".join(words[:OPENING])
        number = self._kinds.setdefault(kind, len(self._kinds))
        self._rows[name] = row
        self.picture_of.append(self._places[picture])
        self.kind_of.append(number)
        ask = " ".join((kind, *words) if asked.options else words)  # letters answer no other question
        self.ask_of.append(self._asks.setdefault(ask, len(self._asks)))
        for word in _telling(words):
            self._word_rows.extend((self._words.setdefault((number, word), len(self._words)), row))
        self.partner.append(-1)
        self.questions.append(asked.text())
        self.answers.append(answer)
        self.accepted.append("\n".join(dict.fromkeys(str(other) for other in accepted if _is_text(other))))
        self.value_of.append(self._value(answer))
        return ""

    def _value(self, answer: str) -> int:
        key = short_answers.key(answer)
        if key not in self._keys:
            self._keys[key] = len(self._keys)
            self.keys.append(key)
            self.spellings.append(answer.rstrip(" .!?") or answer)
        return self._keys[key]

    def pair(self, one: str, other: str) -> bool:
        """Two rows that ask the same of two pictures; whether both are here and their answers differ."""
        a, b = self._rows.get(one), self._rows.get(other)
        if a is None or b is None or self.value_of[a] == self.value_of[b]:
            return False
        self.partner[a], self.partner[b] = b, a
        return True

    def seal(self) -> Sheet:
        for texts in (self.pictures, self.questions, self.answers, self.accepted):
            texts.seal()
        self.by_picture = Groups(len(self.pictures), zip(self.picture_of, range(len(self)), strict=True))
        self.by_kind = Groups(len(self._kinds), zip(self.kind_of, range(len(self)), strict=True))
        self.by_ask = Groups(len(self._asks), zip(self.ask_of, range(len(self)), strict=True))
        pairs = zip(self._word_rows[0::2], self._word_rows[1::2], strict=True)
        self.by_word = Groups(len(self._words), pairs)
        self._rows, self._places, self._kinds, self._asks, self._keys = None, {}, {}, {}, {}
        self._word_rows = array("I")
        return self

    def words_of(self, row: int) -> list[int]:
        """The groups of questions of the same kind that share a telling word with this one."""
        words = _telling(normalise(options.parse(self.questions[row]).stem))
        return [self._words[self.kind_of[row], word] for word in words]


def _telling(words: Sequence[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word not in PLAIN][-WORDS:]


class Odds:
    """How likely each answer is to a question, by the rows that ask the same; where these are few, also by those of its
    kind, and of these the more by the ones that share a telling word with it."""

    def __init__(self, sheet: Sheet, row: int, count: Callable[[str, int], Counter]) -> None:
        self._sheet, self._count = sheet, count
        near, kind = sheet.by_ask.size(sheet.ask_of[row]), sheet.kind_of[row]
        words = sheet.words_of(row)
        nearest = 1.0 if near >= BACK_OFF else near / (near + BACK_OFF) if near > 1 else 0.0
        sizes = [sheet.by_word.size(word) for word in words]
        middle = [(1 - nearest) * size / (size + BACK_OFF) / len(words) for size in sizes]
        levels = [("by_ask", sheet.ask_of[row], nearest)]
        levels += [("by_word", word, weight) for word, weight in zip(words, middle, strict=True)]
        levels.append(("by_kind", kind, 1 - nearest - sum(middle)))
        self._levels = [level for level in levels if level[2] > 0]

    def draw(self, rng: Random) -> str:
        """An answer, as often as it is right."""
        ((name, group, _),) = rng.choices(self._levels, [weight for _, _, weight in self._levels])
        return self._sheet.spellings[self._sheet.value_of[getattr(self._sheet, name).pick(rng, group)]]

    def share(self, value: str) -> float:
        """How often an answer is the right one."""
        at = short_answers.key(value)
        return sum(
            weight * counts.get(at, 0) / max(1, counts.total())
            for name, group, weight in self._levels
            for counts in [self._count(name, group)]
        )

    @property
    def known(self) -> dict[str, str]:
        """All answers to this kind of question that are short, key -> spelling."""
        name, group, _ = self._levels[-1]
        spelling = self._sheet.spellings
        found = self._count(name, group, spell=True)
        return {key: spelling[at] for key, at in found.items() if len(key.split()) <= SHORT}

    def rows(self, value: str) -> list[int]:
        """Rows whose right answer that is: of the same question where there are some, else of the nearest ones."""
        key = short_answers.key(value)
        for name, group, _ in self._levels:
            rows = getattr(self._sheet, name)[group]
            found = [row for row in rows if self._sheet.keys[self._sheet.value_of[row]] == key]
            if found:
                return found
        return []


class Quiz(Dataset):
    """Pictures that questions are known about. read gives the bytes of a picture that is no file of its own."""

    balance_kinds = distractors_differ = False

    def __init__(
        self,
        spec: str,
        root: str,
        sheet: Callable[[Counter], Sheet],
        *,
        read: Callable[[str], bytes] | None = None,
        listed: Counter | None = None,
    ) -> None:
        self.spec, self.root, self.unused, self._read = spec, root, Unused(listed), read
        self.questions = self
        self.sheet = sheet(self.unused.listed)
        self._count = lru_cache(maxsize=4096)(self._counted)
        if len(self.sheet.pictures) < 2:
            why = self.unused.why("no questions")
            raise SourceError(f"source {spec!r}: fewer than two pictures with a question can be used ({why})")

    @property
    def size(self) -> int:
        return len(self.sheet.pictures)

    @cached_property
    def shared_questions(self) -> SharedQuestions:
        """The questions that are asked of several pictures, for comparisons."""
        return SharedQuestions(self)

    @cached_property
    def yes_no_share(self) -> float:
        """The share of questions that yes or no answers; 0 where hardly any has the one or the other."""
        keys = [self.sheet.keys[number] for number in self.sheet.value_of]
        yes, no = (keys.count(word) / len(keys) for word in ("yes", "no"))
        return yes + no if min(yes, no) > SCARCE * (yes + no) else 0.0

    @cached_property
    def has_counterparts(self) -> bool:
        """Whether some questions are asked of two pictures with different answers."""
        return any(partner >= 0 for partner in self.sheet.partner)

    def _counted(self, name: str, group: int, spell: bool = False) -> dict:
        """The answers of a group of rows, by key: how often each is right, or (spell) the number of its spelling."""
        import numpy as np

        rows = np.frombuffer(getattr(self.sheet, name)[group], dtype=np.uint32)
        numbers, counts = np.unique(
            np.frombuffer(self.sheet.value_of, dtype=np.uint32)[rows], return_counts=True
        )
        keys = self.sheet.keys
        if spell:
            return {keys[at]: int(at) for at in numbers}
        return Counter({keys[at]: int(n) for at, n in zip(numbers, counts, strict=True)})

    def _item(self, at: int) -> Item:
        name = self.sheet.pictures[at]
        labels = {"kind": "photo", "file": name}
        reference = "" if self._read is not None else os.path.join(self.root, name)
        seen = self.unused.check(0, at, self.size, lambda: reference or self._read(name))
        if self._read is not None:
            return Item(str(at), labels, data=lambda: self._read(name), print=seen)
        return Item(str(at), labels, reference=reference, print=seen)

    def draw_subject(self, rng: Random) -> Item:
        return self._item(self.sheet.picture_of[rng.randrange(len(self.sheet))])

    def draw_distractor(self, rng: Random, together: list[Item]) -> Item:
        """Another picture, which is no copy of one that is there."""
        taken = {item.key for item in together}
        for _ in range(TRIED):
            at = rng.randrange(self.size)
            if str(at) not in taken:
                item = self._item(at)
                if all(item.print != other.print for other in together):
                    return item
        raise NoPair("too few pictures for the distractors")

    def questions_about(self, item: Item) -> list[Question]:
        return [self._question(row) for row in self.sheet.by_picture[int(item.key)]]

    def _question(self, row: int) -> Question:
        asked = options.parse(self.sheet.questions[row])
        answer, claim = self.sheet.answers[row], asked.stem.replace("{}", "") + " {}"
        more: dict[str, Any] = {"row": row, "closing": asked.closing}
        if asked.options:
            at = asked.index_of(answer)
            others = asked.options[:at] + asked.options[at + 1 :]
            more["options"] = asked.options
            return Question("letter", asked.stem, asked.options[at], others, claim, **more)
        accepted = tuple(self.sheet.accepted[row].split("\n")) if self.sheet.accepted[row] else ()
        if len(normalise(answer)) <= SHORT:
            more["odds"] = Odds(self.sheet, row, self._count)
        return Question("question", asked.stem, answer, (), claim, accepted=accepted, **more)

    def find_answered(self, rng: Random, question: Question, value: str) -> tuple[Item, Question] | None:
        """Another picture of which the same, or the nearest to it, is asked, and whose right answer is the value."""
        rows = question.odds.rows(value) if question.odds is not None else []
        if not rows:
            return None
        row = rng.choice(rows)
        return self._item(self.sheet.picture_of[row]), self._question(row)

    def counterpart_of(self, question: Question) -> tuple[Item, Question] | None:
        """The other picture of which the same is asked, with its question."""
        other = self.sheet.partner[question.row]
        if other < 0:
            return None
        return self._item(self.sheet.picture_of[other]), self._question(other)
