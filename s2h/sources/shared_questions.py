"""Questions that several pictures of a source answer differently, for the comparisons of level 2. Only pictures that the
source asks the question about are used, and only answers that surely mean the same or surely differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random

from s2h.errors import NoPair
from s2h.language import short_answers
from s2h.language.normalisation import normalise
from s2h.sources import lettered_options
from s2h.sources.items import Item
from s2h.sources.question_table import SHORT, QuestionTable

MANY = 50  # a question with more rows is not drawn more often
REDRAWS = 40
KEPT = 1 << 9  # questions whose answers are cached by value
# Questions that can have several right answers: a thing that is on one table may be on the other too.
_OPEN = re.compile(
    r"""(?:why\b|name\b|what\ else\b|what(?:'s|’s|\ is|\ are|\ can\ (?:you|we)\ see|\ do\ you\ see)
    (?:\ (?:there|sitting|lying|laying|standing|hanging|placed|located|growing|visible|seen|shown))?
    \ (?:on|in|inside|behind|beside|near|next|under|underneath|around|above|over|between|against|at)\b
    |what\ (?:is|are)\b.*\bwearing\s*\?)""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class SharedQuestion:
    """A question and two of its answers. rows: answer -> rows with this answer, one for each picture."""

    ask: str
    rows: dict[str, list[int]]


def _stem(question: str) -> str:
    """Return a question without the sentence that says how to answer it. Return "" for lettered options, which differ from
    picture to picture."""
    if "\n" not in question:
        return question
    parsed = lettered_options.parse(question)
    return "" if parsed.options or "\n" in parsed.stem else parsed.stem


class SharedQuestions:
    """The questions of a table that are asked about several pictures. item: returns a picture of the table by its number."""

    def __init__(self, table: QuestionTable, item: Callable[[int], Item]) -> None:
        self._table, self._item = table, item
        groups: dict[str, list[int]] = {}
        for row in range(len(table)):
            if row in table.unclear or len(normalise(table.answers[row])) > SHORT:
                continue
            if question := _stem(table.questions[row]):
                groups.setdefault(" ".join(question.casefold().split()), []).append(row)
        self._groups = [rows for rows in groups.values() if len({table.value_of[row] for row in rows}) > 1]
        self._by_value = lru_cache(maxsize=KEPT)(self._find_by_value)
        self._others = lru_cache(maxsize=KEPT)(self._find_others)
        self._weights = list(accumulate(min(len(rows), MANY) for rows in self._groups))

    def __len__(self) -> int:
        return len(self._groups)

    def draw(self, rng: Random, one_least: int) -> SharedQuestion:
        """Draw a question with two answers. At least `one_least` pictures have the first of them. Raises NoPair."""
        if not self._groups:
            raise NoPair("no question that is asked of several pictures with different answers")
        for _ in range(REDRAWS):
            group = rng.choices(range(len(self)), cum_weights=self._weights)[0]
            rows = self._groups[group]
            ask = _stem(self._table.questions[rows[0]])
            if _OPEN.match(ask.strip()):
                continue
            found = self._by_value(group)
            firsts = [value for value, those in found.items() if len(those) >= one_least]
            if not firsts:
                continue
            one = rng.choices(firsts, [len(found[value]) for value in firsts])[0]
            others = self._others(group, one)
            if others:
                other = rng.choices(others, [len(found[value]) for value in others])[0]
                return SharedQuestion(ask, {value: found[value] for value in (one, other)})
        raise NoPair("too few pictures of which the same is asked")

    def _find_by_value(self, group: int) -> dict[str, list[int]]:
        """Return answer -> rows, one row for each picture. Pictures with two different answers are left out."""
        table = self._table
        of_picture: dict[int, int] = {}
        torn = set()
        for row in self._groups[group]:
            picture = table.picture_of[row]
            first = of_picture.setdefault(picture, row)
            if not short_answers.same(table.answers[first], table.answers[row]):
                torn.add(picture)
        found: dict[str, list[int]] = {}
        for picture, row in of_picture.items():
            if picture not in torn:
                found.setdefault(table.spellings[table.value_of[row]], []).append(row)
        return found

    def _find_others(self, group: int, one: str) -> list[str]:
        """Return the answers to a question that surely differ from one of them."""
        found = self._by_value(group)
        return [value for value in found if self._apart(found, one, value)]

    def _apart(self, found: dict[str, list[int]], one: str, other: str) -> bool:
        """Tell whether two answers surely differ, and no annotator gave one of them where the other is right."""
        if one == other or not short_answers.differ(one, other):
            return False
        accepted = self._table.accepted
        for wrong, right in ((one, other), (other, one)):
            right_answers = {line for row in found[right] for line in accepted[row].split("\n") if line}
            if any(short_answers.same(wrong, line) for line in right_answers):
                return False
        return True

    def draw_picture(self, rng: Random, question: SharedQuestion, value: str, together: list[Item]) -> Item:
        """Draw a picture for which `value` is the right answer and that is no copy of one in `together`. Raises NoPair."""
        rows = list(question.rows[value])
        rng.shuffle(rows)
        taken = {item.key for item in together}
        for row in rows:
            picture = self._table.picture_of[row]
            if str(picture) not in taken:
                item = self._item(picture)
                if all(item.content_hash != other.content_hash for other in together):
                    return item
        raise NoPair("too few pictures of which the same is asked")
