"""One step of a trainer whose adapters are not zero: its log-probabilities, its loss and its gradients."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from s2h.models import prefix_sharing, vlm
from s2h.train import weights
from s2h.train.arguments import Arguments, Settings
from s2h.train.construction import Run, build_trainer
from s2h.train.dataset import Pairs, store
from tests.support.float64 import float64


def trainer_for(folder, pairs, path, dtype=torch.float64, **more):
    model, processor = vlm.read(str(folder), dtype)
    store(pairs, path / "data.jsonl")
    arguments = Arguments(model=str(folder), batch_size=len(pairs), grad_accum=1, rank=8, alpha=16, **more)
    rows = Pairs(path / "data.jsonl", arguments.image_side > 0)
    loaded = vlm.VLM(model, processor, str(folder))
    trainer = build_trainer(Run(loaded, rows, None, arguments, path / "run", Settings(workers=0)))
    trainer.model.to(dtype)  # PEFT begins adapters in float32
    if dtype == torch.float64 and weights.of_experts(model, arguments):
        trainer.base.set_experts_implementation("eager")  # grouped products have no float64
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn_like(parameter))
    return trainer, rows


def core_of(trainer):
    return trainer.model.get_base_model().base_model


def batch_of(trainer, rows, packed=False, pack=False):
    trainer.data_collator.packed, trainer.data_collator.pack = packed, pack
    batch = trainer.data_collator([{"row": r, "record": rows.record(r)} for r in range(len(rows.starts))])
    batch["pixel_values"] = batch["pixel_values"].to(trainer.model.dtype)
    return trainer.prepare_batch(batch)


def step(trainer, rows, packed=False, pack=False, how="auto", store=None):
    """Log-probabilities of the model as it is, loss and gradients of one batch."""
    with float64() if trainer.model.dtype == torch.float64 else nullcontext():
        return _step(trainer, rows, packed, pack, how, store)


def _step(trainer, rows, packed, pack, how, store):
    batch = batch_of(trainer, rows, packed, pack)
    undo = prefix_sharing.install(core_of(trainer), how, store) if packed else lambda: None
    seen = trainer._metrics["train"]["logps/chosen"], trainer._metrics["train"]["logps/rejected"]
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    reference = torch.cat(trainer.compute_ref_log_probs(trainer.model, batch))
    undo()
    trainer.data_collator.packed = trainer.data_collator.pack = False
    policy = torch.tensor([values[-1] for values in seen], dtype=torch.float64)  # means over the batch
    gradients = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
    return {
        "reference": reference,
        "policy": policy,
        "loss": loss.detach(),
        "gradients": gradients,
        "batch": batch,
    }


def differences(ours, stock):
    """The largest in log-probability, loss and gradient."""
    assert ours["gradients"].keys() == stock["gradients"].keys()
    assert max(g.abs().max() for g in stock["gradients"].values()) > 1e-6
    logps = max((ours[of] - stock[of]).abs().max().item() for of in ("reference", "policy"))
    gradient = max((ours["gradients"][n] - g).abs().max().item() for n, g in stock["gradients"].items())
    return logps, (ours["loss"] - stock["loss"]).abs().item(), gradient
