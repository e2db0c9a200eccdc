"""The arguments of a run: those that decide its result, together with the data (`Arguments`), and all others (`Settings`).
An argument comes from the command line, else from the recipe, else from the model's preset, else from its default here,
which `s2h-train --help` shows too."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from s2h.errors import WrongUsage, suggestion
from s2h.images.resizing import Pixels
from s2h.models import image_size, names, thinking
from s2h.record import RecordError

# Values of arguments, as the command line takes them. LOSSES are TRL's names.
LOSSES = (
    "sigmoid", "hinge", "ipo", "robust", "apo_zero", "apo_down", "sppo_hard", "nca_pair", "sigmoid_norm", "bco_pair",
    "discopop", "sft",
)  # fmt: skip
# record: by the field `stage`, if records have it. level: by `stage`, else by `level`. off: no stages.
STAGES = ("record", "level", "off")
SCHEDULERS = ("cosine", "linear", "constant")
QUANTIZED = ("4bit",)
DTYPES = ("auto", "float32", "bfloat16")
ENGINES = ("shared", "stock")
ATTENTION = ("auto", "split", "mask", "varlen")
PROBE_OFF = "off"


@dataclass
class Arguments:
    """The arguments that decide the result of a run. Defaults are the paper's (S2H-DPO, Training). batch_size and grad_accum
    are per process; window and token_budget are in tokens; min_pixels and max_pixels are of an image, 0 for no bound. loss:
    the losses with their weights, as `losses` reads them."""

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
    full: bool = False  # train all weights of the language model instead of LoRA
    quantize: str = ""  # one of QUANTIZED: QLoRA
    loss: str = "sigmoid"
    sft: float = 0.0
    image_side: float = 0.0  # weight of the loss over rejected images; 0 leaves them out
    scheduler: str = "cosine"
    schedule_per_stage: bool = False
    stages: str = "record"
    warmup: float = 0.03
    weight_decay: float = 0.0
    max_steps: int = -1
    window: int = 0  # the most tokens of a pair; 0: as many as the model takes
    min_pixels: int = 0
    max_pixels: int = 0
    thinking: str = thinking.CHOICES[0]
    dtype: str = "auto"
    gradient_checkpointing: bool | None = None  # None: on where the run would not fit the GPU without it
    engine: str = "shared"
    attention: str = "auto"
    pack: bool = False
    compile: bool = False
    keep_best: bool = False
    probe: str = ""  # a file of questions, or PROBE_OFF; "": questions of the held-out pairs
    token_budget: int | None = None
    seed: int = 0

    @property
    def pixels(self) -> Pixels:
        """The bounds of the size of an image."""
        return Pixels(self.min_pixels, self.max_pixels)

    def losses(self) -> dict[str, float]:
        """Return the weight of each loss in the sum, by TRL's names, the added cross-entropy of `sft` included."""
        found = read_losses(self.loss)
        return {**found, "sft": self.sft} if self.sft else found


def read_losses(text: str) -> dict[str, float]:
    """Read losses and their weights: "sigmoid", of weight 1, or "sigmoid=0.8,bco_pair=0.2". Raises ValueError."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, given, weight = part.strip().partition("=")
        if name not in LOSSES:
            raise ValueError(
                f"{name!r} is no loss of s2h-train.{suggestion(name, LOSSES)} Choose from {', '.join(LOSSES)}."
            )
        if name in found:
            raise ValueError(f"duplicate loss {name}")
        try:
            found[name] = float(weight) if given else 1.0
        except ValueError:
            found[name] = 0.0
        if not 0 < found[name] < float("inf"):
            raise ValueError(f"the weight of {name} is {weight!r}, not a number above 0")
    return found


@dataclass(frozen=True)
class Settings:
    """The settings of a run, on which its result does not depend.

    save_steps, log_steps: optimizer steps between checkpoints and between log lines. workers: processes that prepare images;
    None for 4 on a GPU, else 0. keep_features: GiB for image features (`features.room`). report_to: dashboards, by
    transformers' names. merged: also write the adapted weights as a whole model. cache: folder of reference values
    (`reference.cache_folder`); None for the user's cache. progress: draw a progress bar.
    """

    resume: bool = False
    save_steps: int = 200
    log_steps: int = 10
    workers: int | None = None
    keep_features: float | None = None
    report_to: tuple[str, ...] = ()
    merged: bool = False
    cache: Path | None = None
    progress: bool = False


DEFAULTS = Settings()
# A run of an older release has no arguments that were added since. It was run with these values.
ADDED = {
    "min_pixels": 0,
    "max_pixels": 0,
    "image_side": 0.0,
    "compile": False,
    "keep_best": False,
    "probe": "",
    "thinking": thinking.CHOICES[0],
}
_PAPER = {
    "beta": 0.1, "lr": 5e-5, "epochs": 3.0, "rank": 128, "alpha": 256, "step": 64, "loss": "sigmoid", "sft": 0.0,
}  # fmt: skip
# Published settings. If a paper does not name one, it is S2H-DPO's.
RECIPES = {
    # S2H-DPO (arXiv 2604.18512): all levels in the file's order; or level 1, then 2, then 3, each with its own schedule
    "s2h-flat": {**_PAPER, "stages": "off"},
    "s2h-curriculum": {**_PAPER, "stages": "level", "schedule_per_stage": True},
    # MIA-DPO (arXiv 2410.17637): level 1 only, rows of at most 4096 tokens
    "mia-dpo": {**_PAPER, "stages": "off", "window": 4096},
    # CcDPO (arXiv 2505.22396), stage by stage: captions of the sequence, then of details, then of regions
    "ccdpo": {**_PAPER, "stages": "record", "schedule_per_stage": True},
    # MPO (arXiv 2411.10442): preference, quality and generation losses in one pass
    "mpo": {
        **_PAPER,
        "stages": "off",
        "loss": "sigmoid=0.8,bco_pair=0.2,sft=1",
        "lr": 5e-6,
        "epochs": 1.0,
        "step": 256,
    },
}


def fill(given: dict[str, Any], *, processes: int = 1) -> Arguments:
    """Make Arguments from the options of the command line, the recipe and the model's preset. given: by the names of
    `Arguments`, and `step`, the pairs of an optimizer step over all processes, from which grad_accum follows."""
    preset = names.preset(given["model"])
    pixels = image_size.wanted(given["model"], Pixels(given.get("min_pixels", 0), given.get("max_pixels", 0)))
    known = {
        "rank": preset.rank,
        "alpha": preset.alpha,
        "batch_size": preset.batch_size,
        "step": preset.step,
        "targets": preset.targets,
        "dtype": preset.dtype,
        "window": preset.window,
        "min_pixels": pixels.least,
        "max_pixels": pixels.most,
        "thinking": thinking.wanted(given["model"]),
    }
    recipe = RECIPES[given["recipe"]] if given.get("recipe") else {}
    values = {**known, **recipe, **given}
    if "rank" in given and "alpha" not in given:
        values["alpha"] = 2 * given["rank"]
    if os.path.isdir(values["model"]):  # cards and adapters name the folder, and are read from other folders
        values["model"] = os.path.abspath(values["model"])
    if "probe" in values:
        values["probe"] = _probe_file(values["probe"])
    step = values.pop("step")
    if "grad_accum" not in given:
        values["grad_accum"] = max(1, -(-step // (values["batch_size"] * processes)))
    return Arguments(**values)


def _probe_file(named: str) -> str:
    """Return the full path of the file that --probe names; "" and PROBE_OFF unchanged. Raises RecordError if there is
    none."""
    if named in ("", PROBE_OFF):
        return named
    from s2h.streams import jsonl

    try:
        return os.path.abspath(jsonl.find(named))
    except RecordError as error:
        error.where = "--probe"
        raise


class Contradiction(RecordError, WrongUsage):
    """Arguments that exclude each other. The command ends with status 2."""


def check(arguments: Arguments) -> None:
    """Raise Contradiction if arguments exclude each other."""
    if arguments.full and arguments.quantize:
        raise Contradiction(
            "--full and --quantize exclude each other", remedy="train 4-bit weights through LoRA"
        )
    if arguments.stages == "off" and arguments.schedule_per_stage:
        raise Contradiction("--schedule-per-stage needs stages", remedy="--stages record or level")
    if arguments.sft and "sft" in read_losses(arguments.loss):
        raise Contradiction("--sft and --loss sft=W are the same weight", remedy="give one of them")


def again(earlier: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a resumed run: those of its args.json, overridden by those of the command line. Raises
    RecordError if args.json holds something that a run does not write."""
    import msgspec

    known = {field.name for field in fields(Arguments)}
    before = {**ADDED, **{key: value for key, value in earlier.items() if key in known}}
    try:
        read_losses(msgspec.convert({"model": "", **before}, Arguments).loss)
        if before.get("recipe") and before["recipe"] not in RECIPES:
            raise ValueError(f"recipe: there is no {before['recipe']!r}")
    except ValueError as error:  # msgspec's are
        raise RecordError(f"args.json was changed: {error}", remedy="another -o starts a new run") from None
    recipe = RECIPES[given["recipe"]] if given.get("recipe") else {}
    values = {**before, **recipe, **given}
    if "step" in values and "grad_accum" not in given:
        del values["grad_accum"]
    return values
