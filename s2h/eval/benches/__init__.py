"""Benchmarks, one file each: `BENCH = Bench(...)` in `NAME.py` has everything that is specific to benchmark NAME.

A file in this folder is enough to add one: `s2h-eval --list`, `--help` and `--bench NAME` find it by `s2h.registry`.
`s2h.eval.questions` reads a benchmark's files with it, `s2h.eval.reading` its replies, `s2h.eval.report` its scores.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2h import registry
from s2h.parsers import Rules
from s2h.record import Record

if TYPE_CHECKING:
    from s2h.images.store import Store

Line = dict[str, Any]  # a prediction, see contract.md; before a model has replied, a question
Questions = Iterator[tuple[Line, list[dict]]]  # questions, each with the messages of its prompt
Columns = Sequence[str | tuple[str, ...]]  # names of columns; a tuple: one of them


@dataclass(frozen=True)
class Question:
    """The question that a row of a benchmark asks. If id, text or images is None, the row is reported as an error.

    id: a name or a number in the benchmark. text: with <image> where an image stands; images without a mark come first.
    images: references, bytes, base64 or `{"bytes", "path"}` objects. answer: as the row has it; None if it is hidden.
    options: a list, or an object of letters; None for a free answer and for options that stand in the text.
    letters: the labels of options that are in the text, for rows where the labels can't be found there; by label, the
    options' texts, if they are known.
    answer_type: one of `answer_types.TYPES`. None: choice if there are options, yes/no if the answer is yes or no, else
    word.
    hint: a text that some prompts show before the question. prompt: the benchmark's own prompt, if rows have one.
    fields: fields that are copied to the prediction line, such as the group that a metric needs.
    own_id: the line's id is not prefixed with the benchmark's name.
    """

    id: str | int | None
    text: str | None
    images: list | None
    answer: Any = None
    category: str = ""
    options: list | dict | None = None
    letters: tuple[str, ...] | Mapping[str, str] = ()
    answer_type: str | None = None
    hint: str | None = None
    prompt: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    own_id: bool = False


@dataclass(frozen=True)
class CheckedQuestion:
    """A question as prompts are worded from it (`Bench.prompts`).

    choices: options by letter, without their own labels; labelled: the same with their labels; in_text: whether the text
    contains the options. images: the number of images.
    """

    text: str
    images: int
    category: str
    answer_type: str
    choices: dict[str, str]
    labelled: dict[str, str]
    in_text: bool
    hint: str | None = None
    prompt: str | None = None


@dataclass(frozen=True)
class Metric:
    """A number beside the accuracy, a share of 1, with its 95% interval. n: the number of questions, groups or categories
    that it is computed from; chance: the score of a blind guesser, if it is known."""

    name: str
    score: float
    low: float
    high: float
    n: int
    chance: float | None = None


@dataclass(frozen=True)
class Published:
    """A number that a paper prints. row: the method's name there; score: percent. metric: the metric of ours that it is a
    value of, "" for the accuracy. like: the evaluator (`Bench.like`) whose settings give it, if the paper says so."""

    row: str
    score: float
    model: str
    source: str
    metric: str = ""
    like: str = ""


@dataclass(frozen=True)
class Like:
    """How an evaluator asks this benchmark and reads its replies: what --like sets, and what --card prints beside it.

    tokens: the largest number of new tokens; None: the evaluator does not say. prompt, parser: the --prompt-style and the
    --parser, if they are not the evaluator's own; place: as --images. differs: what the evaluator does that no option sets,
    in sentences without a period.
    """

    tokens: int | None = None
    prompt: str = ""
    parser: str = ""
    place: str = "interleaved"
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Revision:
    """A correction of the answers in one category. Because of it, two runs may be scored with different answers.

    date: the day of the correction. wrong: a clause that says what was wrong until then.
    known: whether the labels are the corrected ones, by `md5:` and the MD5 of a file, or by `labels:` and
    `s2h.eval.revisions.fingerprint` of the category's ids and answers.
    """

    category: str
    date: str
    wrong: str
    known: dict[str, bool]

    def version(self, corrected: bool) -> str:
        return f"corrected {self.date}" if corrected else f"before {self.date}"


def by_group(line: Line) -> list[str]:
    """Return the names of a question's cluster: its `group`, if its line has one."""
    return [] if line.get("group") is None else [f"group {line['group']}"]


def one_category(line: Line) -> list[str]:
    """Return the categories that a question counts in: its `category`, if it has one."""
    return [str(line["category"])] if line.get("category") else []


def no_fields(line: Line) -> Line:
    return {}


def no_metrics(known: list[Line], seed: int) -> list[Metric]:
    return []


@dataclass(frozen=True)
class Bench:
    """A benchmark. It needs a title, a line about it, and `question` or `draw`; its name is that of its file.

    Where it comes from:
    title, about: its name as its authors write it, and one line about it.
    hub, configs: the data set on the Hub and its configurations.
    splits: each split's names in files and on the Hub; the first one is asked unless --split names another.
    rows: how many questions a split has, for a warning if there are more or fewer.
    layouts, license: for `--list`.
    required: columns that a parquet file or a table of the Hub must have; a tuple: one of them.
    owns: returns whether a file belongs to it, by the file's name without its ending; for folders with several benchmarks.
    aliases: other names, in lower case without punctuation. Case, punctuation and OWNER/ are ignored in names.
    draw: makes questions without any file. It gets (number of questions of each kind, seed, image store).

    What is asked:
    question: makes a question of a row; the second argument is the path of the row's file.
    table: makes a question of a row of VLMEvalKit's TSV, if `s2h.eval.questions.tsv.question` does not fit.
    prompts: by --prompt-style, a function that words the prompt, if the style's usual words (`s2h.eval.questions.styles`)
    do not fit.
    single_image: whether all questions are about one image.
    answer_type: the type of all its answers, if there is only one.

    How replies are read:
    rules: by parser, the rules (`s2h.parsers.Rules`) by which that evaluator reads this benchmark, if they differ from its
    rules for other benchmarks.

    How it is scored:
    categories: returns the categories that a question counts in.
    keep: returns more fields of a line that metrics need. Lines are scored without their texts, so that a field which is
    derived from them must be kept here.
    related: returns names; questions with a name in common are not independent. Shared images need no name.
    metrics: returns the metrics beside the accuracy. It gets the predictions that are known to be right or wrong, and a seed
    for the bootstrap.
    grid: metrics are named "ROW COLUMN" and shown as a table of their own.
    levels: the level of each of its categories, if its questions have a level of difficulty. Scores are then shown by
    level.
    revision: a correction of answers after the release.
    published: numbers of papers, shown beside the measured ones.

    How a published number is reproduced (`s2h.eval.card`):
    like: the settings of evaluators, by the names of `s2h.eval.like.EVALUATORS`.
    clusters: which questions are not independent, beside those that share an image. guess: the score of a blind guesser.
    Both are texts for --card.
    """

    title: str
    about: str
    hub: str = ""
    configs: tuple[str | None, ...] = (None,)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"test": ("test",)})
    rows: Mapping[str, int] = field(default_factory=dict)
    layouts: str = "parquet, JSON Lines, TSV in VLMEvalKit's form"
    license: str = "see its page"
    required: Columns = ()
    owns: Callable[[str], bool] | None = None
    aliases: tuple[str, ...] = ()
    draw: Callable[[int, int, Store], Questions] | None = None

    question: Callable[[Record, str], Question] | None = None
    table: Callable[[Record], Question] | None = None
    prompts: Mapping[str, Callable[[CheckedQuestion], str]] = field(default_factory=dict)
    single_image: bool = False
    answer_type: str | None = None

    rules: Mapping[str, Rules] = field(default_factory=dict)

    categories: Callable[[Line], list[str]] = one_category
    keep: Callable[[Line], Line] = no_fields
    related: Callable[[Line], list[str]] = by_group
    metrics: Callable[[list[Line], int], list[Metric]] = no_metrics
    grid: bool = False
    levels: Mapping[str, int | str] = field(default_factory=dict)
    revision: Revision | None = None
    published: tuple[Published, ...] = ()

    like: Mapping[str, Like] = field(default_factory=dict)
    clusters: str = ""
    guess: str = ""


def exact(name: str) -> Bench | None:
    """Return the benchmark of exactly this name, None if there is none."""
    return registry.load("bench", name) if name in registry.names("bench") else None


def named(name: object) -> Bench | None:
    """Return the benchmark that a name means, None if it means none."""
    return exact(plain(name))


def plain(name: object) -> str:
    """Return the benchmark's name for the name that the Hub, another evaluator or a folder gives it ('OWNER/My-Bench',
    'MYBENCH'). Any other name is returned unchanged."""
    return _plain(str(name or ""))


@functools.lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    last = re.split(r"[/\\]|--|___", name.rstrip("/\\"))[-1]
    return _names().get(letters_of(last), name)


@functools.cache
def _names() -> dict[str, str]:
    benches = registry.values("bench")
    made = {letters_of(alias): name for name, bench in benches.items() for alias in bench.aliases}
    return made | {letters_of(name): name for name in benches}


def letters_of(name: str) -> str:
    """Return the letters and digits of a name in lower case, so that names compare however they are spelled."""
    return re.sub(r"[\W_]", "", name.lower())


def closest(name: str) -> list[str]:
    """Return the benchmarks' names that are most like a misspelt one, the likeliest first."""
    import difflib

    return difflib.get_close_matches(name.lower(), registry.names("bench"), n=3, cutoff=0.4)
