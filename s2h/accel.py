"""The one file that names devices and processes; all of it through accelerate."""

from __future__ import annotations

from typing import Any


def state() -> Any:
    """accelerate's view of this process: which device it has, and which of how many it is. Started by `accelerate launch`,
    by torchrun or by nobody, it finds out by itself."""
    from accelerate import PartialState

    return PartialState()


def device() -> Any:
    """The torch device that this process computes on: its GPU where there is one."""
    return state().device


def is_main() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return bool(state().is_main_process)


def wait() -> None:
    """Let all processes arrive here before any goes on."""
    state().wait_for_everyone()


def gather(values: list) -> list:
    """The values of all processes, in the processes' order, on every process."""
    if state().num_processes == 1:
        return values
    from accelerate.utils import gather_object

    return gather_object(values)


def dtype(name: str = "auto") -> Any:
    """A torch dtype: by name, or bfloat16 on a GPU that has it and float32 elsewhere."""
    import torch

    if name != "auto":
        return getattr(torch, name)
    if device().type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32
