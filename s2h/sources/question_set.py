"""Question sets: pictures with questions and their answers, for level 1 and for comparisons of answers.

Without a model, a wrong answer is drawn from the answers to the same question, backed off to questions of its kind. A draw
of the right answer gives no pair. Right and wrong answers thus come from one distribution, and the text alone can't tell
which is which. shapes.py documents the methods of a `QuestionSet`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import cached_property, lru_cache
from random import Random

from s2h.errors import NoPair
from s2h.language.normalisation import normalise
from s2h.sources import lettered_options
from s2h.sources.exclusions import Exclusions
from s2h.sources.items import Item, Question, SourceError
from s2h.sources.question_table import SHORT, BackedOffOdds, QuestionTable
from s2h.sources.shapes import Dataset
from s2h.sources.shared_questions import SharedQuestions

REDRAWS = 8
KEPT = 1 << 13  # questions that are cached unpacked, 1 to 2 kB each
SCARCE = 0.05  # share of the rarer of yes and no up to which the two are not balanced


class Questions(Dataset):
    """A question set of one table.

    fill: returns the table, and counts the rows that it can't use in its argument. read: returns the bytes of a picture by
    its name, for pictures that are no files. excluded: counts of what the reader could not use."""

    balance_kinds = distractors_differ = False

    def __init__(
        self,
        spec: str,
        root: str,
        fill: Callable[[Counter[str]], QuestionTable],
        *,
        read: Callable[[str], bytes] | None = None,
        excluded: Counter[str] | None = None,
    ) -> None:
        self.spec, self.root, self.excluded, self._read = spec, root, Exclusions(excluded), read
        self.questions = self
        self._question = lru_cache(maxsize=KEPT)(self._make_question)
        self.table = fill(self.excluded.listed)
        if len(self.table.pictures) < 2:
            why = self.excluded.summary("no questions")
            raise SourceError(f"source {spec!r}: fewer than two pictures with a question can be used ({why})")

    @property
    def size(self) -> int:
        return len(self.table.pictures)

    @cached_property
    def shared_questions(self) -> SharedQuestions:
        return SharedQuestions(self.table, self.item)

    @cached_property
    def yes_no_share(self) -> float:
        keys = [self.table.keys[number] for number in self.table.value_of]
        yes, no = (keys.count(word) / len(keys) for word in ("yes", "no"))
        return yes + no if min(yes, no) > SCARCE * (yes + no) else 0.0

    @cached_property
    def has_counterparts(self) -> bool:
        return any(partner >= 0 for partner in self.table.partner)

    def item(self, at: int) -> Item:
        """Return picture `at` of the table. Raises NoPair if it can't be opened."""
        name, read = self.table.pictures[at], self._read
        labels = {"kind": "photo", "file": name}
        reference = "" if read is not None else os.path.join(self.root, name)
        content = self.excluded.check(0, at, self.size, lambda: read(name) if read is not None else reference)
        data = (lambda: read(name)) if read is not None else None
        return Item(str(at), labels, reference, data=data, content_hash=content)

    def draw_subject(self, rng: Random) -> Item:
        return self.item(self.table.picture_of[rng.randrange(len(self.table))])

    def draw_distractor(self, rng: Random, together: list[Item]) -> Item:
        taken = {item.key for item in together}
        for _ in range(REDRAWS):
            at = rng.randrange(self.size)
            if str(at) not in taken:
                item = self.item(at)
                if all(item.content_hash != other.content_hash for other in together):
                    return item
        raise NoPair("too few pictures for the distractors")

    def questions_about(self, item: Item) -> list[Question]:
        return [self._question(row) for row in self.table.by_picture[int(item.key)]]

    def _make_question(self, row: int) -> Question:
        parsed, answer = lettered_options.parse(self.table.questions[row]), self.table.answers[row]
        claim, at = parsed.stem.replace("{}", "") + " {}", parsed.index_of(answer)
        if parsed.options and at is not None:
            return Question(
                "letter",
                parsed.stem,
                parsed.options[at],
                parsed.options[:at] + parsed.options[at + 1 :],
                claim,
                place=row,
                options=parsed.options,
                closing=parsed.closing,
            )
        return Question(
            "question",
            parsed.stem,
            answer,
            (),
            claim,
            place=row,
            accepted=tuple(filter(None, self.table.accepted[row].split("\n"))),
            closing=parsed.closing,
            odds=BackedOffOdds(self.table, row) if len(normalise(answer)) <= SHORT else None,
        )

    def find_answered(self, rng: Random, question: Question, answer: str) -> tuple[Item, Question] | None:
        """Find a picture with `answer` as the right answer to the same question, or else to the most similar one."""
        rows = question.odds.rows(answer) if isinstance(question.odds, BackedOffOdds) else []
        if not rows:
            return None
        row = rng.choice(rows)
        return self.item(self.table.picture_of[row]), self._question(row)

    def counterpart_of(self, question: Question) -> tuple[Item, Question] | None:
        other = self.table.partner[question.place]
        if other < 0:
            return None
        return self.item(self.table.picture_of[other]), self._question(other)
