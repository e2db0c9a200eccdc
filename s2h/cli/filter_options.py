"""The options of s2h-filter under their headings: those of the judgements and of their models, which the registry gives, and
those of the run."""

from __future__ import annotations

import math
from collections.abc import Callable

import click

from s2h.cli.headings import under
from s2h.cli.params import Band, Bounded
from s2h.filters import request
from s2h.filters.judgement import Bounds, Choice, Flag, Number, Option
from s2h.filters.scorers import KINDS

DTYPES = ("float32", "bfloat16", "float16")
ABOVE_0 = click.IntRange(min=1)
MODELS_HEADING, SPEED_HEADING = "Models", "Performance"


def _click_option(option: Option) -> Callable[[Callable], Callable]:
    value, text = option.value, option.help
    if isinstance(value, Flag):
        return click.option(option.name, is_flag=True, help=text)
    if isinstance(value, Choice):
        return click.option(option.name, type=click.Choice(value.words), help=text)
    kind: click.ParamType = click.STRING
    if isinstance(value, Bounds):
        kind = Band(value.least, value.most)
    elif isinstance(value, Number):
        kind = Bounded(value.least, value.most, value.whole)
        text += f"  [{kind.bounds}]" if math.isfinite(value.least) and math.isfinite(value.most) else ""
    return click.option(
        option.name, metavar=value.name, type=kind, multiple=option.repeated, default=option.speed,
        show_default=option.speed is not None, help=text,
    )  # fmt: skip


def _listed() -> dict[str, list[Callable]]:
    """Return the options of judgements and models, by heading."""
    found: dict[str, list[Callable]] = {}
    for judgement in request.judgements().values():
        for option in judgement.options:
            heading = judgement.heading if option.speed is None else SPEED_HEADING
            found.setdefault(heading, []).append(_click_option(option))
    for kind in KINDS:
        if kind.option is not None:
            found.setdefault(MODELS_HEADING, []).append(_click_option(kind.option))
    return found


LISTED = _listed()


def judgements(command: Callable) -> Callable:
    """Add the options of all judgements to a command."""
    for heading, options in reversed(LISTED.items()):
        if heading not in (MODELS_HEADING, SPEED_HEADING):
            command = under(heading, *options)(command)
    return command


reports = under(
    "Scores and reports",
    click.option(
        "--annotate", is_flag=True,
        help="Write scores without dropping records: those that the other options ask for or, without any, "
        f"{' and '.join(request.by_default())}.",
    ),
    click.option(
        "--score", "scores", type=click.Choice(request.score_names()), multiple=True,
        help="Write this score, with or without a threshold. May be repeated.",
    ),
    click.option(
        "--rejects", metavar="FILE",
        help="Write dropped pairs to FILE: the whole record with its scores, and the reasons in the field dropped.",
    ),
    click.option(
        "--image-dir", metavar="DIR", type=click.Path(file_okay=False),
        help='Store for the images that a record brings as {"bytes", "path"}.  [default: s2h-images beside -o FILE, else '
        "in the working directory]",
    ),
    click.option(
        "--report", metavar="FILE",
        help="Write to FILE, as JSON, what was kept and dropped by task and reason, and the distribution of the "
        "scores around their thresholds; histograms go beside it (.png).",
    ),
    click.option(
        "--audit", metavar="FILE",
        help="Write to FILE, as JSON, how well words alone, and form alone, separate chosen from rejected in the kept "
        "pairs, and how even places, lengths and answers are; plots go beside it (.png).",
    ),
    click.option(
        "--audit-fail", metavar="AUC", type=click.FloatRange(0.5, 1),
        help="End with status 1 if in some task words alone, or form alone, tell chosen from rejected with an AUC above "
        "this, for example 0.6.",
    ),
)  # fmt: skip
models = under(
    MODELS_HEADING,
    *LISTED.get(MODELS_HEADING, ()),
    click.option(
        "--dtype", type=click.Choice(DTYPES),
        help="Number format of the models.  [default: float32; bfloat16 for --ref on a GPU that supports it]",
    ),
    click.option("--compile", is_flag=True, help="Run CLIP through torch.compile: a minute to start, then faster on a GPU."),
    click.option(
        "--cache", metavar="DIR", type=click.Path(file_okay=False),
        help="Keep what the models compute in DIR, by content and model. A later run, with another threshold or after a "
        "kill, then runs them on new pairs only. Safe to remove.",
    ),
)  # fmt: skip
performance = under(
    SPEED_HEADING,
    click.option(
        "--workers", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
        help="Processes that open images for CLIP while it runs; with 0, four threads do, which is enough for a CPU.",
    ),
    click.option(
        "--processes", metavar="N", type=ABOVE_0, default=1, show_default=True,
        help="Processes on this machine that share the models' work, through accelerate's launcher, each on a GPU where "
        "there are some. The output has the same bytes with any number.",
    ),
    click.option(
        "--batch-size", metavar="N", type=ABOVE_0,
        help="Pairs that a model judges, and that are written, at a time.  [default: 64; 512 on a GPU]",
    ),
    *LISTED.get(SPEED_HEADING, ()),
    click.option(
        "--resume", is_flag=True,
        help="Continue what a killed run left in FILE.partial (needs -o FILE). The input is read again up to there, but not "
        "judged again.",
    ),
)  # fmt: skip
