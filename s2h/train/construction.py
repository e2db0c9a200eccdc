"""Construction of a run's trainer: TRL's configuration, the adapter and the callbacks, from the arguments of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2h import accel, upstream
from s2h.models.vlm import VLM
from s2h.progress import Lines
from s2h.seeds import within
from s2h.train import diagnostics, measurements, sharding, stages, weights
from s2h.train.arguments import DEFAULTS, Arguments, Settings
from s2h.train.dataset import Pairs

if TYPE_CHECKING:
    from s2h.train.run_trainer import RunTrainer


@dataclass(frozen=True)
class Run:
    """The inputs of a trainer's construction. val: held-out pairs. folder: of the run."""

    vlm: VLM
    pairs: Pairs
    val: Pairs | None
    arguments: Arguments
    folder: Path
    settings: Settings = DEFAULTS
    say: Callable[[str], None] = lambda message: None


def build_trainer(run: Run) -> RunTrainer:
    """Build the trainer of a run. Its reference is attached later (`s2h.train.reference`)."""
    import transformers

    from s2h.train.collator import Collator
    from s2h.train.run_trainer import RunData, RunTrainer

    weights.silence_libraries()
    arguments, full = run.arguments, run.arguments.full
    transformers.set_seed(within(arguments.seed, 32))
    step = arguments.batch_size * arguments.grad_accum * accel.state().num_processes
    order, parts = stages.training_order(run.pairs, arguments, step)
    datasets = [pairs.dataset() if pairs else None for pairs in (run.pairs, run.val)]
    modules = [] if full else weights.adapted(run.vlm.model, arguments)  # named before the adapter wraps them
    train, held_out = [upstream.rows_only(one) if full and one is not None else one for one in datasets]
    trainer = RunTrainer(
        model=run.vlm.model,
        args=_configuration(run, steps=parts[-1].end, is_staged=order is not None),
        train_dataset=train,
        eval_dataset=held_out,
        processing_class=run.vlm.processor,
        data_collator=Collator(run.vlm.processor, shown=run.vlm.shown, image_side=arguments.image_side > 0),
        peft_config=None if full else weights.lora(arguments),
        token_budget=arguments.token_budget,
        image_side=arguments.image_side,
        data=RunData(
            run.pairs,
            run.val,
            parts,
            arguments.schedule_per_stage and len(parts) > 1,
            run.folder if arguments.keep_best else None,
        ),
    )
    if not full:
        weights.list_targets(trainer.model, modules)
    weights.exclude_vision_from_checkpointing(trainer)
    sharding.prepare(trainer)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(_recorder(run, parts if order else []))
    return trainer


def _configuration(run: Run, *, steps: int, is_staged: bool) -> Any:
    """Return TRL's configuration for a run of so many optimizer steps."""
    import torch
    from trl import DPOConfig

    arguments, settings = run.arguments, run.settings
    losses = arguments.losses()
    seed = within(arguments.seed, 32)
    cuda = accel.device().type == "cuda"
    in_bfloat16 = run.vlm.model.dtype == torch.bfloat16 or (arguments.full and torch.cuda.is_bf16_supported())
    return DPOConfig(
        output_dir=str(run.folder / "checkpoints"),
        beta=arguments.beta,
        learning_rate=arguments.lr,
        num_train_epochs=1
        if is_staged
        else arguments.epochs,  # the order of a curriculum contains its epochs
        max_steps=arguments.max_steps,
        per_device_train_batch_size=arguments.batch_size,
        per_device_eval_batch_size=arguments.batch_size,
        gradient_accumulation_steps=arguments.grad_accum,
        loss_type=list(losses),
        loss_weights=list(losses.values()),
        lr_scheduler_type=arguments.scheduler,
        warmup_steps=round(arguments.warmup * steps),
        weight_decay=arguments.weight_decay,
        max_length=None,  # TRL would silently cut answers off
        precompute_ref_log_probs=arguments.full,  # see upstream.rows_only
        router_aux_loss_coef=0.0 if weights.lacks_router_loss(run.vlm.model) else None,
        gradient_checkpointing=bool(arguments.gradient_checkpointing),
        bf16=cuda and in_bfloat16,
        fp16=False,
        seed=seed,
        data_seed=seed,
        remove_unused_columns=False,
        dataloader_num_workers=(4 if cuda else 0) if settings.workers is None else settings.workers,
        dataloader_pin_memory=cuda,
        ddp_find_unused_parameters=False,  # every trained weight takes part in every pair
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=2,
        report_to=list(settings.report_to),
        run_name=run.folder.name,
        disable_tqdm=not settings.progress,
        eval_strategy="steps" if run.val else "no",
        eval_steps=max(1, steps // 5),
        use_cpu=not cuda,
    )


def _recorder(run: Run, parts: list[stages.Stage]) -> Any:
    """Return a callback that appends each log line to metrics.jsonl, looks for a collapse, and tells the progress in lines
    where there is no bar. parts: the stages; none for epochs over the whole file."""
    from transformers import TrainerCallback

    watch = diagnostics.CollapseWatch(run.say, run.arguments.beta, has_sft="sft" in run.arguments.losses())

    class Recorder(TrainerCallback):
        lines: Lines | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.is_world_process_zero and not run.settings.progress:
                self.lines = Lines(
                    run.say, total=state.max_steps - state.global_step, unit="step", label="training"
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if self.lines is not None:
                self.lines.update()

        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **more: Any
        ) -> None:
            if not state.is_world_process_zero or not logs:
                return
            watch.see(state.global_step, logs)
            epoch = (state.epoch or 0) * (run.arguments.epochs if parts else 1)
            stage = stages.at(parts, state.global_step) if parts else None
            for prefix in ("", "eval_"):
                if found := measurements.line(state.global_step, epoch, stage, logs, prefix):
                    measurements.append(run.folder, found)

    return Recorder()
