"""Merge the adapter of a finished run into its base: a whole model, safetensors and processor, for `from_pretrained`, for
serving, and for s2h-eval.

    s2h-train -o run --merge && s2h-eval --model run/merged
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from s2h import accel
from s2h.models import adapter, vlm
from s2h.streams import files
from s2h.train.arguments import Arguments


def write(folder: Path, arguments: Arguments) -> Path:
    """Write RUN/merged, whole or not at all, and return its path. The weights have the precision of training, or of the base
    if that was quantized. Raises ModelError if the model can't be loaded, or if its base is no longer that of the run."""
    loaded = vlm.load(str(folder), device="cpu", dtype=accel.dtype(arguments.dtype))
    place = folder / adapter.MERGED
    for leftover in folder.glob(".merged-????????"):  # of a killed run
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".merged-", dir=folder, ignore_cleanup_errors=True) as beside:
        new = Path(beside) / adapter.MERGED
        loaded.model.save_pretrained(str(new))
        loaded.processor.save_pretrained(str(new))
        files.share(new)
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
    return place
