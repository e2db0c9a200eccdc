"""Measure time, memory and exactness of a training step, with models in memory."""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import train_speed as speed
from torch.nn.attention import SDPBackend, sdpa_kernel

from s2h.models import prefix_sharing
from s2h.train import agreement
from s2h.train.compiled import compile_layers
from tests.support.controls import CONTROLS

CUDA = torch.cuda.is_available()
OURS = ("stock", "varlen", "mask", "split")
WAYS = ("trl", *OURS, "kernels", "compiled")
LABELS = ("plain", "checkpointing")
BACKENDS = {
    "flash": [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
    "cudnn": [SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
    "efficient": [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
}
GIB = 2**30
Make = Callable[[], tuple[Any, Any]]  # of a model and its processor


def tried(work: Callable[[], Any]) -> Any:
    """Return the result of `work`, or {"failed": error} if it fails, and free its memory."""
    try:
        return work()
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    finally:
        gc.collect()
        if CUDA:
            torch.cuda.empty_cache()


def synchronized() -> float:
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def timed(trainer: Any, batches: list[dict]) -> dict[str, Any]:
    """Return the median seconds of a step, `first` and `again`, its peak of memory (GiB) above the use before it, and that
    use. The first batch warms up."""
    speed.step(trainer, batches[0])
    took: dict[str, list[float]] = {"first": [], "again": []}
    before = peak = 0
    if CUDA:
        torch.cuda.synchronize()
        trainer.model.zero_grad()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    for name in took:
        for batch in batches[1:]:
            began = synchronized()
            speed.step(trainer, batch)
            took[name].append(synchronized() - began)
    found: dict[str, Any] = {name: round(statistics.median(each), 4) for name, each in took.items()}
    if CUDA:
        peak = torch.cuda.max_memory_allocated()
        found |= {"memory_gib": round((peak - before) / GIB, 2), "weights_gib": round(before / GIB, 2)}
    return found


def kernels_of(trainer: Any, batch: dict, most: int = 10) -> dict[str, float]:
    """Return the milliseconds, by name, of the kernels that take most of a step's time on the GPU."""
    if not CUDA:
        return {}
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profile:
        speed.step(trainer, batch)
        torch.cuda.synchronize()
    events = [e for e in profile.key_averages() if e.device_type == torch.autograd.DeviceType.CUDA]
    events.sort(key=lambda e: -e.self_device_time_total)
    whole = sum(e.self_device_time_total for e in events)
    return {"all": round(whole / 1e3, 2)} | {
        e.key[:90]: round(e.self_device_time_total / 1e3, 2) for e in events[:most]
    }


def batches_of(trainer: Any, count: int) -> list[dict]:
    # TRL's trainer too, which has transformers' name for `prepare_batch` only.
    return [trainer._prepare_inputs(speed.batch_of(trainer, row)) for row in range(count)]


def by_trl(make: Make, pairs: list, work: Path, checkpointing: bool) -> dict:
    trainer = speed.trl(make(), pairs, work, checkpointing)
    with contextlib.nullcontext() if CUDA else speed.cuda_head():
        return timed(trainer, batches_of(trainer, len(pairs)))


def prepared(make: Make, pairs: list, work: Path, checkpointing: bool) -> tuple[Any, Any]:
    """Return our trainer, with the reference of its pairs, and the pairs."""
    trainer = speed.ours(make(), pairs, work, checkpointing)
    return trainer, speed.Pairs(work / "data.jsonl")


def by_us(
    make: Make,
    pairs: list,
    work: Path,
    checkpointing: bool,
    ways: Sequence[str],
    kept: Callable[[str, Any], None],
) -> None:
    """Measure our step with each kind of attention in `ways` and pass each result to `kept`; with "kernels", `split` also
    with each kernel preferred; with "compiled", compiled layers with the attention that s2h-train chooses."""
    trainer, rows = prepared(make, pairs, work, checkpointing)

    def one(how: str) -> dict:
        if how == "stock":
            trainer.stop_sharing()
        elif reason := trainer.share_prompts(rows, how):
            return {"refused": reason}
        return timed(trainer, batches_of(trainer, len(pairs)))

    def by_compiled() -> dict:
        if reason := trainer.share_prompts(rows):
            return {"refused": reason}
        began = synchronized()
        if reason := compile_layers(trainer):
            return {"refused": reason}
        found = {"compile": round(synchronized() - began, 1)}
        found |= timed(trainer, batches_of(trainer, len(pairs)))
        torch.compiler.reset()
        return found

    def by(kernels: list) -> dict:
        with sdpa_kernel(kernels, set_priority=True):
            return timed(trainer, batches_of(trainer, len(pairs)))

    for how in OURS:
        if how in ways:
            kept(how, tried(partial(one, how)))
    if CUDA and {"kernels", "split"} <= set(ways) and trainer.data_collator.packed and not checkpointing:
        for name, kernels in BACKENDS.items():
            kept(f"split, {name}", tried(partial(by, kernels)))
        kept("kernels of split", tried(lambda: kernels_of(trainer, batches_of(trainer, 2)[1])))
    if CUDA and "compiled" in ways:
        kept("compiled", tried(by_compiled))


def step(
    make: Make, pairs: list, work: Path, found: dict[str, Any], keep: Callable[[], None],
    ways: Sequence[str] = WAYS, labels: Sequence[str] = LABELS,
) -> None:  # fmt: skip
    """Fill `found` with the results without and with gradient checkpointing, and call `keep` after each. times_trl: TRL's
    median over ours, both for new shapes."""
    for label in labels:
        more, results = label == "checkpointing", found.setdefault(label, {})
        if "trl" in ways:
            results["trl"] = tried(partial(by_trl, make, pairs, work / f"{label}-trl", more))
        base = results.get("trl", {}).get("first")

        def kept(name: str, each: dict, results: dict = results, base: float | None = base) -> None:
            results[name] = each
            if base and "first" in each:
                each["times_trl"] = round(base / each["first"], 2)
            keep()

        if failed := tried(partial(by_us, make, pairs, work / label, more, ways, kept)):
            kept("ours", failed)


@contextlib.contextmanager
def broken(control: str) -> Iterator[None]:
    """Put a deliberate fault in place of the right function during the block."""
    module, attribute, wrong = CONTROLS[control]
    right = getattr(module, attribute)
    setattr(module, attribute, wrong(right))
    try:
        yield
    finally:
        setattr(module, attribute, right)


def exact(make: Make, pairs: list, work: Path, found: dict[str, Any], keep: Callable[[], None]) -> None:
    """Fill `found` with the differences (nat a token) that the check on a run's first pairs measures, also as multiples of
    the effect of rounding: for each kind of attention, and for `split` with each deliberate fault of CONTROLS."""
    trainer, rows = prepared(make, pairs, work, False)
    core, which = trainer.base.base_model, list(range(min(4, len(pairs))))

    def one(how: str) -> dict:
        trainer.stop_sharing()

        def install() -> None:
            trainer.unshare = prefix_sharing.install(core, how)

        said = agreement.measure(trainer, partial(trainer.batch_of, rows), which, install)
        sides = {
            name: [float(f"{x:.3g}") for x in each] for name, each in (("off", said.off), ("on", said.on))
        }
        times = round(max(*said.off, *said.on) / max(said.noise, 1e-12), 2)
        return {
            **sides,
            "noise": float(f"{said.noise:.3g}"),
            "times_noise": times,
            "agrees": said.reason() is None,
        }

    for how in OURS[1:]:
        if how != "varlen" or CUDA:
            found[how] = tried(partial(one, how))
            keep()
    for control in CONTROLS:
        if control != "in-one-line" or hasattr(core, "get_rope_index"):
            with broken(control):
                found[control] = tried(partial(one, "split"))
            keep()
