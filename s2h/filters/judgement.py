"""The definition of a judgement: one file of this room defines one value of the type `Judgement`, and `s2h-filter`
takes its options, its help, its scores and its report from there.

    JUDGEMENT = Judgement(
        about="Is one answer much longer than the other?",
        options=(Option("--length-ratio", Bounds(0), "Keep pairs whose ratio of lengths lies from LO to HI."),),
        text=TextMeasure("length ratio", lambda: length_ratio),
    )

A judgement either measures the two answers' texts (`text`) or builds a `s2h.filters.Judge` from the options (`build`).
`s2h.filters.selection` decides which judgements a run needs; `s2h.cli.filter_options` makes click's options of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2h.filters import Judge
from s2h.record import Record

if TYPE_CHECKING:
    from s2h.filters.engine import Engine

Band = tuple[float, float]  # the least and the most that are kept

# Headings of --help.
ANSWERS, IMAGES, REFERENCE, REPEATS = (
    "The two answers",
    "Answers and images",
    "Reference model",
    "Repeats and leaks",
)


@dataclass(frozen=True)
class Number:
    """The value of an option: a number from `least` to `most`. name: what the help calls it."""

    name: str
    least: float = -math.inf
    most: float = math.inf
    whole: bool = False


@dataclass(frozen=True)
class Bounds:
    """The value of an option: LO:HI, a `Band` of numbers from `least` to `most`; either end may be left out."""

    least: float = -math.inf
    most: float = math.inf
    name = "LO:HI"


@dataclass(frozen=True)
class Text:
    """The value of an option: a text. is_read: it names a file, a folder or a model that is read."""

    name: str
    is_read: bool = False


@dataclass(frozen=True)
class Flag:
    """The value of an option that is given or not."""


@dataclass(frozen=True)
class Option:
    """An option of s2h-filter.

    name: with its dashes. asks: giving it asks for its judgement; an option that only refines a judgement is an error
    without it. repeated: may be given several times. model: the kind of model that it needs, where the judgement needs
    none otherwise. speed: changes how fast a run is and not its output, and is listed under Performance with this
    default.
    """

    name: str
    value: Number | Bounds | Text | Flag
    help: str
    asks: bool = True
    repeated: bool = False
    model: ModelKind | None = None
    speed: int | None = None

    @property
    def key(self) -> str:
        """The name in `Given`: `clip_margin` for `--clip-margin`."""
        return self.name.removeprefix("--").replace("-", "_")


@dataclass(frozen=True)
class ModelKind:
    """A kind of model that judgements share.

    said: what standard error says when a model is loaded, before its name. load: (name, number format, whether to
    compile) to a model. option: names the model, if no judgement has such an option. identify: the full name of a
    model, as scores are signed. attach: adds work to the engine of every process, beyond the embeddings that the
    engine knows.
    """

    name: str
    said: str
    load: Callable[[str, str | None, bool], Any]
    option: Option | None = None
    identify: Callable[[str], str] = str
    attach: Callable[[Engine], None] | None = None


@dataclass(frozen=True)
class Given:
    """What a run was asked for. options: the value of every option by its key; None, False or () if it was not given.
    scores: what --score names. annotate: whether no pair is dropped."""

    options: Mapping[str, Any]
    scores: tuple[str, ...] = ()
    annotate: bool = False

    def __getitem__(self, key: str) -> Any:
        return self.options[key]

    def has(self, key: str) -> bool:
        """Whether an option was given."""
        value = self.options.get(key)
        return not (value is None or value is False or value == ())

    def model(self, kind: ModelKind) -> str | None:
        """The full name of the model that the option of this kind names; None if it was not given. Raises ModelError."""
        name = self.options.get(kind.option.key) if kind.option else None
        return kind.identify(name) if name else None


@dataclass(frozen=True)
class Tools:
    """What a judge may use. engine: models and their cache. read: the records of a file. say: a message on standard
    error."""

    engine: Engine
    read: Callable[[str], Iterable[Record]]
    say: Callable[[str], None]


@dataclass(frozen=True)
class TextMeasure:
    """A number that the texts of both answers give. All text measures of a run are taken in one pass over the texts,
    before other judgements; the number is written as scores.SCORE.value.

    name: the measure in reasons and in the report. load: returns the function (chosen, rejected) -> number; what is
    slow to import is imported there. bounds: the least and the most that are kept, from the value of the judgement's
    first option. reason: why a number outside of the bounds is dropped; by default "NAME below LO" or "NAME above HI".
    """

    name: str
    load: Callable[[], Callable[[str, str], float]]
    bounds: Callable[[Any], Band] = tuple
    reason: Callable[[float], str] | None = None


@dataclass(frozen=True)
class Judgement:
    """One judgement of s2h-filter, named as its file is, with `-` for `_`.

    about: the question that it answers. options: on the command line; the first one has the threshold of a text
    measure. text, build: exactly one of them; build makes what judges from the options. heading: in --help. order: the
    place in --help, in the record's scores and among the reasons; cheap judgements come first. score: the key under
    `scores`, by default the name with `_` for `-`. short: what --score calls it, if not by its name. alone: whether
    --score may ask for it without any of its options. model: the kind of model that it needs. annotates: whether it is
    written by --annotate without other options or, if it needs a model, by --annotate with the option that names the
    model. check: a fault of the options in words, "" if there is none.
    """

    about: str
    options: tuple[Option, ...]
    text: TextMeasure | None = None
    build: Callable[[Given, Tools], Judge] | None = None
    heading: str = "Other judgements"
    order: int = 100
    score: str = ""
    short: str = ""
    alone: bool = True
    model: ModelKind | None = None
    annotates: bool = False
    check: Callable[[Given], str] = field(default=lambda given: "")

    def __post_init__(self) -> None:
        if (self.text is None) == (self.build is None):
            raise TypeError("a Judgement has either text or build")
