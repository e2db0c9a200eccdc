"""Weights that are sharded over processes, by accelerate's FSDP or DeepSpeed."""

from __future__ import annotations

from contextlib import ExitStack
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
    upstream.Part(
        "trl.trainer.utils:maybe_gather_lm_head_ctx",
        "read the output layer before and after it is sharded",
        says=("ds_status",),
    ),
)


def prepare(trainer: PairTrainer) -> None:
    """Prepare a model for FSDP or DeepSpeed.

    FSDP shards by the classes of layers. transformers' list names those of all models that share a vision tower (LLaVA's
    names the layers of CLIP's text encoder), and accelerate and PEFT refuse a class that the model lacks, so the list is cut
    to those that it has.
    """
    if not trainer.is_sharded:
        return
    upstream.check(PARTS)
    if trainer.is_deepspeed_enabled:
        _gather_sharded_only()
        return
    base = trainer.base
    there = {type(module).__name__ for module in base.modules()}
    base._no_split_modules = sorted(there.intersection(base._no_split_modules or ()))
    _keep_ends_in_root(trainer)


def _keep_ends_in_root(trainer: PairTrainer) -> None:
    """Keep accelerate from giving the embedding and the output layer groups of their own, so that their weights are gathered
    and their gradients averaged with those of the whole model. TRL's head reads the weight of the output layer and does not
    call the layer. In a group of its own the layer's gradient would be that of this process's pairs only, and torch 2.11
    would not gather tied weights after an evaluation."""
    right = trainer.accelerator.prepare

    def prepare(*given: Any, **more: Any) -> Any:
        with ExitStack() as undo:
            for name in ("get_input_embeddings", "get_output_embeddings"):
                undo.callback(upstream.replace(trainer.model, name, lambda: None))
            return right(*given, **more)

    upstream.replace(trainer.accelerator, "prepare", prepare)


def _gather_sharded_only() -> None:
    """Let TRL's head gather the weights of the output layer under ZeRO-3 only once they are sharded: the reference is
    measured before."""
    from trl.trainer import utils

    right = utils.maybe_gather_lm_head_ctx

    def gather(*weights: Any) -> Any:
        return right(*(weight for weight in weights if hasattr(weight, "ds_status")))

    utils.maybe_gather_lm_head_ctx = gather


def whole_state(trainer: PairTrainer) -> dict[str, Any]:
    """Return all weights by name: on the first process whole ones, whether they are sharded or not. The others may get none
    of sharded ones. Every process must call this."""
    if trainer.is_sharded:
        return trainer.accelerator.get_state_dict(trainer.model_wrapped) or {}
    return trainer.model.state_dict()  # type: ignore[no-any-return]
