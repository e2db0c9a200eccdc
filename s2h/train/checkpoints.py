"""The checkpoints of a run: find the complete ones, and report why one can't be written or read.

whole(folder)                              # newest first
with reading(checkpoint, "optimizer.pt"):
    ...                                    # an error in here names the damaged file and the remedy
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2h import accel
from s2h.errors import one_line
from s2h.train.folder import RunError
from s2h.upstream import RANDOM_STATES, STATE_FILE


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def whole(folder: Path) -> list[Path]:
    """Return the checkpoints of a run folder that were written to their end, newest first. The trainer's state is written
    last, and each process keeps the state of its own random numbers."""
    from transformers import TrainerState

    processes = accel.state().num_processes
    found = []
    named = [
        one for one in folder.glob("checkpoints/checkpoint-*") if re.fullmatch(r"checkpoint-\d+", one.name)
    ]
    for checkpoint in sorted(named, key=step_of, reverse=True):
        try:
            state = TrainerState.load_from_json(str(checkpoint / STATE_FILE))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        states = len(list(checkpoint.glob(RANDOM_STATES)))
        if state.global_step == step_of(checkpoint) and states == processes:
            found.append(checkpoint)
    return found


@contextmanager
def writing(checkpoint: Path) -> Iterator[None]:
    """Turn an error of the block, which writes a checkpoint, into a RunError with the reason and the remedy, and
    remove the incomplete checkpoint: the next try needs its space."""
    try:
        yield
    except Exception as error:  # the libraries have no error in common
        if accel.is_main():
            shutil.rmtree(checkpoint, ignore_errors=True)
        before = whole(checkpoint.parents[1])
        reason = _disk_error(error) or one_line(error)
        raise RunError(
            f"{checkpoint} can't be written: {reason}", remedy=(
                f"make room; {before[0].name} is whole, and --resume continues from it" if before
                else "make room; --resume then starts from the beginning, as there is no checkpoint before it"
            ),
        ) from error  # fmt: skip


@contextmanager
def reading(checkpoint: str | None, *names: str) -> Iterator[None]:
    """Turn an error of the block, which reads files with these names or patterns from a checkpoint, into a RunError that
    names the damaged one. torch reads only tensors and numbers (`weights_only`), so code in a pickle does not run."""
    try:
        yield
    except Exception as error:  # a damaged file raises many kinds of error in torch and transformers
        if checkpoint is None or isinstance(error, MemoryError) or "out of memory" in str(error):
            raise
        path, pickled = _culprit(Path(checkpoint), names)
        reason = (
            "holds a pickle that asks to run code; it was refused, and no code was run"
            if pickled or _is_refused(error)
            else f"can't be read: {one_line(error)}"
        )
        others = any(one.name != Path(checkpoint).name for one in whole(Path(checkpoint).parents[1]))
        then = "continues from the checkpoint before it" if others else "then starts from the beginning"
        raise RunError(f"{path} {reason}", remedy=f"remove {checkpoint}: --resume {then}") from error


def _is_refused(error: Exception) -> bool:
    """Return whether torch refused a pickle. The error's class is in a module that s2h does not import."""
    return type(error).__name__ == "UnpicklingError"


def _culprit(checkpoint: Path, names: tuple[str, ...]) -> tuple[Path, bool]:
    """Return the first of the files that torch refuses and whether it is a pickle, else the first file that exists."""
    import torch

    found = [path for name in names for path in sorted(checkpoint.glob(name))]
    for path in found:
        if path.suffix != ".safetensors":
            try:
                torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:
                refused = _is_refused(error)
                if refused and path.name.startswith("rng_state") and len(found) > 1:
                    continue  # NumPy's states are refused here too
                return path, refused
    return (found[0] if found else checkpoint), False


def _disk_error(error: BaseException | None) -> str:
    """Return the operating system's reason, from the error or from one that it wraps; "" for any other error. torch hides
    the reason."""
    while error is not None:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if getattr(error, "errno", None) == number or f"os error {number}" in str(error):
                return os.strerror(number)
        if "inline_container" in str(error) or "PytorchStreamWriter" in str(error):
            return "the disk did not take the whole file"
        error = error.__cause__ or error.__context__
    return ""
