"""The measurements of a run, line by line in metrics.jsonl: loss, margin, accuracy and rewards over all pairs, by level and
task, and of the loss's image side; and the speed of training. The reward of an answer is beta times its log-probability
under the model minus that under the reference, in nats (Rafailov et al. 2023, arXiv 2305.18290, section 5); the margin is
the chosen answer's reward minus the rejected one's.

    tail -f run/metrics.jsonl | jq -c '{step, loss, levels}'
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from s2h.train import image_side
from s2h.train.collator import REFERENCE
from s2h.train.dataset import Pairs
from s2h.train.folder import METRICS

SHOWN = {  # TRL's names, and those in metrics.jsonl
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
IMAGE_SIDE = "image_side"
SPEED = "speed"


class PairSeen(NamedTuple):
    """A pair's row; the log-probability (nat) of each token of its answers, tensors [tokens]; the reference log-probability
    of each answer, tensors []; and the chosen answer's log-probability under rejected images and the reference's, tensors
    [], None for a pair without them."""

    row: int
    chosen: Any
    rejected: Any
    ref_chosen: Any
    ref_rejected: Any
    other: Any = None
    ref_other: Any = None


class Seen:
    """The pairs that the model has computed since the last log line."""

    def __init__(self) -> None:
        self.pairs: list[PairSeen] = []

    def add(self, rows: list[int], inputs: dict[str, Any], log_probs: Any) -> None:
        """Add a batch of B pairs: their rows, and TRL's inputs and log-probabilities [2B, L - 1], with those of the further
        rows for rejected images behind them."""
        size = len(rows)
        masks = inputs["completion_mask"][:, 1:].bool()
        lines = log_probs.detach()[: 2 * size, -masks.shape[1] :]
        spoken = [line[mask] for line, mask in zip(lines, masks, strict=True)]
        chosen, rejected = (inputs[name] for name in REFERENCE)
        further: dict[int, tuple] = {}
        if image_side.PAIRS in inputs:
            others, references = log_probs.detach()[2 * size :].sum(1), inputs[image_side.REFERENCE]
            pairs = inputs[image_side.PAIRS].tolist()
            further = {i: (other, references[i]) for i, other in zip(pairs, others, strict=True)}
        self.pairs += [
            PairSeen(row, spoken[i], spoken[i + size], chosen[i], rejected[i], *further.get(i, ()))
            for i, row in enumerate(rows)
        ]

    def take(self, gather: Callable[[list], list], *, once: bool) -> list[PairSeen]:
        """Return the pairs of all processes in the order of rows, and forget them. once: return each pair once, although
        several processes may have computed it to have the same number of batches."""
        mine = [
            PairSeen(row, *(t if t is None else t.float().cpu() for t in rest)) for row, *rest in self.pairs
        ]
        self.pairs = []
        found = sorted(gather(mine), key=lambda pair: pair.row)
        return list({pair.row: pair for pair in found}.values()) if once else found


def as_batch(found: list[PairSeen]) -> tuple[dict[str, Any], Any]:
    """Return TRL's inputs of B pairs and their log-probabilities [2B, L - 1], padded on the right."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    spoken = [pair.chosen for pair in found] + [pair.rejected for pair in found]
    log_probs = pad_sequence(spoken, batch_first=True)
    mask = pad_sequence([torch.ones(len(t), dtype=torch.long) for t in spoken], batch_first=True)
    # Column 0 is the prompt's, as in TRL.
    mask = torch.cat([torch.zeros(len(mask), 1, dtype=torch.long), mask], 1)
    references = ([pair.ref_chosen for pair in found], [pair.ref_rejected for pair in found])
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        **{name: torch.stack(values) for name, values in zip(REFERENCE, references, strict=True)},
    }
    return inputs, log_probs


def summary(found: list[PairSeen], beta: float) -> dict[str, float]:
    """Return the means over some pairs of margin, accuracy and rewards (nats)."""
    import torch

    chosen = beta * torch.stack([pair.chosen.sum() - pair.ref_chosen for pair in found])
    rejected = beta * torch.stack([pair.rejected.sum() - pair.ref_rejected for pair in found])
    return {
        "margin": (chosen - rejected).mean().item(),
        "accuracy": (chosen > rejected).float().mean().item(),
        "reward_chosen": chosen.mean().item(),
        "reward_rejected": rejected.mean().item(),
    }


def overall(found: list[PairSeen], beta: float) -> dict[str, float]:
    """Return means over all pairs, by TRL's names."""
    import torch

    if not found:
        return {}
    names = {ours: theirs for theirs, ours in SHOWN.items()}
    means = {names[name]: value for name, value in summary(found, beta).items()}
    means["logps/chosen"] = torch.stack([pair.chosen.sum() for pair in found]).mean().item()
    means["logps/rejected"] = torch.stack([pair.rejected.sum() for pair in found]).mean().item()
    return means


def image_side_loss(found: list[PairSeen], beta: float) -> float:
    """Return the mean of the loss's image side over some pairs; a pair without rejected images adds 0."""
    margins = _image_side_margins(found, beta)
    return image_side.losses(margins).sum().item() / len(found) if len(margins) else 0.0


def of_image_side(found: list[PairSeen], beta: float) -> dict[str, float]:
    """Return the means over the pairs with rejected images of loss, margin (nats) and accuracy of the image side, by flat
    names such as image_side/loss; {} if no pair has any."""
    margins = _image_side_margins(found, beta)
    if not len(margins):
        return {}
    values = {
        "pairs": len(margins),
        "loss": image_side.losses(margins).mean().item(),
        "margin": margins.mean().item(),
        "accuracy": (margins > 0).float().mean().item(),
    }
    return {f"{IMAGE_SIDE}/{name}": value for name, value in values.items()}


def _image_side_margins(found: list[PairSeen], beta: float) -> Any:
    """Return the chosen answer's reward under the images minus that under the rejected images, of each pair that has
    some."""
    import torch

    return torch.tensor(
        [
            beta * ((pair.chosen.sum() - pair.ref_chosen) - (pair.other - pair.ref_other)).item()
            for pair in found
            if pair.other is not None
        ]
    )


def by_group(
    found: list[PairSeen], pairs: Pairs, beta: float, loss_of: Callable[[list[PairSeen]], float]
) -> dict[str, float]:
    """Return means over the pairs of each level and task, by flat names such as levels/1/loss and tasks/vqa/margin."""
    groups: dict[str, list[PairSeen]] = {}
    for pair in found:
        for kind, name in zip(GROUPS, (pairs.levels[pair.row], pairs.tasks[pair.row]), strict=True):
            if name is not None:
                groups.setdefault(f"{kind}/{name}", []).append(pair)
    values: dict[str, float] = {}
    for group in sorted(groups):
        members = groups[group]
        means = {"pairs": len(members), "loss": loss_of(members), **summary(members, beta)}
        values |= {f"{group}/{name}": value for name, value in means.items()}
    return values


def speed(found: list[PairSeen], lengths: list[int], seconds: float, peak: int) -> dict[str, float]:
    """Return the speed of training over some pairs, by flat names such as speed/tokens_per_second. lengths: tokens of each
    row, prompt and longer answer. seconds: the time that the pairs took. peak: bytes of memory."""
    tokens = sum(lengths[pair.row] for pair in found)
    values = {"tokens_per_second": tokens / seconds, "pairs_per_second": len(found) / seconds}
    return {f"{SPEED}/{name}": round(value, 3) for name, value in values.items()} | {
        f"{SPEED}/peak_gib": round(peak / 2**30, 3)
    }


def line(step: int, epoch: float, stage: int | None, logs: dict[str, float], prefix: str = "") -> dict | None:
    """Make a line of metrics.jsonl from a trainer's log; None if the log has no loss. prefix: "eval_" for held-out pairs.
    The flat names of groups, which dashboards need, become objects."""
    found: dict[str, Any] = {
        prefix + name: logs[prefix + key] for key, name in SHOWN.items() if prefix + key in logs
    }
    if prefix + "loss" not in found:
        return None
    for kind in GROUPS:
        groups: dict[str, dict] = {}
        for key, value in logs.items():
            if key.startswith(start := f"{prefix}{kind}/"):
                group, _, name = key.removeprefix(start).rpartition("/")  # a task's name may have a slash
                groups.setdefault(group, {})[name] = value
        if groups:
            found[prefix + kind] = groups
    for part in (IMAGE_SIDE, SPEED):
        start = f"{prefix}{part}/"
        if values := {key[len(start) :]: value for key, value in logs.items() if key.startswith(start)}:
            found[prefix + part] = values
    place: dict[str, Any] = {"step": step, "epoch": round(epoch, 4)}
    if stage is not None:
        place["stage"] = stage
    return {**place, **found}


def append(folder: Path, found: dict) -> None:
    """Append a line to a run's metrics.jsonl."""
    with open(folder / METRICS, "a", encoding="utf-8") as out:
        out.write(json.dumps(found) + "\n")
