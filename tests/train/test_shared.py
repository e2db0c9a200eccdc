"""The shared-prefix step gives the stock step's numbers on the three architectures, and its controls would be caught."""

from __future__ import annotations

import pytest
import torch

from s2h.models import vlm
from s2h.train import shared
from s2h.train.rows import Pairs, store
from s2h.train.run import Arguments, _trainer, read_metrics, train
from tests.support.architectures import make_pairs

NAMES = ("llava", "qwen2.5-vl", "qwen3-vl")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 6)


def trainer_for(folder, pairs, path, dtype=torch.float64, **more):
    """A trainer whose adapter has moved away from its start."""
    model, processor = vlm.read(str(folder), dtype)
    store(pairs, path / "data.jsonl")
    arguments = Arguments(model=str(folder), batch_size=len(pairs), grad_accum=1, rank=8, alpha=16, **more)
    rows = Pairs(path / "data.jsonl")
    trainer = _trainer(model, processor, rows, None, arguments, path / "run", 200, 1, 0, False)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn_like(parameter))
    return trainer, rows


def step(trainer, rows, packed: bool):
    """Reference log-probabilities, loss and gradients of one batch."""
    trainer.data_collator.packed = packed
    batch = trainer.data_collator([{"row": r, "record": rows.record(r)} for r in range(len(rows.starts))])
    if torch.is_floating_point(batch["pixel_values"]):
        batch["pixel_values"] = batch["pixel_values"].to(trainer.model.dtype)
    reference = trainer.compute_ref_log_probs(trainer.model, batch)
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
    return torch.cat(reference), loss.detach(), gradients, batch


def compare(trainer, rows):
    stock = step(trainer, rows, packed=False)
    assert trainer.share_prompts(rows) is None or trainer.model.dtype == torch.float64
    ours = step(trainer, rows, packed=True)
    worst = max((ours[2][n] - g).abs().max().item() for n, g in stock[2].items())
    return (ours[0] - stock[0]).abs().max().item(), (ours[1] - stock[1]).abs().item(), worst, stock, ours


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [{}, {"loss": "ipo", "sft": 0.7}, {"gradient_checkpointing": True}])
def test_same_numbers_as_two_rows_to_the_last_digits(name, more, architectures, pairs, tmp_path):
    trainer, rows = trainer_for(architectures[name], pairs, tmp_path, **more)
    reference, loss, gradient, stock, ours = compare(trainer, rows)
    # TRL's head sums in float32 whatever the model; `test_hidden_states_agree` has no such limit.
    assert reference < 1e-4 and loss < 1e-5 and gradient < 1e-6
    assert stock[2].keys() == ours[2].keys() and any(g.abs().max() > 1e-6 for g in stock[2].values())
    # Each image once, each prompt once.
    assert 2 * len(ours[3]["pixel_values"]) == len(stock[3]["pixel_values"])
    assert ours[3]["row_ids"].numel() < 0.75 * stock[3]["input_ids"].numel()


@pytest.mark.parametrize("name", NAMES)
def test_hidden_states_agree_in_float64(name, architectures, pairs, tmp_path):
    trainer, rows = trainer_for(architectures[name], pairs, tmp_path)
    core = trainer.model.get_base_model().base_model
    shared.install(core)
    found = []
    for packed in (False, True):
        trainer.data_collator.packed = packed
        batch = trainer.data_collator([{"row": r, "record": rows.record(r)} for r in range(len(pairs))])
        said = batch.pop("completion_mask").bool()
        batch["pixel_values"] = batch["pixel_values"].to(torch.float64)
        with torch.no_grad():
            found.append(core(**batch).last_hidden_state[said])
    assert found[0].dtype == torch.float64 and found[0].shape == found[1].shape
    assert (found[0] - found[1]).abs().max() < 1e-11


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("control", ["sees-chosen", "after-chosen"])
def test_controls_are_caught(name, control, architectures, pairs, tmp_path, monkeypatch):
    """A rejected answer that sees the chosen one, or stands after it, changes the numbers by far more than rounding."""
    if control == "sees-chosen":
        right = shared.attention_mask

        def wrong(segments):
            size = segments.shape[1]
            before = torch.ones(size, size, dtype=torch.bool).tril()
            return right(segments) | (before & (segments.unsqueeze(1) != shared.PAD)).unsqueeze(1)

        monkeypatch.setattr(shared, "attention_mask", wrong)
    else:
        placed = shared.positions
        monkeypatch.setattr(
            shared, "positions", lambda core, segments, *rest: placed(core, segments.clamp(max=1), *rest)
        )
    trainer, rows = trainer_for(architectures[name], pairs, tmp_path)
    assert compare(trainer, rows)[0] > 1e-3
    trainer, rows = trainer_for(architectures[name], pairs, tmp_path, dtype=torch.float32)
    assert "differ from the stock step" in trainer.share_prompts(rows)
    assert trainer.data_collator.packed is False


def flat(line: dict, name: str = "") -> dict:
    """A line of metrics without its objects in objects, which pytest can't compare."""
    if not isinstance(line, dict):
        return {name: line}
    return {key: value for part in line for key, value in flat(line[part], f"{name}/{part}").items()}


def test_whole_runs_agree(llava, pairs, tmp_path):
    """Training, held-out measures and reference through the command's own path, with either engine."""
    metrics = {}
    for engine in ("stock", "shared"):
        arguments = Arguments(
            model=str(llava), batch_size=2, grad_accum=1, rank=8, alpha=16, epochs=2, lr=5e-3, engine=engine
        )
        said: list[str] = []
        train(pairs, arguments, tmp_path / engine, held_out=pairs[:3], log_steps=1, say=said.append)
        assert not any("a row of its own" in line for line in said)
        metrics[engine] = read_metrics(tmp_path / engine)
    for stock, ours in zip(metrics["stock"], metrics["shared"], strict=True):
        assert flat(ours) == pytest.approx(flat(stock), rel=2e-3, abs=2e-4)


def test_what_is_not_known_to_be_exact_goes_the_stock_way(llava, pairs, tmp_path):
    trainer, rows = trainer_for(llava, pairs, tmp_path, dtype=torch.float32)
    trainer.model.get_base_model().config.model_type = "gemma3"
    assert "gemma3" in trainer.share_prompts(rows)
    assert trainer.data_collator.packed is False
