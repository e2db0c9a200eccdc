"""What decides the result of a run, next to the data: arguments, recipes that set several of them at once, and the order in
which they give way to each other: what the command line says, then the recipe, then the model's preset, then the default."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

from s2h.models import names
from s2h.record import RecordError


@dataclass
class Arguments:
    """Defaults: the paper's (S2H-DPO, Training). batch_size and grad_accum are per process."""

    model: str
    recipe: str = ""
    beta: float = 0.1
    lr: float = 5e-5
    epochs: float = 3.0
    batch_size: int = 1
    grad_accum: int = 64
    rank: int = 128
    alpha: int = 256
    targets: str = names.LORA_TARGETS
    full: bool = False  # all weights of the language model instead of LoRA
    quantize: str = ""  # "4bit": QLoRA
    loss: str = "sigmoid"
    sft: float = 0.0
    scheduler: str = "cosine"
    schedule_per_stage: bool = False
    stages: str = "record"  # see STAGES
    warmup: float = 0.03
    weight_decay: float = 0.0
    max_steps: int = -1
    window: int = 0  # the most tokens of a pair; 0: as many as the model takes
    dtype: str = "auto"
    gradient_checkpointing: bool = False
    engine: str = "shared"
    attention: str = "auto"
    pack: bool = False
    token_budget: int | None = None
    seed: int = 0


# How a run is parted: by the records' `stage` where they have one, by their level, or not at all.
STAGES = ("record", "level", "off")
_PAPER = {
    "beta": 0.1, "lr": 5e-5, "epochs": 3.0, "rank": 128, "alpha": 256, "step": 64, "loss": "sigmoid", "sft": 0.0,
}  # fmt: skip
# The published settings; what a paper leaves open is S2H-DPO's.
RECIPES = {
    # S2H-DPO (arXiv 2604.18512): all levels in the file's order, or level 1, then 2, then 3, each with a schedule of its own
    "s2h-flat": {**_PAPER, "stages": "off"},
    "s2h-curriculum": {**_PAPER, "stages": "level", "schedule_per_stage": True},
    # MIA-DPO (arXiv 2410.17637): level 1 only, rows of at most 4096 tokens
    "mia-dpo": {**_PAPER, "stages": "off", "window": 4096},
    # CcDPO (arXiv 2505.22396): captions of the sequence, then of details, then of regions; a stage at a time
    "ccdpo": {**_PAPER, "stages": "record", "schedule_per_stage": True},
}


def fill(given: dict[str, Any], *, processes: int = 1) -> Arguments:
    """Arguments from what the command line gives (names of `Arguments`, and `step`, the pairs of an optimizer step over all
    processes), the recipe and the model's preset. grad_accum follows from step where it is not given itself."""
    preset = names.preset(given["model"])
    known = {
        "rank": preset.rank,
        "alpha": preset.alpha,
        "batch_size": preset.batch_size,
        "step": preset.step,
        "targets": preset.targets,
        "dtype": preset.dtype,
        "window": preset.window,
    }
    recipe = RECIPES[given["recipe"]] if given.get("recipe") else {}
    values = {**known, **recipe, **given}
    if "rank" in given and "alpha" not in given:
        values["alpha"] = 2 * given["rank"]
    if os.path.isdir(values["model"]):  # a card or an adapter that names the folder is read from elsewhere
        values["model"] = os.path.abspath(values["model"])
    step = values.pop("step")
    if "grad_accum" not in given:
        values["grad_accum"] = max(1, -(-step // (values["batch_size"] * processes)))
    return Arguments(**values)


def check(arguments: Arguments) -> None:
    """Raises RecordError where arguments exclude each other."""
    if arguments.full and arguments.quantize:
        raise RecordError(
            "--full and --quantize exclude each other", remedy="weights of 4 bits are trained through LoRA"
        )
    if arguments.stages == "off" and arguments.schedule_per_stage:
        raise RecordError("--schedule-per-stage needs stages", remedy="--stages record or level")


def again(said: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What a resumed run was begun with (its args.json), with what the command line says now over it. Raises RecordError
    where args.json holds something else than a run writes."""
    import msgspec

    known = {field.name for field in fields(Arguments)}
    before = {key: value for key, value in said.items() if key in known}
    try:
        msgspec.convert({"model": "", **before}, Arguments)
        if before.get("recipe") and before["recipe"] not in RECIPES:
            raise ValueError(f"recipe: there is no {before['recipe']!r}")
    except ValueError as error:  # msgspec's are
        raise RecordError(f"args.json was changed: {error}", remedy="another -o starts a new run") from None
    recipe = RECIPES[given["recipe"]] if given.get("recipe") else {}
    values = {**before, **recipe, **given}
    if "step" in values and "grad_accum" not in given:
        del values["grad_accum"]
    return values
