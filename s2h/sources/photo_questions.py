"""The questions that can be asked about photos: what is shown, how many there are, whether something is there, and, if
boxes are known, which of two is larger or further left and which of several is the largest. Each question has its odds, the
frequency of each right answer in the source, so that wrong answers are drawn with the same frequency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from itertools import combinations
from random import Random

from s2h.errors import NoPair
from s2h.language import nouns
from s2h.sources.items import Item, Question
from s2h.sources.photo_odds import KindOdds, LargestOdds, WeighedOdds
from s2h.sources.photo_table import MANY, Naming, PhotoTable

CLEARLY = 2.0  # ratio of two areas from which one thing is clearly larger
TRIED = 20
SAMPLED = 100  # pictures in the sample that measures the share of yes/no questions
SIDES = 3  # numbers stored for a box: area, left, right

Box = tuple[float, ...]


@dataclass
class Survey:
    """The frequency of each answer to questions about counts and boxes.

    counts: (concept, count) -> weight. pairs: (what, one, other) -> winner -> weight; what is `larger` or `left`. pictures:
    by the same keys, the pictures with that winner. wins: (largest, other) -> weight."""

    counts: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    pairs: dict[tuple[str, int, int], dict[int, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )
    pictures: dict[tuple[str, int, int], dict[int, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    wins: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))


class PhotoQuestions:
    """The questions about one part of a photo set. `Question.place` holds the number of the part.

    may_show: tells whether the picture of a number may show a concept, by all that is known of it."""

    def __init__(
        self, part: int, table: PhotoTable, naming: Naming, may_show: Callable[[str, int], bool]
    ) -> None:
        self.part, self.table, self.one_each, self.alike = part, table, naming.one_each, naming.alike
        self.may_show = may_show
        self._counts = lru_cache(maxsize=1024)(self._find_counts)
        self._presence = lru_cache(maxsize=1024)(self._find_presence)
        self._like = lru_cache(maxsize=1 << 14)(self._find_like)
        self._object = lru_cache(maxsize=1 << 13)(self._make_object)

    def questions(self, at: int, item: Item) -> list[Question]:
        """Return the questions that can be asked about a picture. Raises NoPair where there are none."""
        asked: list[Question] = []
        numbers = list(self.table.of_picture[at])
        if self.one_each and numbers:
            asked.append(self._object(at))
        counts = item.labels.get("counts", {})
        for number, (concept, count) in zip(numbers, counts.items(), strict=False):
            if 0 < count < MANY:
                asked.append(self._count(number, concept, count))
        if counts:
            asked += self._there(at, numbers, Random(item.key))
        if self.table.boxes is not None:
            asked += self._placed(at, numbers)
        if not asked:
            raise NoPair("nothing to ask about a picture")
        return [replace(question, place=self.part) for question in asked]

    @cached_property
    def yes_no_share(self) -> float:
        """The share of yes/no questions if each kind of question is asked equally often, measured on pictures that are
        evenly spread over the table."""
        shares: list[float] = []
        for at in range(0, len(self.table), max(1, len(self.table) // SAMPLED)):
            counts = self.table.counts_of(at)
            labels = {"counts": counts} if any(counts.values()) else {}
            with suppress(NoPair):
                kinds = {question.about for question in self.questions(at, Item(f"{self.part}:{at}", labels))}
                shares.append(("presence" in kinds) / len(kinds))
        return sum(shares) / len(shares) if shares else 0.0

    # What is shown --------------------------------------------------------------------------------------------

    def _make_object(self, at: int) -> Question:
        """Return the question what is shown. Whatever the texts of the picture mention is a right answer to it too."""
        concept, *more = (self.table.concepts[number] for number in self.table.of_picture[at])
        answer, *others = map(nouns.indefinite, (concept, *more, *self.table.mentioned(at)))
        return Question(
            "object",
            "What is shown?",
            answer,
            (),
            "a picture of {}",
            accepted=tuple(one for one in dict.fromkeys(others) if one != answer),
            odds=KindOdds(self._kinds, partial(self.may_show, concept)),
            may_hold=lambda value: self.may_show(self._named.get(value, value), at),
        )

    @cached_property
    def _first(self) -> dict[int, list[int]]:
        """Concept -> the pictures whose first concept it is."""
        found: dict[int, list[int]] = defaultdict(list)
        for at in range(len(self.table)):
            start, stop = self.table.of_picture.span(at)
            if start < stop:
                found[self.table.of_picture[at][0]].append(at)
        return found

    @cached_property
    def _named(self) -> dict[str, str]:
        """Answer -> the concept that it names."""
        concepts = (self.table.concepts[number] for number in self._first)
        return {nouns.indefinite(concept): concept for concept in concepts}

    @cached_property
    def _kinds(self) -> WeighedOdds:
        names = {nouns.indefinite(self.table.concepts[number]): number for number in self._first}
        weights = {name: float(len(self._first[number])) for name, number in names.items()}
        return WeighedOdds(
            weights, lambda rng, value: rng.choice(self._first[names[value]]) if value in names else None
        )

    # How many -------------------------------------------------------------------------------------------------

    def _count(self, number: int, concept: str, count: int) -> Question:
        many = nouns.plural(concept)
        odds, answer = self._counts(number), str(count)
        wrong = tuple(str(n) for n in range(1, MANY) if n != count)
        claims = {str(n): f"a picture of {n} {many if n > 1 else concept}" for n in range(1, MANY)}
        return Question("count", f"How many {many} are there?", answer, wrong, "", odds=odds, claims=claims)

    def _find_counts(self, number: int) -> WeighedOdds:
        groups, asked = self.table.by_count, self._survey.counts
        weights = {str(n): asked[number, n] for n in range(1, MANY) if (number, n) in asked}

        def pick(rng: Random, value: str) -> int | None:
            return groups.pick(rng, number * MANY + int(value)) if value in weights else None

        return WeighedOdds(weights, pick)

    # Whether there is one -------------------------------------------------------------------------------------

    def _there(self, at: int, numbers: list[int], rng: Random) -> list[Question]:
        """Return a question "Is there …?" for each thing that is there, and as many for things that are not. The latter are
        drawn by how often they are asked about in pictures that show them. Return [] if nothing can be denied."""
        weights, barred = self._asked, self._barred(numbers)
        free = [number for number in range(len(weights)) if number not in barred and weights[number]]
        if not free:
            return []
        drawn = rng.choices(free, [weights[number] for number in free], k=len(numbers))
        return [self._is_there(number, "yes") for number in numbers] + [
            self._is_there(n, "no") for n in drawn
        ]

    def _barred(self, numbers: list[int]) -> set[int]:
        """Return the concepts that a picture with these concepts may show too, so that they can't be denied."""
        return set(numbers).union(*(self._like(number) for number in numbers))

    def _is_there(self, number: int, answer: str) -> Question:
        name = nouns.indefinite(self.table.concepts[number])
        verb = "Is" if name.startswith(("a ", "an ")) else "Are"
        claims = {"yes": f"a picture of {name}", "no": f"a picture without {name}"}
        wrong = ("no",) if answer == "yes" else ("yes",)
        ask = f"{verb} there {name}?"
        return Question("presence", ask, answer, wrong, "", odds=self._presence(number), claims=claims)

    @cached_property
    def _asked(self) -> list[float]:
        """By concept, how often a question asks whether it is there about pictures that show it."""
        found = [0.0] * len(self.table.concepts)
        for at in range(len(self.table)):
            numbers = self.table.of_picture[at]
            for number in numbers:
                found[number] += 1 / len(numbers)
        return found

    @cached_property
    def _absent(self) -> list[float]:
        """By concept, how often a question asks whether it is there about pictures that don't show it."""
        weights, found, total = self._asked, 0.0, sum(self._asked)
        lost = [0.0] * len(weights)
        for at in range(len(self.table)):
            if not len(self.table.of_picture[at]):
                continue
            barred = self._barred(list(self.table.of_picture[at]))
            left = total - sum(weights[number] for number in barred)
            if left > 0:
                found += 1 / left
                for number in barred:
                    lost[number] += 1 / left
        return [weight * max(0.0, found - one) for weight, one in zip(weights, lost, strict=True)]

    def _find_like(self, number: int) -> frozenset[int]:
        names = self.table.concepts
        return frozenset(n for n in range(len(names)) if self.alike(names[n], names[number]))

    def _find_presence(self, number: int) -> WeighedOdds:
        def pick(rng: Random, value: str) -> int | None:
            if value == "yes":
                return self.table.by_concept.pick(rng, number)
            for _ in range(TRIED):
                at = rng.randrange(len(self.table))
                shown = [self.table.concepts[other] for other in self.table.of_picture[at]]
                if shown and not any(self.alike(self.table.concepts[number], other) for other in shown):
                    return at
            return None

        return WeighedOdds({"yes": self._asked[number], "no": self._absent[number]}, pick)

    # Where and how large --------------------------------------------------------------------------------------

    def _placed(self, at: int, numbers: list[int]) -> list[Question]:
        found = []
        boxes = self._boxes(at, numbers)
        for one, other in combinations(sorted(boxes), 2):
            for what in ("larger", "left"):
                if (winner := _winner(what, boxes, one, other)) is not None:
                    found.append(self._of_two(what, one, other, winner))
        if len(boxes) > 2 and (winner := _largest(boxes)) is not None:
            found.append(self._of_many(sorted(boxes), winner))
        return found

    def _boxes(self, at: int, numbers: list[int]) -> dict[int, Box]:
        """Return the boxes of the things that a picture shows exactly once."""
        if (rows := self.table.boxes) is None:
            return {}
        start, _ = self.table.of_picture.span(at)
        found = {}
        for offset, number in enumerate(numbers):
            box = tuple(rows[(start + offset) * SIDES : (start + offset + 1) * SIDES])
            if box[0] > 0:
                found[number] = box
        return found

    @cached_property
    def _survey(self) -> Survey:
        """The frequencies over the draws of vqa: a picture, then a kind of question that can be asked about it, then a
        question of this kind. They differ from plain counts: a picture of several dogs has fewer boxes to compare, so
        questions about it ask more often how many dogs there are."""
        found = Survey()
        for at in range(len(self.table)):
            numbers = list(self.table.of_picture[at])
            counts = zip(numbers, self.table.counts_of(at).values(), strict=False)
            counted = [(number, count) for number, count in counts if 0 < count < MANY]
            boxes = self._boxes(at, numbers)
            won: dict[str, list[tuple[int, int, int]]] = {"larger": [], "left": []}
            for one, other in combinations(sorted(boxes), 2):
                for what, of_this in won.items():
                    if (winner := _winner(what, boxes, one, other)) is not None:
                        of_this.append((one, other, winner))
            largest = _largest(boxes) if len(boxes) > 2 else None
            kinds = bool(counted) + sum(map(bool, won.values())) + (largest is not None)
            kinds += self.one_each and bool(numbers)
            for number, count in counted:
                found.counts[number, count] += 1 / kinds / len(counted)
            for what, of_this in won.items():
                for one, other, winner in of_this:
                    found.pictures[what, one, other][winner].append(at)
                    found.pairs[what, one, other][winner] += 1 / kinds / len(of_this)
            if largest is not None:
                for number in boxes.keys() - {largest}:
                    found.wins[largest, number] += 1 / kinds / (len(boxes) - 1)
        return found

    def _of_two(self, what: str, one: int, other: int, winner: int) -> Question:
        names = {number: _the(self.table.concepts[number]) for number in (one, other)}
        both = f"{names[one]} or {names[other]}"
        ask = (
            f"Which takes up more of the picture, {both}?"
            if what == "larger"
            else f"Which is further left, {both}?"
        )
        scene = "a large {} and a small {}" if what == "larger" else "a {} on the left and a {} on the right"
        bare = {number: self.table.concepts[number] for number in names}
        claims = {
            names[one]: "a picture of " + scene.format(bare[one], bare[other]),
            names[other]: "a picture of " + scene.format(bare[other], bare[one]),
        }
        pictures, asked = self._survey.pictures[what, one, other], self._survey.pairs[what, one, other]
        numbers = {name: number for number, name in names.items()}
        weights = {name: asked[number] for name, number in numbers.items()}

        def pick(rng: Random, value: str) -> int | None:
            return rng.choice(pictures[numbers[value]]) if weights.get(value) else None

        wrong = tuple(name for number, name in names.items() if number != winner)
        odds = WeighedOdds(weights, pick)
        return Question(what, ask, names[winner], wrong, "", odds=odds, claims=claims)

    def _of_many(self, numbers: list[int], winner: int) -> Question:
        names = {number: _the(self.table.concepts[number]) for number in numbers}
        *most, last = names.values()
        ask = f"Which of these takes up the most of the picture: {', '.join(most)} or {last}?"
        wrong = tuple(name for number, name in names.items() if number != winner)
        odds = LargestOdds(names, winner, self._survey.wins)
        return Question(
            "largest", ask, names[winner], wrong, "a picture in which {} is the largest", odds=odds
        )

    def find(self, rng: Random, question: Question, value: str) -> tuple[int, Question | None] | None:
        """Return a picture for which `value` is the right answer to a question, with that question; None if there is none.
        The question is None if it is among those of `questions`."""
        odds = question.odds
        at = odds.pick(rng, value) if isinstance(odds, WeighedOdds | KindOdds) else None
        if at is None:
            return None
        if question.about == "object":
            return at, None
        wrong = tuple(one for one in (question.answer, *question.wrong) if one != value)
        return at, replace(question, answer=value, wrong=wrong)


def _the(concept: str) -> str:
    return f"the {concept}"


def _winner(what: str, boxes: dict[int, Box], one: int, other: int) -> int | None:
    """Return which of two things is clearly larger, or clearly further left; None if neither is."""
    (area, left, right), (area_2, left_2, right_2) = boxes[one], boxes[other]
    if what == "larger":
        return one if area >= CLEARLY * area_2 else other if area_2 >= CLEARLY * area else None
    return one if right <= left_2 else other if right_2 <= left else None


def _largest(boxes: dict[int, Box]) -> int | None:
    first, second = sorted(boxes, key=lambda number: -boxes[number][0])[:2]
    return first if boxes[first][0] >= CLEARLY * boxes[second][0] else None
