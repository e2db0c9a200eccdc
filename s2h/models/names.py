"""Short names for the models of the field, and where the bundled miniatures lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ALIASES = {
    "llava-1.5-7b": "llava-hf/llava-1.5-7b-hf",
    "qwen2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen3-vl-2b": "Qwen/Qwen3-VL-2B-Instruct",
}


@dataclass(frozen=True)
class Preset:
    """What training takes for a model where the command line is silent. rank and alpha are LoRA's (MIA-DPO's 128 and 256
    for the large models)."""

    rank: int = 128
    alpha: int = 256
    batch_size: int = 1
    grad_accum: int = 64


PRESETS = {"mini": Preset(rank=64, alpha=128, batch_size=8, grad_accum=4)}


def bundled(name: str) -> Path:
    """The folder of a model that ships with the package: `mini`, `mini-clip` or `mini-text`."""
    return HERE / name


def resolve(name: str) -> str:
    """The local folder or Hub id that a name stands for. A folder on disk wins over a Hub id of the same name."""
    if name == "mini":
        return str(bundled(name))
    if os.path.isdir(name):
        return name
    return ALIASES.get(name, name)


def preset(name: str) -> Preset:
    return PRESETS.get(name, Preset())
