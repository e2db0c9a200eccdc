"""Batches, optimizers, steps and progress of the miniatures' training."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from random import Random

import torch
from torch import distributed, nn


def processes() -> tuple[int, int]:
    """Return the number of this process and how many torchrun started."""
    if "RANK" in os.environ and not distributed.is_initialized():
        distributed.init_process_group("gloo")
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def leave() -> None:
    """Leave the group of processes. Otherwise gloo's threads may end a process with a signal while Python ends."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def is_first() -> bool:
    return processes()[0] == 0


def say(line: str) -> None:
    """Print a line, once for all processes."""
    if is_first():
        print(line, flush=True)


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024, with matrices of one shape computed together, shared between the processes. torch.optim.Muon
    computes in bfloat16, which takes twenty times as long on a CPU without instructions for it."""

    def __init__(self, parameters: list, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        group, (rank, count) = self.param_groups[0], processes()
        of_shape: dict[tuple, list] = defaultdict(list)
        for p in group["params"]:
            if p.grad is not None:
                of_shape[tuple(p.shape)].append(p)
        for shape, same in of_shape.items():
            moved = [self.state[p].setdefault("moved", torch.zeros_like(p)) for p in same]
            grads = [p.grad for p in same]
            torch._foreach_lerp_(moved, grads, 1 - group["momentum"])
            ahead = torch.stack(torch._foreach_lerp(grads, moved, group["momentum"]))
            updates = torch.zeros_like(ahead)
            updates[rank::count] = orthogonal(ahead[rank::count])
            if count > 1:
                distributed.all_reduce(updates)
            torch._foreach_mul_(same, 1 - group["lr"] * group["weight_decay"])
            # The size of AdamW's steps.
            torch._foreach_add_(same, list(updates), alpha=-0.2 * group["lr"] * max(shape) ** 0.5)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Return the nearest orthogonal matrices, by five Newton-Schulz iterations. matrices: [N, rows, columns]."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if is_tall else matrices).contiguous()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        a = torch.baddbmm(a, a, a, beta=-4.775, alpha=2.0315)
        x = torch.baddbmm(x, a, x, beta=3.4445)
    return x.mT if is_tall else x


def make_optimizers(parameters, matrices: float, rest: float) -> list:
    """Muon for the weight matrices of hidden layers, AdamW for embeddings, convolutions, norms and biases; each with its
    peak learning rate."""
    parameters = list(parameters)
    inner = [(n, p) for n, p in parameters if p.ndim == 2 and "embed" not in n and "head" not in n]
    known = {n for n, _ in inner}
    outer = [p for n, p in parameters if n not in known]
    muon = Muon([p for _, p in inner], weight_decay=0.05)
    adam = torch.optim.AdamW(outer, weight_decay=0.05, betas=(0.9, 0.98), fused=True)
    for optimizer, peak in ((muon, matrices), (adam, rest)):
        optimizer.param_groups[0]["peak"] = peak
    return [muon, adam]


def advance(
    optimizers: list, step: int, spent: float, warmup: int, numbers: tuple[float, ...] = ()
) -> tuple[float, ...]:
    """Make one step with the processes' mean gradients, of norm 1 at most; the rate rises over the warm-up and falls as a
    cosine to 2%. Return the processes' means of `numbers`."""
    height = min(1, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, spent))))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    parameters = [p for group in groups for p in group["params"]]
    if processes()[1] > 1:
        numbers = _average(parameters, numbers)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    for group in groups:
        group["lr"] = height * group["peak"]
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return numbers


def _average(parameters: list, numbers: tuple[float, ...]) -> tuple[float, ...]:
    """Give the parameters the processes' mean gradients (0 where none of a process's lessons had one), by one exchange."""
    sizes = [p.numel() for p in parameters]
    grads = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters]
    whole = torch.cat([*grads, torch.tensor(numbers, dtype=torch.float32)])
    distributed.all_reduce(whole)
    *grads, means = (whole / processes()[1]).split([*sizes, len(numbers)])
    for p, grad in zip(parameters, grads, strict=True):
        p.grad = grad.view_as(p)
    return tuple(means.tolist())


def in_batches(rows: list, tokens: int, rng: Random) -> list[list]:
    """Return batches of about `tokens` tokens, in random order, in which rows are of like length. rows: tuples whose second
    part is the tokens; the list is used up."""
    rows.sort(key=lambda row: len(row[1]))
    ready = []
    while rows:
        take = max(1, tokens // len(rows[-1][1]))
        ready.append(rows[-take:])
        del rows[-take:]
    rng.shuffle(ready)
    return ready


class Progress:
    """Prints a line whenever another of `parts` equal parts of `count` lessons is done."""

    def __init__(self, name: str, count: int, parts: int) -> None:
        self.name, self.count, self.parts = name, count, parts
        self.start, self.step, self.seen, self.shown = time.time(), 0, 0, 0
        self.losses: list[float] = []

    def add(self, lessons: int, loss: float) -> None:
        self.step, self.seen = self.step + 1, self.seen + lessons
        self.losses = [*self.losses[-99:], loss]
        if self.seen * self.parts // self.count > self.shown:
            self.shown = self.seen * self.parts // self.count
            rate, mean = self.seen / (time.time() - self.start), sum(self.losses) / len(self.losses)
            done = 100 * self.shown // self.parts
            say(f"{self.name} {done}% step {self.step} loss {mean:.4f} {rate:.0f} lessons/s")
