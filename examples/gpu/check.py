"""What s2h does on this machine's GPU, beside TRL: time and memory of a step, whether its numbers are right in bfloat16, and
what each command takes. Models have random weights of real shapes, so that nothing is downloaded.

    python examples/gpu/check.py                                   # all parts and models: about 10 minutes on an H100
    python examples/gpu/check.py --model llava-1.5-7b --part step
    python examples/gpu/check.py --tiny                            # tiny models, on a CPU too: whether it runs

    step      forward, loss and backward of a pair with 4 images of 576 tokens and answers of about 27, by TRL's trainer
              (with its reference pass) and by ours (which was told it): every pair has another length. `first` is the median
              over pairs that were never seen, `again` over the same pairs once more, when kernels know their shapes
    exact     packed rows against the stock step, nat a token, beside what rounding makes; and whether wrong masks and
              positions are caught
    commands  s2h-gen, s2h-filter, s2h-train, s2h-eval as a user runs them: seconds, peak of the GPU's memory, and what
              --plan had said

A failure is part of the result: what ran out of memory says so in its place.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import models
import torch
import train_speed as speed
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoProcessor

from s2h.train import agreement, shared
from s2h.train.tune import hush
from tests.support.controls import CONTROLS

ROOT = Path(__file__).resolve().parents[2]
CUDA = torch.cuda.is_available()
PARTS = ("exact", "step", "commands")
OURS = ("stock", "split", "mask", "varlen")
BACKENDS = {
    "flash": [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
    "cudnn": [SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
    "efficient": [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
}
GIB = 2**30


def machine() -> dict[str, Any]:
    from importlib.metadata import version

    found = {name: version(name) for name in ("torch", "transformers", "trl", "peft", "accelerate")}
    found |= {"python": platform.python_version(), "cores": os.cpu_count()}
    if CUDA:
        card = torch.cuda.get_device_properties(0)
        found |= {
            "card": card.name,
            "memory_gib": round(card.total_memory / GIB, 1),
            "cuda": torch.version.cuda,
        }
    return found


def tried(work: Callable[[], Any]) -> Any:
    """What it returns, or in its place what went wrong; the memory that it held is free afterwards."""
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
    """Medians (seconds) and the peak of memory (GiB) above what stands before a step. The first batch warms up."""
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
    """The kernels that take most of a step's time on the GPU: milliseconds by name."""
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
    return [trainer._prepare_inputs(speed.batch_of(trainer, row)) for row in range(count)]


def by_trl(model: Path, pairs: list, work: Path, checkpointing: bool) -> dict:
    trainer = speed.trl(model, pairs, work, checkpointing)
    trainer.model.to(trainer.accelerator.device)
    with contextlib.nullcontext() if CUDA else speed.cuda_head():
        return timed(trainer, batches_of(trainer, len(pairs)))


def by_us(model: Path, pairs: list, work: Path, checkpointing: bool, found: dict[str, Any]) -> None:
    """Ours in each way, into `found`; `split` also with one kernel of attention before the others."""
    trainer = speed.ours(model, pairs, work, checkpointing)
    rows = speed.Pairs(work / "data.jsonl")
    trainer.add_reference(rows)
    trainer.train_dataset = rows.dataset()

    def one(how: str, kernels: list | None = None) -> dict:
        if how == "stock":
            trainer.unshare()
            trainer.unshare, trainer.data_collator.packed = (lambda: None), False
        elif reason := trainer.share_prompts(rows, how):
            return {"refused": reason}
        with sdpa_kernel(kernels, set_priority=True) if kernels else contextlib.nullcontext():
            batches = batches_of(trainer, len(pairs))
            return {
                **timed(trainer, batches),
                **({"kernels": kernels_of(trainer, batches[1])} if how == "split" else {}),
            }

    for how in OURS:
        found[how] = tried(partial(one, how))
    if CUDA and not checkpointing:
        for name, kernels in BACKENDS.items():
            found[f"split, {name}"] = tried(partial(one, "split", kernels))


def step(model: Path, pairs: list, work: Path, found: dict[str, Any], keep: Callable[[], None]) -> None:
    """Fill `found` by plain and checkpointing, and keep what there is as it comes."""
    for label in ("plain", "checkpointing"):
        more = label == "checkpointing"
        ways = found[label] = {"trl": tried(partial(by_trl, model, pairs, work / f"{label}-trl", more))}
        keep()
        if failed := tried(partial(by_us, model, pairs, work / label, more, ways)):
            ways["ours"] = failed
        base = ways["trl"].get("first")
        for name, each in ways.items():
            if base and name != "trl" and "first" in each:
                each["times_trl"] = round(base / each["first"], 2)
        keep()


@contextlib.contextmanager
def broken(control: str) -> Iterator[None]:
    module, attribute, wrong = CONTROLS[control]
    right = getattr(module, attribute)
    setattr(module, attribute, wrong(right))
    try:
        yield
    finally:
        setattr(module, attribute, right)


def exact(model: Path, pairs: list, work: Path) -> dict[str, Any]:
    """nat a token, by way of attention: as the check on a run's first pairs measures it, with a multiple of the noise; and
    by control, the multiple of the noise that it makes."""
    trainer = speed.ours(model, pairs, work, False)
    rows = speed.Pairs(work / "data.jsonl")
    which = list(range(min(4, len(pairs))))
    found: dict[str, Any] = {}

    def one(how: str) -> dict:
        trainer.unshare()
        base = trainer.accelerator.unwrap_model(trainer.model).get_base_model()

        def install() -> None:
            trainer.unshare = shared.install(base.base_model, how)

        said = agreement.measure(trainer, partial(trainer._batch_of, rows), which, install)
        told = {
            "off": [f"{x:.3g}" for x in said.off],
            "on": [f"{x:.3g}" for x in said.on],
            "noise": f"{said.noise:.3g}",
        }
        return {
            **told,
            "times_noise": round(max(*said.off, *said.on) / said.noise, 2),
            "agrees": said.reason() is None,
        }

    for how in OURS[1:]:
        if how != "varlen" or CUDA:
            found[how] = tried(partial(one, how))
    for control in CONTROLS:
        if control == "in-one-line" and not hasattr(
            trainer.model.get_base_model().base_model, "get_rope_index"
        ):
            continue
        with broken(control):
            found[control] = tried(partial(one, "split"))
    return found


class Watched:
    """The most of the GPU's memory (GiB) that was in use while a command ran, above what was before."""

    def __init__(self) -> None:
        self.most, self.over = 0.0, threading.Event()

    def _used(self) -> float:
        free, whole = torch.cuda.mem_get_info()
        return (whole - free) / GIB

    def __enter__(self) -> Watched:
        if CUDA:
            self.before = self._used()
            self.thread = threading.Thread(target=self._look)
            self.thread.start()
        return self

    def _look(self) -> None:
        while not self.over.wait(0.1):
            self.most = max(self.most, self._used() - self.before)

    def __exit__(self, *_: object) -> None:
        self.over.set()
        if CUDA:
            self.thread.join()


def ran(work: Path, command: str, timeout: float) -> dict[str, Any]:
    """A command as a user runs it, in the folder `work`."""
    name, *rest = shlex.split(command)
    program = [sys.executable, str(ROOT / "bin" / name), *rest]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    began = time.perf_counter()
    with Watched() as watched:
        try:
            done = subprocess.run(
                program, cwd=work, env=environment, text=True, capture_output=True, timeout=timeout
            )
            status, said, out = done.returncode, done.stderr, done.stdout
        except subprocess.TimeoutExpired as error:
            status, said, out = "stopped", (error.stderr or b"").decode(errors="replace"), ""
    found: dict[str, Any] = {
        "command": command, "status": status, "seconds": round(time.perf_counter() - began, 1),
        "said": [line[-400:] for line in said.strip().splitlines()[-6:]],
    }  # fmt: skip
    if CUDA:
        found["peak_gib"] = round(watched.most, 2)
    if "--plan" in command and status == 0:
        found["plan"] = json.loads(out)
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def commands(model: Path, work: Path, tiny: bool) -> list[str]:
    """The whole road over the model. Pairs are level 2's, whose pictures the built-in world draws."""
    count = 8 if tiny else 160
    clip = "mini-clip" if tiny else models.build_clip(work / "clip")
    size, steps = ("64", 2) if tiny else ("320", 20)
    train = f"s2h-train l2.jsonl --model {model} --lora-rank 16 --step-pairs {2 if tiny else 8} --max-steps {steps}"
    return [
        f"s2h-gen compare -n {count} --size {size} -o l2.jsonl",
        f"s2h-gen vqa -n {count // 4} --size {size} --model {model} -o l1.jsonl",
        f"s2h-filter l2.jsonl --score clip --clip-model {clip} -o clip.jsonl",
        f"s2h-filter l2.jsonl --score ref --ref {model} -o ref.jsonl",
        f"{train} --plan",
        f"{train} -o run",
        f"s2h-eval --model run --bench l2.jsonl --limit {count // 4} --max-new-tokens 32 -o after.jsonl",
        f"{train} -o stock --engine stock",
    ]


def table(found: dict) -> str:
    """What was measured, in columns."""
    lines = [f"{found['machine'].get('card', 'CPU')}, torch {found['machine']['torch']}"]
    for name, parts in found["models"].items():
        for label, ways in parts.get("step", {}).items():
            for way, each in ways.items():
                told = each.get("failed") or each.get("refused")
                told = told or "  ".join(f"{key} {value}" for key, value in each.items() if key != "kernels")
                lines.append(f"{name:14} step {label:13} {way:18} {told}")
        for way, each in parts.get("exact", {}).items():
            lines.append(f"{name:14} exact {way:16} {each}")
        for each in parts.get("commands", []):
            lines.append(
                f"{name:14} {each['seconds']:7} s {each.get('peak_gib', '')} GiB, status {each['status']}: {each['command']}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=models.REAL, action="append", help="by default all three")
    parser.add_argument("--part", choices=PARTS, action="append", help="by default all")
    parser.add_argument("--tiny", action="store_true", help="tiny models in place of the real shapes")
    parser.add_argument(
        "--pairs", type=int, default=7, help="pairs that a step is timed on, the first of which warms up"
    )
    parser.add_argument(
        "--folder", type=Path, help="scratch folder with room for the largest model (default: a new one)"
    )
    parser.add_argument("--timeout", type=float, default=600, help="seconds after which a command is stopped")
    parser.add_argument(
        "-o", dest="out", type=Path, default=Path("gpu-check.json"), help="file of the result (JSON)"
    )
    options = parser.parse_args()
    hush()
    root = options.folder or Path(tempfile.mkdtemp(prefix="s2h-gpu-"))
    found: dict[str, Any] = {"machine": machine(), "models": {}}

    def keep() -> None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")

    names = options.model or list(models.REAL)
    for name in [*names[1:], names[0]]:  # the commands come last: they take longest
        work = root / name
        work.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        model = tried(partial(models.build, name, work / "model", options.tiny))
        parts = found["models"][name] = {"built_seconds": round(time.perf_counter() - began, 1)}
        if isinstance(model, dict):
            parts |= model
            continue
        tokenizer = AutoProcessor.from_pretrained(str(model)).tokenizer
        pairs = speed.make_pairs(options.pairs, work / "pairs", tokenizer)
        for part in options.part or PARTS:
            began = time.perf_counter()
            if part == "exact":
                parts[part] = tried(partial(exact, model, pairs, work / "exact"))
            elif part == "step":
                parts[part] = {}
                step(model, pairs, work / "step", parts[part], keep)
            elif name == names[0]:
                parts[part] = []
                for line in commands(model, work, options.tiny):
                    parts[part].append(ran(work, line, options.timeout))
                    keep()
            parts[f"{part}_seconds"] = round(time.perf_counter() - began, 1)
            keep()
        shutil.rmtree(model)
    keep()
    print(table(found))


if __name__ == "__main__":
    main()
