"""A quiz: pictures with questions and their answers, for level 1. A wrong answer without a model is the answer to another
question of the same kind (the other of yes and no), so that right and wrong ones come from one distribution."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from random import Random

from s2h.language.answers import normalise
from s2h.sources import Item, NoPair, Question, SourceError
from s2h.sources.packed import Groups, Texts
from s2h.sources.unused import Unused

OPENING = 4  # words of a question by which those that ask the same are told
SHORT = 4  # words of an answer that can be exchanged for another of its kind
WRONG = 8  # other answers that are looked at
OPPOSITE = {"yes": "no", "no": "yes"}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and any(sign.isalnum() for sign in value)


class Sheet:
    """Questions with their answers and pictures. Fill it with `add`, then `seal`."""

    def __init__(self) -> None:
        self.pictures, self.questions, self.answers = Texts(), Texts(), Texts()
        self._places: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._openings: dict[str, int] = {}
        self.picture_of, self.kind_of, self.opening_of = array("I"), array("I"), array("I")
        self.partner = array(
            "i"
        )  # row -> the row that asks the same of another picture and has another answer, or -1
        self._rows: dict[str, int] | None = {}

    def __len__(self) -> int:
        return len(self.answers)

    def add(self, name: str, picture: str, question: object, answer: object, kind: str = "") -> str:
        """A row: its own name (for `pair`), its picture's, question and answer, and the kind of question. Returns why it
        can't be used, "" where it can."""
        if name in self._rows:
            return "listed twice"
        if not (_is_text(question) and _is_text(answer)):
            return "no question or no answer"
        if picture not in self._places:
            self._places[picture] = len(self.pictures)
            self.pictures.append(picture)
        question, answer = " ".join(question.split()), " ".join(answer.split())
        words = normalise(question)
        kind, opening = kind or " ".join(words[:2]), " ".join(words[:OPENING])
        self._rows[name] = len(self)
        self.picture_of.append(self._places[picture])
        self.kind_of.append(self._kinds.setdefault(kind, len(self._kinds)))
        self.opening_of.append(self._openings.setdefault(opening, len(self._openings)))
        self.partner.append(-1)
        self.questions.append(question)
        self.answers.append(answer)
        return ""

    def pair(self, one: str, other: str) -> bool:
        """Two rows that ask the same of two pictures; whether both are here and their answers differ."""
        a, b = self._rows.get(one), self._rows.get(other)
        if a is None or b is None or normalise(self.answers[a]) == normalise(self.answers[b]):
            return False
        self.partner[a], self.partner[b] = b, a
        return True

    def seal(self) -> Sheet:
        for texts in (self.pictures, self.questions, self.answers):
            texts.seal()
        self.by_picture = Groups(len(self.pictures), zip(self.picture_of, range(len(self)), strict=True))
        self.by_kind = Groups(len(self._kinds), zip(self.kind_of, range(len(self)), strict=True))
        self.by_opening = Groups(len(self._openings), zip(self.opening_of, range(len(self)), strict=True))
        self._rows, self._places, self._kinds, self._openings = None, {}, {}, {}
        return self


class Quiz:
    """Pictures that questions are known about. read gives the bytes of a picture that is no file of its own."""

    def __init__(
        self,
        spec: str,
        root: str,
        sheet: Callable[[Counter], Sheet],
        *,
        read: Callable[[str], bytes] | None = None,
    ) -> None:
        self.spec, self.root, self.unused, self._read = spec, root, Unused(), read
        self.sheet = sheet(self.unused.listed)
        if len(self.sheet.pictures) < 2:
            why = self.unused.why("no questions")
            raise SourceError(f"source {spec!r}: fewer than two pictures with a question can be used ({why})")

    def __len__(self) -> int:
        return len(self.sheet.pictures)

    @cached_property
    def twins(self) -> bool:
        """Whether some questions are asked of two pictures with different answers."""
        return any(partner >= 0 for partner in self.sheet.partner)

    def _item(self, at: int) -> Item:
        name = self.sheet.pictures[at]
        labels = {"kind": "photo", "file": name}
        reference = "" if self._read is not None else os.path.join(self.root, name)
        seen = self.unused.check(0, at, len(self), lambda: reference or self._read(name))
        if self._read is not None:
            return Item(str(at), labels, data=lambda: self._read(name), print=seen)
        return Item(str(at), labels, reference=reference, print=seen)

    def subject(self, rng: Random) -> Item:
        return self._item(self.sheet.picture_of[rng.randrange(len(self.sheet))])

    def companion(self, rng: Random, together: list[Item]) -> Item:
        """Another picture, which is no copy of one that is there."""
        taken = {item.key for item in together}
        for _ in range(WRONG):
            at = rng.randrange(len(self))
            if str(at) not in taken:
                item = self._item(at)
                if all(item.print != other.print for other in together):
                    return item
        raise NoPair("too few pictures for the distractors")

    def questions(self, item: Item) -> list[Question]:
        sheet = self.sheet
        rows = sheet.by_picture[int(item.key)]
        return [
            Question(
                "question", sheet.questions[row], sheet.answers[row], self._wrong(row),
                sheet.questions[row].replace("{}", "") + " {}", row,
            )
            for row in rows
        ]  # fmt: skip

    def _wrong(self, row: int) -> tuple[str, ...]:
        answer, question = self.sheet.answers[row], self.sheet.questions[row]
        if normalise(answer) in (("yes",), ("no",)):
            other = OPPOSITE[normalise(answer)[0]]
            return (other.capitalize() if answer[0].isupper() else other,)
        right, rng = normalise(answer), Random(f"{row} {question}")
        if not 0 < len(right) <= SHORT:
            return ()
        sheet, found = self.sheet, {}
        # Of a question that begins alike ('what is color of', 'what is black shape'), else of one of its kind.
        for groups, of in ((sheet.by_opening, sheet.opening_of), (sheet.by_kind, sheet.kind_of)):
            for _ in range(0 if found else WRONG):
                other = sheet.answers[groups.pick(rng, of[row])]
                said = normalise(other)
                apart = said and len(said) <= SHORT and said[0] not in OPPOSITE and not set(said) & set(right)
                if apart and said[0].isdigit() == right[0].isdigit():
                    found[said] = other
        return tuple(found[said] for said in sorted(found))

    def counterpart(self, question: Question) -> tuple[Item, str] | None:
        """The other picture of which the same is asked, and its answer."""
        other = self.sheet.partner[question.row]
        if other < 0:
            return None
        return self._item(self.sheet.picture_of[other]), self.sheet.answers[other]
