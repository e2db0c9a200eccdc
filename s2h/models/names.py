"""Short names of models, the presets that training takes for them, and the folders of the bundled miniatures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from s2h.errors import suggestion
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import UnknownModel

HERE = Path(__file__).parent
ALIASES = {
    "llava-1.5-7b": "llava-hf/llava-1.5-7b-hf",
    "qwen2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen3-vl-2b": "Qwen/Qwen3-VL-2B-Instruct",
}
LANGUAGE = "language_model|text_model"  # names of the language model in vision-language models
# The projections of the language model only: 'all-linear' or bare names would adapt the vision tower too. linear_attn: the
# delta nets that Qwen3.5 has in place of attention in most layers.
LORA_TARGETS = (
    rf".*({LANGUAGE})\..*\.((q|k|v|o|gate|up|gate_up|down)_proj|linear_attn\.(in_proj_(qkv|z|a|b)|out_proj))"
)


@dataclass(frozen=True)
class Shape:
    """The published shape of a model, to estimate memory and time without its weights. An image takes image_tokens; if
    `square` is set, it takes one token for each square of so many pixels a side, and at least image_tokens."""

    parameters: float  # number of all weights
    language: float  # number of weights of the language model, which every token passes
    layers: int
    hidden: int
    intermediate: int
    key_values: int  # width of the key and of the value projection
    vocabulary: int
    image_tokens: int
    square: int = 0


@dataclass(frozen=True)
class Preset:
    """The defaults for a model. pixels: the bounds of an image, in every command. The others are those of training. rank,
    alpha: of LoRA (for large models MIA-DPO's 128 and 256). targets: modules that it adapts. step: pairs of an optimizer
    step over all processes. window: the most tokens of a pair (0: as many as the model takes)."""

    rank: int = 128
    alpha: int = 256
    batch_size: int = 1
    step: int = 64
    targets: str = LORA_TARGETS
    dtype: str = "auto"
    window: int = 0
    pixels: Pixels = WHOLE
    shape: Shape | None = None


# The Qwen models take 128,000 tokens and more. No GPU can train on so many, so their presets stop at 32,768. One image may
# have 16,384 of them. For less time and memory, which several images need, the authors propose 256 to 1,280 tokens an image:
# of 28 x 28 pixels (the card of Qwen2.5-VL-7B-Instruct) and of 32 x 32 (the README of Qwen3-VL). Only the 1,280 are taken,
# because a least number of 256 would enlarge small images. LLaVA-1.5 has 576 tokens for any image.
PRESETS = {
    "llava-1.5-7b": Preset(window=4096, shape=Shape(7.06e9, 6.74e9, 32, 4096, 11008, 4096, 32064, 576)),
    "qwen2.5-vl-7b": Preset(
        window=32768,
        pixels=Pixels(most=1280 * 28 * 28),
        shape=Shape(8.29e9, 7.62e9, 28, 3584, 18944, 512, 152064, 4, square=28),
    ),
    "qwen3-vl-2b": Preset(
        window=32768,
        pixels=Pixels(most=1280 * 32 * 32),
        shape=Shape(2.13e9, 1.72e9, 28, 2048, 6144, 1024, 151936, 64, square=32),
    ),
    "mini": Preset(rank=64, alpha=128, batch_size=8, step=32),
}


def bundled(name: str) -> Path:
    """Return the folder of a bundled model: `mini`, `mini-clip` or `mini-text`."""
    return HERE / name


def resolve(name: str) -> str:
    """Return the local folder or Hub id of a name. A folder on disk takes precedence over a Hub id of the same name. Raises
    UnknownModel for a name that is neither: the Hub ids of vision-language models have a slash."""
    if name == "mini":
        return str(bundled(name))
    if os.path.isdir(name):
        return name
    if name not in ALIASES and "/" not in name:
        near = suggestion(name, PRESETS, likeness=0.8)
        near = near or f" Give a folder, a Hub id (OWNER/NAME) or a short name: {', '.join(PRESETS)}."
        raise UnknownModel(f"model {name!r}: no such folder, and not a model's short name.{near}")
    return ALIASES.get(name, name)


def preset(name: str) -> Preset:
    """Return the preset of a short name or of its Hub id; defaults for any other name."""
    short = {place: alias for alias, place in ALIASES.items()}.get(name, name)
    return PRESETS.get(short, Preset())
