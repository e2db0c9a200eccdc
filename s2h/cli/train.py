"""s2h-train: DPO on multi-image pairs."""

from __future__ import annotations

import click

from s2h.cli import common

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


@click.command(epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    help="llava-1.5-7b, qwen2.5-vl-7b, qwen3-vl-2b, mini (bundled), or any Hub id or local folder.",
)
@click.option("--val", metavar="FILE", multiple=True, help="Held-out pairs to measure on; may be repeated.")
@click.option(
    "--beta",
    type=click.FloatRange(min=0, min_open=True),
    default=0.1,
    show_default=True,
    help="DPO's beta: how far the model may leave its reference.",
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    default=5e-5,
    show_default=True,
    help="Peak learning rate.",
)
@click.option(
    "--epochs",
    type=click.FloatRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Passes over the pairs.",
)
@click.option("--max-steps", metavar="N", type=click.IntRange(min=1), help="Stop after N optimizer steps.")
@click.option(
    "--batch-size",
    metavar="N",
    type=click.IntRange(min=1),
    help="Pairs a device computes at once. By default 1, for mini 8.",
)
@click.option(
    "--grad-accum",
    metavar="N",
    type=click.IntRange(min=1),
    help="Batches to one optimizer step. By default 64, for mini 4.",
)
@click.option(
    "--lora-rank",
    metavar="R",
    type=click.IntRange(min=1),
    help="LoRA on the language model's projections. By default 128, for mini 64.",
)
@click.option(
    "--lora-alpha", metavar="A", type=click.IntRange(min=1), help="LoRA's alpha. By default twice the rank."
)
@click.option(
    "--loss",
    type=click.Choice(LOSSES),
    default="sigmoid",
    show_default=True,
    help="Preference loss, as TRL names it.",
)
@click.option(
    "--sft",
    metavar="W",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Weight of an added cross-entropy on the chosen answer, which keeps it likely.",
)
@click.option(
    "--scheduler",
    type=click.Choice(["cosine", "linear", "constant"]),
    default="cosine",
    show_default=True,
    help="How the learning rate falls after the warm-up.",
)
@click.option(
    "--warmup",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    default=0.03,
    show_default=True,
    help="Share of the steps in which the learning rate rises.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="AdamW's weight decay.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Of the weights; auto is bfloat16 on a GPU, float32 on a CPU.",
)
@click.option("--gradient-checkpointing", is_flag=True, help="Recompute activations: less memory, more time.")
@click.option(
    "--engine",
    type=click.Choice(["shared", "stock"]),
    default="shared",
    show_default=True,
    help="shared: prompt and images of a pair are computed once for both answers, with the same numbers; stock: TRL's step.",
)
@click.option(
    "--attention",
    type=click.Choice(["auto", "split", "mask", "varlen"]),
    default="auto",
    show_default=True,
    help="Of shared rows: split needs no mask of row times row and is auto's choice; varlen is one call on CUDA.",
)
@click.option(
    "--pack",
    is_flag=True,
    help="Pairs of one prompt and its images that meet in a step share one row.",
)
@click.option(
    "--token-budget",
    metavar="N",
    type=click.IntRange(min=1),
    help="Form batches of at most N tokens and 5% padding; a step still has batch size times accumulation pairs.",
)
@click.option(
    "--save-steps",
    metavar="N",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="A checkpoint every N steps; the last two are kept.",
)
@click.option(
    "--log-steps",
    metavar="N",
    type=click.IntRange(min=1),
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
    "--resume",
    is_flag=True,
    help="Go on with the run in -o from its last checkpoint, with the data it began with.",
)
@common.shared_options("RUN", None, "The run folder. By default runs/MODEL-seedN.")
def main(
    files,
    model,
    val,
    beta,
    lr,
    epochs,
    max_steps,
    batch_size,
    grad_accum,
    lora_rank,
    lora_alpha,
    loss,
    sft,
    scheduler,
    warmup,
    weight_decay,
    dtype,
    gradient_checkpointing,
    engine,
    attention,
    pack,
    token_budget,
    save_steps,
    log_steps,
    workers,
    resume,
    output,
    seed,
    quiet,
    on_error,
):
    """Train a vision-language model with DPO on the pairs of FILEs (or standard input), in their order.

    Defaults are the paper's: sigmoid loss, beta 0.1, learning rate 5e-5, 3 epochs, LoRA. One JSON line on standard output
    names the adapter; the run folder holds it with the processor, arguments, metrics.jsonl and training.png.

    \b
    s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b
    s2h-train --model mini mix.jsonl --val mix.val.jsonl -o run --epochs 1 --lr 5e-4 --sft 1
    s2h-train --model mini -o run --resume
    """
    with common.session(None, quiet=quiet, on_error=on_error) as work:
        import json
        import sys
        from pathlib import Path

        from s2h.models import names
        from s2h.train.run import Arguments, train

        preset = names.preset(model)
        rank = lora_rank or preset.rank
        arguments = Arguments(
            model=model,
            beta=beta,
            lr=lr,
            epochs=epochs,
            batch_size=batch_size or preset.batch_size,
            grad_accum=grad_accum or preset.grad_accum,
            rank=rank,
            alpha=lora_alpha or (2 * rank if lora_rank else preset.alpha),
            loss=loss,
            sft=sft,
            scheduler=scheduler,
            warmup=warmup,
            weight_decay=weight_decay,
            max_steps=max_steps or -1,
            dtype=dtype,
            gradient_checkpointing=gradient_checkpointing,
            engine=engine,
            attention=attention,
            pack=pack,
            token_budget=token_budget,
            seed=seed,
        )
        folder = Path(output or f"runs/{Path(model).name}-seed{seed}")
        records = [] if resume and not files else work.read(files)
        result = train(
            records,
            arguments,
            folder,
            held_out=work.read(val) if val else None,
            resume=resume,
            save_steps=save_steps,
            log_steps=log_steps,
            workers=workers,
            say=work.say,
            on_error=work.on_error,
            progress=not quiet and sys.stderr is not None and sys.stderr.isatty(),
        )
        click.echo(json.dumps(result))
