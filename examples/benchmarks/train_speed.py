"""Compare a DPO step of TRL's own trainer with s2h-train's, with the same model, adapter, pairs and machine.

    python examples/benchmarks/train_speed.py                     # images of 144 tokens: 40 minutes
    python examples/benchmarks/train_speed.py --architecture llava --tokens 576 --part step --steps 7 -o speed.json

The models are real architectures with random weights, at an eighth of the 7 and 8B models' widths (SmolVLM2 at a quarter)
and about a quarter of their depths; the ratio of vocabulary to layers is theirs. Pairs have 4 images and answers of about 27
tokens. TRL and ours take turns in one process, so that noise affects both. A ratio is TRL's median over ours, its spread
that of single rounds.

    step        forward, loss and backward of a prepared pair, with the encoding of images; TRL's includes its
                reference pass, ours has a known reference
    memory      peak of a step above the memory before it, by torch's profiler
    epochs      three epochs by train(), with loading the model, reading images, the first check and the reference pass
    vocabulary  a step with the real vocabulary, 32k or 152k tokens, whose share is larger here than in the real models

TRL scores only the positions of answers on CUDA, and all positions on a CPU. Here it always does as on CUDA, except for
`trl_on_a_cpu`. `seconds` are wall time, `cpu` CPU time, which other programs on the machine affect less. One thread
computes: with two, the ratios of so little work vary more from run to run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import datasets
import torch
import transformers
from peft import LoraConfig
from PIL import Image
from trl import DPOConfig, DPOTrainer

from s2h import record
from s2h.models import features, names, vlm
from s2h.train import weights
from s2h.train.collator import LENGTH, Collator
from s2h.train.dataset import Pairs, store
from s2h.train.trainer import PairTrainer
from tests.support import architectures, more_architectures

# Shapes of the language model and of the vision tower, and the real model's vocabulary.
SHAPES = {
    "llava": {  # LLaVA-1.5-7B: 4096, 32 layers; CLIP-L 1024, 24 layers
        "text": {
            "hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 8,
            "intermediate_size": 1376, "vocab_size": 1024,
        },
        "vision": {
            "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 6, "num_attention_heads": 4,
        },
        "vocabulary": 32064,
    },
    "qwen2.5-vl": {  # Qwen2.5-VL-7B: 3584, 28 layers; tower 1280, 32 layers
        "text": {
            "hidden_size": 512, "num_hidden_layers": 7, "num_attention_heads": 8, "num_key_value_heads": 1,
            "intermediate_size": 2688, "vocab_size": 5440,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]},
        },
        "vision": {
            "depth": 8, "hidden_size": 192, "intermediate_size": 512, "num_heads": 4, "window_size": 112,
            "fullatt_block_indexes": [1, 3, 5, 7],
        },
        "vocabulary": 152064,
    },
    "qwen3-vl": {  # Qwen3-VL-8B: 4096, 36 layers; tower 1152, 27 layers
        "text": {
            "hidden_size": 512, "num_hidden_layers": 9, "num_attention_heads": 8, "num_key_value_heads": 2,
            "intermediate_size": 1536, "vocab_size": 4800, "head_dim": 64,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 5e6, "mrope_section": [12, 10, 10], "mrope_interleaved": True,
            },
        },
        "vision": {
            "depth": 7, "hidden_size": 144, "intermediate_size": 544, "num_heads": 4,
            "num_position_embeddings": 2304, "deepstack_visual_indexes": [1, 3, 5],
        },
        "vocabulary": 151936,
    },
    "internvl": {  # InternVL3.5-8B: 4096, 36 layers; tower 1024, 24 layers
        "text": {
            "hidden_size": 512, "num_hidden_layers": 9, "num_attention_heads": 8, "num_key_value_heads": 2,
            "intermediate_size": 1536, "vocab_size": 4800, "head_dim": 64,
        },
        "vision": {
            "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 6, "num_attention_heads": 4,
        },
        "vocabulary": 151936,
    },
    "smolvlm": {  # SmolVLM2-2.2B at a quarter: 2048, 24 layers; tower 1152, 27 layers
        "text": {
            "hidden_size": 512, "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 8,
            "intermediate_size": 2048, "vocab_size": 3072,
        },
        "vision": {
            "hidden_size": 288, "intermediate_size": 1076, "num_hidden_layers": 7, "num_attention_heads": 4,
        },
        "vocabulary": 49280,
    },
}  # fmt: skip
IMAGES, ANSWER = 4, 27
TARGETS = names.LORA_TARGETS
PARTS = ("step", "memory", "epochs", "vocabulary")
CUDA = torch.cuda.is_available()
DTYPE = torch.bfloat16 if CUDA else torch.float32


def build(name: str, tokens: int, folder: Path, vocabulary: int | None = None) -> Path:
    """Save a model of SHAPES, with `tokens` tokens for each image, and return its folder."""
    shape = SHAPES[name]
    text = {**shape["text"], **({"vocab_size": vocabulary} if vocabulary else {})}
    text["initializer_range"] = 0.02
    if name == "llava":
        side = 14 * int(tokens**0.5)
        return architectures.build_llava(folder, side=side, patch=14, vision=shape["vision"], text=text)
    if name in more_architectures.RELATIVES:
        side = 2 * more_architectures.PATCH * int(tokens**0.5)
        make = more_architectures.RELATIVES[name]
        return make(folder, side=side, tiles=1, vision=shape["vision"], text=text)
    make = architectures.build_qwen25vl if name == "qwen2.5-vl" else architectures.build_qwen3vl
    return make(folder, tokens=(tokens, tokens), vision=shape["vision"], text=text)


def make_pairs(n: int, folder: Path, tokenizer: Any) -> list[record.Record]:
    """Return n pairs, each with 4 images of 640 x 640 pixels and with answers of about ANSWER tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for i in range(n):
        images = []
        for k in range(IMAGES):
            images.append(str(folder / f"{i}-{k}.jpg"))
            gradient = Image.linear_gradient("L").resize((640, 640)).rotate(37 * (IMAGES * i + k))
            Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180))).save(images[-1])
        words = [w for s in architectures.SENTENCES[i % 5 + 1 :] for w in s.split()] * 2
        answers = []
        for side in range(2):
            said, wanted = "", ANSWER + (3 * i + 5 * side) % 9 - 4
            for word in words[side:]:
                if len(tokenizer(said)["input_ids"]) >= wanted:
                    break
                said = f"{said} {word}".strip()
            answers.append(record.assistant(said))
        shown = [part for k in range(IMAGES) for part in (f"Image {k + 1}:", record.IMAGE)]
        question = " ".join(words[: 6 + i % 4])
        made.append(
            record.make(
                id=f"p{i}", level=2, task="compare", images=images,
                prompt=record.interleave([*shown, question]), chosen=answers[0], rejected=answers[1],
                target=[0], facts={}, grounding={"chosen": [], "rejected": []}, negative="other", source="benchmark",
            )
        )  # fmt: skip
    return made


def config(folder: Path, checkpointing: bool) -> DPOConfig:
    return DPOConfig(
        output_dir=str(folder / "out"), beta=0.1, learning_rate=5e-5, num_train_epochs=3,
        per_device_train_batch_size=1, per_device_eval_batch_size=1, gradient_accumulation_steps=2,
        max_length=None, gradient_checkpointing=checkpointing, bf16=CUDA, report_to=[], save_strategy="no",
        logging_steps=1000, disable_tqdm=True, use_cpu=not CUDA, remove_unused_columns=False, dataloader_pin_memory=False,
    )  # fmt: skip


def adapter() -> LoraConfig:
    return LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM")


def read(model: Path) -> tuple[Any, Any]:
    """Return model and processor in the dtype of a run on this machine."""
    return vlm.read(str(model), DTYPE)


def trl(model: tuple, pairs: list, folder: Path, checkpointing: bool) -> DPOTrainer:
    """Return TRL's trainer as its users set it up. model: (model, processor)."""
    loaded, processor = model
    rows = [{name: pair[name] for name in ("prompt", "chosen", "rejected", "images")} for pair in pairs]
    rows = datasets.Dataset.from_list(rows).cast_column("images", datasets.List(datasets.Image()))
    trainer = DPOTrainer(
        model=loaded, args=config(folder, checkpointing), train_dataset=rows, processing_class=processor,
        peft_config=adapter(),
    )  # fmt: skip
    prepare(trainer)
    return trainer


def prepare(trainer: DPOTrainer) -> None:
    """Make the model ready to train as train() does: with gradient checkpointing if the arguments ask for it, and with
    autocast on CUDA."""
    if trainer.args.gradient_checkpointing:
        trainer.model.gradient_checkpointing_enable()
    trainer.model_wrapped = trainer.accelerator.prepare_model(trainer.model)


def ours(model: tuple, pairs: list, folder: Path, checkpointing: bool, keep: bool = False) -> PairTrainer:
    """Return s2h-train's trainer, ready to train: with packed rows and a known reference. keep: also keep image features, as
    s2h-train does."""
    loaded, processor = model
    store(pairs, folder / "data.jsonl")
    rows = Pairs(folder / "data.jsonl")
    trainer = PairTrainer(
        model=loaded, args=config(folder, checkpointing), train_dataset=rows.dataset(), processing_class=processor,
        data_collator=Collator(processor), peft_config=adapter(),
    )  # fmt: skip
    weights.exclude_vision_from_checkpointing(trainer)
    prepare(trainer)
    if reason := trainer.share_prompts(rows, store=features.Store(features.room()) if keep else None):
        sys.exit(f"{loaded.config.model_type}: {reason}")
    trainer.lengths = trainer.add_reference(rows)[LENGTH]
    trainer.train_dataset = rows.dataset()
    return trainer


@contextlib.contextmanager
def cuda_head(emulated: bool = True) -> Any:
    """Let TRL score only the answers, as on CUDA, while it computes on a CPU."""
    with (
        mock.patch("trl.trainer.utils._use_triton", lambda device: True)
        if emulated
        else contextlib.nullcontext()
    ):
        yield


def timed(work: Any) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def batch_of(trainer: DPOTrainer, row: int) -> dict:
    return trainer.data_collator([trainer.train_dataset[row]])


def step(trainer: DPOTrainer, batch: dict) -> None:
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.zero_grad()
    trainer.training_step(trainer.model_wrapped, dict(batch))


def compared(stock: list[dict], mine: list[dict]) -> dict:
    """Return the medians, and TRL's over ours with the least and the largest ratio of single rounds."""
    found: dict[str, Any] = {"rounds": len(stock)}
    for of in ("seconds", "cpu"):
        a, b = [t[of] for t in stock], [t[of] for t in mine]
        each = [x / y for x, y in zip(a, b, strict=True)]
        found[of] = {
            "trl": round(statistics.median(a), 3),
            "ours": round(statistics.median(b), 3),
            "ratio": round(statistics.median(a) / statistics.median(b), 2),
            "spread": [round(min(each), 2), round(max(each), 2)],
        }
    return found


def steps(stock: DPOTrainer, mine: PairTrainer, rounds: int, emulated: bool = True) -> dict:
    times: dict[str, list] = {"trl": [], "ours": []}
    with cuda_head(emulated):
        for number in range(-1, rounds):  # the first warms up
            row = max(number, 0) % len(mine.train_dataset)
            turns = {"trl": (stock, batch_of(stock, row)), "ours": (mine, batch_of(mine, row))}
            for name in sorted(turns, reverse=number % 2 == 0):
                took = timed(lambda who=turns[name]: step(*who))
                if number >= 0:
                    times[name].append(took)
    return compared(times["trl"], times["ours"])


def most_held(trainer: DPOTrainer) -> int:
    """Return the peak of a step's memory, in bytes above the memory before it."""
    batch = batch_of(trainer, 0)
    with (
        cuda_head(),
        torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as profile,
    ):
        step(trainer, batch)
    held = most = 0
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def epochs(model: Path, pairs: list, folder: Path) -> dict:
    with cuda_head():
        stock, mine = (
            timed(lambda make=make: make(read(model), pairs, folder / "run", False).train())
            for make in (trl, partial(ours, keep=True))
        )
    return {"pairs": len(pairs), "epochs": 3, **compared([stock], [mine])}


def measure(name: str, tokens: int, options: argparse.Namespace, root: Path) -> dict[str, dict]:
    """Measure the requested parts, each without and with gradient checkpointing."""
    parts = set(options.part or PARTS)
    model = build(name, tokens, root / f"{name}-{tokens}")
    processor = read(model)[1]
    pairs = make_pairs(options.pairs, root / f"pairs-{name}-{tokens}", processor.tokenizer)
    found: dict[str, dict] = {part: {} for part in PARTS if part in parts}
    for label in options.checkpointing or ("plain", "checkpointing"):
        work = root / f"{name}-{tokens}-{label}"
        if {"step", "memory"} & parts:
            stock, mine = (
                make(read(model), pairs[:2], work, label == "checkpointing") for make in (trl, ours)
            )
        if "step" in parts:
            found["step"][label] = steps(stock, mine, options.steps)
        if "memory" in parts:
            a, b = most_held(stock), most_held(mine)
            found["memory"][label] = {"trl": a, "ours": b, "share": round(b / a, 2)}
        if "epochs" in parts and label == "plain":
            found["epochs"][label] = epochs(model, pairs, work)
        if "vocabulary" in parts and label == "plain":
            size = SHAPES[name]["vocabulary"]
            model = build(name, tokens, root / f"{name}-{size}", size)
            stock, mine = (
                make(read(model), pairs[:2], root / f"{name}-{size}-run", False) for make in (trl, ours)
            )
            found["vocabulary"][label] = {
                "size": size,
                "trl_on_a_cpu": steps(stock, mine, 2, emulated=False),
                "trl_with_its_cuda_head": steps(stock, mine, 2),
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", choices=SHAPES, action="append", help="by default all")
    parser.add_argument(
        "--tokens", type=int, choices=(144, 576), action="append", help="of an image (default 144)"
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="by default all")
    parser.add_argument(
        "--checkpointing", choices=("plain", "checkpointing"), action="append", help="by default both"
    )
    parser.add_argument("--steps", type=int, default=7, help="rounds of single steps (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="that compute (default %(default)s)")
    parser.add_argument("--pairs", type=int, default=16, help="pairs of an epoch (default %(default)s)")
    parser.add_argument("-o", "--output", type=Path, help="a file that the results are added to")
    options = parser.parse_args()
    for library in ("transformers", "trl", "accelerate", "peft"):
        logging.getLogger(library).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    results = json.loads(options.output.read_text()) if options.output and options.output.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.architecture or SHAPES:
            for tokens in options.tokens or [144]:
                began = time.time()
                place = results.setdefault(f"{name}, {IMAGES} x {tokens}", {})
                for part, by_label in measure(name, tokens, options, Path(folder)).items():
                    for label, values in by_label.items():
                        values["load"] = round(os.getloadavg()[0], 1)  # processes that wanted the machine
                        values["threads"] = torch.get_num_threads()
                        place.setdefault(part, {})[label] = values
                print(f"{name} {tokens}: {time.time() - began:.0f} s", file=sys.stderr)
                if options.output:
                    options.output.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
