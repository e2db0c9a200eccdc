"""How often each answer to a question about photos is the right one, from which wrong answers are drawn. The questions are
asked in photo_questions.py."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from random import Random

from s2h.errors import NoPair
from s2h.language import short_answers

Pick = Callable[[Random, str], int | None]


class WeighedOdds:
    """Odds by the weight of each answer. pick(rng, value) draws a picture for which the answer is right, None if there is
    none."""

    def __init__(self, weights: dict[str, float], pick: Pick) -> None:
        self._weights, self.pick = {value: w for value, w in weights.items() if w > 0}, pick
        self._values, self._upto = list(self._weights), list(accumulate(self._weights.values()))

    def draw(self, rng: Random, settled: Container[str] = ()) -> str:
        if not self._weights:
            raise NoPair("a question with one answer only")
        return rng.choices(self._values, cum_weights=self._upto)[0]

    def share(self, value: str) -> float:
        return self._weights.get(value, 0.0) / self._upto[-1] if self._upto else 0.0

    @cached_property
    def known(self) -> dict[str, str]:
        return {short_answers.key(value): value for value in self._weights}


@dataclass(frozen=True)
class KindOdds:
    """Odds of the question what is shown, by the pictures of each thing. A wrong answer is the thing that another picture
    shows, unless that picture may also show the right one: then neither rejects the other, and words tell nothing.

    odds: the odds of all pictures. shows: whether a picture may show the thing that is the right answer."""

    odds: WeighedOdds
    shows: Callable[[int], bool]

    @property
    def pick(self) -> Pick:
        return self.odds.pick

    def draw(self, rng: Random, settled: Container[str] = ()) -> str:
        value = self.odds.draw(rng)
        at = self.odds.pick(rng, value)
        if value in settled:
            return value
        if at is None or self.shows(at):
            raise NoPair("a wrong answer whose picture may show the right one")
        return value

    def share(self, value: str) -> float:
        return self.odds.share(value)

    @property
    def known(self) -> dict[str, str]:
        return self.odds.known


class LargestOdds:
    """Odds of the question which of several things is the largest. The wrong answer is another thing, drawn as often as
    pictures show the two the other way round. wins: (largest, other) -> frequency."""

    def __init__(self, names: dict[int, str], winner: int, wins: dict[tuple[int, int], float]) -> None:
        self._names, self._winner, self._wins = names, winner, wins

    def draw(self, rng: Random, settled: Container[str] = ()) -> str:
        other = rng.choice([number for number in self._names if number != self._winner])
        back, there = self._wins.get((other, self._winner), 0.0), self._wins.get((self._winner, other), 0.0)
        if rng.random() * (there + back) >= back:
            raise NoPair("a wrong answer that words would tell")
        return self._names[other]

    def share(self, value: str) -> float:
        return 1 / len(self._names)

    @property
    def known(self) -> dict[str, str]:
        return {short_answers.key(name): name for name in self._names.values()}
