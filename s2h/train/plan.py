"""What a run would take, before it is begun: tokens of the pairs, steps, memory and time. Where the model's weights are
at hand, a sample of the pairs is tokenized as it would be and a few batches are timed forward and backward; where they
aren't, a model with a known shape is reckoned with. Images of other pairs are not opened, so a plan takes seconds for any
number of pairs.

    s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b --plan
"""

from __future__ import annotations

import heapq
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from s2h import accel
from s2h.errors import counted
from s2h.models import ModelError, names
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError, fail, text_of
from s2h.seeds import seed_of
from s2h.train import features, stages, weights
from s2h.train.arguments import Arguments, check
from s2h.train.dataset import Pairs, store
from s2h.train.folder import RunError

SAMPLE = 128  # pairs that are drawn, at most, and whose images are opened
BULKY = 16  # more pairs that are opened, at most, to find the longest row
TIMED = 4  # batches that are timed, the first of which warms up and counts for nothing
LETTERS = 4  # of English in a token, where no tokenizer is at hand
SUSTAINED = 2e14  # floating-point operations a second that a data-centre GPU keeps up in bfloat16, about half of an A100's


def plan(
    records: Iterable[Record],
    arguments: Arguments,
    *,
    processes: int = 1,
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[Exception], None] = fail,
) -> dict[str, Any]:
    """The plan as an object, after saying it in words. Raises ModelError for a model that neither loads nor has a known
    shape, RunError where there is nothing to train on."""
    check(arguments)
    try:
        model, processor = weights.read(arguments)
        shape = None
    except ModelError as error:
        shape = names.preset(arguments.model).shape
        if shape is None:
            raise
        say(f"{error}: reckoned from its shape instead")
        model = processor = None
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside)
        fit = (
            TokenCounter.of(model, processor, arguments.model, arguments.window)
            if model is not None
            else None
        )
        count = store(records, folder / "data.jsonl", opened=False, on_error=on_error).count
        window = fit.window if fit is not None else arguments.window or 10**9
        if not count:
            raise RunError("no pairs to train on", remedy="the input is empty")
        pairs = Pairs(folder / "data.jsonl")
        stages.check(pairs, arguments.stages)
        drawn, bulky = _sample(pairs, arguments.seed)
        found = {}
        for row in (*drawn, *bulky):
            try:
                found[row] = _tokens(pairs.record(row), fit, shape)
            except RecordError as error:
                on_error(error)
        sample = [row for row in drawn if row in found]
        fitting = [row for row in sample if found[row]["row"] <= window]
        if not fitting:
            raise RunError(f"no pair fits the window of {window} tokens", remedy="fewer or smaller images")
        long = [one for one in found.values() if one["row"] <= window]
        made = _reckon(pairs, arguments, [found[row] for row in fitting], len(sample), window, processes)
        made["opened"] = len(found)
        made["tokens"]["longest_row"] = max(one["row"] for one in long)
        sizes = _sizes(model, arguments) if model is not None else _sizes_of(shape, arguments)
        made["memory_gib"] = _memory(sizes, arguments, long)
        made["time"] = _reckon_time(sizes, arguments, made, processes)
        if model is not None:
            made["time"] |= _time(model, processor, folder, arguments, fitting, made, processes)
            if accel.device().type == "cuda":
                import torch

                made["memory_gib"]["measured"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    _tell(made, say)
    return made


def _sample(pairs: Pairs, seed: int) -> tuple[list[int], list[int]]:
    """The rows that are opened, in the file's order: SAMPLE drawn by the pairs' ids, and of the others the BULKY that have
    the most images and text, among which the longest row is looked for."""
    rows = range(len(pairs.starts))
    order = {row: seed_of(seed, "plan", pairs.record(row)["id"]) for row in rows}
    drawn = sorted(sorted(rows, key=order.__getitem__)[:SAMPLE])
    left = set(rows).difference(drawn)
    return drawn, sorted(heapq.nlargest(BULKY, left, key=lambda row: (pairs.bulk(row), row)))


def _tokens(record: Record, fit: TokenCounter | None, shape: Any) -> dict[str, int]:
    """Tokens of a pair: of its images, its prompt with them, both answers, and its longer row."""
    from s2h.images.decoding import open_images

    if fit is None:
        images = sum(_covered(shape, *image.size) for image in open_images(record))
        prompt = images + len(text_of(record["prompt"])) // LETTERS
        answers = [1 + len(text_of(record[which])) // LETTERS for which in ("chosen", "rejected")]
    else:
        known = fit.count(record, open_images(record))
        images, prompt, answers = known.images, known.prompt, known.answers
    return {"images": images, "prompt": prompt, "answers": sum(answers), "row": prompt + max(answers)}


def _covered(shape: names.Shape, width: int, height: int) -> int:
    if not shape.square:
        return shape.image_tokens
    return max(shape.image_tokens, round(width / shape.square) * round(height / shape.square))


def _reckon(
    pairs: Pairs, arguments: Arguments, fit: list, sampled: int, window: int, processes: int
) -> dict[str, Any]:
    """Tokens and steps, from those pairs of the sample that fit the window."""
    step = arguments.batch_size * arguments.grad_accum * processes
    share = len(fit) / sampled
    # As many as are likely to fit, spread over the file and so over its stages.
    pairs.kept = [row for row in pairs.kept if round((row + 1) * share) > round(row * share)] or [0]
    _, parts = stages.plan(pairs, arguments, step)
    lengths = sorted(one["row"] for one in fit)
    return {
        "model": names.resolve(arguments.model) if arguments.model != "mini" else "mini",
        "pairs": len(pairs.starts),
        "sampled": sampled,
        "beyond_window": len(pairs.starts) - len(pairs.kept),
        "window": window,
        "tokens": {
            "images": round(mean(one["images"] for one in fit), 1),
            "prompt": round(mean(one["prompt"] for one in fit), 1),
            "answers": round(mean(one["answers"] for one in fit), 1),
            "median_row": lengths[len(lengths) // 2],
        },
        "pairs_per_step": step,
        "steps": parts[-1].end,
        "stages": [{"stage": part.number, "pairs": part.pairs, "to_step": part.end} for part in parts],
    }


def _sizes(model: Any, arguments: Arguments) -> dict[str, float]:
    """Weights, those that are trained, and widths, of a model that is loaded."""
    text = model.config.get_text_config()
    language = sum(p.numel() for name, p in model.named_parameters() if weights.LANGUAGE.search(name))
    lora = sum(
        arguments.rank * sum(module.weight.shape)
        for name, module in model.named_modules()
        if re.fullmatch(arguments.targets, name)
    )
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "language": language,
        "trained": language if arguments.full else lora,
        "layers": text.num_hidden_layers,
        "hidden": text.hidden_size,
        "inner": text.intermediate_size,
        "key_values": text.hidden_size * text.num_key_value_heads / text.num_attention_heads,
        "vocabulary": text.vocab_size,
        "bytes": model.dtype.itemsize,
    }


def _sizes_of(shape: names.Shape, arguments: Arguments) -> dict[str, float]:
    """The same of a shape: q and o are square, k and v lead to key_values, gate, up and down to and from the inner width."""
    h, k, i = shape.hidden, shape.key_values, shape.intermediate
    lora = arguments.rank * shape.layers * (4 * h + 2 * (h + k) + 3 * (h + i))
    return {
        "parameters": shape.parameters, "language": shape.language, "trained": shape.language if arguments.full else lora,
        "layers": shape.layers, "hidden": h, "inner": i, "key_values": k, "vocabulary": shape.vocabulary,
        "bytes": 4 if arguments.dtype == "float32" or arguments.full else 2,
    }  # fmt: skip


def _memory(sizes: dict, arguments: Arguments, fit: list) -> dict[str, float]:
    """GiB of a process that has the model to itself, by part. Activations are those of a batch of the longest rows, what
    each layer keeps for its backward pass: inputs of the norms, projections and products, 6 h + 2 kv + 4 i a token in
    float32; in 16 bits the norms keep float32 copies, and 17.5 h + 2 kv + 5 i is what an H200 took for LLaVA-1.5-7B's and
    Qwen2.5-VL-7B's shapes (examples/results/gpu-check.json). With checkpointing one layer's, and every layer's input."""
    tokens = arguments.batch_size * max(one["prompt"] + one["answers"] for one in fit)
    if arguments.engine == "stock":
        tokens = 2 * arguments.batch_size * max(one["row"] for one in fit)
    # A GPU computes in bfloat16 what is trained in float32.
    whole = accel.device().type == "cpu" and sizes["bytes"] == 4
    hidden, inner, width = (6, 4, 4) if whole else (17.5, 5, 2)
    layer = tokens * width * (hidden * sizes["hidden"] + 2 * sizes["key_values"] + inner * sizes["inner"])
    if arguments.gradient_checkpointing:
        kept = layer + sizes["layers"] * tokens * sizes["hidden"] * sizes["bytes"]
    else:
        kept = layer * sizes["layers"]
    said = 2 * arguments.batch_size * max(one["answers"] for one in fit)
    weights = sizes["parameters"] * sizes["bytes"]
    if arguments.quantize:
        weights = sizes["language"] * 0.55 + (sizes["parameters"] - sizes["language"]) * sizes["bytes"]
    parts = {
        "weights": weights,
        "training": sizes["trained"]
        * (12 if arguments.full else 16),  # gradient and Adam's two, and LoRA's weights
        "activations": kept + said * sizes["vocabulary"] * 4,
    }
    gib = {name: round(value / 2**30, 3) for name, value in parts.items()}
    return {**gib, "estimate": round(sum(parts.values()) / 2**30, 3)}


def _reckon_time(sizes: dict, arguments: Arguments, made: dict, processes: int) -> dict[str, float]:
    """Floating-point operations of reference pass and training: 2 a weight and token forward, as many backward to the
    activations, as many for weights that are trained themselves, and one more forward where activations are recomputed."""
    tokens = made["tokens"]["prompt"] + made["tokens"]["answers"]
    if arguments.engine == "stock":
        tokens += made["tokens"]["prompt"]
    passes = 2 + (1 if arguments.full else 0) + (1 if arguments.gradient_checkpointing else 0)
    trained = made["steps"] * made["pairs_per_step"]
    operations = 2 * sizes["language"] * tokens * (made["pairs"] - made["beyond_window"] + trained * passes)
    return {
        "petaflop": round(operations / 1e15, 4),
        "hours_at_200_tflops": round(operations / SUSTAINED / 3600 / processes, 4),
    }


def _time(
    model, processor, folder: Path, arguments: Arguments, rows: list[int], made: dict, processes: int
) -> dict[str, float]:
    """Hours by what a few batches of the sample take here, images and all; and the pairs a second."""
    from s2h.train.run import _trainer

    pairs = Pairs(folder / "data.jsonl")
    size = arguments.batch_size
    alone = replace(arguments, grad_accum=1, max_steps=1, stages="off", schedule_per_stage=False)
    trainer = _trainer(model, processor, pairs, None, alone, folder / "run", 10**9, 10**9, 0, False)
    if arguments.engine == "shared":
        trainer.share_prompts(pairs, arguments.attention, arguments.pack, features.Store(features.room()))
    some = rows[: size * TIMED]
    batches = [some[start : start + size] for start in range(0, len(some), size)]
    reference, training = [], []
    values = {}
    for batch in batches:
        began = time.perf_counter()
        values |= trainer.measure_reference(pairs, batch)
        reference.append((time.perf_counter() - began) / len(batch))
    for place, name in enumerate(("ref_chosen_logps", "ref_rejected_logps")):
        pairs.columns[name] = {row: value[place] for row, value in values.items()}
    trainer.precompute_ref_logps = True
    trainer.model.train()
    for batch in batches:
        began = time.perf_counter()
        inputs = trainer._prepare_inputs(
            trainer.data_collator([pairs.dataset(batch)[i] for i in range(len(batch))])
        )
        trainer.compute_loss(trainer.model, inputs).backward()
        trainer.model.zero_grad()
        training.append((time.perf_counter() - began) / len(batch))
    once, each = median(reference[1:] or reference), median(training[1:] or training)
    seconds = (made["pairs"] * once + made["steps"] * made["pairs_per_step"] * each) / processes
    return {
        "reference_pairs_per_second": round(processes / once, 3),
        "training_pairs_per_second": round(processes / each, 3),
        "hours_here": round(seconds / 3600, 4),
    }


def _opened(made: dict) -> str:
    """What the numbers rest on: the images of the other pairs were not opened."""
    bulky = made["opened"] - made["sampled"]
    if made["opened"] == made["pairs"]:
        return "measured on all pairs"
    longest = f" and, for the longest row, on the {bulky} with the most images and text" if bulky else ""
    sampled = counted(made["sampled"], "pair")
    return f"measured on {sampled} drawn at random{longest}; other images were not opened"


def _tell(made: dict, say: Callable[[str], None]) -> None:
    tokens, memory, took = made["tokens"], made["memory_gib"], made["time"]
    over = made["beyond_window"]
    beyond = f", about {over} of them beyond the window of {made['window']}" if over else ""
    say(
        f"{counted(made['pairs'], 'pair')}{beyond}: {tokens['prompt']:.0f} tokens of prompt "
        f"({tokens['images']:.0f} of images) and "
        f"{tokens['answers']:.0f} of both answers on average, the longest row {tokens['longest_row']} "
        f"({_opened(made)})"
    )
    steps, each, parts = made["steps"], made["pairs_per_step"], len(made["stages"])
    say(f"{counted(steps, 'step')} of {counted(each, 'pair')}, in {counted(parts, 'stage')}")
    measured = f"; a batch measured here took {memory['measured']:.2f}" if "measured" in memory else ""
    say(
        f"memory: about {memory['estimate']:.2f} GiB ({memory['weights']:.2f} weights, {memory['training']:.2f} gradients "
        f"and optimizer, {memory['activations']:.2f} activations){measured}"
    )
    if "hours_here" in took:
        hours = (
            f"{took['hours_here']:.2f} hours here ({took['training_pairs_per_second']:.2f} pairs a second)"
        )
    else:
        hours = f"{took['hours_at_200_tflops']:.2f} hours on GPUs that keep up 200 TFLOP/s each"
    say(f"time: {hours}; {took['petaflop']:.3g} PFLOP")
