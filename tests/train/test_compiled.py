"""Compiled layers. The backend aot_eager traces and differentiates graphs as the default one does, and generates no code."""

import torch

from s2h.train.compiled import compile_layers
from tests.support.architectures import make_pairs
from tests.support.one_step import trainer_for


def loss_and_gradients(trainer):
    trainer.model.zero_grad()
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(2)])
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    return loss, {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}


def test_compiled_layers_give_the_gradients_of_plain_ones(architectures, tmp_path, monkeypatch):
    pairs = make_pairs(tmp_path / "pairs", 2)
    trainer, rows = trainer_for(architectures["qwen2.5-vl"], pairs, tmp_path / "run", torch.float32)
    assert trainer.share_prompts(rows) is None
    trainer.add_reference(rows)
    trainer.train_dataset = rows.dataset()
    layers = trainer.base.base_model.get_decoder().layers
    plain = loss_and_gradients(trainer)

    def lost(forward, **more):
        return lambda *given, **named: forward(*given, **named).detach()

    with monkeypatch.context() as patched:
        patched.setattr(torch, "compile", lost)
        assert "get no gradient from compiled layers, such as" in compile_layers(trainer)
        patched.setattr(torch, "compile", lambda forward, **more: lambda *g, **n: 2 * forward(*g, **n))
        assert "their gradients differ by" in compile_layers(trainer)
    assert not any("forward" in vars(layer) for layer in layers)

    def without_compiler(graph, inputs):
        raise RuntimeError("no compiler was found")

    reason = compile_layers(trainer, without_compiler)
    assert reason.startswith("they can't be compiled: ") and "no compiler was found" in reason
    assert not any("forward" in vars(layer) for layer in layers)
    torch.compiler.reset()

    weights = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    seen = trainer.seen["train"]
    seen.take(lambda values: values, once=False)
    assert compile_layers(trainer, "aot_eager") is None
    assert not seen.pairs, "pairs of the check are not part of the run's measures"
    assert all("forward" in vars(layer) for layer in layers[:-1])
    assert all(torch.equal(weight, weights[name]) for name, weight in trainer.model.state_dict().items())
    loss, gradients = loss_and_gradients(trainer)
    assert torch.allclose(loss, plain[0], atol=1e-6)
    for name, gradient in plain[1].items():
        assert torch.allclose(gradients[name], gradient, atol=1e-5 * gradient.abs().max().item() + 1e-9), name
    torch.compiler.reset()
