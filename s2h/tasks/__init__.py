"""From the facts of a source to preference pairs. A task is one module with a value `TASK`, which says all that the commands
need to know of it: how it makes a pair, its kinds of rejected answers, its own options, how its answers are read, and how
many answers a question can have. `generate` yields the records of a run; recipe.py tells what a run can be asked for.

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

WORKING = 0.5  # share of prompts that ask the answer to say first what it sees, where none is given
BY_MODEL = "hallucination"  # the kind of a rejected answer that a model gives


@dataclass(frozen=True)
class Answer:
    """One type of answer (`facts.answer_type`) that the questions of a task have: one that s2h-eval reads
    (`s2h.eval.answer_types.TYPES`), or the task's own, which needs `read`.

    possible: from the number of images, how many answers such a question can have, which gives what a blind guesser gets;
    None where that is unknown. read: what a reply says, as read(reply, line), with None for a reply that can't be read; by
    default s2h-eval reads it as it reads every answer of the type."""

    possible: Callable[[int], int | None] = lambda images: None
    read: Callable[[str, dict], object] | None = None


@dataclass(frozen=True)
class Option:
    """An option of s2h-gen that is for some tasks only: `Wanted.options` holds its value by name. type: `weights` is
    repeatable, as KIND=WEIGHT, and gives a dict; `share` is a number from 0 to 1."""

    flag: str
    name: str
    type: Literal["weights", "share"]
    help: str


@dataclass(frozen=True, eq=False)
class Wanted:
    """What was asked for that bears on single pairs. There is one in a run, by which a task may cache what follows from it.

    negatives: kinds of rejected answers and their weights. working: the share of prompts that ask the answer to say first
    what it sees, None by default. layout: `sequence`, `grid` or `pip`. similar: chooses distractors by CLIP. options: the
    task's own, by name, without those that were not given."""

    negatives: dict[str, float]
    working: float | None = None
    layout: str = "sequence"
    similar: Similar | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def working_share(self) -> float:
        return WORKING if self.working is None else self.working

    @property
    def by_model(self) -> bool:
        """Whether a model gives the rejected answer, which then stays empty in the pair that the task makes."""
        return BY_MODEL in self.negatives


@dataclass(frozen=True)
class Task:
    """A kind of pair. The name of its module is the task's name.

    level: 1, 2 or 3. about: one line for --help. negatives: the kinds of rejected answers with their weights. answers:
    what `facts.answer_type` can be. make: from a slot and data to a pair; it raises NoPair where a draw gives none.
    needs: shapes of data that the task can work with; `data` is the first of them that a source has. possible: which
    kinds of rejected answers can be made from the data, by default all. options: its own. takes: options of s2h-gen that
    only some tasks can use: `working`, `model`, `distractors`, `clip_model` (which refuses distractors), `captioner`.
    layouts: how its images can be shown. check: raises SourceError where what was asked for does not fit the data. notes:
    what the user should know about a run, a line each."""

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
    """Return all tasks by name, in the order of their levels."""
    return dict(sorted(registry.values("task").items(), key=lambda item: (item[1].level, item[0])))


def data_for(task: str, source: Dataset) -> Any:
    """Return the data that a task works with. Raises SourceError where a source has none of its shapes."""
    from s2h.sources import SourceError
    from s2h.sources.shapes import lacks

    needs = registry.load("task", task).needs
    for shape in needs:
        if (found := shape.take(source)) is not None:
            return found
    raise SourceError(lacks(source, list(needs), task=task))


def check_weights(weights: Mapping[str, float], names: Iterable[str], what: str) -> None:
    """Raise SourceError unless the weights of an option are of known names and not all zero. what: how an error calls
    them, `form of question`."""
    from s2h.sources import SourceError

    if unknown := sorted(set(weights) - set(names)):
        raise SourceError(f"no {what} {unknown[0]!r} here (choose from {', '.join(names) or 'none'})")
    if not sum(weights.values()) > 0:
        raise SourceError(f"the weights of every {what} add up to nothing")


def generate(task: str, **asked: Any) -> Iterator[Record]:
    """Yield the pairs of a task. asked: fields of a Recipe, and the task's own options by name. Raises SourceError where the
    source lacks what the task needs."""
    from s2h.tasks.recipe import Recipe

    own = {option.name for one in registry.values("task").values() for option in one.options}
    options = {name: asked.pop(name) for name in own & set(asked)}
    yield from Recipe(task, options=options, **asked).records()
