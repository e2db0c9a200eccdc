"""s2h-train: DPO on multi-image pairs. Choices and defaults of the options are those of `s2h.train.arguments`."""

from __future__ import annotations

import os
import sys
from dataclasses import fields, replace
from typing import Any

import click

from s2h.cli import common, headings, places, streams
from s2h.cli.params import Number, Regex
from s2h.cli.train_options import Asked, argument, read_weights, setting
from s2h.images.resizing import Pixels
from s2h.models import image_size, thinking
from s2h.train.arguments import (
    ATTENTION,
    DTYPES,
    ENGINES,
    LOSSES,
    QUANTIZED,
    RECIPES,
    SCHEDULERS,
    STAGES,
    Settings,
)

REPORTS = ("tensorboard", "trackio", "wandb")
ABOVE_0 = Number(min=0, min_open=True)
AT_LEAST_1 = click.IntRange(min=1)


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@headings.under(
    "Model and data",
    click.option(
        "--model", metavar="NAME",
        help="Model to train: llava-1.5-7b, qwen2.5-vl-7b, qwen3-vl-2b, mini (bundled), a Hub id, a local folder or an "
        "earlier run.",
    ),
    click.option("--val", metavar="FILE", multiple=True, help="Held-out pairs to measure on. May be repeated."),
    argument(
        "--keep-best/--no-keep-best", "keep_best",
        help="Write the weights that were the most accurate on --val, in place of the last ones.",
    ),
    argument(
        "--probe", "probe", metavar="FILE|off",
        help="Short questions to ask before and after training, in the form of s2h-eval's own files. A warning says if the "
        "model answers them worse.  [default: up to 50 about one image, from the level-1 pairs of --val]",
    ),
    argument(
        "--window", "window", metavar="TOKENS", type=AT_LEAST_1, default="the model's",
        help="Drop pairs with more tokens, and print their ids. Nothing is ever cut.",
    ),
    argument("--max-pixels", "max_pixels", metavar="N", type=AT_LEAST_1, help=image_size.MOST_HELP),
    argument("--min-pixels", "min_pixels", metavar="N", type=AT_LEAST_1, help=image_size.LEAST_HELP),
    argument(
        "--thinking", "thinking", type=click.Choice(thinking.CHOICES), help=thinking.HELP,
        default="the earlier run's, else off",
    ),
)  # fmt: skip
@headings.under(
    "Method",
    argument(
        "--recipe", "recipe", type=click.Choice(list(RECIPES)),
        help="A paper's settings, which other options override. s2h-flat: S2H-DPO in the file's order. s2h-curriculum: "
        "S2H-DPO level after level. mia-dpo: MIA-DPO. ccdpo: CcDPO, stage after stage. mpo: InternVL's MPO.",
    ),
    argument(
        "--loss", "loss", metavar="NAME[=W]", multiple=True, callback=read_weights,
        help=f"Loss by TRL's name, and its weight in a sum of several. May be repeated: --loss sigmoid=0.8 --loss "
        f"bco_pair=0.2. sft alone trains on the chosen answers only. Names: {', '.join(LOSSES)}.",
    ),
    argument(
        "--beta", "beta", metavar="X", type=ABOVE_0,
        help="DPO's beta: a larger one keeps the model nearer to its reference.",
    ),
    argument(
        "--sft", "sft", metavar="W", type=Number(min=0),
        help="Weight of an added cross-entropy on the chosen answer, which keeps that answer likely.",
    ),
    argument(
        "--image-side", "image_side", metavar="W", type=Number(min=0),
        help="Weight of an added loss over pairs with rejected_images: the chosen answer must be likelier under the pair's "
        "images than under these (the conditional preference of mDPO). A pair without them adds 0.",
    ),
    argument("--lr", "lr", metavar="X", type=ABOVE_0, help="Peak learning rate."),
    argument(
        "--epochs", "epochs", metavar="X", type=ABOVE_0,
        help="Passes over the pairs; with stages, over the pairs of each.",
    ),
    argument("--max-steps", "max_steps", metavar="N", type=AT_LEAST_1, help="Stop after N optimizer steps."),
    argument(
        "--step-pairs", "step", metavar="N", type=AT_LEAST_1,
        help="Pairs per optimizer step, over all processes.",
    ),
    argument(
        "--stages", "stages", type=click.Choice(STAGES),
        help="Train stage after stage. record: by the field stage, where records have it. level: by stage, else by level. "
        "off: in the file's order.",
    ),
    argument(
        "--schedule-per-stage/--schedule-over-all", "schedule_per_stage",
        help="Start a new warm-up and learning-rate schedule in each stage.",
    ),
    argument(
        "--scheduler", "scheduler", type=click.Choice(SCHEDULERS),
        help="Learning-rate schedule after the warm-up.",
    ),
    argument(
        "--warmup", "warmup", metavar="SHARE", type=Number(0, 1),
        help="Share of the steps in which the learning rate rises.",
    ),
    argument("--weight-decay", "weight_decay", metavar="X", type=Number(min=0), help="AdamW's weight decay."),
)  # fmt: skip
@headings.under(
    "Weights",
    argument(
        "--full/--lora", "full",
        help="Train all weights of the language model, or LoRA. The vision tower stays frozen.",
    ),
    argument(
        "--lora-rank", "rank", metavar="R", type=AT_LEAST_1,
        help="Rank of LoRA on the language model's projections.",
    ),
    argument("--lora-alpha", "alpha", metavar="A", type=AT_LEAST_1, default="twice the rank", help="LoRA's alpha."),
    argument(
        "--lora-targets", "targets", metavar="REGEX", type=Regex(), default="the language model's projections",
        help="Modules that LoRA adapts, as a regular expression for their names.",
    ),
    argument(
        "--quantize", "quantize", type=click.Choice(QUANTIZED),
        help="QLoRA: base weights in 4 bits. Needs bitsandbytes and an NVIDIA GPU.",
    ),
    argument(
        "--dtype", "dtype", type=click.Choice(DTYPES),
        help="Number format of the weights. auto: bfloat16 on a GPU, float32 on a CPU and for --full.",
    ),
)  # fmt: skip
@headings.under(
    "Performance",
    argument(
        "--batch-size", "batch_size", metavar="N", type=AT_LEAST_1, help="Pairs that a device computes at a time.",
    ),
    argument(
        "--grad-accum", "grad_accum", metavar="N", type=AT_LEAST_1,
        help="Batches of a process per optimizer step, in place of --step-pairs.",
    ),
    argument(
        "--token-budget", "token_budget", metavar="N", type=AT_LEAST_1,
        help="Form batches of at most N tokens with at most 5% padding. A step still has as many pairs.",
    ),
    argument(
        "--pack/--no-pack", "pack",
        help="Put pairs of the same prompt and images that meet in a step into one row.",
    ),
    argument(
        "--gradient-checkpointing/--no-gradient-checkpointing", "gradient_checkpointing",
        help="Recompute the language model's activations: less memory, more time.",
        default="on where a run would not fit the GPU's memory without it",
    ),
    argument(
        "--engine", "engine", type=click.Choice(ENGINES),
        help="shared: compute prompt and images of a pair once for both answers, with the same numbers. stock: TRL's step.",
    ),
    argument(
        "--attention", "attention", type=click.Choice(ATTENTION),
        help="Attention of shared rows. varlen: one call, on CUDA in 16 bits. split: two calls, without a mask of row x "
        "row. mask: one call with it. auto: varlen if possible, else split.",
    ),
    argument(
        "--compile/--no-compile", "compile",
        help="Compile the language model's layers (torch.compile): a minute or two at the start for faster steps on a GPU.",
    ),
    setting(
        "--keep-features", "keep_features", metavar="GIB", type=Number(min=0),
        help="Memory for the frozen vision tower's features, so that each image is encoded once and not once an epoch.  "
        "[default: a quarter of the free memory]",
    ),
    setting(
        "--reference-cache", "cache", metavar="DIR", type=click.Path(file_okay=False),
        help="Keep reference log-probabilities here from run to run.  [default: s2h/reference in the user's cache]",
    ),
    setting(
        "--workers", "workers", metavar="N", type=click.IntRange(min=0),
        help="Processes that open and prepare images; with 0, the main process does it between the steps.  "
        "[default: 4 on a GPU, else 0]",
    ),
    click.option(
        "--processes", metavar="N", type=AT_LEAST_1, default=1, show_default=True,
        help="Processes on this machine, through accelerate's launcher, each on its own GPU if there are GPUs.",
    ),
)  # fmt: skip
@headings.under(
    "Run",
    click.option(
        "--plan", is_flag=True, help="Print the tokens, steps, memory and time that the run would take; train nothing.",
    ),
    setting(
        "--resume", "resume", is_flag=True,
        help="Continue the run in -o from its last checkpoint, with its own data and arguments.",
    ),
    setting(
        "--merge", "merged", is_flag=True,
        help="Also write the adapted weights to RUN/merged. Without pairs, merge a finished run.",
    ),
    setting(
        "--save-steps", "save_steps", metavar="N", type=AT_LEAST_1,
        help="Write a checkpoint every N steps. The last two are kept.",
    ),
    setting(
        "--log-steps", "log_steps", metavar="N", type=AT_LEAST_1,
        help="Write a line of metrics every N steps.",
    ),
    setting(
        "--report-to", "report_to", type=click.Choice(REPORTS), multiple=True,
        help="Also send the metrics to this dashboard. May be repeated.",
    ),
)  # fmt: skip
@common.shared_options("RUN", None, "Run folder.  [default: runs/MODEL-seedN]")
@click.pass_context
def main(context, files, model, val, output, seed, quiet, on_error, **options):
    """Train a vision-language model with DPO on the pairs of FILEs (or standard input), in their order.

    The defaults are the paper's: sigmoid loss, beta 0.1, learning rate 5e-5, 3 epochs, LoRA. One JSON line on standard
    output names the adapter. The run folder holds it with the processor, arguments, metrics.jsonl, training.png and a card.

    \b
    s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b
    s2h-train --model mini mix.jsonl --val mix.val.jsonl -o run --epochs 1 --lr 5e-4 --sft 1
    s2h-train --resume -o run
    s2h-train --recipe s2h-curriculum --model qwen3-vl-2b mix.jsonl --processes 8
    s2h-train --model llava-1.5-7b mix.jsonl --plan
    """
    from s2h import accel

    plan, processes = options.pop("plan"), options.pop("processes")
    chosen = {field.name: options.pop(field.name) for field in fields(Settings) if field.name in options}
    given = {name: value for name, value in {"model": model, **options}.items() if value is not None}
    if context.get_parameter_source("seed") is click.core.ParameterSource.COMMANDLINE:
        given["seed"] = seed
    if fault := Pixels(given.get("min_pixels", 0), given.get("max_pixels", 0)).fault:
        raise click.UsageError(fault)
    asked = Asked(files, val, given, Settings(**chosen), output, seed, processes)
    if not plan:
        _check_places(asked)
    rank, launched = accel.launched()
    with common.session(None, quiet=quiet or rank > 0, on_error=on_error) as work:
        if not rank:
            streams.standard_output("redirect it to a file or to /dev/null")
        if processes > 1 and launched == 1 and not plan:
            status = accel.launch("s2h.cli.train", sys.argv[1:], processes, work.tell)
            raise click.exceptions.Exit(status)
        if processes == 1 and (gpus := accel.one_gpu()):
            work.say(f"training on one of {gpus} GPUs (--processes {gpus} uses all of them)")
        (_plan if plan else _train)(work, replace(asked, processes=max(processes, launched)))


def _check_places(asked: Asked) -> None:
    """Raise click.UsageError if the run folder or the cache would replace an input."""
    settings = asked.settings
    goes_on = (settings.resume or settings.merged) and os.path.exists(asked.folder)
    reads = asked.files or (() if goes_on else ("-",))
    outputs: dict[str, Any] = {**places.in_run(asked.folder), "--reference-cache": settings.cache}
    named = filter(None, [asked.given.get("model"), asked.given.get("probe")])
    places.check([*reads, *asked.val, *named], outputs)


def _plan(work: common.Session, asked: Asked) -> None:
    """Print the plan of the run."""
    import json

    from s2h.train.plan import plan_run

    made = plan_run(
        work.read(asked.files), asked.arguments(_earlier(asked)), processes=asked.processes, say=work.say,
        on_error=work.on_error,
    )  # fmt: skip
    work.print(json.dumps(made))


def _train(work: common.Session, asked: Asked) -> None:
    """Train, resume or merge the run, and print its result."""
    import json
    from pathlib import Path

    from s2h import accel
    from s2h.train.folder import read_result

    settings, folder = asked.settings, Path(asked.folder)
    if accel.launched()[0] == 0:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.lock(str(folder))
    earlier = _earlier(asked)
    is_done = settings.merged and not asked.files and read_result(folder)
    arguments = asked.arguments(earlier)
    for package in settings.report_to:
        _check_installed(package)
    from s2h.train.run import train, with_merged
    from s2h.train.weights import TargetsError

    if is_done:
        work.print(json.dumps(with_merged(arguments, folder, work.say)))
        return
    try:
        result = train(
            [] if settings.resume and earlier and not asked.files else work.read(asked.files),
            arguments,
            folder,
            replace(
                settings,
                cache=Path(settings.cache) if settings.cache else None,
                progress=not work.quiet and sys.stderr is not None and sys.stderr.isatty(),
            ),
            held_out=work.read(asked.val) if asked.val else None,
            say=work.say,
            on_error=work.on_error,
        )
    except Exception as error:
        if accel.is_lost_connection(error):
            raise accel.connection_error(error) from error
        if isinstance(error, TargetsError):
            raise click.UsageError(str(error)) from error
        raise
    if accel.is_main():
        work.print(json.dumps(result))


def _earlier(asked: Asked) -> dict[str, Any]:
    """Return the args.json of the run that is resumed or merged; empty for a new run."""
    from pathlib import Path

    from s2h.train.folder import read_arguments

    goes_on = asked.settings.resume or asked.settings.merged
    return read_arguments(Path(asked.folder)) if goes_on else {}


def _check_installed(package: str) -> None:
    """Raise RecordError if the package of a dashboard is not installed."""
    import importlib.util

    from s2h.record import RecordError

    found = any(
        importlib.util.find_spec(name) for name in (package, "tensorboardX")[: 1 + (package == "tensorboard")]
    )
    if not found:
        raise RecordError(
            f"--report-to {package} needs the package {package}", remedy=f"pip install {package}"
        )


if __name__ == "__main__":  # as `accelerate launch -m s2h.cli.train` starts it
    main(prog_name="s2h-train")
