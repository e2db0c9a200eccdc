"""A curriculum in one run: the pairs of the first stage for all their epochs, then those of the second, and so on, with one
learning-rate schedule over all stages or one for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from s2h.train.arguments import Arguments
from s2h.train.dataset import Pairs, number_of
from s2h.train.folder import RunError


@dataclass(frozen=True)
class Stage:
    """One part of a run. number: the stage or level in its records. pairs: in one epoch. end: its last optimizer step."""

    number: int
    pairs: int
    end: int


def check(pairs: Pairs, by: str) -> None:
    """Raise RunError if some pairs have a stage and others don't, or if a pair has no level and levels are the stages."""
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


def training_order(pairs: Pairs, arguments: Arguments, step: int) -> tuple[list[int] | None, list[Stage]]:
    """Return the rows of a whole run in order, each as often as it is trained on, and the stages of the run. Without stages,
    the rows are None (epochs go over the file) and there is one stage. step: pairs in an optimizer step.

    Stages are in the order of their numbers, pairs of a stage in the order of the file. A step between two stages, or
    between two epochs of a stage, has pairs of both. The order in a stage does not depend on the stages before it.
    """
    parts: dict[int, list[int]] = {}
    for row in pairs.kept:
        number = number_of(pairs.stages[row], pairs.levels[row], arguments.stages)
        if number is None:
            end = math.ceil(math.ceil(len(pairs) / step) * arguments.epochs)
            return None, [Stage(0, len(pairs), arguments.max_steps if arguments.max_steps > 0 else end)]
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
    """Return the number of the stage that an optimizer step, counted from 1, is in."""
    return next((stage.number for stage in stages if step <= stage.end), stages[-1].number)


def schedule(optimizer: Any, name: str, warmup: float, stages: list[Stage]) -> Any:
    """Make a learning-rate scheduler that starts again in each stage. name: as transformers' get_scheduler takes it. warmup:
    share of a stage's steps in which the rate rises."""
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import get_scheduler

    begins = [0, *(stage.end for stage in stages[:-1])]
    shapes = []
    for begin, stage in zip(begins, stages, strict=True):
        steps = max(1, stage.end - begin)
        # This scheduler is never stepped: it is made for its curve.
        made = get_scheduler(
            name, optimizer, num_warmup_steps=round(warmup * steps), num_training_steps=steps
        )
        shapes.append(made.lr_lambdas[0])

    def factor(step: int) -> float:
        part = max(i for i, begin in enumerate(begins) if begin <= step)
        return shapes[part](step - begins[part])

    for group in optimizer.param_groups:  # undo what those schedulers set
        group["lr"] = group.pop("initial_lr")
    return LambdaLR(optimizer, factor)
