"""Weights that are sharded over processes, by accelerate's FSDP or DeepSpeed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s2h import upstream

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

PARTS = (
    upstream.Part(
        "accelerate.utils.dataclasses:FullyShardedDataParallelPlugin.set_auto_wrap_policy",
        "shard a model layer by layer",
        says=("_no_split_modules",),
    ),
)


def prepare(trainer: PairTrainer) -> None:
    """Prepare a model for FSDP, which shards by the classes of its layers. transformers' list names those of all models that
    share its vision tower (LLaVA's names the layers of CLIP's text encoder), and accelerate and PEFT refuse a class that the
    model lacks, so the list is cut to those that it has."""
    if trainer.is_fsdp_enabled:
        upstream.check(PARTS)
        base = trainer.base
        there = {type(module).__name__ for module in base.modules()}
        base._no_split_modules = sorted(there.intersection(base._no_split_modules or ()))
        base.register_forward_pre_hook(_gather_head)


def _gather_head(base: Any, given: Any) -> None:
    """Gather the weight of a trained output layer before a forward pass. TRL's head reads the weight and does not call the
    layer, so the layer would not gather it, and the gradient of its sharded weight would be that of this process's pairs
    only. FSDP averages the gradient of a gathered weight over the processes at the end of the backward pass."""
    import torch

    head = base.get_output_embeddings()
    if torch.is_grad_enabled() and head.weight.requires_grad and hasattr(head, "unshard"):
        head.unshard()


def whole_state(trainer: PairTrainer) -> dict[str, Any]:
    """Return all weights by name: on the first process whole ones, whether they are sharded or not. Every process must call
    this."""
    if trainer.is_sharded:
        return trainer.accelerator.get_state_dict(trainer.model_wrapped)  # type: ignore[no-any-return]
    return trainer.model.state_dict()  # type: ignore[no-any-return]
