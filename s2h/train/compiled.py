"""torch.compile for the layers of the language model, and a check that compiled layers give the same gradients: with torch
2.11, some compiled layers gave none, without an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from s2h import upstream
from s2h.errors import one_line
from s2h.train.agreement import random_adapter

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

MOST = 0.1  # of the norm of all gradients: in bfloat16, correct layers differed by 0.01 to 0.03


def compile_layers(trainer: PairTrainer, backend: str | Callable = "inductor") -> str | None:
    """Compile the language model's layers, except the last, which computes the answers only (`layers.restrict_to_answers`).
    They are compiled for rows of any length. Return the reason if compiled layers can't be used, and leave the layers as
    they were; else None. The gradients are compared on the first pairs, whose reference must be known.

    backend: torch.compile's.
    """
    import torch

    if trainer.is_sharded:
        return "sharded weights can't be compiled here"
    size = min(trainer.args.per_device_train_batch_size, len(trainer.train_dataset))
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(size)])
    batch.pop("row", None)  # these pairs are not part of the run's measures
    undo = ExitStack()
    with random_adapter(trainer.model):  # the gradient of LoRA's A is zero while its B is zero
        expected = _gradients(trainer, batch)
        for layer in trainer.base.base_model.get_decoder().layers[:-1]:
            compiled = torch.compile(layer.forward, dynamic=True, backend=backend)
            undo.callback(upstream.replace(layer, "forward", compiled))
        try:
            reason = _difference(expected, _gradients(trainer, batch))
        except Exception as error:  # errors of the compilers below torch have many classes
            reason = f"they can't be compiled: {type(error).__name__}: {one_line(error, 200)}"
    if reason:
        undo.close()
    return reason


def _gradients(trainer: PairTrainer, batch: dict) -> dict[str, float]:
    """Return the norm of the gradient of the loss by each trained weight."""
    trainer.model.zero_grad()
    try:
        inputs = trainer.prepare_batch(dict(batch))
        with (
            trainer.measures_aside(trainer.mode),
            trainer.without_gathering(),
            trainer.autocast(),
        ):
            loss = trainer.compute_loss(trainer.model, inputs)
        loss.backward()
        named = trainer.model.named_parameters()
        return {
            name: 0.0 if weight.grad is None else weight.grad.double().norm().item()
            for name, weight in named
            if weight.requires_grad
        }
    finally:
        trainer.model.zero_grad()


def _difference(expected: dict[str, float], found: dict[str, float]) -> str | None:
    """Return the reason if the norms are not those that are expected."""
    lost = [name for name, norm in expected.items() if norm and not found[name]]
    if lost:
        return f"{len(lost)} weights get no gradient from compiled layers, such as {lost[0]}"
    whole = math.hypot(*expected.values())
    apart = math.hypot(*(norm - found[name] for name, norm in expected.items()))
    if not apart <= MOST * whole:  # also true for NaN
        return f"their gradients differ by {apart / max(whole, 1e-30):.0%}"
    return None
