"""Gradient checkpointing is switched on where a run would not fit without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from s2h.models import names
from s2h.train import memory
from s2h.train.arguments import fill
from s2h.train.collator import LENGTH
from tests.support.architectures import make_pairs
from tests.support.one_step import trainer_for


def test_a_run_that_does_not_fit_recomputes_its_activations():
    """LLaVA-1.5-7B with LoRA and rows of 2,400 tokens: 20 GiB of weights and optimizer, and 15 of activations or 1."""
    asked = fill({"model": "llava-1.5-7b"})
    sizes = memory.sizes_of_shape(names.preset("llava-1.5-7b").shape, asked)
    longest = memory.Longest(2400, 108)
    needs = [memory.needs_checkpointing(sizes, asked, longest, room) for room in (24, 40, 80, None)]
    assert needs == [True, False, False, False]
    for chosen in (True, False):
        assert not memory.needs_checkpointing(
            sizes, replace(asked, gradient_checkpointing=chosen), longest, 24
        )
    plain, saved = (
        memory.estimate(sizes, replace(asked, gradient_checkpointing=how), longest) for how in (False, True)
    )
    assert plain["weights"] == saved["weights"] and saved["activations"] < plain["activations"] / 5
    assert plain["activations"] == pytest.approx(28.4 if plain["weights"] > 20 else 14.2, rel=0.1)


def test_sharded_weights_take_their_share_of_the_memory():
    """LLaVA-1.5-7B with all weights trained: about 100 GiB of weights and optimizer, or 13 on each of eight GPUs."""
    asked = fill({"model": "llava-1.5-7b", "full": True})
    sizes = memory.sizes_of_shape(names.preset("llava-1.5-7b").shape, asked)
    longest = memory.Longest(2400, 108)
    needs = [memory.needs_checkpointing(sizes, asked, longest, 80, shards) for shards in (1, 2, 8)]
    assert needs == [True, True, False]


def test_the_trainer_recomputes_the_layers_of_the_language_model_only(architectures, tmp_path):
    pairs = make_pairs(tmp_path / "pairs", 2)
    trainer, rows = trainer_for(architectures["llava"], pairs, tmp_path / "run", torch.float32)
    lengths = trainer.add_reference(rows)[LENGTH]
    asked = fill({"model": str(architectures["llava"])})
    assert not memory.decide_checkpointing(trainer, asked, rows, lengths)  # a CPU
    assert not memory.decide_checkpointing(trainer, asked, rows, lengths, room=1.0)
    assert not trainer.args.gradient_checkpointing
    assert memory.decide_checkpointing(trainer, asked, rows, lengths, room=1e-6)
    assert trainer.args.gradient_checkpointing
    trainer.model.gradient_checkpointing_enable()  # as train() does
    switched = {
        name for name, m in trainer.base.named_modules() if getattr(m, "gradient_checkpointing", False)
    }
    assert switched and not any("vision" in name for name in switched)
