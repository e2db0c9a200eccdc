"""A training run from its records to its result; the folder that holds it is described in train/folder.py. `--resume`
goes on where a killed run stopped, with the same numbers as if it had not been."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from s2h import accel
from s2h.errors import counted
from s2h.images.decoding import ImageError
from s2h.models import adapter, fingerprint, names
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError, fail
from s2h.seeds import within
from s2h.train import card, diagnostics, features, measurements, merge, plot, reference, stages, weights
from s2h.train.arguments import Arguments, check
from s2h.train.dataset import Pairs
from s2h.train.folder import (
    RESULT,
    RunError,
    checkpoints,
    cut_metrics,
    prepare,
    read_metrics,
    read_result,
    refuse_used,
    step_of,
    write_json,
)

__all__ = ["Arguments", "RunError", "read_metrics", "train"]


def train(
    records: Iterable[Record],
    arguments: Arguments,
    folder: Path,
    *,
    held_out: Iterable[Record] | None = None,
    resume: bool = False,
    save_steps: int = 200,
    log_steps: int = 10,
    workers: int | None = None,
    keep_features: float | None = None,
    report_to: tuple[str, ...] = (),
    merged: bool = False,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[Exception], None] = fail,
    progress: bool = False,
) -> dict:
    """Train and return the result line: adapter (or merged model), run, steps, loss, margin, accuracy.

    merged: write the adapted weights as a model of its own too. cache: where reference log-probabilities are kept from run
    to run (`reference.cache_folder`). keep_features: GiB for images' features (`features.room`). Raises RunError,
    ModelError, RecordError.
    """
    check(arguments)
    refuse_used(folder, resume)
    # The model comes first: where it can't be had, nothing has been read or written.
    with accel.main_first():
        model, processor = weights.read(arguments)
    if vision := weights.in_vision(model, arguments):
        say(
            f"warning: {vision} of the modules that --lora-targets matches lie in the vision tower, which is trained too"
        )
    base = adapter.sketch(arguments.model, model)
    fit = TokenCounter.of(model, processor, arguments.model, arguments.window)
    pairs, val, said = prepare(records, held_out, arguments, folder, on_error, base, fit, say)
    if resume and (result := read_result(folder)):
        say(f"{folder} is finished already")
        return with_merged(arguments, folder, say) if merged else result
    say(
        f"{counted(len(pairs), 'pair')}"
        + (f", {len(val)} held out" if val else "")
        + f"; data {said['data'][:12]}"
    )
    stages.check(pairs, arguments.stages)
    blind, warning = diagnostics.words_alone(pairs, arguments.seed) if accel.is_main() else (None, None)
    if warning:
        say(warning)
    model_print = fingerprint.of_model(model, processor)
    trainer = _trainer(
        model,
        processor,
        pairs,
        val,
        arguments,
        folder,
        save_steps,
        log_steps,
        workers,
        progress,
        report_to,
        say,
    )
    trainer.model.to(
        trainer.accelerator.device
    )  # where weights are parted, it stays on the CPU until training
    kept = features.Store(features.room(keep_features))
    if arguments.engine == "shared" and (
        reason := trainer.share_prompts(pairs, arguments.attention, arguments.pack, kept)
    ):
        say(f"each answer gets a row of its own (--engine stock): {reason}")
    sets = {"train": pairs, **({"val": val} if val else {})}
    values = reference.attach(
        trainer, sets, folder, model_print, fit, arguments.attention, cache or reference.cache_folder(None), say,
    )  # fmt: skip
    _set_order(trainer, pairs, val, arguments, values, say)
    last = next(iter(checkpoints(folder)), None) if resume else None
    if resume:
        say(f"going on from {last.name}" if last else "no checkpoint yet: starting anew")
        cut_metrics(folder, step_of(last) if last else 0)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except ImageError as error:
        raise _kept(trainer, error) from error
    if kept.missed:
        say(
            f"the images of {counted(len(kept.missed), 'prompt')} were encoded anew in each epoch, those of "
            f"{len(kept.kept)} once: {kept.limit / 2**30:.2g} GiB hold no more features (--keep-features)"
        )
    weights.save(trainer, folder, arguments.full)
    if accel.is_main():
        facts = {
            "fingerprint": model_print,
            "blind": blind.auc if blind else None,
            "dropped": said.get("dropped", 0),
            "vision_modules": vision or None,
        }
        _finish(folder, arguments, trainer.state.global_step, facts)
    accel.wait()
    return with_merged(arguments, folder, say) if merged else read_result(folder)


def _trainer(
    model: Any,
    processor: Any,
    pairs: Pairs,
    val: Pairs | None,
    arguments: Arguments,
    folder: Path,
    save_steps: int,
    log_steps: int,
    workers: int | None,
    progress: bool,
    report_to: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda message: None,
) -> Any:
    """The trainer of a run, before it knows the reference."""
    import torch
    import transformers
    from trl import DPOConfig

    from s2h.train.collator import Collator
    from s2h.train.run_trainer import RunTrainer

    weights.hush()
    seed = within(arguments.seed, 32)
    transformers.set_seed(seed)
    cuda = accel.device().type == "cuda"
    step = arguments.batch_size * arguments.grad_accum * accel.state().num_processes
    order, parts = stages.plan(pairs, arguments, step)
    steps = parts[-1].end
    config = DPOConfig(
        output_dir=str(folder / "checkpoints"),
        beta=arguments.beta,
        learning_rate=arguments.lr,
        num_train_epochs=1 if order else arguments.epochs,  # the order of a curriculum has the epochs in it
        max_steps=arguments.max_steps,
        per_device_train_batch_size=arguments.batch_size,
        per_device_eval_batch_size=arguments.batch_size,
        gradient_accumulation_steps=arguments.grad_accum,
        loss_type=[arguments.loss, "sft"] if arguments.sft else [arguments.loss],
        loss_weights=[1.0, arguments.sft] if arguments.sft else [1.0],
        lr_scheduler_type=arguments.scheduler,
        warmup_steps=round(arguments.warmup * steps),
        weight_decay=arguments.weight_decay,
        max_length=None,  # a cut after the images would make answers vanish silently
        precompute_ref_log_probs=arguments.full,  # or TRL loads a second model; see RunTrainer
        gradient_checkpointing=arguments.gradient_checkpointing,
        bf16=cuda and (model.dtype == torch.bfloat16 or (arguments.full and torch.cuda.is_bf16_supported())),
        fp16=False,
        seed=seed,
        data_seed=seed,
        remove_unused_columns=False,
        dataloader_num_workers=(4 if cuda else 0) if workers is None else workers,
        dataloader_pin_memory=cuda,
        ddp_find_unused_parameters=False,  # every trained weight takes part in every pair
        logging_steps=log_steps,
        logging_nan_inf_filter=False,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=2,
        report_to=list(report_to),
        run_name=folder.name,
        disable_tqdm=not progress,
        eval_strategy="steps" if val else "no",
        eval_steps=max(1, steps // 5),
        use_cpu=not cuda,
    )
    trainer = RunTrainer(
        model=model,
        args=config,
        train_dataset=weights.shown(pairs.dataset(), arguments.full),
        eval_dataset=weights.shown(val.dataset(), arguments.full) if val else None,
        processing_class=processor,
        data_collator=Collator(processor),
        peft_config=None if arguments.full else weights.lora(model, arguments),
    )
    trainer.pairs, trainer.held_out, trainer.stages = pairs, val, parts
    trainer.token_budget = arguments.token_budget
    trainer.schedule_per_stage = arguments.schedule_per_stage and len(parts) > 1
    weights.spare_vision(trainer)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(_recorder(folder, arguments, parts if order else [], say))
    return trainer


def _set_order(
    trainer: Any, pairs: Pairs, val: Pairs | None, arguments: Arguments, values: dict, say
) -> None:
    """The rows in the order of training, and their lengths, which the reference has told."""
    from s2h.train.collator import LENGTH

    args = trainer.args
    step = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    order, trainer.stages = stages.plan(pairs, arguments, step)
    trainer.train_dataset, trainer.lengths = pairs.dataset(order), values["train"][LENGTH]
    if val is not None:
        trainer.eval_dataset = val.dataset()
    if order:
        told = ", ".join(
            f"{stage.number} ({counted(stage.pairs, 'pair')}, to step {stage.end})"
            for stage in trainer.stages
        )
        say(f"stages one after another, each {arguments.epochs:g} times: {told}")


def _recorder(folder: Path, arguments: Arguments, parts: list[stages.Stage], say) -> Any:
    """A callback that appends each log line to metrics.jsonl as it comes, and watches it. parts: the stages; none where
    epochs go over the file."""
    from transformers import TrainerCallback

    watch = diagnostics.collapse(say, arguments.beta, arguments.sft)

    class Recorder(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **more):
            if not state.is_world_process_zero or not logs:
                return
            watch(state.global_step, logs)
            passed = (state.epoch or 0) * (arguments.epochs if parts else 1)
            stage = stages.at(parts, state.global_step) if parts else None
            for prefix in ("", "eval_"):
                if found := measurements.line(state.global_step, passed, stage, logs, prefix):
                    measurements.append(folder, found)

    return Recorder()


def _kept(trainer: Any, error: ImageError) -> RecordError:
    """What ends a run in its middle, an image that is gone, after what was trained is safe."""
    said = str(error)
    if found := re.search(r"(data|val)\.jsonl:(\d+): ", said):
        pairs = trainer.pairs if found[1] == "data" else trainer.held_out
        said = f"{pairs.record(int(found[2]) - 1)['id']}: {said}"
    step = trainer.state.global_step
    if step and accel.state().num_processes == 1:
        trainer._save_checkpoint(trainer.model, None)
        return RunError(
            said, remedy=f"checkpoint-{step} is written: mend it, and --resume goes on from there"
        )
    return RunError(said, remedy="mend it, and --resume goes on from the last checkpoint")


def _finish(folder: Path, arguments: Arguments, steps: int, facts: dict) -> None:
    """Plot, cards and result."""
    found = read_metrics(folder)
    name = names.resolve(arguments.model).rpartition("/")[2]
    plot.draw(found, folder / "training.png", f"{name}: {counted(steps, 'step')}")
    last = next((m for m in reversed(found) if "loss" in m), {})
    held = next((m for m in reversed(found) if "eval_loss" in m), {})
    made = adapter.MERGED if arguments.full else adapter.ADAPTER
    result = {
        made: str(folder / made),
        "run": str(folder),
        "model": arguments.model,
        "steps": steps,
        **{key: last.get(key) for key in ("loss", "margin", "accuracy")},
        **{key: held[key] for key in ("eval_loss", "eval_margin", "eval_accuracy") if key in held},
        **{key: value for key, value in facts.items() if value is not None},
    }
    card.write(folder, arguments, result, last, held)
    write_json(folder / RESULT, result)  # last: it says that the run is whole


def with_merged(arguments: Arguments, folder: Path, say: Callable[[str], None]) -> dict:
    """The result of a finished run, whose adapter is merged into a model of its own if it isn't yet."""
    if "merged" not in read_result(folder) and accel.is_main():
        say(f"merging the adapter into {folder / adapter.MERGED}")
        place = merge.write(folder, arguments)
        write_json(folder / RESULT, {**read_result(folder), "merged": str(place)})
    accel.wait()
    return read_result(folder)
