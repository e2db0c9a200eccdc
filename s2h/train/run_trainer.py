"""The pair trainer as a run has it: it measures by level and task, follows the run's stages, stops at a loss that is no
number, and leaves the last whole checkpoint alone where the next can't be written."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2h import accel
from s2h.models import ModelError
from s2h.train import batches, measurements, stages
from s2h.train.folder import RunError, checkpoints
from s2h.train.trainer import PairTrainer


class RunTrainer(PairTrainer):
    """A PairTrainer with `pairs` (and `held_out`), whose row numbers its batches carry, and `stages` of the run."""

    pairs: Any
    held_out: Any
    stages: list[stages.Stage]
    schedule_per_stage: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.seen = {"train": measurements.Seen(), "eval": measurements.Seen()}
        super().__init__(*args, **kwargs)

    # TRL would tokenize and measure the reference here for a full fine-tuning: `add_reference` does it for both kinds, with
    # the images.
    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *args: Any) -> Any:
        return dataset

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        if self.lr_scheduler is None and self.schedule_per_stage:
            name = self.args.lr_scheduler_type
            warmup = self.args.warmup_steps / max(1, num_training_steps)
            self.lr_scheduler = stages.schedule(optimizer or self.optimizer, name, warmup, self.stages)
        return super().create_scheduler(num_training_steps, optimizer)

    def compute_loss(self, model: Any, inputs: dict, *args: Any, **kwargs: Any) -> Any:
        rows = inputs.pop("row").tolist() if "row" in inputs else []
        repeated = inputs.get(batches.WEIGHT) == 0  # so that all processes have as many batches
        said = []

        def listened(**more: Any) -> Any:
            said.append(model(**more))
            return said[-1]

        with self._by_itself():
            loss = super().compute_loss(listened, inputs, *args, **kwargs)
        if rows:
            mode = "train" if self.model.training else "eval"
            self._check(loss, rows, mode)
            if not repeated:
                self.seen[mode].add(rows, inputs, said[0].log_probs)
        return loss

    def _check(self, loss: Any, rows: list[int], mode: str) -> None:
        if math.isfinite(loss.item()):
            return
        pairs = self.pairs if mode == "train" else self.held_out
        names = ", ".join(pairs.record(row)["id"] for row in rows)
        raise ModelError(
            f"the loss is {loss.item()} after step {self.state.global_step}, in the batch of {names}: training stopped "
            "(lower --lr, or use --dtype float32; --resume goes on from the last checkpoint)"
        )

    def log(self, logs: dict[str, float], *args: Any, **more: Any) -> None:
        prefix = "eval_" if "eval_loss" in logs else ""
        mode = "eval" if prefix else "train"
        if prefix + "loss" in logs:
            found = self.seen[mode].take(accel.gather, once=mode == "eval")
            pairs = self.held_out if prefix else self.pairs
            # In place of means over batches, and of those of this process: means over all pairs.
            self._metrics[mode] |= {
                name: [value] for name, value in measurements.overall(found, self.beta).items()
            }
            logs.update({prefix + name: value for name, value in self._by_group(found, pairs, mode).items()})
        super().log(logs, *args, **more)

    def _by_group(self, found: list, pairs: Any, mode: str) -> dict[str, float]:
        """Flat names, levels/1/loss or tasks/vqa/margin, of what each group of pairs was measured at."""
        groups: dict[str, list] = {}
        for line in found:
            for group, of in (("levels", pairs.levels[line[0]]), ("tasks", pairs.tasks[line[0]])):
                if of is not None:
                    groups.setdefault(f"{group}/{of}", []).append(line)
        values: dict[str, float] = {}
        for group in sorted(groups):
            lines = groups[group]
            means = {"pairs": len(lines), "loss": self._loss_of(lines, mode)}
            means |= measurements.summary(lines, self.beta)
            values |= {f"{group}/{name}": value for name, value in means.items()}
        return values

    def _loss_of(self, lines: list, mode: str) -> float:
        """TRL's own loss of pairs whose log-probabilities are known: no model is asked. Every process has the same lines, so
        that what TRL gathers for its metrics, which are set aside here, is in step."""
        import torch

        inputs, log_probs = measurements.as_batch(lines)
        zeros = torch.zeros_like(log_probs)
        said = _Said(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
        device = self.accelerator.device
        with self._metrics_aside(mode), self._by_itself(), torch.no_grad():
            inputs = {key: value.to(device) for key, value in inputs.items()}
            return super().compute_loss(lambda **_: said.to(device), inputs).item()

    @contextmanager
    def _by_itself(self) -> Any:
        """TRL gathers the rewards of every batch, for which all processes would need batches of as many pairs. What it
        measures of them is measured at each log line instead, over all pairs."""
        if self.accelerator.num_processes < 2:
            yield
            return
        self.accelerator.gather = lambda value: value
        try:
            yield
        finally:
            del self.accelerator.gather

    @contextmanager
    def _metrics_aside(self, mode: str) -> Any:
        kept = self._metrics[mode], self._total_train_tokens
        self._metrics[mode] = defaultdict(list)
        try:
            yield
        finally:
            self._metrics[mode], self._total_train_tokens = kept

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self._check_weights(model)
        beside = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
        except Exception as error:  # each library that writes a part of it has errors of its own
            if accel.is_main():
                shutil.rmtree(beside, ignore_errors=True)  # or it takes the room that the next try needs
            whole = checkpoints(beside.parents[1])
            reason = _disk(error) or " ".join(str(error).split())[:200]
            raise RunError(
                f"{beside} can't be written: {reason}", remedy=(
                    f"make room; {whole[0].name} is whole, and --resume goes on from it" if whole
                    else "make room; --resume then starts anew, as there is no checkpoint before it"
                ),
            ) from error  # fmt: skip

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: Any, **more: Any) -> None:
        with _reading(resume_from_checkpoint, "*model*.bin", "*.safetensors"):
            super()._load_from_checkpoint(resume_from_checkpoint, *args, **more)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _reading(checkpoint, "optimizer.pt", "scheduler.pt"):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _reading(checkpoint, "rng_state*.pth"):
            super()._load_rng_state(checkpoint)

    def _check_weights(self, model: Any) -> None:
        """A step may have broken them after its loss was a number: no checkpoint is made of that."""
        for weight in model.parameters():
            if weight.requires_grad and not (weight * 0 == 0).all():
                raise ModelError(
                    f"the weights are no numbers any more after step {self.state.global_step}: training stopped "
                    "(lower --lr, or use --dtype float32; --resume goes on from the last checkpoint)"
                )

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The run writes its own (train/card.py)."""


@contextmanager
def _reading(checkpoint: str | None, *names: str) -> Iterator[None]:
    """Say in words which of these files of a checkpoint can't be read. torch takes nothing but tensors and numbers from
    them (`weights_only`), so that a pickle with code in it runs nothing."""
    try:
        yield
    except Exception as error:  # whatever a damaged file makes torch and transformers stumble over
        if checkpoint is None or isinstance(error, MemoryError) or "out of memory" in str(error):
            raise
        path, pickled = _culprit(Path(checkpoint), names)
        reason = (
            "holds a pickle that asks for code to be run; it was refused, and nothing of it was run"
            if pickled or _is_refused(error)
            else f"can't be read: {' '.join(str(error).split())[:200]}"
        )
        before = any(one.name != Path(checkpoint).name for one in checkpoints(Path(checkpoint).parents[1]))
        then = "goes on from the checkpoint before it" if before else "then starts anew"
        raise RunError(f"{path} {reason}", remedy=f"remove {checkpoint}: --resume {then}") from error


def _is_refused(error: Exception) -> bool:
    """Whether torch refused a pickle; the module of its error is none to be imported here."""
    return type(error).__name__ == "UnpicklingError"


def _culprit(checkpoint: Path, names: tuple[str, ...]) -> tuple[Path, bool]:
    """The first of the files that torch refuses, and whether it is a pickle; else the first that is there."""
    import torch

    found = [path for name in names for path in sorted(checkpoint.glob(name))]
    for path in found:
        if path.suffix != ".safetensors":
            try:
                torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:
                refused = _is_refused(error)
                if refused and path.name.startswith("rng_state") and len(found) > 1:
                    continue  # NumPy's states are refused here too
                return path, refused
    return (found[0] if found else checkpoint), False


class _Said(dict):
    """What the model's fused head gives, without the model."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def to(self, device: Any) -> _Said:
        return _Said({name: value.to(device) for name, value in self.items()})


def _disk(error: BaseException | None) -> str:
    """What the system said, whichever library has wrapped it; torch does not pass it on."""
    while error is not None:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if getattr(error, "errno", None) == number or f"os error {number}" in str(error):
                return os.strerror(number)
        if "inline_container" in str(error) or "PytorchStreamWriter" in str(error):
            return "the disk did not take it whole"
        error = error.__cause__ or error.__context__
    return ""
