"""The weights that a run trains: LoRA on the language model (QLoRA on 4-bit weights), or the whole language model. The
vision tower stays frozen. `read` loads a model for training, `save` writes the trained weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2h import accel, upstream
from s2h.models import ModelError, adapter, image_size, names, vlm
from s2h.streams import files
from s2h.train import sharding
from s2h.train.arguments import Arguments

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer


class TargetsError(ModelError):
    """--lora-targets matches nothing."""


LANGUAGE = re.compile(rf"(^|\.)({names.LANGUAGE}|lm_head)(\.|$)")
SHOWN = 12  # names of modules in an error
# transformers matches these with a module's full name: they match all but the language model's, and its output layer.
UNQUANTIZED = (rf"(?!(?:.*\.)?(?:{names.LANGUAGE})\.).*", "lm_head")


def read(arguments: Arguments) -> vlm.VLM:
    """Read the model to train, from a name, a folder or an earlier run, whose adapter is merged into its base. Only trained
    weights require gradients. Those of a process that `sharding.gets_weights` are on the meta device. Raises ModelError."""
    name, pixels = arguments.model, arguments.pixels
    if adapter.find(name) is not None:
        loaded = vlm.load(
            name, device="cpu", dtype=_dtype(arguments), pixels=pixels, thinking=arguments.thinking
        )
        upstream.name_model(loaded.model, loaded.processor, adapter.whole_of(name))
    else:
        quantization = _four_bits() if arguments.quantize else None
        model, processor = vlm.read(
            name, _dtype(arguments), quantization, arguments.thinking, sharding.gets_weights()
        )
        shown = image_size.bound(processor, model.config, pixels, name)
        loaded = vlm.VLM(model, processor, name, pixels, shown)
    if not arguments.full:
        _check_targets(loaded.model, arguments)
    for part, parameter in loaded.model.named_parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(arguments.full and bool(LANGUAGE.search(part)))
    return loaded


def _check_targets(model: Any, arguments: Arguments) -> None:
    """Raise ModelError if LoRA adapts no module of the model."""
    name = arguments.model
    if adapted(model, arguments):
        return
    some = _linear(model)
    more = f" and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
    remedy = (
        "give a regular expression for whole names, such as .*language_model.*q_proj; linear modules: "
        f"{', '.join(some[:SHOWN])}{more}, where N is the number of a layer"
    )
    if arguments.targets == names.LORA_TARGETS:
        raise ModelError(
            f"model {name!r} has no modules with the names that LoRA adapts by default, such as language_model.….q_proj "
            f"(--lora-targets: {remedy})"
        )
    raise TargetsError(f"--lora-targets {arguments.targets!r} matches no module of model {name!r} ({remedy})")


def _linear(model: Any) -> list[str]:
    """Return the names of the linear modules, the only kind that s2h adapts with LoRA: those of the language model first,
    and one name for all layers."""
    import torch

    found = [module for module, part in model.named_modules() if isinstance(part, torch.nn.Linear)]
    found.sort(key=lambda module: not LANGUAGE.search(module))
    return list(dict.fromkeys(re.sub(r"\.\d+(?=\.|$)", ".N", module) for module in found))


def adapted(model: Any, arguments: Arguments) -> list[str]:
    """Return the names of the modules that LoRA adapts."""
    return [module for module, _ in model.named_modules() if re.fullmatch(arguments.targets, module)]


def in_vision(model: Any, arguments: Arguments) -> int:
    """Return the number of modules outside the language model that LoRA adapts."""
    if arguments.full:
        return 0
    return sum(not LANGUAGE.search(module) for module in adapted(model, arguments))


def of_experts(model: Any, arguments: Arguments) -> list[str]:
    """Return what a user should know about the training of a mixture of experts; nothing for other models."""
    kind, found = model.config.model_type, []
    if not arguments.full and any(
        LANGUAGE.search(name) and name.endswith(".experts") for name, _ in model.named_modules()
    ):
        found.append(
            f"LoRA adapts no experts of {kind}, whose weights are no linear modules (--full trains them)"
        )
    if lacks_router_loss(model):
        found.append(f"the router's auxiliary loss is left out: TRL can't compute it for {kind}")
    return found


def lacks_router_loss(model: Any) -> bool:
    """Return whether TRL would fail on the auxiliary loss of a mixture of experts: it reads the number of experts from a
    field that GLM-4.5V's configuration does not have."""
    text = model.config.get_text_config()
    return hasattr(text, "output_router_logits") and not hasattr(text, "num_experts")


def _dtype(arguments: Arguments) -> Any:
    # bfloat16 loses a step of 1e-6 of a weight, so weights that are trained themselves are kept in float32.
    return accel.dtype("float32" if arguments.full and arguments.dtype == "auto" else arguments.dtype)


def _four_bits() -> Any:
    """Return the quantization of QLoRA (Dettmers et al. 2023, arXiv 2305.14314, section 3): NF4 with quantized constants,
    for the language model only."""
    import importlib.util

    import torch

    if not torch.cuda.is_available():
        raise ModelError("--quantize 4bit needs an NVIDIA GPU, and this machine has none (leave it out)")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError("--quantize 4bit needs the package bitsandbytes (pip install bitsandbytes)")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=list(UNQUANTIZED),
    )


def lora(arguments: Arguments) -> Any:
    """Return PEFT's configuration of the adapter."""
    from peft import LoraConfig

    return LoraConfig(
        r=arguments.rank,
        lora_alpha=arguments.alpha,
        lora_dropout=0.0,
        target_modules=arguments.targets,
        task_type="CAUSAL_LM",
    )


def list_targets(model: Any, modules: list[str]) -> None:
    """Write the modules that an adapter adapts into its configuration by their names, in place of the pattern that found
    them: SGLang refuses a pattern, and another model could have more modules that match it."""
    for config in model.peft_config.values():
        config.target_modules = sorted(modules)


def exclude_vision_from_checkpointing(trainer: PairTrainer) -> None:
    """Keep the frozen vision tower out of gradient checkpointing (`upstream.keep_from_checkpointing`)."""
    if trainer.args.gradient_checkpointing:
        base = trainer.base
        vision = [module for name, module in base.named_modules() if name and not LANGUAGE.search(name)]
        upstream.keep_from_checkpointing(base, vision)


def save(trainer: PairTrainer, folder: Path, full: bool, state: dict[str, Any] | None = None) -> None:
    """Write the adapter, or with `full` the whole model, and the processor. Every process must call this, since each may
    hold a part of the weights. state: weights by name, in place of the trainer's."""
    if state is None and trainer.is_sharded:
        state = sharding.whole_state(trainer)
    if accel.is_main():
        place = folder / (adapter.MERGED if full else adapter.ADAPTER)
        model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        model.save_pretrained(str(place), state_dict=state)
        for beside in (folder / "processor", place):
            trainer.processing_class.save_pretrained(str(beside))
        files.share(place)


def silence_libraries() -> None:
    """Switch off the log lines and warnings of libraries: a run reports what matters."""
    import logging
    import warnings

    for name in ("transformers", "trl", "accelerate", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
