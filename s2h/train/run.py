"""A training run and its folder: arguments and data are fixed at the start, checkpoints and metrics are written as it goes,
adapter, processor and plot at the end; `--resume` goes on where a killed run stopped.

    RUN/args.json metrics.jsonl reference.json training.png adapter/ processor/ checkpoints/ data.jsonl val.jsonl
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2h import __version__, accel
from s2h.files import Whole
from s2h.models import ModelError, names, vlm
from s2h.record import Record, RecordError, fail
from s2h.train.collate import LENGTH, REFERENCE
from s2h.train.rows import Pairs, store

# The language model's projections and nothing else: 'all-linear' or bare names would adapt the vision tower as well.
LORA_TARGETS = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
SHOWN = {  # TRL's names to those of metrics.jsonl
    "loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "rewards/chosen": "reward_chosen",
    "rewards/rejected": "reward_rejected",
    "logps/chosen": "logp_chosen",
    "logps/rejected": "logp_rejected",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
}


@dataclass
class Arguments:
    """What decides the result of a run, next to the data. Defaults: the paper's (method.md, Training)."""

    model: str
    beta: float = 0.1
    lr: float = 5e-5
    epochs: float = 3.0
    batch_size: int = 1
    grad_accum: int = 64
    rank: int = 128
    alpha: int = 256
    loss: str = "sigmoid"
    sft: float = 0.0
    scheduler: str = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    max_steps: int = -1
    dtype: str = "auto"
    gradient_checkpointing: bool = False
    engine: str = "shared"
    attention: str = "auto"
    pack: bool = False
    token_budget: int | None = None
    seed: int = 0


class RunError(RecordError):
    """A run folder that can't be used as asked; one line with the remedy."""


def train(
    records: Iterable[Record],
    arguments: Arguments,
    folder: Path,
    *,
    held_out: Iterable[Record] | None = None,
    resume: bool = False,
    save_steps: int = 200,
    log_steps: int = 10,
    workers: int = 0,
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[Exception], None] = fail,
    progress: bool = False,
) -> dict:
    """Train and return the result line: adapter, run, steps, loss, margin, accuracy. Raises RunError, ModelError,
    RecordError."""
    if (folder / vlm.ARGUMENTS).exists() and not resume:
        raise RunError(
            f"{folder} holds a run already", remedy="--resume goes on with it, another -o starts a new one"
        )
    # The model comes first: where it can't be had, nothing has been read or written.
    model, processor = vlm.read(arguments.model, accel.dtype(arguments.dtype))
    _check_trainable(model, arguments.model)
    pairs, val, fingerprint = _prepare(records, held_out, arguments, folder, resume, on_error)
    if resume and (folder / "result.json").is_file():
        say(f"{folder} is finished already")
        return json.loads((folder / "result.json").read_text())
    say(f"{len(pairs)} pairs" + (f", {len(val)} held out" if val else "") + f"; data {fingerprint[:12]}")
    trainer = _trainer(
        model, processor, pairs, val, arguments, folder, save_steps, log_steps, workers, progress
    )
    if arguments.engine == "shared" and (
        reason := trainer.share_prompts(pairs, arguments.attention, arguments.pack)
    ):
        say(f"each answer gets a row of its own (--engine stock): {reason}")
    _reference(trainer, pairs, val, folder, arguments, say)
    last = _last_checkpoint(folder) if resume else None
    if resume:
        say(f"going on from {last.name}" if last else "no checkpoint yet: starting anew")
        _cut_metrics(folder, _step_of(last) if last else 0)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    result = None
    if accel.is_main():
        trainer.model.save_pretrained(str(folder / vlm.ADAPTER))
        trainer.processing_class.save_pretrained(str(folder / "processor"))
        result = _finish(folder, arguments, trainer.state.global_step)
    accel.wait()
    return result or json.loads((folder / "result.json").read_text())


def _prepare(
    records, held_out, arguments: Arguments, folder: Path, resume: bool, on_error
) -> tuple[Pairs, Pairs | None, str]:
    """Fix data and arguments in the run folder, or check that they are what they were."""
    told = folder / vlm.ARGUMENTS
    state = accel.state()
    with state.main_process_first():
        if state.is_main_process:
            folder.mkdir(parents=True, exist_ok=True)
            new = folder / "new"
            count, fingerprint = store(records, new / "data.jsonl", on_error=on_error)
            held_print = ""
            if held_out is not None:
                held_print = store(held_out, new / "val.jsonl", on_error=on_error)[1]
            if not count and not (resume and told.exists()):
                shutil.rmtree(new)
                raise RunError("no pairs to train on", remedy="the input is empty")
            wanted = {
                **asdict(arguments),
                "data": fingerprint,
                "val": held_print,
                "pairs": count,
                "s2h": __version__,
            }
            if told.exists():
                _same(folder, json.loads(told.read_text()), wanted, data_given=bool(count))
                shutil.rmtree(new)
            else:
                for name in ("data.jsonl", "val.jsonl"):
                    if (new / name).exists():
                        (new / name).replace(folder / name)
                shutil.rmtree(new)
                _write_json(told, wanted)
    said = json.loads(told.read_text())
    val = Pairs(folder / "val.jsonl") if (folder / "val.jsonl").exists() else None
    return Pairs(folder / "data.jsonl"), val or None, said["data"]


def _same(folder: Path, before: dict, now: dict, data_given: bool) -> None:
    """Raise RunError where a resumed run has other arguments or data than it began with."""
    skipped = {"s2h"} | (set() if data_given else {"data", "val", "pairs"})
    differ = [
        f"{key} was {before.get(key)} and is {now[key]}"
        for key in now
        if key not in skipped and before.get(key) != now[key]
    ]
    if differ:
        raise RunError(
            f"{folder} was begun differently: {'; '.join(differ)}", remedy="use the same, or another -o"
        )


def _trainer(
    model, processor, pairs, val, arguments: Arguments, folder: Path, save_steps, log_steps, workers, progress
) -> Any:
    import logging
    import warnings

    import torch
    import transformers
    from peft import LoraConfig
    from trl import DPOConfig

    from s2h.train.collate import Collator
    from s2h.train.trainer import PairTrainer

    for name in ("transformers", "trl", "accelerate", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    transformers.set_seed(arguments.seed)
    cuda = accel.device().type == "cuda"
    per_epoch = math.ceil(len(pairs) / (arguments.batch_size * arguments.grad_accum))
    steps = arguments.max_steps if arguments.max_steps > 0 else math.ceil(per_epoch * arguments.epochs)
    config = DPOConfig(
        output_dir=str(folder / "checkpoints"),
        beta=arguments.beta,
        learning_rate=arguments.lr,
        num_train_epochs=arguments.epochs,
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
        gradient_checkpointing=arguments.gradient_checkpointing,
        bf16=cuda and model.dtype == torch.bfloat16,
        fp16=False,
        seed=arguments.seed,
        data_seed=arguments.seed,
        remove_unused_columns=False,
        dataloader_num_workers=workers,
        dataloader_pin_memory=cuda,
        logging_steps=log_steps,
        logging_nan_inf_filter=False,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=not progress,
        eval_strategy="steps" if val else "no",
        eval_steps=max(1, steps // 5),
        use_cpu=not cuda,
    )
    lora = LoraConfig(
        r=arguments.rank,
        lora_alpha=arguments.alpha,
        lora_dropout=0.0,
        target_modules=LORA_TARGETS,
        task_type="CAUSAL_LM",
    )
    trainer = PairTrainer(
        model=model,
        args=config,
        train_dataset=pairs.dataset(),
        eval_dataset=val.dataset() if val else None,
        processing_class=processor,
        data_collator=Collator(processor),
        peft_config=lora,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(_recorder(folder))
    trainer.token_budget = arguments.token_budget
    return trainer


def _check_trainable(model: Any, name: str) -> None:
    import re

    if not any(re.fullmatch(LORA_TARGETS, module) for module, _ in model.named_modules()):
        raise ModelError(
            f"model {name!r} has no language model with q_proj … down_proj that LoRA could adapt (choose another)"
        )


def _recorder(folder: Path) -> Any:
    """A callback that appends each log line to metrics.jsonl as it comes."""
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **more):
            if not state.is_world_process_zero or not logs:
                return
            for prefix in ("", "eval_"):
                line = {
                    prefix + name: logs[prefix + key] for key, name in SHOWN.items() if prefix + key in logs
                }
                if prefix + "loss" in line:
                    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as out:
                        out.write(
                            json.dumps(
                                {"step": state.global_step, "epoch": round(state.epoch or 0, 4), **line}
                            )
                            + "\n"
                        )

    return Recorder()


def _reference(
    trainer: Any, pairs: Pairs, val: Pairs | None, folder: Path, arguments: Arguments, say
) -> None:
    """Reference log-probabilities of all pairs, once, kept in the run folder; pairs beyond the window go, by name."""
    window = getattr(trainer.model.config.get_text_config(), "max_position_embeddings", None) or 10**9
    cache = folder / "reference.json"
    known = json.loads(cache.read_text()) if cache.is_file() else {}
    for name, rows in (("train", pairs), ("val", val)):
        if rows is None:
            continue
        if name not in known:
            say(f"reference log-probabilities of {len(rows)} pairs ({name})")
        values = trainer.add_reference(rows, window, known.get(name))
        known[name] = values
        over = [row for row, value in enumerate(values[REFERENCE[0]]) if value is None]
        for row in over:
            say(f"dropped {rows.record(row)['id']}: longer than the model's window of {window} tokens")
        rows.drop(over)
        if not rows.kept and name == "train":
            raise RunError(f"no pair fits the window of {window} tokens", remedy="fewer or smaller images")
    trainer.train_dataset, trainer.lengths = pairs.dataset(), known["train"][LENGTH]
    if val is not None:
        trainer.eval_dataset = val.dataset()
    if accel.is_main() and not cache.is_file():
        _write_json(cache, known)
    accel.wait()


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; its state file comes last."""
    for checkpoint in sorted(folder.glob("checkpoints/checkpoint-*"), key=_step_of, reverse=True):
        try:
            if json.loads((checkpoint / "trainer_state.json").read_text())["global_step"] == _step_of(
                checkpoint
            ):
                return checkpoint
        except (OSError, ValueError, KeyError):
            continue
    return None


def _cut_metrics(folder: Path, step: int) -> None:
    """Forget what was logged after the checkpoint: it is going to be done again."""
    path = folder / "metrics.jsonl"
    if path.is_file() and accel.is_main():
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        with Whole(str(path)) as out:
            out.write("".join(json.dumps(line) + "\n" for line in kept).encode())


def read_metrics(folder: Path) -> list[dict]:
    lines = []
    for line in (folder / "metrics.jsonl").read_text().split("\n"):
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue  # the last line of a killed run may be half a line
    return lines


def _finish(folder: Path, arguments: Arguments, steps: int) -> dict:
    from s2h.train import plot

    metrics = read_metrics(folder)
    plot.draw(
        metrics,
        folder / "training.png",
        f"{names.resolve(arguments.model).rpartition('/')[2]}: {steps} steps",
    )
    last = next((m for m in reversed(metrics) if "loss" in m), {})
    held = next((m for m in reversed(metrics) if "eval_loss" in m), {})
    result = {
        "adapter": str(folder / vlm.ADAPTER),
        "run": str(folder),
        "model": arguments.model,
        "steps": steps,
        **{key: last.get(key) for key in ("loss", "margin", "accuracy")},
        **{key: held[key] for key in ("eval_loss", "eval_margin", "eval_accuracy") if key in held},
    }
    _write_json(folder / "result.json", result)
    return result


def _write_json(path: Path, value: Any) -> None:
    with Whole(str(path)) as out:
        out.write((json.dumps(value) + "\n").encode())
