"""Tasks make preference pairs from the data of a source. A task is one module with a value `TASK`, which holds all that the
commands need: the function that makes a pair, the kinds of rejected answers, the task's own options, how replies are read,
and how many answers a question can have. `generate` yields the records of a run; recipe.py lists the settings of a run.

    s2h-gen kinship -n 8 --images-per-prompt 2-3 | s2h-filter --quiet
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from s2h import registry

if TYPE_CHECKING:
    from s2h.record import Record
    from s2h.sources.shapes import Dataset, Shape
    from s2h.tasks.item_pair import Pair
    from s2h.tasks.similar import Similar
    from s2h.tasks.slots import Slot

# Default share of prompts that ask for the working: the answer first says what it sees in the images.
WORKING = 0.5
BY_MODEL = "hallucination"  # the kind of a rejected answer that a model gives


@dataclass(frozen=True)
class Answer:
    """One type of answer (`facts.answer_type`) of a task: one of `s2h.eval.answer_types.TYPES`, or a type of the task's own,
    which needs `read`.

    possible: takes the number of images and returns how many answers the question can have, from which s2h-eval computes
    the score of a blind guess; None if that is unknown. read: `read(reply, line)` returns the answer in a reply, None if it
    finds none; by default s2h-eval reads the reply as for every answer of the type."""

    possible: Callable[[int], int | None] = lambda images: None
    read: Callable[[str, dict], object] | None = None


@dataclass(frozen=True)
class Option:
    """An option of s2h-gen that only some tasks have. `Wanted.options` holds its value by name. type: `weights` is a
    repeatable KIND=WEIGHT and gives a dict; `share` is a number from 0 to 1."""

    flag: str
    name: str
    type: Literal["weights", "share"]
    help: str


@dataclass(frozen=True, eq=False)
class Wanted:
    """The settings of a run that a task needs to make one pair. A run has one object, so a task may cache by it.

    negatives: kinds of rejected answers and their weights. working: the share of prompts that ask for the working, None for
    the default. layout: `sequence`, `grid` or `pip`. similar: chooses distractors by CLIP. options: values of the task's own
    options by name, without those that were not given."""

    negatives: dict[str, float]
    working: float | None = None
    layout: str = "sequence"
    similar: Similar | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def working_share(self) -> float:
        """The share of prompts that ask for the working, from 0 to 1."""
        return WORKING if self.working is None else self.working

    @property
    def by_model(self) -> bool:
        """Whether a model gives the rejected answer, which then stays empty in the pair that the task makes."""
        return BY_MODEL in self.negatives


@dataclass(frozen=True)
class Task:
    """A kind of pair. The name of its module is the task's name.

    level: 1, 2 or 3. about: one line for --help. negatives: the kinds of rejected answers with their default weights.
    answers: the values of `facts.answer_type`. make: `make(slot, data, wanted)` returns a pair, and raises NoPair if the
    draw gives none. needs: the shapes of data that the task can work with; `data` is the first of them that the source has.
    possible: returns the kinds of rejected answers that can be made from the data; by default all. options: options that
    only this task has. takes: shared options of s2h-gen that the task can use: `working`, `model`, `distractors`,
    `clip_model` (to refuse distractors that show the concept), `captioner`. layouts: how the images can be shown. check:
    `check(data, wanted)` raises SourceError if the settings do not fit the data. notes: returns messages about a run for
    the user, one a line."""

    level: Literal[1, 2, 3]
    about: str
    negatives: dict[str, float]
    answers: dict[str, Answer]
    make: Callable[[Slot, Any, Wanted], Pair]
    needs: tuple[Shape[Any], ...]
    possible: Callable[[Any], tuple[str, ...]] | None = None
    options: tuple[Option, ...] = ()
    takes: frozenset[str] = frozenset()
    layouts: tuple[str, ...] = ("sequence", "grid")
    check: Callable[[Any, Wanted], None] = lambda data, wanted: None
    notes: Callable[[Any, Mapping[str, Any]], list[str]] = lambda data, options: []

    def negatives_from(self, data: Any) -> dict[str, float]:
        """Return the kinds of rejected answers, with their weights, that can be made from data without a model."""
        if self.possible is None:
            return self.negatives
        possible = self.possible(data)
        return {kind: weight for kind, weight in self.negatives.items() if kind in possible}


def by_level() -> dict[str, Task]:
    """Return all tasks by name, ordered by level."""
    return dict(sorted(registry.values("task").items(), key=lambda item: (item[1].level, item[0])))


def data_for(task: str, source: Dataset) -> Any:
    """Return the data of a source that a task works with. Raises SourceError if the source has none of the task's shapes."""
    from s2h.sources import SourceError
    from s2h.sources.shapes import lacks

    needs = registry.load("task", task).needs
    for shape in needs:
        if (found := shape.take(source)) is not None:
            return found
    raise SourceError(lacks(source, list(needs), task=task))


def check_weights(weights: Mapping[str, float], names: Iterable[str], what: str) -> None:
    """Raise SourceError if the weights of an option have an unknown name or are all zero. what: their name in the message,
    such as "form of question"."""
    from s2h.sources import SourceError

    if unknown := sorted(set(weights) - set(names)):
        raise SourceError(f"no {what} {unknown[0]!r} here (choose from {', '.join(names) or 'none'})")
    if not sum(weights.values()) > 0:
        raise SourceError(f"the weights of every {what} add up to 0 (give one a weight above 0)")


def generate(task: str, **asked: Any) -> Iterator[Record]:
    """Yield the pairs of a task. asked: fields of a `Recipe`, and the task's own options by name. Raises SourceError if the
    source lacks the data that the task needs."""
    from s2h.tasks.recipe import Recipe

    own = {option.name for one in registry.values("task").values() for option in one.options}
    options = {name: asked.pop(name) for name in own & set(asked)}
    yield from Recipe(task, options=options, **asked).records()
