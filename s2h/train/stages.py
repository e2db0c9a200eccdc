"""A curriculum in one run: the pairs of the first stage for all their epochs, then those of the second, and so on; with one
learning-rate schedule over all or one for each stage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from s2h.train.arguments import Arguments
from s2h.train.dataset import Pairs, number_of
from s2h.train.folder import RunError


@dataclass(frozen=True)
class Stage:
    """One part of a run. number: as the records have it; end: the optimizer step it ends with."""

    number: int
    pairs: int
    end: int


def check(pairs: Pairs, by: str) -> None:
    """Raises RunError where some pairs say a stage and others don't, or where one has no level to be staged by."""
    for row, level in enumerate(pairs.levels):
        if by == "level" and level is None and pairs.stages[row] is None:
            record = pairs.record(row)
            raise RunError(f"is missing in {record['id']}", "level", record.where, "--stages level needs it")
    if by != "record" or all(stage is None for stage in pairs.stages):
        return
    for row, stage in enumerate(pairs.stages):
        if stage is None:
            record = pairs.record(row)
            raise RunError(
                f"is missing in {record['id']}, while other pairs have one", "stage", record.where,
                "give every pair a stage, or use --stages level or off",
            )  # fmt: skip


def plan(pairs: Pairs, arguments: Arguments, step: int) -> tuple[list[int] | None, list[Stage]]:
    """The order of the kept rows through a whole run, each as often as it is trained on, and its stages; None and one
    stage where pairs have no stages, so that epochs go over the file. step: pairs of an optimizer step.

    Stages follow each other by number, pairs within them in the file's order. A step at the seam of two stages, or of two
    epochs of a stage, is filled from both. A stage is trained alike whether others come before it or not.
    """
    numbers = [number_of(pairs.stages[row], pairs.levels[row], arguments.stages) for row in pairs.kept]
    if None in numbers:
        ends = math.ceil(math.ceil(len(numbers) / step) * arguments.epochs)
        return None, [Stage(0, len(numbers), arguments.max_steps if arguments.max_steps > 0 else ends)]
    parts: dict[int, list[int]] = {}
    for row, number in zip(pairs.kept, numbers, strict=True):
        parts.setdefault(number, []).append(row)
    return _ordered(parts, arguments, step)


def _ordered(parts: dict[int, list[int]], arguments: Arguments, step: int) -> tuple[list[int], list[Stage]]:
    order: list[int] = []
    stages = []
    for number in sorted(parts):
        rows = parts[number]
        whole, rest = divmod(arguments.epochs, 1)
        order += rows * int(whole) + rows[: round(rest * len(rows))]
        end = math.ceil(len(order) / step)
        stages.append(
            Stage(number, len(rows), end if arguments.max_steps < 1 else min(end, arguments.max_steps))
        )
    return order, stages


def at(stages: list[Stage], step: int) -> int:
    """The number of the stage that an optimizer step, counted from 1, belongs to."""
    return next((stage.number for stage in stages if step <= stage.end), stages[-1].number)


def schedule(optimizer: Any, name: str, warmup: float, stages: list[Stage]) -> Any:
    """A learning-rate scheduler that begins anew with each stage. warmup: the share of a stage's steps in which the rate
    rises."""
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import get_scheduler

    begins = [0, *(stage.end for stage in stages[:-1])]
    shapes = []
    for begin, stage in zip(begins, stages, strict=True):
        steps = max(1, stage.end - begin)
        # Transformers' own curves; their scheduler is made for this alone and never stepped.
        made = get_scheduler(
            name, optimizer, num_warmup_steps=round(warmup * steps), num_training_steps=steps
        )
        shapes.append(made.lr_lambdas[0])

    def factor(step: int) -> float:
        part = max(i for i, begin in enumerate(begins) if begin <= step)
        return shapes[part](step - begins[part])

    for group in optimizer.param_groups:  # what those schedulers have set
        group["lr"] = group.pop("initial_lr")
    return LambdaLR(optimizer, factor)
