"""Weights that are sharded over processes, by accelerate's FSDP or DeepSpeed.

Under FSDP2 only the first process reads the weights, and the model is sharded before its reference is measured. Under
DeepSpeed and the first FSDP every process holds the whole model until training starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from s2h import accel, upstream

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

PARTS = (
    upstream.Part(
        "accelerate.utils.dataclasses:FullyShardedDataParallelPlugin.set_auto_wrap_policy",
        "shard a model layer by layer",
        says=("_no_split_modules",),
    ),
    upstream.Part(
        "accelerate.utils.fsdp_utils:fsdp2_prepare_model",
        "shard a model before its reference is measured",
        takes=("accelerator", "model"),
    ),
    upstream.Part(
        "trl.trainer.utils:maybe_gather_lm_head_ctx",
        "read the output layer before and after it is sharded",
        says=("ds_status",),
    ),
)


def gets_weights() -> bool:
    """Return whether this process need not read the weights, because the first one sends it its shard (`place`): under
    FSDP2."""
    wanted = os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true")
    return wanted and os.environ.get("FSDP_VERSION") == "2" and not accel.is_main()


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


def place(trainer: PairTrainer) -> None:
    """Put the model where it computes: on this process's device, or with FSDP2 sharded over all processes' devices."""
    accelerator = trainer.accelerator
    if not accelerator.is_fsdp2:
        trainer.model.to(accelerator.device)
        return
    from accelerate.utils.fsdp_utils import fsdp2_prepare_model

    # The first process sends its weights to the others.
    accelerator.state.fsdp_plugin.cpu_ram_efficient_loading = not getattr(trainer.base, "is_quantized", False)
    with ExitStack() as undo:
        # The embedding and the output layer get no groups of their own, so that their weights are gathered and their
        # gradients averaged with those of the whole model. TRL's head reads the weight of the output layer and does not
        # call the layer. In a group of its own the layer's gradient would be that of this process's pairs only, and torch
        # 2.11 would not gather tied weights after an evaluation.
        for name in ("get_input_embeddings", "get_output_embeddings"):
            undo.callback(upstream.replace(trainer.model, name, lambda: None))
        undo.enter_context(_buffers_sent(trainer.model))
        fsdp2_prepare_model(accelerator, trainer.model)


@contextmanager
def _buffers_sent(model: Any) -> Iterator[None]:
    """Give all processes the first one's buffers, and let accelerate take them for buffers that are no part of the model's
    state in the block: it sends weights only."""
    owners = []
    for module_name, module in model.named_modules():
        for name, buffer in module._buffers.items():
            if buffer is not None and name not in module._non_persistent_buffers_set:
                owners.append((f"{module_name}.{name}", module, name))
    sent = accel.share({whole: getattr(module, name) for whole, module, name in owners})
    for whole, module, name in owners:
        module.register_buffer(name, sent[whole], persistent=False)
    yield
    for _, module, name in owners:
        module._non_persistent_buffers_set.discard(name)


def is_split(model: Any) -> bool:
    """Return whether FSDP2 has sharded a model: processes must then call it equally often."""
    import torch

    if not torch.distributed.is_available():
        return False
    from torch.distributed.fsdp import FSDPModule

    return isinstance(model, FSDPModule)


def reshard(model: Any) -> None:
    """Let each process hold its shard of the weights only. A forward pass leaves those of the whole model's group gathered,
    and the optimizer would take these for its weights."""
    if is_split(model):
        for module in model.modules():
            if is_split(module):
                module.reshard()


def _gather_sharded_only() -> None:
    """Let TRL's head gather the weights of the output layer under ZeRO-3 only once they are sharded: the reference is
    measured before."""
    from trl.trainer import utils

    right = utils.maybe_gather_lm_head_ctx

    def gather(*weights: Any) -> Any:
        return right(*(weight for weight in weights if hasattr(weight, "ds_status")))

    utils.maybe_gather_lm_head_ctx = gather


def fill(weight: Any, values: Any) -> None:
    """Set a weight, whole or sharded, to the values of a tensor of its shape, which are the same on every process."""
    if not hasattr(weight, "device_mesh"):
        weight.copy_(values)
        return
    from torch.distributed.tensor import distribute_tensor

    mesh = weight.device_mesh
    weight.to_local().copy_(
        distribute_tensor(values.to(mesh.device_type), mesh, weight.placements).to_local()
    )


def whole_state(trainer: PairTrainer) -> dict[str, Any]:
    """Return all weights by name: on the first process whole ones, whether they are sharded or not. The others may get none
    of sharded ones. Every process must call this."""
    if trainer.is_sharded:
        return trainer.accelerator.get_state_dict(trainer.model_wrapped) or {}
    return trainer.model.state_dict()  # type: ignore[no-any-return]
