"""Adapters: find one in a folder, name its base model, check that the base is the one of its training, and merge it."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

from s2h.errors import one_line, plural
from s2h.models import ModelError

# Names in a run folder of s2h-train: the adapter, the merged model, the arguments of the run, and its checkpoints.
ADAPTER, MERGED, ARGUMENTS, CHECKPOINTS = "adapter", "merged", "args.json", "checkpoints"


def find(name: str) -> Path | None:
    """Return the folder of an adapter, from that folder or from its run folder; None for anything else."""
    places = (Path(name) / ADAPTER, Path(name))
    return next((folder for folder in places if (folder / "adapter_config.json").is_file()), None)


def arguments_of(name: str) -> dict[str, Any] | None:
    """Return what the args.json of a run holds, by the folder of the run, of its adapter, its merged model or a checkpoint;
    None for anything else. Raises ModelError for a file that was changed."""
    folder = Path(os.path.abspath(name))
    run = folder.parent if folder.name in (ADAPTER, MERGED) else folder
    run = run.parents[1] if run.parent.name == CHECKPOINTS else run
    path = run / ARGUMENTS
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_text())
    except ValueError as error:
        raise ModelError(f"{path} is no JSON: {one_line(error)}") from error
    return said if isinstance(said, dict) and "model" in said else None


def base_of(folder: Path) -> str:
    """Return the name of the model that an adapter was trained on, from the run's arguments, else from PEFT's
    configuration. Raises ModelError if neither names it."""
    for path, key in (
        (folder.parent / ARGUMENTS, "model"),
        (folder / "adapter_config.json", "base_model_name_or_path"),
    ):
        if path.is_file():
            try:
                base = json.loads(path.read_text())[key]
            except (ValueError, KeyError, TypeError) as error:
                raise ModelError(
                    f"{path}: does not name the base model of the adapter ({one_line(error)})"
                ) from error
            if base:
                return str(base)
    raise ModelError(f"{folder}: does not name the base model of the adapter")


def whole_of(name: str) -> str:
    """Return the folder of the whole model that an adapter on top of an earlier run needs as its base: that run's merged
    model, or the run itself, which `s2h-train -o RUN --merge` completes."""
    folder = Path(os.path.abspath(name))
    merged = (folder.parent if folder.name == ADAPTER else folder) / MERGED
    return str(merged if merged.is_dir() else folder)


def merge(model: Any, folder: Path, name: str, base: str) -> Any:
    """Merge the adapter of a folder into its base model and return the model. name, base: the user's names for the adapter
    and its base. Raises ModelError if the adapter was made for another model."""
    import warnings

    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import SafetensorError, safe_open

    misfit = f"{name}: the adapter does not fit its base {base}"
    arguments = folder.parent / ARGUMENTS
    trained_on = json.loads(arguments.read_text()).get("base") if arguments.is_file() else None
    if trained_on not in (None, sketch(base, model)):
        raise ModelError(f"{misfit}: it was trained on other weights (put those back)")
    weights = folder / "adapter_model.safetensors"
    if not weights.is_file():
        raise ModelError(f"{weights}: no such file (only safetensors are read)")
    try:
        with safe_open(weights, "pt") as file:
            saved = set(file.keys())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing weights are counted below
            adapted = PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, OSError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"{misfit}: {one_line(error)}") from error
    kind = (adapted.peft_config["default"].auto_mapping or {}).get("base_model_class", type(model).__name__)
    if kind != type(model).__name__:
        raise ModelError(f"{misfit}: it was made for {kind}, and this is {type(model).__name__}")
    odd = saved ^ set(get_peft_model_state_dict(adapted))
    if odd:
        raise ModelError(
            f"{misfit}: {len(odd)} of its weights {plural(len(odd), 'has', 'have')} no counterpart, {min(odd)} among them"
        )
    return adapted.merge_and_unload().eval()


def sketch(name: str, model: Any) -> str | None:
    """Return 16 hexadecimal digits that identify a model, whatever its dtype: a hash of the first 64 numbers of each weight,
    rounded to bfloat16. None for weights that are computed on loading: a merged adapter of an earlier run, or 4 bits."""
    import torch

    if (Path(name) / ADAPTER).is_dir() or getattr(model, "is_loaded_in_4bit", False):
        return None
    digest = blake2b(digest_size=8)
    for part, weight in sorted(model.state_dict().items()):
        some = weight.detach().reshape(-1)[:64].to(torch.bfloat16).cpu()
        digest.update(part.encode() + some.view(torch.int16).numpy().tobytes())
    return digest.hexdigest()
