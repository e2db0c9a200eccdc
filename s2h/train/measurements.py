"""What a run measures, a line of metrics.jsonl at a time: loss, margin, accuracy and rewards over all pairs, and by level
and task. A reward is beta times how much likelier the model finds an answer than its reference does, in nats.

    tail -f run/metrics.jsonl | jq -c '{step, loss, levels}'
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s2h.train.folder import METRICS

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
GROUPS = ("levels", "tasks")


class Seen:
    """What the model said of each pair since the last line: token log-probabilities of both answers and their reference."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Any, Any, Any, Any]] = []

    def add(self, rows: list[int], inputs: dict[str, Any], log_probs: Any) -> None:
        """rows: of the batch's B pairs; inputs and log_probs [2B, L - 1] as TRL's loss has them."""
        size = len(rows)
        said = inputs["completion_mask"][:, 1:].bool()
        lines = log_probs.detach()[:, -said.shape[1] :]
        spoken = [line[mask] for line, mask in zip(lines, said, strict=True)]
        self.rows += [
            (row, spoken[i], spoken[i + size], inputs["ref_chosen_logps"][i], inputs["ref_rejected_logps"][i])
            for i, row in enumerate(rows)
        ]

    def take(self, gather: Callable[[list], list], *, once: bool) -> list[tuple[int, Any, Any, Any, Any]]:
        """All of it, from all processes, in the order of rows; begins anew. once: each pair counts once, also where
        processes were given the same ones so that all have as many batches."""
        mine, self.rows = [(row, *(t.float().cpu() for t in rest)) for row, *rest in self.rows], []
        found = sorted(gather(mine), key=lambda one: one[0])
        return list({one[0]: one for one in found}.values()) if once else found


def as_batch(found: list[tuple[int, Any, Any, Any, Any]]) -> tuple[dict[str, Any], Any]:
    """TRL's inputs and log-probabilities [2B, L - 1] of the pairs of `Seen.take`, padded on the right."""
    import torch

    spoken = [line[1] for line in found] + [line[2] for line in found]
    log_probs = torch.nn.utils.rnn.pad_sequence(spoken, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence(
        [torch.ones(len(t), dtype=torch.long) for t in spoken], batch_first=True
    )
    mask = torch.cat(
        [torch.zeros(len(mask), 1, dtype=torch.long), mask], 1
    )  # TRL's first column is the prompt's
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "ref_chosen_logps": torch.stack([line[3] for line in found]),
        "ref_rejected_logps": torch.stack([line[4] for line in found]),
    }
    return inputs, log_probs


def summary(found: list[tuple[int, Any, Any, Any, Any]], beta: float) -> dict[str, float]:
    """Means over some pairs, but for the loss."""
    import torch

    chosen = beta * torch.stack([line[1].sum() - line[3] for line in found])
    rejected = beta * torch.stack([line[2].sum() - line[4] for line in found])
    return {
        "margin": (chosen - rejected).mean().item(),
        "accuracy": (chosen > rejected).float().mean().item(),
        "reward_chosen": chosen.mean().item(),
        "reward_rejected": rejected.mean().item(),
    }


def overall(found: list[tuple[int, Any, Any, Any, Any]], beta: float) -> dict[str, float]:
    """Means over all pairs by TRL's names."""
    import torch

    if not found:
        return {}
    names = {ours: theirs for theirs, ours in SHOWN.items()}
    means = {names[name]: value for name, value in summary(found, beta).items()}
    for place, name in ((1, "logps/chosen"), (2, "logps/rejected")):
        means[name] = torch.stack([one[place].sum() for one in found]).mean().item()
    return means


def line(step: int, epoch: float, stage: int | None, logs: dict[str, float], prefix: str = "") -> dict | None:
    """A line of metrics.jsonl from a trainer's log, or None where it has no loss. prefix: "eval_" for held-out pairs.
    Flat names of groups (levels/1/loss), which dashboards want, become objects."""
    found = {prefix + name: logs[prefix + key] for key, name in SHOWN.items() if prefix + key in logs}
    if prefix + "loss" not in found:
        return None
    for kind in GROUPS:
        groups: dict[str, dict] = {}
        for key, value in logs.items():
            if key.startswith(f"{prefix}{kind}/"):
                _, group, name = key[len(prefix) :].split("/", 2)
                groups.setdefault(group, {})[name] = value
        if groups:
            found[prefix + kind] = groups
    told = {"step": step, "epoch": round(epoch, 4)}
    if stage is not None:
        told["stage"] = stage
    return {**told, **found}


def append(folder: Path, found: dict) -> None:
    with open(folder / METRICS, "a", encoding="utf-8") as out:
        out.write(json.dumps(found) + "\n")
