"""A training run from its records to its result. `s2h.train.folder` describes the folder that holds it, and
`s2h.train.construction` builds its trainer. A killed run continues with `resume`, to the same numbers as an uninterrupted
one.

    train(records, fill({"model": "mini"}), Path("run"))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2h import accel, upstream
from s2h.errors import counted
from s2h.images.decoding import ImageError
from s2h.models import adapter, delta_kernels, features, fingerprint, names, thinking
from s2h.models.tokens import TokenCounter
from s2h.processes import uncollected
from s2h.record import Record, RecordError, fail
from s2h.train import best, card, checkpoints, diagnostics, memory, merge, plot, sharding, stages, weights
from s2h.train.arguments import DEFAULTS, Arguments, Settings, check
from s2h.train.collator import LENGTH
from s2h.train.compiled import compile_layers
from s2h.train.construction import Run, build_trainer
from s2h.train.folder import (
    RESULT,
    RunError,
    Start,
    cut_metrics,
    prepare,
    read_metrics,
    read_result,
    refuse_used,
    write_json,
)
from s2h.train.measurements import IMAGE_SIDE
from s2h.train.probe import Probe
from s2h.train.reference import Reference, cache_folder

if TYPE_CHECKING:
    from s2h.train.run_trainer import RunTrainer

__all__ = ["Arguments", "RunError", "Settings", "read_metrics", "train"]


def train(
    records: Iterable[Record],
    arguments: Arguments,
    folder: Path,
    settings: Settings = DEFAULTS,
    *,
    held_out: Iterable[Record] | None = None,
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[RecordError], None] = fail,
) -> dict[str, Any]:
    """Train, and return the result line: adapter (or merged model), run, steps, loss, margin, accuracy, ….

    Raises RunError (a folder or data that can't be used), ModelError, and RecordError (a bad record, or a library of a
    version that doesn't fit).
    """
    check(arguments)
    refuse_used(folder, settings.resume)
    with uncollected():
        upstream.check()
    # The model comes first: if it can't be loaded, nothing has been read or written.
    with accel.main_first():
        vlm = weights.read(arguments)
    if vision := weights.in_vision(vlm.model, arguments):
        say(
            f"warning: {vision} of the modules that --lora-targets matches lie in the vision tower, which is trained too"
        )
    for line in weights.of_experts(vlm.model, arguments):
        say(line)
    if arguments.thinking == "on" and not thinking.has_mode(vlm.processor):
        say("--thinking on changes no prompt: the model's chat template knows no thoughts")
    # Another process may have no weights yet.
    base = accel.share(adapter.sketch(arguments.model, vlm.model) if accel.is_main() else None)
    counter = TokenCounter.of(vlm.model, vlm.processor, arguments.model, arguments.window, vlm.shown)
    pairs, val, recorded = prepare(folder, Start(records, held_out, arguments, base, counter, say, on_error))
    if settings.resume and (result := read_result(folder)):
        say(f"{folder} is finished already")
        return with_merged(arguments, folder, say) if settings.merged else result
    held = f", {len(val)} held out" if val else ""
    say(f"{counted(len(pairs), 'pair')}{held}; data {recorded['data'][:12]}")
    stages.check(pairs, arguments.stages)
    if arguments.keep_best and val is None:
        raise RunError("--keep-best needs held-out pairs", remedy="name them with --val")
    blind, warning = diagnostics.words_alone(pairs, arguments.seed) if accel.is_main() else (None, None)
    if warning:
        say(warning)
    model_print = accel.share(
        fingerprint.of_model(vlm.model, vlm.processor, vlm.shown) if accel.is_main() else None
    )
    run = Run(vlm, pairs, val, arguments, folder, settings, say)
    trainer = build_trainer(run)
    sharding.place(trainer)
    if fault := delta_kernels.replace_wrong(vlm.model):
        say(fault)
    probe = Probe(trainer, run, on_error)
    probe.ask_before()
    kept = features.Store(features.room(settings.keep_features))
    if arguments.engine == "shared" and (
        reason := trainer.share_prompts(pairs, arguments.attention, arguments.pack, kept)
    ):
        say(f"prompts are not shared (--engine stock): {reason}")
    reference = Reference(
        trainer, model_print, arguments.attention, settings.cache or cache_folder(None), say
    )
    values = reference.attach({"train": pairs, **({"val": val} if val else {})}, folder)
    _set_order(trainer, run, values["train"][LENGTH])
    if memory.decide_checkpointing(trainer, arguments, pairs, values["train"][LENGTH]):
        say(memory.SWITCHED_ON)
    if arguments.compile and (reason := compile_layers(trainer)):
        say(f"layers are not compiled: {reason}")
    _train(trainer, run)
    if kept.missed:
        say(
            f"the images of {counted(len(kept.missed), 'prompt')} were encoded again in each epoch, those of "
            f"{len(kept.kept)} once: {kept.limit / 2**30:.2g} GiB hold no more features (--keep-features)"
        )
    kept_step = _best_step(trainer, run) if arguments.keep_best else None
    kept_weights = best.read(folder) if kept_step else None
    weights.save(trainer, folder, arguments.full, kept_weights)
    probed = probe.ask_after(kept_weights)
    if accel.is_main():
        facts = {
            "fingerprint": model_print,
            "blind": blind.auc if blind else None,
            "dropped": recorded.get("dropped", 0),
            "vision_modules": vision or None,
            "best_step": kept_step,
            "probe": probed,
        }
        _finish(folder, arguments, trainer.state.global_step, facts)
    accel.wait()
    return with_merged(arguments, folder, say) if settings.merged else _result(folder)


def _set_order(trainer: RunTrainer, run: Run, lengths: list[int]) -> None:
    """Set the trainer's rows in the order of training. lengths: tokens of each row."""
    args, arguments = trainer.args, run.arguments
    step = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    order, parts = stages.training_order(run.pairs, arguments, step)
    trainer.data.stages, trainer.lengths, trainer.further = parts, lengths, run.pairs.further
    trainer.train_dataset = run.pairs.dataset(order)
    if run.val is not None:
        trainer.eval_dataset = run.val.dataset()
    if order:
        listed = ", ".join(
            f"{part.number} ({counted(part.pairs, 'pair')}, to step {part.end})" for part in parts
        )
        run.say(f"stages one after another, each {arguments.epochs:g} times: {listed}")


def _train(trainer: RunTrainer, run: Run) -> None:
    """Run the trainer, from the last whole checkpoint of a resumed run."""
    last = next(iter(checkpoints.whole(run.folder)), None) if run.settings.resume else None
    if run.settings.resume:
        run.say(f"going on from {last.name}" if last else "no checkpoint yet: starting from the beginning")
        cut_metrics(run.folder, checkpoints.step_of(last) if last else 0)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except ImageError as error:
        raise _stopped(trainer, run, error) from error


def _best_step(trainer: RunTrainer, run: Run) -> int | None:
    """Measure the last weights on the held-out pairs, unless that was done, and return the step of the best weights; None if
    these are the last ones."""
    last = trainer.state.global_step
    if trainer.held_out.step != last:
        trainer.evaluate()
    kept = best.measured(run.folder)
    if kept["step"] == last:
        return None
    run.say(
        f"the best weights are those of step {kept['step']} (held-out accuracy {kept['eval_accuracy']:.3f}, loss "
        f"{kept['eval_loss']:.3f}); the last ones have {trainer.held_out.accuracy:.3f} and {trainer.held_out.loss:.3f}"
    )
    return kept["step"]


def _stopped(trainer: RunTrainer, run: Run, error: ImageError) -> RecordError:
    """Write a checkpoint of a run that an image has ended in its middle, and return the error to raise."""
    message = str(error)
    if found := re.search(r"(data|val)\.jsonl:(\d+): ", message):
        pairs: Any = run.pairs if found[1] == "data" else run.val
        message = f"{pairs.record(int(found[2]) - 1)['id']}: {message}"
    step = trainer.state.global_step
    if step and accel.state().num_processes == 1:
        trainer.save_checkpoint(trainer.model)
        return RunError(
            message,
            remedy=f"checkpoint-{step} is written: repair the image, and --resume continues from there",
        )
    return RunError(message, remedy="repair the image, and --resume continues from the last checkpoint")


def _finish(folder: Path, arguments: Arguments, steps: int, facts: dict[str, Any]) -> None:
    """Write plot, cards and result."""
    found = read_metrics(folder)
    name = names.resolve(arguments.model).rpartition("/")[2]
    plot.draw(found, folder / "training.png", f"{name}: {counted(steps, 'step')}")
    last: dict[str, Any] = next((m for m in reversed(found) if "loss" in m), {})
    step = facts.get("best_step") or steps
    held: dict[str, Any] = next((m for m in reversed(found) if "eval_loss" in m and m["step"] <= step), {})
    made = adapter.MERGED if arguments.full else adapter.ADAPTER
    result: dict[str, Any] = {
        made: str(folder / made),
        "run": str(folder),
        "model": arguments.model,
        "steps": steps,
        **{key: last.get(key) for key in ("loss", "margin", "accuracy")},
        **{key: held[key] for key in ("eval_loss", "eval_margin", "eval_accuracy") if key in held},
        **{
            key: line[key]
            for line in (last, held)
            for key in (IMAGE_SIDE, f"eval_{IMAGE_SIDE}")
            if key in line
        },
        **{key: value for key, value in facts.items() if value is not None},
    }
    card.write(folder, arguments, result, last, held)
    write_json(folder / RESULT, result)  # last: with this file, the run is complete


def _result(folder: Path) -> dict[str, Any]:
    return read_result(folder) or {}


def with_merged(arguments: Arguments, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the result of a finished run, after its adapter is merged into a whole model, if it isn't yet."""
    if "merged" not in _result(folder) and accel.is_main():
        say(f"merging the adapter into {folder / adapter.MERGED}")
        place = merge.write(folder, arguments)
        write_json(folder / RESULT, {**_result(folder), "merged": str(place)})
    accel.wait()
    return _result(folder)
