"""s2h-train: DPO on multi-image pairs."""

from __future__ import annotations

import os
import sys

import click

from s2h.cli import common, places, streams
from s2h.cli.params import Number, Regex

LOSSES = (
    "sigmoid",
    "hinge",
    "ipo",
    "robust",
    "apo_zero",
    "apo_down",
    "sppo_hard",
    "nca_pair",
    "sigmoid_norm",
)
RECIPES = (
    "s2h-flat",
    "s2h-curriculum",
    "mia-dpo",
    "ccdpo",
)  # those of train/arguments.py, and likewise below
STAGES = ("record", "level", "off")
REPORTS = ("tensorboard", "trackio", "wandb")


def setting(*names: str, default: str = "", **more):
    """An option of the run's arguments: where the command line is silent, the recipe, the model or a resumed run decides."""
    return click.option(*names, show_default=default or False, **more)


ABOVE_0 = Number(min=0, min_open=True)
AT_LEAST_1 = click.IntRange(min=1)


@click.command(cls=common.Command, epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--model",
    metavar="NAME",
    help="llava-1.5-7b, qwen2.5-vl-7b, qwen3-vl-2b, mini (bundled), any Hub id, local folder or earlier run.",
)
@click.option("--val", metavar="FILE", multiple=True, help="Held-out pairs to measure on; may be repeated.")
@click.option(
    "--recipe",
    type=click.Choice(RECIPES),
    help="A paper's settings; options beside it override them. s2h-flat, s2h-curriculum: S2H-DPO in the file's order, or "
    "level after level; mia-dpo; ccdpo: stage after stage.",
)
@setting("--beta", type=ABOVE_0, default="0.1", help="DPO's beta: how far the model may leave its reference.")
@setting("--lr", type=ABOVE_0, default="5e-5", help="Peak learning rate.")
@setting(
    "--epochs", type=ABOVE_0, default="3", help="Passes over the pairs; with stages, over those of each."
)
@setting("--max-steps", metavar="N", type=AT_LEAST_1, help="Stop after N optimizer steps.")
@setting(
    "--batch-size", metavar="N", type=AT_LEAST_1, default="1, mini 8", help="Pairs a device computes at once."
)
@setting(
    "--step-pairs",
    metavar="N",
    type=AT_LEAST_1,
    default="64, mini 32",
    help="Pairs of an optimizer step, over all processes.",
)
@setting(
    "--grad-accum",
    metavar="N",
    type=AT_LEAST_1,
    help="Batches of a process to an optimizer step, in place of --step-pairs.",
)
@setting(
    "--lora-rank",
    metavar="R",
    type=AT_LEAST_1,
    default="128, mini 64",
    help="LoRA on the language model's projections.",
)
@setting("--lora-alpha", metavar="A", type=AT_LEAST_1, default="twice the rank", help="LoRA's alpha.")
@setting(
    "--lora-targets",
    metavar="REGEX",
    type=Regex(),
    help="Modules that LoRA adapts, as a regular expression for their names. By default the language model's projections.",
)
@setting(
    "--full/--lora",
    default="lora",
    help="Train all weights of the language model, or LoRA. Vision stays frozen.",
)
@setting(
    "--quantize",
    type=click.Choice(["4bit"]),
    help="QLoRA: base weights in 4 bits (bitsandbytes; needs an NVIDIA GPU).",
)
@setting("--loss", type=click.Choice(LOSSES), default="sigmoid", help="Preference loss, as TRL names it.")
@setting(
    "--sft",
    metavar="W",
    type=Number(min=0),
    default="0",
    help="Weight of an added cross-entropy on the chosen answer, which keeps it likely.",
)
@setting(
    "--stages",
    type=click.Choice(STAGES),
    default="record",
    help="Train stage after stage: by the records' stage if they have one, by that or their level, or in the file's order.",
)
@setting(
    "--schedule-per-stage/--schedule-over-all",
    default="over all",
    help="Warm up and let the learning rate fall anew in each stage.",
)
@setting(
    "--scheduler",
    type=click.Choice(["cosine", "linear", "constant"]),
    default="cosine",
    help="How the learning rate falls after the warm-up.",
)
@setting(
    "--warmup",
    metavar="SHARE",
    type=Number(0, 1),
    default="0.03",
    help="Share of the steps in which the learning rate rises.",
)
@setting("--weight-decay", type=Number(min=0), default="0", help="AdamW's weight decay.")
@setting(
    "--window",
    metavar="TOKENS",
    type=AT_LEAST_1,
    default="the model's",
    help="Leave out, by name, pairs with more tokens. Nothing is ever cut.",
)
@setting(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    help="Of the weights; auto is bfloat16 on a GPU, float32 on a CPU and for --full.",
)
@setting(
    "--gradient-checkpointing/--no-gradient-checkpointing",
    default="no",
    help="Recompute the language model's activations: less memory, more time.",
)
@setting(
    "--engine",
    type=click.Choice(["shared", "stock"]),
    default="shared",
    help="shared: prompt and images of a pair are computed once for both answers, with the same numbers; stock: TRL's step.",
)
@setting(
    "--attention",
    type=click.Choice(["auto", "split", "mask", "varlen"]),
    default="auto",
    help="Of shared rows: split needs no mask of row times row and is auto's choice; varlen is one call on CUDA.",
)
@setting(
    "--pack/--no-pack",
    default="no",
    help="Pairs of one prompt and its images that meet in a step share one row.",
)
@setting(
    "--token-budget",
    metavar="N",
    type=AT_LEAST_1,
    help="Form batches of at most N tokens and 5% padding; a step still has as many pairs.",
)
@click.option(
    "--processes",
    metavar="N",
    type=AT_LEAST_1,
    default=1,
    show_default=True,
    help="Processes on this machine, through accelerate's launcher, each on a GPU where there are some.",
)
@click.option(
    "--reference-cache",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where reference log-probabilities are kept from run to run. By default s2h/reference in the user's cache.",
)
@click.option(
    "--report-to",
    type=click.Choice(REPORTS),
    multiple=True,
    help="Send the metrics there too; may be repeated.",
)
@click.option(
    "--save-steps",
    metavar="N",
    type=AT_LEAST_1,
    default=200,
    show_default=True,
    help="A checkpoint every N steps; the last two are kept.",
)
@click.option(
    "--log-steps",
    metavar="N",
    type=AT_LEAST_1,
    default=10,
    show_default=True,
    help="A line of metrics every N steps.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Processes that open and prepare images; 0 does it between the steps.",
)
@click.option(
    "--keep-features",
    metavar="GIB",
    type=Number(min=0),
    help="Of shared rows: memory of this machine for what a frozen vision tower says of images, so that it sees each once "
    "and not in each epoch. By default a quarter of what is free.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the run in -o from its last checkpoint, with the data and the arguments it began with.",
)
@click.option(
    "--merge",
    is_flag=True,
    help="Write the adapted weights to RUN/merged too; without pairs, of a finished run.",
)
@click.option(
    "--plan", is_flag=True, help="Train nothing: say the tokens, steps, memory and time that it would take."
)
@common.shared_options("RUN", None, "The run folder. By default runs/MODEL-seedN.")
@click.pass_context
def main(
    context, files, model, val, processes, reference_cache, report_to, save_steps, log_steps, workers, keep_features,
    resume, merge, plan,
    output, seed, quiet, on_error, **settings,
):  # fmt: skip
    """Train a vision-language model with DPO on the pairs of FILEs (or standard input), in their order.

    Defaults are the paper's: sigmoid loss, beta 0.1, learning rate 5e-5, 3 epochs, LoRA. One JSON line on standard output
    names the adapter; the run folder holds it with the processor, arguments, metrics.jsonl, training.png and a card.

    \b
    s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b
    s2h-train --model mini mix.jsonl --val mix.val.jsonl -o run --epochs 1 --lr 5e-4 --sft 1
    s2h-train --resume -o run
    s2h-train --recipe s2h-curriculum --model qwen3-vl-2b mix.jsonl --processes 8
    s2h-train --model llava-1.5-7b mix.jsonl --plan
    """
    from s2h import accel

    if not plan:
        _check_places(files, val, model, output, seed, resume, merge, reference_cache)
    rank, launched = accel.launched()
    with common.session(None, quiet=quiet or rank > 0, on_error=on_error) as work:
        if not rank:
            streams.standard_output("redirect it to a file or to /dev/null")
        if processes > 1 and launched == 1 and not plan:
            status = accel.launch("s2h.cli.train", sys.argv[1:], processes, work.tell)
            raise click.exceptions.Exit(status)
        if processes == 1 and (gpus := accel.one_gpu()):
            work.say(f"training on one of {gpus} GPUs (--processes {gpus} uses all of them)")
        given = {_FIELDS.get(name, name): value for name, value in settings.items() if value is not None}
        if model is not None:
            given["model"] = model
        if context.get_parameter_source("seed") is click.core.ParameterSource.COMMANDLINE:
            given["seed"] = seed
        _train(
            work, files, val, given, output, seed, max(processes, launched), plan=plan, resume=resume, merge=merge,
            cache=reference_cache, report_to=report_to, save_steps=save_steps, log_steps=log_steps, workers=workers,
            keep_features=keep_features,
        )  # fmt: skip


# Options whose names are longer than those in args.json.
_FIELDS = {"lora_rank": "rank", "lora_alpha": "alpha", "lora_targets": "targets", "step_pairs": "step"}


def _check_places(files, val, model, output, seed, resume, merge, cache) -> None:
    """Refuse a run folder, or a cache, that would replace an input."""
    if not output and model is None:
        return  # an error, which is told later
    folder = output or _folder_of(model, seed)
    reads = files or (() if (resume or merge) and os.path.exists(folder) else ("-",))
    outputs = {**places.in_run(folder), "--reference-cache": cache}
    places.check([*reads, *val, *filter(None, [model])], outputs)


def _folder_of(model: str, seed: int) -> str:
    """The run folder where none is named."""
    return f"runs/{os.path.basename(os.path.normpath(model))}-seed{seed}"


def _train(
    work, files, val, given, output, seed, processes, *, plan, resume, merge, cache, report_to, **how
) -> None:
    import json
    from pathlib import Path

    from s2h import accel
    from s2h.train import arguments as _arguments
    from s2h.train import folder as _folder

    if not output and "model" not in given:
        raise click.UsageError("--model NAME is needed (or -o RUN with --resume or --merge).")
    folder = Path(output or _folder_of(given["model"], seed))
    if not plan and accel.launched()[0] == 0:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.lock(str(folder))
    said = _folder.begun(folder) if resume or merge else {}
    if "model" not in {**said, **given}:
        raise click.UsageError(f"--model NAME is needed: {folder} holds no run yet.")
    done = merge and not files and _folder.read_result(folder)
    arguments = _arguments.fill(_arguments.again(said, given) if said else given, processes=processes)
    records = [] if resume and said and not files else work.read(files)
    if plan:
        from s2h.train.plan import plan as make

        made = make(records, arguments, processes=processes, say=work.say, on_error=work.on_error)
        work.print(json.dumps(made))
        return
    for package in report_to:
        _check_installed(package)
    from s2h.train.reference import cache_folder
    from s2h.train.run import train, with_merged
    from s2h.train.tune import TargetsError

    if done:
        work.print(json.dumps(with_merged(arguments, folder, work.say)))
        return
    try:
        result = train(
            records,
            arguments,
            folder,
            held_out=work.read(val) if val else None,
            resume=resume,
            merged=merge,
            report_to=report_to,
            cache=cache_folder(cache),
            say=work.say,
            on_error=work.on_error,
            progress=not work.quiet and sys.stderr is not None and sys.stderr.isatty(),
            **how,
        )
    except Exception as error:
        if accel.lost(error):
            raise accel.told(error) from error
        if isinstance(error, TargetsError):
            raise click.UsageError(str(error)) from error
        raise
    if accel.is_main():
        work.print(json.dumps(result))


def _check_installed(package: str) -> None:
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
