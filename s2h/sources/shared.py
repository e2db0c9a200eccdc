"""Questions that a source asks of several of its pictures with different answers, for level 2's comparisons. Only pictures
of which the question was asked are used, and only answers that surely mean the same or surely differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from s2h.language import short_answers
from s2h.language.normalisation import normalise
from s2h.sources import Item, NoPair

SHORT = 4  # words of an answer that is a value
MANY = 50  # rows beyond which a question is drawn no more often
TRIED = 40
# Questions that have several right answers at once: what is on one table may be on the other too.
_OPEN = re.compile(
    r"""(?:why\b|name\b|what\ else\b|what(?:'s|’s|\ is|\ are|\ can\ (?:you|we)\ see|\ do\ you\ see)
    (?:\ (?:there|sitting|lying|laying|standing|hanging|placed|located|growing|visible|seen|shown))?
    \ (?:on|in|inside|behind|beside|near|next|under|underneath|around|above|over|between|against|at)\b
    |what\ (?:is|are)\b.*\bwearing\s*\?)""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class SharedQuestion:
    """A question, and two of its answers with the rows (one a picture) that give them."""

    ask: str
    rows: dict[str, list[int]]


class SharedQuestions:
    """The questions of a quiz that are asked of several pictures."""

    def __init__(self, quiz: Any) -> None:
        self._quiz, sheet = quiz, quiz.sheet
        groups: dict[str, list[int]] = {}
        for row in range(len(sheet)):
            if row not in sheet.unclear and len(normalise(sheet.answers[row])) <= SHORT:
                question = sheet.questions[row]
                if "\n" not in question:  # of options, which are others for each picture
                    groups.setdefault(" ".join(question.casefold().split()), []).append(row)
        self._groups = [rows for rows in groups.values() if len({sheet.value_of[row] for row in rows}) > 1]
        self._weights = list(accumulate(min(len(rows), MANY) for rows in self._groups))

    def __len__(self) -> int:
        return len(self._groups)

    def draw(self, rng: Random, one_least: int) -> SharedQuestion:
        """A question with two answers, of the first of which there are so many pictures at least."""
        if not self._groups:
            raise NoPair("no question that is asked of several pictures with different answers")
        for _ in range(TRIED):
            rows = rng.choices(self._groups, cum_weights=self._weights)[0]
            if _OPEN.match(self._quiz.sheet.questions[rows[0]].strip()):
                continue
            found = self._by_value(rows)
            firsts = [value for value, those in found.items() if len(those) >= one_least]
            if not firsts:
                continue
            one = rng.choices(firsts, [len(found[value]) for value in firsts])[0]
            others = [value for value in found if self._apart(found, one, value)]
            if others:
                other = rng.choices(others, [len(found[value]) for value in others])[0]
                return SharedQuestion(
                    self._quiz.sheet.questions[rows[0]], {value: found[value] for value in (one, other)}
                )
        raise NoPair("too few pictures of which the same is asked")

    def _by_value(self, rows: list[int]) -> dict[str, list[int]]:
        """Rows by answer, one a picture; a picture with two answers that aren't the same is left out."""
        sheet = self._quiz.sheet
        of_picture: dict[int, int] = {}
        torn = set()
        for row in rows:
            picture = sheet.picture_of[row]
            first = of_picture.setdefault(picture, row)
            if not short_answers.same(sheet.answers[first], sheet.answers[row]):
                torn.add(picture)
        found: dict[str, list[int]] = {}
        for picture, row in of_picture.items():
            if picture not in torn:
                found.setdefault(sheet.spellings[sheet.value_of[row]], []).append(row)
        return found

    def _apart(self, found: dict[str, list[int]], one: str, other: str) -> bool:
        """Whether two answers surely differ, and no annotator gave the one where the other is right."""
        if one == other or not short_answers.differ(one, other):
            return False
        accepted = self._quiz.sheet.accepted
        for wrong, right in ((one, other), (other, one)):
            said = {line for row in found[right] for line in accepted[row].split("\n") if line}
            if any(short_answers.same(wrong, line) for line in said):
                return False
        return True

    def draw_picture(self, rng: Random, question: SharedQuestion, value: str, together: list[Item]) -> Item:
        """A picture for which the value is the right answer, and which is no copy of one that is there."""
        rows = list(question.rows[value])
        rng.shuffle(rows)
        taken = {item.key for item in together}
        for row in rows:
            picture = self._quiz.sheet.picture_of[row]
            if str(picture) not in taken:
                item = self._quiz._item(picture)
                if all(item.print != other.print for other in together):
                    return item
        raise NoPair("too few pictures of which the same is asked")
