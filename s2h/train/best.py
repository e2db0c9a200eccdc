"""The best weights of a run: those with the highest accuracy on the held-out pairs, and of equal ones the lowest loss. They
are written when they are found, so that a resumed run still has them.

    RUN/best/weights.safetensors best.json
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2h import accel
from s2h.train import sharding
from s2h.train.folder import RunError, read_object, write_json

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

BEST = "best"
WEIGHTS, MEASURED = "weights.safetensors", "best.json"
_REMEDY = "remove the folder best: --resume measures the last weights again"


def consider(trainer: PairTrainer, folder: Path, accuracy: float, loss: float) -> None:
    """Keep the current weights if they are better than the kept ones. Every process calls it with the same numbers, since
    each may hold a part of the weights."""
    place = folder / BEST
    better = accel.share(_is_better(place, accuracy, loss))
    if not better:
        return
    state = state_of(trainer)
    if accel.is_main():
        from safetensors.torch import save_file

        place.mkdir(exist_ok=True)
        save_file({name: weight.contiguous() for name, weight in state.items()}, place / f"{WEIGHTS}.part")
        os.replace(place / f"{WEIGHTS}.part", place / WEIGHTS)
        found = {"step": trainer.state.global_step, "eval_accuracy": accuracy, "eval_loss": loss}
        write_json(place / MEASURED, found)
    accel.wait()


def _is_better(place: Path, accuracy: float, loss: float) -> bool:
    if not (place / MEASURED).is_file():
        return True
    kept = measured(place.parent)
    return (accuracy, -loss) > (kept["eval_accuracy"], -kept["eval_loss"])


def state_of(trainer: PairTrainer) -> dict[str, Any]:
    """Return the trained weights by name, or of a whole model (--full) all weights; on the first process all of them. Of
    names that share a tensor, such as tied embeddings, the first one stands for all."""
    trained = {name for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    is_adapter = hasattr(trainer.model, "peft_config")
    state, seen = {}, set()
    for name, weight in sharding.whole_state(trainer).items():
        if (name in trained or not is_adapter) and weight.data_ptr() not in seen:
            seen.add(weight.data_ptr())
            state[name] = weight
    return state


def measured(folder: Path) -> dict[str, Any]:
    """Return step, eval_accuracy and eval_loss of a run's best weights. Raises RunError if the file was changed."""
    place = folder / BEST / MEASURED
    found = read_object(place, _REMEDY)
    if not all(isinstance(found.get(name), int | float) for name in ("step", "eval_accuracy", "eval_loss")):
        raise RunError(f"{place} was changed", remedy=_REMEDY)
    return found


def read(folder: Path) -> dict[str, Any]:
    """Return a run's best weights by name. Raises RunError if they can't be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / BEST / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder / BEST / WEIGHTS} can't be read: {error}", remedy=_REMEDY) from error
