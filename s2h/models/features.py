"""Features of images from a frozen vision tower. They are kept from the check on the first pairs, the reference pass and the
first epoch, so that each image is encoded once.

Each row is encoded by itself, whether its features are kept or not. So the numbers do not depend on the rest of the batch,
and a run that is resumed after a kill has the numbers of an unbroken one.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any


def room(gib: float | None = None) -> int:
    """Return the number of bytes that this process may keep: its share, among the machine's processes, of `gib` GiB, or by
    default of a quarter of the memory that is free and that its control group allows."""
    import psutil

    bytes_ = min(psutil.virtual_memory().available, _allowed()) / 4 if gib is None else gib * 2**30
    return int(bytes_ / int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _allowed() -> float:
    """Return the bytes that the control groups of a container or a job leave to this process; infinite if they have no
    limit."""
    with contextlib.suppress(OSError):
        name = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        place, left = Path("/sys/fs/cgroup") / name, math.inf
        for group in (place, *place.parents[: len(Path(name).parts)]):
            with contextlib.suppress(OSError, ValueError):
                most = int((group / "memory.max").read_text())  # "max", if there is no limit, is a ValueError
                left = min(left, most - int((group / "memory.current").read_text()))
        return max(0, left)
    return math.inf


@dataclass
class Features:
    """The features of one row's images. kind: class of the model's output. images: a tensor [tokens, width] each. layers:
    such a list for each layer of deepstack. stacked: whether the model has them as one tensor [images, tokens, width]."""

    kind: type
    images: list[Any]
    layers: list[list[Any]]
    stacked: bool

    @classmethod
    def of(cls, out: Any) -> Features:
        layers = getattr(out, "deepstack_features", None) or []
        images, stacked = list(out.pooler_output), not isinstance(out.pooler_output, list | tuple)
        return cls(type(out), images, [list(layer) for layer in layers], stacked)

    def to(self, device: Any) -> Features:
        def moved(tensors: list) -> list:
            return [one.to(device, non_blocking=device.type != "cpu") for one in tensors]

        layers = [moved(layer) for layer in self.layers]
        return Features(self.kind, moved(self.images), layers, self.stacked)

    def size(self) -> int:
        return sum(one.numel() * one.element_size() for part in (self.images, *self.layers) for one in part)


@dataclass
class Store:
    """Features by row, in the memory of the machine (not of the device). The first ones stay: every epoch has the same
    order, so evicting the least recently used would evict the next one."""

    limit: int  # bytes
    held: int = 0
    kept: dict[str, Features] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)  # rows for which there was no space

    def get(self, key: str, device: Any, encode: Callable[[], Any]) -> Features:
        """Return the features of a row on a device, from memory or from `encode`."""
        import torch

        if key in self.kept:
            return self.kept[key].to(device)
        found = Features.of(encode())
        size = found.size()
        if self.held + size <= self.limit:
            self.held += size
            self.kept[key] = found.to(torch.device("cpu"))
        else:
            self.missed.add(key)
        return found


def of_rows(
    rows: list[tuple[str, int]], store: Store, encode: Callable, pixels: Any, *args: Any, **more: Any
) -> Any:
    """Return the output of `encode` (a model's get_image_features) for the images of a batch, computed a row at a time.

    rows: key and number of images of each row. pixels: [images, …], or [patches, width] with the images' grids [images, 3]
    as the first of args. A row gets its images' part of every other tensor that has a line for each image, and its
    own line of one that has a line for each row. Where images were cut into several (Gemma 3's pan and scan), the whole
    batch is computed, and nothing is kept.
    """
    import torch

    total = sum(count for _, count in rows)
    if pixels.dim() > 2 and len(pixels) != total:
        return encode(pixels, *args, **more)
    patches = args[0].prod(-1).tolist() if pixels.dim() == 2 else [1] * total
    ends = [0, *torch.tensor(patches).cumsum(0).tolist()]

    def encoded(row: int, mine: slice) -> Any:
        def part(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            return value[mine] if len(value) == total else value[row : row + 1]

        named = {name: part(value) for name, value in more.items()}
        return encode(pixels[ends[mine.start] : ends[mine.stop]], *map(part, args), **named)

    found, first = [], 0
    for row, (key, count) in enumerate(rows):
        if count:
            mine = slice(first, first + count)
            found.append(store.get(key, pixels.device, partial(encoded, row, mine)))
        first += count
    images: Any = [image for one in found for image in one.images]
    out = found[0].kind(pooler_output=torch.stack(images) if found[0].stacked else images)
    if found[0].layers:
        layers = zip(*(one.layers for one in found), strict=True)
        out.deepstack_features = [[image for part in layer for image in part] for layer in layers]
    return out
