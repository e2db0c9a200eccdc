"""The definition of a judgement: one file of this room defines one value of the type `Judgement`, and `s2h-filter`
takes its options, its help, its scores and its report from there.

    JUDGEMENT = Judgement(
        about="Is one answer much longer than the other?",
        options=(Option("--length-ratio", Bounds(0), "Keep pairs whose ratio of lengths lies from LO to HI."),),
        text=TextMeasure("length ratio", lambda: length_ratio),
    )

A judgement either measures the two answers' texts (`text`) or builds a `s2h.filters.Judge` from the options (`build`).
`s2h.filters.request` decides which judgements a run needs; `s2h.cli.filter_options` makes click's options of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2h.filters import Judge
from s2h.images.resizing import WHOLE, Pixels
from s2h.record import Record

if TYPE_CHECKING:
    from s2h.filters.engine import Engine
    from s2h.filters.served_reference import Notes
    from s2h.models.server import Address

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
class Choice:
    """The value of an option: one of some words."""

    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return "/".join(self.words)


@dataclass(frozen=True)
class Flag:
    """The value of an option that is given or not."""


@dataclass(frozen=True)
class Option:
    """An option of s2h-filter."""

    name: str  # with its dashes
    value: Number | Bounds | Text | Choice | Flag
    help: str
    asks: bool = True  # giving it asks for its judgement; otherwise it refines one, and without that one it is an error
    repeated: bool = False  # may be given several times
    model: ModelKind | None = None  # the kind of model that it needs, if the judgement needs none without it
    speed: int | None = None  # the default of an option that changes how fast a run is, and not its output

    @property
    def key(self) -> str:
        """The name in `Given`: `clip_margin` for `--clip-margin`."""
        return self.name.removeprefix("--").replace("-", "_")


@dataclass(frozen=True)
class Loading:
    """How models are loaded: number format, whether to compile, and the bounds of an image. server: has the reference model,
    if that is not in this process. notes: keeps the values that the server gives. thinking: as in `thinking.wanted`."""

    dtype: str | None = None
    compile: bool = False
    pixels: Pixels = WHOLE
    server: Address | None = None
    notes: Notes | None = None
    thinking: str | None = None


@dataclass(frozen=True)
class ModelKind:
    """A kind of model that judgements share; `scorers` has all of them."""

    name: str
    message: str  # on standard error when a model is loaded, before the model's name
    load: Callable[[str, Loading], Any]  # of a model's name
    option: Option | None = None  # names the model, if no judgement has such an option
    identify: Callable[[str], str] = str  # the full name of a model, which its scores carry
    # Says of a loaded model what the user should know, "" for nothing.
    remark: Callable[[Any], str] | None = None
    attach: Callable[[Engine], None] | None = None  # adds work to every process's engine, beyond embeddings


@dataclass(frozen=True)
class Given:
    """The options of a run."""

    options: Mapping[str, Any]  # the value of every option by its key; None, False or () if it was not given
    scores: tuple[str, ...] = ()  # what --score names
    annotate: bool = False  # whether no pair is dropped

    def __getitem__(self, key: str) -> Any:
        return self.options[key]

    def has(self, key: str) -> bool:
        """Return whether an option was given."""
        value = self.options.get(key)
        return not (value is None or value is False or value == ())

    def model(self, kind: ModelKind) -> str | None:
        """Return the full name of the model that the option of this kind names; None if it was not given. Raises
        ModelError."""
        name = self.options.get(kind.option.key) if kind.option else None
        return kind.identify(name) if name else None


@dataclass(frozen=True)
class Tools:
    """The tools that a judge may use."""

    engine: Engine  # models and their cache
    read: Callable[[str], Iterable[Record]]  # the records of a file
    say: Callable[[str], None]  # a message on standard error


@dataclass(frozen=True)
class TextMeasure:
    """A number that is computed from the texts of both answers and written as scores.SCORE.value. The text measures of a run
    are taken together, in one pass over the texts, before other judgements.

    name: in reasons and in the report. load: returns the function of (chosen, rejected); slow imports belong in it. bounds:
    turns the value of the first option into the least and the most that are kept. reason: says why a number is dropped; by
    default "NAME below LO" or "NAME above HI".
    """

    name: str
    load: Callable[[], Callable[[str, str], float]]
    bounds: Callable[[Any], Band] = tuple
    reason: Callable[[float], str] | None = None


@dataclass(frozen=True)
class Judgement:
    """One judgement of s2h-filter, named as its file is, with `-` for `_`. It has either `text` or `build`."""

    about: str  # the question that it answers
    options: tuple[Option, ...]
    text: TextMeasure | None = None
    build: Callable[[Given, Tools], Judge] | None = None
    heading: str = "Other judgements"  # in --help
    order: int = 100  # in --help and among the reasons; cheap judgements come first
    score: str = ""  # its key under `scores`; by default its name with `_` for `-`
    short: str = ""  # its name for --score, if not its own
    alone: bool = True  # whether --score can ask for it without any of its options
    model: ModelKind | None = None
    annotates: bool = (
        False  # whether --annotate alone asks for it; with a model, --annotate and the model's option
    )
    check: Callable[[Given], str] = lambda given: ""  # returns a fault of the options in words, "" for none

    def __post_init__(self) -> None:
        if (self.text is None) == (self.build is None):
            raise TypeError("a Judgement has either text or build")

    def score_key(self, name: str) -> str:
        """Return the key of its score under `scores`. name: the judgement's."""
        return self.score or name.replace("-", "_")

    def short_name(self, name: str) -> str:
        """Return what --score calls it. name: the judgement's."""
        return self.short or name
