"""Measure s2h on this machine's GPU and compare it with TRL: time and memory of a step, whether its numbers are right in
bfloat16, and time and memory of each command. Models have random weights in real shapes, so nothing is downloaded.

    python examples/gpu/check.py                                   # all parts and models: half an hour or more
    python examples/gpu/check.py --model llava-1.5-7b --part step
    python examples/gpu/check.py --tiny                            # tiny models, on a CPU too: check that it runs

    step      forward, loss and backward of a pair with 4 images of 576 tokens and answers of about 27, by TRL's trainer
              (with its reference pass) and by ours (with a known reference). Every pair has another length. `first` is the
              median over new pairs, `again` over the same pairs once more, when the kernels know their shapes
    exact     difference of packed rows from the stock step and effect of rounding, in nat a token; and whether wrong masks
              and positions are detected
    commands  s2h-gen, s2h-filter, s2h-train, s2h-eval as a user runs them: seconds, peak of the GPU's memory, and the
              result of --plan; s2h-train also under FSDP2, and with several GPUs with a copy of the model on each

A failure, such as a lack of memory, is part of the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from s2h.processes import uncollected

with uncollected():
    import models
    import steps
    import torch
    import train_speed as speed

from s2h.train.weights import silence_libraries

ROOT = Path(__file__).resolve().parents[2]
CUDA = torch.cuda.is_available()
PARTS = ("exact", "step", "commands")
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


class Watched:
    """Measure the peak of the GPU's memory (GiB) during a block, above its use before the block."""

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
    """Run a command as a user does, in the folder `work`, and return its status, seconds, messages and peak of memory."""
    name, *rest = shlex.split(command)
    program = [sys.executable, str(ROOT / "bin" / name), *rest]
    if name == "accelerate":
        program = [sys.executable, "-m", "accelerate.commands.launch", *rest[1:]]
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
    elif "-o" in rest and (metrics := work / rest[rest.index("-o") + 1] / "metrics.jsonl").is_file():
        logged = map(json.loads, metrics.read_text().splitlines())
        found["speed"] = [row["speed"] for row in logged if "speed" in row][-1:]
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def commands(model: Path, work: Path, tiny: bool) -> list[str]:
    """Return the command lines from pairs to an evaluation. Pairs are level 2's, whose pictures the built-in world draws."""
    count = 8 if tiny else 200
    clip = "mini-clip" if tiny else models.build_clip(work / "clip")
    size, steps = ("64", 2) if tiny else ("320", 50)
    train = f"s2h-train l2.jsonl --model {model} --lora-rank 16 --step-pairs {2 if tiny else 4} --max-steps"
    more = [] if tiny else [f"{train} 10 -o stock --engine stock"]
    if gpus := torch.cuda.device_count():
        steps_of_all = f"{steps} --step-pairs {4 * gpus}"
        more += [f"{train} {steps_of_all} -o several --processes {gpus}"] if gpus > 1 else []
        configuration = shlex.quote(str(ROOT / "examples/train/fsdp2.yaml"))
        launched = f"accelerate launch --config_file {configuration} --num_processes {gpus} -m s2h.cli.train"
        more += [f"{launched} {train.removeprefix('s2h-train')} {steps_of_all} -o sharded"]
    return [
        f"s2h-gen compare -n {count} --size {size} -o l2.jsonl",
        f"s2h-gen vqa -n 1 --size {size} --model {model} -o l1.jsonl",
        f"s2h-filter l2.jsonl --score clip --clip-model {clip} -o clip.jsonl",
        f"s2h-filter l2.jsonl --score ref --ref {model} -o ref.jsonl",
        f"{train} {steps} --plan",
        f"{train} {steps} -o run",
        f"s2h-eval --model run --bench l2.jsonl --limit {count // 4} --max-new-tokens 32 -o after.jsonl",
        *more,
    ]


def table(found: dict) -> str:
    """Return the result as a table."""
    lines = [f"{found['machine'].get('card', 'CPU')}, torch {found['machine']['torch']}"]
    for name, parts in found["models"].items():
        for label, ways in parts.get("step", {}).items():
            for way, each in ways.items() if isinstance(ways, dict) else ():
                shown = each.get("failed") or each.get("refused")
                shown = shown or "  ".join(f"{key} {value}" for key, value in each.items())
                lines.append(f"{name:14} step {label:13} {way:18} {shown}")
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
    parser.add_argument("--model", choices=models.REAL, action="append", help="by default all")
    parser.add_argument("--part", choices=PARTS, action="append", help="by default all")
    parser.add_argument("--way", choices=steps.WAYS, action="append", help="of a step, by default all")
    parser.add_argument("--label", choices=steps.LABELS, action="append", help="of a step, by default both")
    parser.add_argument(
        "--only", metavar="START", action="append", help="run only commands that begin so, by default all"
    )
    parser.add_argument("--tiny", action="store_true", help="tiny models in place of the real shapes")
    parser.add_argument(
        "--pairs", type=int, default=7, help="pairs on which a step is timed; the first one warms up"
    )
    parser.add_argument(
        "--folder", type=Path, help="scratch folder with room for the largest model (default: a new one)"
    )
    parser.add_argument("--timeout", type=float, default=600, help="seconds after which a command is stopped")
    parser.add_argument(
        "-o", dest="out", type=Path, default=Path("gpu-check.json"), help="file of the result (JSON)"
    )
    options = parser.parse_args()
    silence_libraries()
    root = options.folder or Path(tempfile.mkdtemp(prefix="s2h-gpu-"))
    found: dict[str, Any] = {"machine": machine(), "models": {}}

    def keep() -> None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")

    names = options.model or list(models.REAL)
    for name in names:
        parts = found["models"][name] = {}
        make = partial(models.build, name, None, options.tiny)
        made = steps.tried(make)
        if isinstance(made, dict):
            parts |= made
            continue
        pairs = speed.make_pairs(options.pairs, root / name / "pairs", made[1].tokenizer)
        del made
        for part in options.part or PARTS:
            if part == "commands":
                continue
            began, parts[part] = time.perf_counter(), {}
            work: Any = getattr(steps, part)
            if part == "step":
                work = partial(work, ways=options.way or steps.WAYS, labels=options.label or steps.LABELS)
            failed = steps.tried(partial(work, make, pairs, root / name / part, parts[part], keep))
            parts[part] |= failed or {}
            parts[f"{part}_seconds"] = round(time.perf_counter() - began, 1)
            keep()
    if "commands" in (options.part or PARTS):
        model = models.build(names[0], root / "model", options.tiny)
        results = found["models"][names[0]]["commands"] = []
        for line in commands(model, root, options.tiny):
            if not line.startswith(tuple(options.only or [""])):
                continue
            results.append(ran(root, line, options.timeout))
            keep()
    keep()
    print(table(found))


if __name__ == "__main__":
    main()
