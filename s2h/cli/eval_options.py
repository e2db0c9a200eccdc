"""The options of s2h-eval: the parsed values, and whether they go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from s2h import registry
from s2h.cli import common, headings, places, server_options
from s2h.cli.params import Shard
from s2h.errors import RecordError
from s2h.eval import like as likes
from s2h.eval.questions.styles import PLACES, STYLES
from s2h.images.resizing import Pixels
from s2h.models import image_size, thinking
from s2h.parsers import NAMES as PARSERS
from s2h.parsers import VERSIONS

if TYPE_CHECKING:
    from s2h.eval.questions.request import Request

AT_LEAST_1 = click.IntRange(min=1)
OPTIONS = (
    headings.under(
        "Questions",
        click.option(
            "--bench", "benches", metavar="NAME[=PATH]", multiple=True,
            help=f"Benchmark: {', '.join(registry.names('bench'))}, from the local copy at PATH if given; or a FILE of "
            "questions or pairs. May be repeated.  [default: FILEs, or else builtin]",
        ),
        click.option("--data", metavar="DIR", help="Folder with local copies of benchmarks, by their names."),
        click.option("--split", metavar="NAME", help="Split of the benchmark, if it has several (see --list)."),
        click.option(
            "-n", "count", metavar="N", type=AT_LEAST_1, default=200, show_default=True,
            help="Number of questions of each kind, for builtin.",
        ),
        click.option("--limit", metavar="N", type=AT_LEAST_1, help="Ask only the first N questions of all."),
        click.option(
            "--prompt-style", "style", type=click.Choice(STYLES), default=likes.OURS.style, show_default=True,
            help="Wording of a benchmark's prompts.",
        ),
        click.option(
            "--images", "place", type=click.Choice(PLACES), default=likes.OURS.place, show_default=True,
            help="Place of a benchmark's images: where the benchmark puts them, or all before the text.",
        ),
        click.option(
            "--image-dir", metavar="DIR", type=click.Path(file_okay=False), default="s2h-images", show_default=True,
            help="Folder for images that are drawn or embedded in a benchmark's files or a pair's line.",
        ),
        click.option(
            "--list", "listing", is_flag=True,
            help="List the benchmarks with their places on the Hub and the layouts that are read, and exit.",
        ),
    ),
    headings.under(
        "Other evaluators",
        click.option(
            "--card", metavar="NAME",
            help="Print how a benchmark is asked, read and scored, here and by other evaluators, and which published "
            "numbers these settings should give, and exit.",
        ),
        click.option(
            "--like", type=click.Choice(likes.NAMES),
            help="Use an evaluator's prompt, parser, number of new tokens and place of images; the report lists the "
            "remaining differences. Options that are also given override it.",
        ),
        click.option(
            "--questions", metavar="FILE",
            help="Write the questions with their prompts, images and right answers to FILE, for another program, and ask no "
            "model. With --score: read the questions from FILE, and join replies to them (id and response; VLMEvalKit's "
            ".xlsx, .tsv and .json; lmms-eval's samples).",
        ),
    ),
    headings.under(
        "Model",
        click.option(
            "--model", metavar="NAME|RUN", help="Model to evaluate: a name, a Hub id, a local folder or a run of s2h-train.",
        ),
        *server_options.options("--model"),
        click.option(
            "--max-pixels", metavar="N", type=AT_LEAST_1, help=image_size.MOST_HELP,
        ),
        click.option("--min-pixels", metavar="N", type=AT_LEAST_1, help=image_size.LEAST_HELP),
        click.option(
            "--thinking", type=click.Choice(thinking.CHOICES),
            help=f"{thinking.HELP} Thoughts need a larger --max-new-tokens. What follows a thought is read as the answer, "
            f"whichever is chosen.{thinking.DEFAULT}",
        ),
        click.option(
            "--max-new-tokens", metavar="N", type=AT_LEAST_1, default=likes.OURS.tokens, show_default=True,
            help="Largest number of tokens in a reply.",
        ),
        click.option(
            "--batch-size", metavar="N", type=AT_LEAST_1, default=32, show_default=True, help="Number of prompts at a time.",
        ),
        click.option(
            "--processes", metavar="N", type=AT_LEAST_1, default=1, show_default=True,
            help="Number of processes that answer, each on its own GPU if there are GPUs. `accelerate launch` works, too.",
        ),
        click.option(
            "--shard", type=Shard(), default="1/1", show_default=True,
            help="Ask only this part of the questions. The outputs of all parts, one after another, are the whole output.",
        ),
        click.option(
            "--resume", is_flag=True,
            help="Continue a killed run from FILE.partial (needs -o FILE). At most one batch of each process is asked "
            "again.",
        ),
    ),
    headings.under(
        "Scores",
        click.option(
            "--scoring", type=click.Choice(["generate", "likelihood", "cosine"]), default="generate", show_default=True,
            help="generate: read the greedy reply. likelihood: take the likeliest option letter, yes or no, or the likelier "
            "of a pair's two answers; its scores are not comparable with those of generated replies. cosine: as generate, "
            "and compare captions of photographs, which have no exact check, with the reference by a text model.",
        ),
        click.option(
            "--parser", type=click.Choice(PARSERS), default=likes.OURS.parser, show_default=True,
            help="How the choice is extracted from a reply: "
            + ", ".join(f"{name} ({version})" for name, version in VERSIONS.items())
            + ".",
        ),
        click.option(
            "--text-model", metavar="NAME",
            help="Text model for --scoring cosine: a Hub id or a local folder.  "
            "[default: sentence-transformers/all-mpnet-base-v2]",
        ),
        click.option("--score", is_flag=True, help="Read and score the predictions in FILEs again, without a model."),
    ),
    headings.under(
        "Comparison",
        click.option(
            "--compare", is_flag=True, help="Compare predictions: the first FILE is before, each other FILE is after.",
        ),
        click.option(
            "--margin", metavar="POINTS", type=click.FloatRange(min=0),
            help="Call a skill on single images kept if the interval of its change is above minus POINTS.  [default: 2]",
        ),
        click.option("--plot", metavar="FILE", help="Draw before and after as PNG."),
        click.option("--gallery", metavar="FILE", help="Write a page of the questions gained and lost."),
    ),
    headings.under(
        "Reports",
        click.option(
            "--report", metavar="FILE",
            help="Write the table and all metrics as JSON, or as Markdown, LaTeX or a page of HTML (with --compare, also "
            "the questions gained and lost) if the name ends in .md, .tex or .html.",
        ),
        click.option(
            "--heatmap", metavar="FILE", help="Draw accuracy by number of images and place of the target as PNG.",
        ),
    ),
)  # fmt: skip


def chosen(values: dict[str, Any]) -> Options:
    """Return the options. --like sets those that the user has not given. Raises a usage error if the evaluator's settings
    are unknown."""
    given = Options(**values)
    if given.like is None or given.listing or given.card is not None or given.compare:
        return given
    source = click.get_current_context().get_parameter_source
    names = [name for name, _ in given.requested]
    if not given.score and not names:
        raise click.UsageError("--like goes with --bench NAME: the settings depend on the benchmark.")
    try:
        found = likes.common(names, given.like) if names else likes.EVALUATORS[given.like].settings
    except RecordError as error:
        raise click.UsageError(str(error)) from None
    settings = {
        "style": found.style, "parser": found.parser, "max_new_tokens": found.tokens, "place": found.place,
    }  # fmt: skip
    default = click.core.ParameterSource.DEFAULT
    taken = {name: value for name, value in settings.items() if value is not None and source(name) is default}
    return Options(**(values | taken))


def add_options(command: Callable) -> Callable:
    """Add the options of s2h-eval that other commands don't share."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Options:
    """The parsed options."""

    files: tuple[str, ...]
    benches: tuple[str, ...]
    data: str | None
    split: str | None
    count: int
    limit: int | None
    style: str
    place: str
    image_dir: str
    listing: bool
    card: str | None
    like: str | None
    questions: str | None
    model: str | None
    base_url: str | None
    concurrency: int
    thinking: str | None
    max_pixels: int | None
    min_pixels: int | None
    max_new_tokens: int
    batch_size: int
    processes: int
    shard: tuple[int, int]
    resume: bool
    scoring: str
    parser: str
    text_model: str | None
    score: bool
    compare: bool
    margin: float | None
    plot: str | None
    gallery: str | None
    report: str | None
    heatmap: str | None
    output: str
    seed: int

    @property
    def asks(self) -> bool:
        """Whether a model is asked. Otherwise questions are written, or earlier predictions are scored or compared."""
        return not self.score and not self.compare and not self.questions

    @property
    def writes_questions(self) -> bool:
        """Whether questions are written for another program."""
        return bool(self.questions) and not self.score

    @property
    def reads_questions(self) -> bool:
        """Whether benchmarks or files of questions are read, to ask a model or to write them."""
        return not self.score and not self.compare

    @property
    def used(self) -> likes.Settings:
        """The settings that --like sets. With --score, those of the prompts are unknown."""
        if self.score:
            return likes.Settings(None, self.parser, None, None)
        return likes.Settings(self.style, self.parser, self.max_new_tokens, self.place)

    @cached_property
    def requested(self) -> list[Request]:
        """The parsed values of --bench. Raises a usage error for an unknown benchmark."""
        from s2h.eval.questions import request

        try:
            return [request.parse(bench) for bench in self.benches]
        except RecordError as error:
            raise click.UsageError(str(error)) from None

    @property
    def pixels(self) -> Pixels:
        """The bounds of an image that the user gave."""
        return Pixels(self.min_pixels or 0, self.max_pixels or 0)

    @property
    def written(self) -> dict[str, str | None]:
        """The files that a run writes, by option."""
        return {
            "-o": None if self.compare or self.writes_questions else self.output,
            "--questions": self.questions if self.reads_questions else None, "--report": self.report,
            "--heatmap": self.heatmap, "--plot": self.plot, "--gallery": self.gallery,
        }  # fmt: skip

    @property
    def arguments(self) -> dict[str, Any]:
        """The options that determine the predictions. --resume only continues a run with the same ones."""
        return {
            "command": "eval", "model": self.model, "files": self.files, "benches": self.benches, "data": self.data,
            "split": self.split, "n": self.count, "seed": self.seed, "prompt_style": self.style, "images": self.place,
            "scoring": self.scoring, "parser": self.parser, "batch_size": self.batch_size,
            "max_new_tokens": self.max_new_tokens, "limit": self.limit, "shard": self.shard, "text_model": self.text_model,
            "max_pixels": self.max_pixels, "min_pixels": self.min_pixels, **server_options.arguments(self.base_url),
            **({"thinking": self.thinking} if self.thinking else {}),
        }  # fmt: skip

    def check(self) -> None:
        """Raise a usage error for options that have no effect or contradict each other, and for files that would be
        overwritten while they are read."""
        if (self.data or self.split) and not self.benches:
            raise click.UsageError("--data and --split go with --bench.")
        if self.text_model and (self.scoring != "cosine" or self.compare):
            raise click.UsageError("--text-model goes with --scoring cosine.")
        if self.score and self.scoring == "likelihood":
            raise click.UsageError("--scoring likelihood goes with --model: --score has no model.")
        if self.score and self.compare:
            raise click.UsageError("--score and --compare exclude each other.")
        if not self.asks and self.model:
            raise click.UsageError("--score, --compare and --questions ask no model: they take no --model.")
        if self.compare and self.benches:
            raise click.UsageError("--compare reads predictions: it takes no --bench.")
        if self.score and (len(self.benches) > 1 or any(path for _, path in self.requested)):
            raise click.UsageError("--score takes one --bench NAME, for replies whose file does not name it.")
        if self.compare and (self.questions or self.like):
            raise click.UsageError("--compare takes no --questions and no --like.")
        if self.writes_questions and (self.output != "-" or self.resume):
            raise click.UsageError("--questions FILE names the output: it takes no -o and no --resume.")
        if self.writes_questions and (self.report or self.heatmap):
            raise click.UsageError("--report and --heatmap go with scores, not with --questions.")
        if not self.asks and self.pixels:
            raise click.UsageError("--max-pixels and --min-pixels go with --model.")
        if not self.asks and self.thinking:
            raise click.UsageError("--thinking goes with --model.")
        if self.thinking == "on" and self.scoring == "likelihood":
            raise click.UsageError("--thinking on goes with --scoring generate: a likelihood has no thought.")
        if self.pixels.fault:
            raise click.UsageError(self.pixels.fault)
        self._check_comparison()
        if self.base_url and not self.asks:
            raise click.UsageError("--base-url goes with --model: --score and --compare ask no model.")
        if not self.asks:
            common.refuse(("max_new_tokens", "batch_size", "processes", "concurrency"), "--model")
        if not self.reads_questions:
            common.refuse(("count", "limit", "shard", "style", "place"), "--model or --questions FILE")
        if self.compare or self.writes_questions:
            common.refuse(("scoring", "parser"), "--model or --score")
        if not self.base_url:
            common.refuse(("concurrency",), "--base-url")
        if self.base_url and self.processes > 1:
            raise click.UsageError("--processes is for a model in this process (use --concurrency).")
        if self.asks and not self.model:
            raise click.UsageError(
                "Missing option '--model' (or --score FILE, --compare A B, or --questions FILE)."
            )
        paths = (path for _, path in self.requested)
        model = None if self.base_url else self.model
        reads = (model, self.text_model, self.data, *paths) if self.reads_questions else (self.text_model,)
        if self.score:
            reads = (*reads, self.questions)
        places.check(
            [*(self.files or (() if self.reads_questions else ("-",))), *filter(None, reads)],
            {**self.written, "--image-dir": self.image_dir if self.reads_questions else None},
            grow=("-o",) if self.asks else (), ours="response",
        )  # fmt: skip

    def _check_comparison(self) -> None:
        """Raise a usage error for options of --compare that are missing, or given without it."""
        if self.compare and len(self.files) < 2:
            raise click.UsageError("--compare takes two files of predictions or more, before and after.")
        given = {"--margin": self.margin, "--plot": self.plot, "--gallery": self.gallery}
        for name, value in given.items():
            if value != value:  # not a number
                raise click.UsageError(f"{name} must be a number.")
            if value is not None and not self.compare:
                raise click.UsageError(f"{name} goes with --compare.")
        if self.heatmap and self.compare:
            raise click.UsageError("--heatmap goes with the answers of one model, not with --compare.")
