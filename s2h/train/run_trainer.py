"""The trainer of a run: it measures by level and task, follows the run's stages, stops at a loss that is not finite, and
keeps the last complete checkpoint if the next one can't be written. `s2h.train.construction` builds it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from s2h import accel
from s2h.models import ModelError
from s2h.train import batches, best, checkpoints, measurements, stages
from s2h.train.dataset import Pairs
from s2h.train.trainer import PairTrainer
from s2h.upstream import OPTIMIZER_FILE, RANDOM_STATES, SCHEDULER_FILE, WEIGHT_FILES


@dataclass
class RunData:
    """The data of a run: its pairs, its held-out pairs, and its stages. Batches contain the row numbers of these pairs.

    best: the run's folder, if the best weights are kept.
    """

    pairs: Pairs
    held_out: Pairs | None
    stages: list[stages.Stage]
    schedule_per_stage: bool = False
    best: Path | None = None


class HeldOut(NamedTuple):
    """The last evaluation on the held-out pairs in this process; step -1 if there was none."""

    step: int
    accuracy: float
    loss: float


class RunTrainer(PairTrainer):
    """A PairTrainer for the data of a run."""

    lr_scheduler: Any

    def __init__(self, *args: Any, data: RunData, **more: Any) -> None:
        self.data = data
        self.seen = {"train": measurements.Seen(), "eval": measurements.Seen()}
        # When the first step after the last log line began, moved on by the time of evaluations; 0 if none has begun.
        self.since = 0.0
        self.held_out = HeldOut(-1, 0.0, math.inf)
        super().__init__(*args, **more)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        if self.lr_scheduler is None and self.data.schedule_per_stage:
            name = self.args.lr_scheduler_type
            warmup = self.args.warmup_steps / max(1, num_training_steps)
            self.lr_scheduler = stages.schedule(optimizer or self.optimizer, name, warmup, self.data.stages)
        return super().create_scheduler(num_training_steps, optimizer)

    def compute_loss(self, model: Any, inputs: dict, *args: Any, **more: Any) -> Any:
        rows = inputs.pop("row").tolist() if "row" in inputs else []
        # A batch of weight 0 only gives all processes the same number of batches.
        is_repeated = inputs.get(batches.WEIGHT) == 0
        outputs = []

        def watched(**given: Any) -> Any:
            outputs.append(model(**given))
            return outputs[-1]

        with self.without_gathering():
            loss = super().compute_loss(watched, inputs, *args, **more)
        if rows:
            self._check_loss(loss.item(), rows)
            if not is_repeated:
                self.seen[self.mode].add(rows, inputs, outputs[0].log_probs)
        return loss

    def _pairs_of(self, mode: str) -> Any:
        return self.data.pairs if mode == "train" else self.data.held_out

    def _check_loss(self, loss: float, rows: list[int]) -> None:
        if math.isfinite(loss):
            return
        names = ", ".join(self._pairs_of(self.mode).record(row)["id"] for row in rows)
        raise ModelError(
            f"the loss is {loss} after step {self.state.global_step}, in the batch of {names}: training stopped "
            "(lower --lr, or use --dtype float32; --resume continues from the last checkpoint)"
        )

    def training_step(self, *args: Any, **more: Any) -> Any:
        self.since = self.since or time.perf_counter()
        return super().training_step(*args, **more)

    def evaluate(self, *args: Any, **more: Any) -> Any:
        began = time.perf_counter()
        found = super().evaluate(*args, **more)
        if self.data.best is not None:
            best.consider(self, self.data.best, self.held_out.accuracy, self.held_out.loss)
        self.since += (time.perf_counter() - began) * (self.since > 0)
        return found

    def log(self, logs: dict[str, float], *args: Any, **more: Any) -> None:
        prefix = "eval_" if "eval_loss" in logs else ""
        mode = "eval" if prefix else "train"
        if prefix + "loss" in logs:
            found = self.seen[mode].take(accel.gather, once=mode == "eval")
            # Means over the pairs of all processes, in place of means over the batches of this one.
            means = measurements.overall(found, self.beta)
            self.measures(mode).update({name: [value] for name, value in means.items()})
            if mode == "eval":
                step = self.state.global_step
                self.held_out = HeldOut(step, means["rewards/accuracies"], logs["eval_loss"])
            groups = measurements.by_group(found, self._pairs_of(mode), self.beta, self._loss_of_pairs)
            groups |= measurements.of_image_side(found, self.beta)
            if mode == "train":
                seconds, self.since = time.perf_counter() - self.since, 0.0
                groups |= measurements.speed(found, self.lengths, seconds, accel.peak_memory())
            logs.update({prefix + name: value for name, value in groups.items()})
        super().log(logs, *args, **more)

    def _loss_of_pairs(self, found: list[measurements.PairSeen]) -> float:
        """Return the loss of some pairs. Every process calls it with the same pairs, because TRL gathers among
        processes."""
        image_side = self.image_side * measurements.image_side_loss(found, self.beta)
        return self.loss_of(*measurements.as_batch(found)) + image_side

    def save_checkpoint(self, model: Any, trial: Any = None) -> None:
        self._check_weights(model)
        place = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        with checkpoints.writing(place):
            super().save_checkpoint(model, trial)

    def load_weights(self, checkpoint: str, model: Any = None) -> None:
        with checkpoints.reading(checkpoint, *WEIGHT_FILES):
            super().load_weights(checkpoint, model)

    def load_optimizer(self, checkpoint: str | None) -> None:
        with checkpoints.reading(checkpoint, OPTIMIZER_FILE, SCHEDULER_FILE):
            super().load_optimizer(checkpoint)

    def load_random_state(self, checkpoint: str | None) -> None:
        with checkpoints.reading(checkpoint, RANDOM_STATES):
            super().load_random_state(checkpoint)

    def _check_weights(self, model: Any) -> None:
        """Raise ModelError if a weight is not finite. A step can break weights although its loss was finite."""
        for weight in model.parameters():
            if weight.requires_grad and not (weight * 0 == 0).all():
                raise ModelError(
                    f"the weights are not finite after step {self.state.global_step}: training stopped "
                    "(lower --lr, or use --dtype float32; --resume continues from the last checkpoint)"
                )
