"""Batches, optimizers, steps and progress of the miniatures' training."""

from __future__ import annotations

import math
import time
from random import Random

import torch
from torch import nn


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024, in float32: torch.optim.Muon computes in bfloat16, which takes twenty times as long on a CPU
    without instructions for it."""

    def __init__(self, parameters: list, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        group = self.param_groups[0]
        for p in group["params"]:
            if p.grad is None:
                continue
            moved = self.state[p].setdefault("moved", torch.zeros_like(p))
            moved.lerp_(p.grad, 1 - group["momentum"])
            update = orthogonal(p.grad.lerp(moved, group["momentum"]))
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(update, alpha=-0.2 * group["lr"] * max(p.shape) ** 0.5)  # the size of AdamW's steps


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The nearest orthogonal matrix, by five Newton-Schulz iterations."""
    x = matrix / (matrix.norm() + 1e-7)
    x = x.T if len(matrix) > matrix.shape[1] else x
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (2.0315 * a @ a - 4.775 * a) @ x
    return x.T if len(matrix) > matrix.shape[1] else x


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


def advance(optimizers: list, step: int, spent: float, warmup: int) -> None:
    """One step with gradients of norm 1 at most; the rate rises over the warm-up and falls as a cosine to 2%."""
    height = min(1, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, spent))))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], 1.0)
    for group in groups:
        group["lr"] = height * group["peak"]
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


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
            print(f"{self.name} {done}% step {self.step} loss {mean:.4f} {rate:.0f} lessons/s", flush=True)
