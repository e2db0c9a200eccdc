"""What of a model is trained and how: LoRA on the language model (on weights of 4 bits: QLoRA), or all of the language
model; the vision tower stays as it is and costs nothing that a frozen part need not cost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from s2h import accel
from s2h.models import ModelError, adapter, names, vlm
from s2h.streams import files
from s2h.train.arguments import Arguments


class TargetsError(ModelError):
    """--lora-targets matches nothing."""


LANGUAGE = re.compile(r"(^|\.)(language_model|lm_head)(\.|$)")
UNQUANTIZED = ("lm_head", "vision_tower", "visual", "vision_model", "multi_modal_projector")


def read(arguments: Arguments) -> tuple[Any, Any]:
    """Model and processor to train, from a name, a folder or an earlier run; only what is trained asks for gradients.
    Raises ModelError."""
    name = arguments.model
    if adapter.find(name) is not None:
        loaded = vlm.load(
            name, device="cpu", dtype=_dtype(arguments)
        )  # another run's adapter, merged into its base
        model, processor = loaded.model, loaded.processor
    else:
        quantization = _four_bits() if arguments.quantize else None
        model, processor = vlm.read(name, _dtype(arguments), quantization)
    if not arguments.full and not adapted(model, arguments):
        if arguments.targets == names.LORA_TARGETS:
            raise ModelError(
                f"model {name!r} has no language model with q_proj … down_proj that LoRA could adapt (--lora-targets names "
                "its modules)"
            )
        some = ", ".join(dict.fromkeys(module.rpartition(".")[2] for module in _linear(model)))
        raise TargetsError(
            f"--lora-targets {arguments.targets!r} matches no module of model {name!r} (give a regular expression for whole "
            f"names, such as .*language_model.*q_proj; the linear modules' names end in {some})"
        )
    for part, parameter in model.named_parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(arguments.full and bool(LANGUAGE.search(part)))
    return model, processor


def _linear(model: Any) -> list[str]:
    """The names of the linear modules, the only ones that LoRA is put on here."""
    import torch

    return [module for module, part in model.named_modules() if isinstance(part, torch.nn.Linear)]


def adapted(model: Any, arguments: Arguments) -> list[str]:
    """The names of the modules that LoRA adapts."""
    return [module for module, _ in model.named_modules() if re.fullmatch(arguments.targets, module)]


def in_vision(model: Any, arguments: Arguments) -> int:
    """How many of the modules that LoRA adapts lie outside of the language model."""
    if arguments.full:
        return 0
    return sum(not LANGUAGE.search(module) for module in adapted(model, arguments))


def _dtype(arguments: Arguments) -> Any:
    # bfloat16 holds no step of 1e-6 of a weight: what is trained as a whole keeps its digits, and computes in bfloat16.
    return accel.dtype("float32" if arguments.full and arguments.dtype == "auto" else arguments.dtype)


def _four_bits() -> Any:
    """QLoRA's quantization (Dettmers et al. 2023): NF4 with quantized constants, the language model only."""
    import importlib.util

    import torch

    if not torch.cuda.is_available():
        raise ModelError("--quantize 4bit needs an NVIDIA GPU, and there is none here (leave it out)")
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


def lora(model: Any, arguments: Arguments) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=arguments.rank,
        lora_alpha=arguments.alpha,
        lora_dropout=0.0,
        target_modules=arguments.targets,
        task_type="CAUSAL_LM",
    )


def shown(dataset: Any, full: bool) -> Any:
    """The dataset as TRL may see it: without images for a full fine-tuning, since for vision data TRL refuses to go without
    a second model as the reference, whose log-probabilities are measured before training here."""
    if not full:
        return dataset
    from datasets import Dataset

    return Dataset.from_dict({"row": dataset.with_format(None)["row"]})


def spare_vision(trainer: Any) -> None:
    """Gradient checkpointing makes every embedding's output ask for gradients, the frozen vision tower's as well, whose
    layers would then be computed again and run backward for nothing. Here only the language model's are, however often a
    library switches it on."""
    if not trainer.args.gradient_checkpointing:
        return
    base = trainer.base
    vision = [module for name, module in base.named_modules() if name and not LANGUAGE.search(name)]
    switch_on = base.gradient_checkpointing_enable

    def enable(*args: Any, **kwargs: Any) -> None:
        switch_on(*args, **kwargs)
        for module in vision:
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = False
            for key, hook in list(module._forward_hooks.items()):
                if hook.__name__ == "make_inputs_require_grads":
                    del module._forward_hooks[key]

    base.gradient_checkpointing_enable = enable


def save(trainer: Any, folder: Path, full: bool) -> None:
    """Write the adapter and the processor, or the whole model where all of it was trained. Every process takes part, as each
    may hold a part of the weights."""
    parted = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) if parted else None
    if accel.is_main():
        place = folder / (adapter.MERGED if full else adapter.ADAPTER)
        model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        model.save_pretrained(str(place), state_dict=state)
        trainer.processing_class.save_pretrained(str(folder / "processor"))
        if full:
            trainer.processing_class.save_pretrained(str(place))
        files.share(place)


def hush() -> None:
    """Without the notices of libraries to each other: what matters in them is said in one line."""
    import logging
    import warnings

    for name in ("transformers", "trl", "accelerate", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
