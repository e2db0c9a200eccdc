"""Computation in float64 everywhere. Norms, rotary angles, delta rules and TRL's head compute in float32 for any model,
which would hide whether two ways of computing agree to the last digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch


@contextmanager
def float64() -> Iterator[None]:
    """Let code that asks for float32 by name, or by `Tensor.float`, get float64 in the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "float32", torch.float64)
        patch.setattr(torch, "float", torch.float64)
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        yield
