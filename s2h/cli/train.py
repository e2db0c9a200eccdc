"""s2h-train: DPO on multi-image pairs."""

from __future__ import annotations

import os
import sys

import click

from s2h.cli import common, headings, places, streams
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


def setting(*names: str, help: str, default: str = "", **more):
    """An option of the run's arguments. Without it the recipe, the model or a resumed run decides, and else `default`."""
    return click.option(*names, help=f"{help}  [default: {default}]" if default else help, **more)


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
    setting(
        "--window", metavar="TOKENS", type=AT_LEAST_1, default="the model's",
        help="Drop pairs with more tokens, by name. Nothing is ever cut.",
    ),
)  # fmt: skip
@headings.under(
    "Method",
    click.option(
        "--recipe", type=click.Choice(RECIPES),
        help="A paper's settings, which other options override. s2h-flat: S2H-DPO in the file's order. s2h-curriculum: "
        "S2H-DPO level after level. mia-dpo. ccdpo: stage after stage.",
    ),
    setting("--loss", type=click.Choice(LOSSES), default="sigmoid", help="Preference loss, as TRL names it."),
    setting(
        "--beta", metavar="X", type=ABOVE_0, default="0.1",
        help="DPO's beta: a larger one keeps the model nearer to its reference.",
    ),
    setting(
        "--sft", metavar="W", type=Number(min=0), default="0",
        help="Weight of an added cross-entropy on the chosen answer, which keeps that answer likely.",
    ),
    setting("--lr", metavar="X", type=ABOVE_0, default="5e-5", help="Peak learning rate."),
    setting(
        "--epochs", metavar="X", type=ABOVE_0, default="3",
        help="Passes over the pairs; with stages, over the pairs of each.",
    ),
    setting("--max-steps", metavar="N", type=AT_LEAST_1, help="Stop after N optimizer steps."),
    setting(
        "--step-pairs", metavar="N", type=AT_LEAST_1, default="64, mini 32",
        help="Pairs per optimizer step, over all processes.",
    ),
    setting(
        "--stages", type=click.Choice(STAGES), default="record",
        help="Train stage after stage. record: by the field stage, where records have it. level: by stage, else by level. "
        "off: in the file's order.",
    ),
    setting(
        "--schedule-per-stage/--schedule-over-all", default="over all",
        help="Start a new warm-up and learning-rate schedule in each stage.",
    ),
    setting(
        "--scheduler", type=click.Choice(["cosine", "linear", "constant"]), default="cosine",
        help="Learning-rate schedule after the warm-up.",
    ),
    setting(
        "--warmup", metavar="SHARE", type=Number(0, 1), default="0.03",
        help="Share of the steps in which the learning rate rises.",
    ),
    setting("--weight-decay", metavar="X", type=Number(min=0), default="0", help="AdamW's weight decay."),
)  # fmt: skip
@headings.under(
    "Weights",
    setting(
        "--full/--lora", default="lora",
        help="Train all weights of the language model, or LoRA. The vision tower stays frozen.",
    ),
    setting(
        "--lora-rank", metavar="R", type=AT_LEAST_1, default="128, mini 64",
        help="Rank of LoRA on the language model's projections.",
    ),
    setting("--lora-alpha", metavar="A", type=AT_LEAST_1, default="twice the rank", help="LoRA's alpha."),
    setting(
        "--lora-targets", metavar="REGEX", type=Regex(), default="the language model's projections",
        help="Modules that LoRA adapts, as a regular expression for their names.",
    ),
    setting(
        "--quantize", type=click.Choice(["4bit"]),
        help="QLoRA: base weights in 4 bits. Needs bitsandbytes and an NVIDIA GPU.",
    ),
    setting(
        "--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto",
        help="Number format of the weights. auto: bfloat16 on a GPU, float32 on a CPU and for --full.",
    ),
)  # fmt: skip
@headings.under(
    "Performance",
    setting(
        "--batch-size", metavar="N", type=AT_LEAST_1, default="1, mini 8", help="Pairs that a device computes at a time.",
    ),
    setting(
        "--grad-accum", metavar="N", type=AT_LEAST_1,
        help="Batches of a process per optimizer step, in place of --step-pairs.",
    ),
    setting(
        "--token-budget", metavar="N", type=AT_LEAST_1,
        help="Form batches of at most N tokens with at most 5% padding. A step still has as many pairs.",
    ),
    setting(
        "--pack/--no-pack", default="no",
        help="Put pairs of the same prompt and images that meet in a step into one row.",
    ),
    setting(
        "--gradient-checkpointing/--no-gradient-checkpointing", default="no",
        help="Recompute the language model's activations: less memory, more time.",
    ),
    setting(
        "--engine", type=click.Choice(["shared", "stock"]), default="shared",
        help="shared: compute prompt and images of a pair once for both answers, with the same numbers. stock: TRL's step.",
    ),
    setting(
        "--attention", type=click.Choice(["auto", "split", "mask", "varlen"]), default="auto",
        help="Attention of shared rows. split (auto's choice) needs no mask of row x row; varlen is one call on CUDA.",
    ),
    click.option(
        "--keep-features", metavar="GIB", type=Number(min=0),
        help="Memory for the frozen vision tower's features, so that it sees each image once and not once an epoch.  "
        "[default: a quarter of the free memory]",
    ),
    click.option(
        "--reference-cache", metavar="DIR", type=click.Path(file_okay=False),
        help="Keep reference log-probabilities here from run to run.  [default: s2h/reference in the user's cache]",
    ),
    click.option(
        "--workers", metavar="N", type=click.IntRange(min=0),
        help="Processes that open and prepare images; with 0 that is done between the steps.  [default: 4 on a GPU, else 0]",
    ),
    click.option(
        "--processes", metavar="N", type=AT_LEAST_1, default=1, show_default=True,
        help="Processes on this machine, through accelerate's launcher, each on a GPU where there are some.",
    ),
)  # fmt: skip
@headings.under(
    "Run",
    click.option(
        "--plan", is_flag=True, help="Print the tokens, steps, memory and time that the run would take; train nothing.",
    ),
    click.option(
        "--resume", is_flag=True,
        help="Continue the run in -o from its last checkpoint, with its own data and arguments.",
    ),
    click.option(
        "--merge", is_flag=True,
        help="Also write the adapted weights to RUN/merged; without pairs, those of a finished run.",
    ),
    click.option(
        "--save-steps", metavar="N", type=AT_LEAST_1, default=200, show_default=True,
        help="Write a checkpoint every N steps. The last two are kept.",
    ),
    click.option(
        "--log-steps", metavar="N", type=AT_LEAST_1, default=10, show_default=True,
        help="Write a line of metrics every N steps.",
    ),
    click.option(
        "--report-to", type=click.Choice(REPORTS), multiple=True, help="Also send the metrics there. May be repeated.",
    ),
)  # fmt: skip
@common.shared_options("RUN", None, "Run folder.  [default: runs/MODEL-seedN]")
@click.pass_context
def main(
    context, files, model, val, processes, reference_cache, report_to, save_steps, log_steps, workers, keep_features,
    resume, merge, plan,
    output, seed, quiet, on_error, **settings,
):  # fmt: skip
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
    from s2h.train.weights import TargetsError

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
