"""The plan of a run: tokens of the pairs, steps, memory and time. If the model can be loaded, a sample of the pairs is
tokenized and a few batches are timed, forward and backward. Otherwise the plan is computed from the model's published shape,
if it is known. Images of other pairs are not opened, so a plan takes seconds for any number of pairs.

    s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b --plan
"""

from __future__ import annotations

import heapq
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from s2h import accel
from s2h.errors import counted
from s2h.images.decoding import open_images
from s2h.images.resizing import Pixels
from s2h.models import ModelError, delta_kernels, features, names
from s2h.models.tokens import ANSWERS, PairTokens, TokenCounter
from s2h.models.vlm import VLM
from s2h.record import REJECTED_IMAGES, Record, RecordError, fail, text_of
from s2h.seeds import seed_of
from s2h.train import memory, stages, weights
from s2h.train.arguments import Arguments, Settings, check
from s2h.train.construction import Run, build_trainer
from s2h.train.dataset import Pairs, store
from s2h.train.folder import RunError, tell_image_side
from s2h.train.smaller_images import SmallerImages

SAMPLE = 128  # most pairs that are drawn and opened
BULKY = 16  # most further pairs that are opened to find the longest row
TIMED = 4  # batches that are timed; the first one warms up and does not count
LETTERS = 4  # characters of English in a token, if there is no tokenizer
SUSTAINED = 2e14  # floating-point operations a second in bfloat16; an A100's peak is 3.12e14


def plan_run(
    records: Iterable[Record],
    arguments: Arguments,
    *,
    processes: int = 1,
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[RecordError], None] = fail,
) -> dict[str, Any]:
    """Plan a run, pass it in words to `say`, and return it as an object. Raises ModelError if the model can't be loaded and
    its shape is not known, RunError if there is nothing to train on."""
    check(arguments)
    model = _model(arguments, say)
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside)
        counter: TokenCounter | names.Shape
        if isinstance(model, VLM):
            counter = TokenCounter.of(
                model.model, model.processor, arguments.model, arguments.window, model.shown
            )
        else:
            counter = model
        stored = store(records, folder / "data.jsonl", opened=False, on_error=on_error)
        count = stored.count
        window = counter.window if isinstance(counter, TokenCounter) else arguments.window or 10**9
        if not count:
            raise RunError("no pairs to train on", remedy="the input is empty")
        tell_image_side(arguments.image_side, stored.rejected_images, count, say)
        pairs = Pairs(folder / "data.jsonl", arguments.image_side > 0)
        stages.check(pairs, arguments.stages)
        drawn, bulky = _sample(pairs, arguments.seed)
        found = {}
        for row in (*drawn, *bulky):
            try:
                found[row] = _tokens(pairs, row, counter, arguments.pixels)
            except RecordError as error:
                on_error(error)
        sample = [row for row in drawn if row in found]
        fitting = [row for row in sample if found[row].row <= window]
        if isinstance(counter, TokenCounter) and len(fitting) < len(sample):
            say(_with_smaller_images(pairs, counter, {row: found[row] for row in sample}))
        if not fitting:
            raise RunError(
                f"no pair fits the window of {window} tokens", remedy="fewer or smaller images: --max-pixels"
            )
        long = [one for one in found.values() if one.row <= window]
        made = _steps(pairs, arguments, [found[row] for row in fitting], len(sample), window, processes)
        made["opened"] = len(found)
        made["tokens"]["longest_row"] = max(one.row for one in long)
        if isinstance(model, VLM):
            sizes = memory.sizes_of_model(model.model, arguments)
        else:
            sizes = memory.sizes_of_shape(model, arguments)
        longest = memory.Longest.of(arguments, long)
        if memory.needs_checkpointing(sizes, arguments, longest, accel.room()):
            arguments = replace(arguments, gradient_checkpointing=True)
            say(memory.SWITCHED_ON)
        made["gradient_checkpointing"] = bool(arguments.gradient_checkpointing)
        made["memory_gib"] = memory.estimate(sizes, arguments, longest)
        made["time"] = _estimated_time(sizes, arguments, made, processes)
        if isinstance(model, VLM):
            made["time"] |= _measured_time(
                Run(model, pairs, None, arguments, folder, say=say), fitting, made, processes
            )
            if accel.device().type == "cuda":
                import torch

                made["memory_gib"]["measured"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    _tell(made, say)
    return made


def _model(arguments: Arguments, say: Callable[[str], None]) -> VLM | names.Shape:
    """Return the model, or the shape of a model that can't be loaded."""
    try:
        return weights.read(arguments)
    except ModelError as error:
        shape = names.preset(arguments.model).shape
        if shape is None:
            raise
        say(f"{error}: estimated from its shape instead")
        return shape


def _sample(pairs: Pairs, seed: int) -> tuple[list[int], list[int]]:
    """Return two lists of rows to open, in the file's order: SAMPLE rows drawn by the ids of the pairs, and of the others
    the BULKY rows with the most images and text, which probably include the longest row."""
    rows = range(len(pairs.starts))
    order = {row: seed_of(seed, "plan", pairs.record(row)["id"]) for row in rows}
    drawn = sorted(sorted(rows, key=order.__getitem__)[:SAMPLE])
    left = set(rows).difference(drawn)
    return drawn, sorted(heapq.nlargest(BULKY, left, key=lambda row: (pairs.bulk(row), row)))


def _tokens(pairs: Pairs, row: int, counter: TokenCounter | names.Shape, pixels: Pixels) -> PairTokens:
    """Return the tokens of a pair, counted, or estimated from a model's shape. pixels: the bounds of an image."""
    shown = counter.shown if isinstance(counter, TokenCounter) else pixels
    record, images, rejected = _open(pairs, row, shown)
    if isinstance(counter, TokenCounter):
        return counter.count(record, images, rejected)
    covered, other = (sum(_covered(counter, *image.size) for image in some) for some in (images, rejected))
    words = len(text_of(record["prompt"])) // LETTERS
    chosen, last = (1 + len(text_of(record[which])) // LETTERS for which in ANSWERS)
    return PairTokens(covered + words, covered, (chosen, last), other + words + chosen if rejected else 0)


def _open(pairs: Pairs, row: int, shown: Pixels) -> tuple[Record, list[Any], list[Any]]:
    """Return the pair of a row, its images, and its rejected images if they are trained on."""
    record = pairs.record(row)
    rejected = open_images(record, shown, REJECTED_IMAGES) if pairs.further[row] else []
    return record, open_images(record, shown), rejected


def _with_smaller_images(pairs: Pairs, counter: TokenCounter, sample: dict[int, PairTokens]) -> str:
    """Return a sentence about the pairs of the sample that don't fit the window."""
    smaller = SmallerImages.of(counter)
    for row, known in sample.items():
        if known.row > counter.window:
            record, images, rejected = _open(pairs, row, counter.shown)
            smaller.add(record, images, known, rejected)
    return f"of the pairs drawn, {smaller.line(len(sample) - smaller.pairs)}"


def _covered(shape: names.Shape, width: int, height: int) -> int:
    """Return the tokens of an image of width x height pixels."""
    if not shape.square:
        return shape.image_tokens
    return max(shape.image_tokens, round(width / shape.square) * round(height / shape.square))


def _steps(
    pairs: Pairs, arguments: Arguments, found: list[PairTokens], sampled: int, window: int, processes: int
) -> dict[str, Any]:
    """Return tokens and steps. found: tokens of those pairs of the sample that fit the window. Reduce `pairs.kept` to the
    share of rows that is expected to fit, spread over the file and so over its stages."""
    step = arguments.batch_size * arguments.grad_accum * processes
    share = len(found) / sampled
    pairs.kept = [row for row in pairs.kept if round((row + 1) * share) > round(row * share)] or [0]
    _, parts = stages.training_order(pairs, arguments, step)
    lengths = sorted(one.row for one in found)
    return {
        "model": names.resolve(arguments.model) if arguments.model != "mini" else "mini",
        "pairs": len(pairs.starts),
        "sampled": sampled,
        "beyond_window": len(pairs.starts) - len(pairs.kept),
        "window": window,
        "min_pixels": arguments.min_pixels,
        "max_pixels": arguments.max_pixels,
        "tokens": {
            "images": round(mean(one.images for one in found), 1),
            "prompt": round(mean(one.prompt for one in found), 1),
            "answers": round(mean(sum(one.answers) for one in found), 1),
            **(
                {"image_side": round(mean(one.image_side for one in found), 1)}
                if arguments.image_side
                else {}
            ),
            "median_row": lengths[len(lengths) // 2],
        },
        "pairs_per_step": step,
        "steps": parts[-1].end,
        "stages": [{"stage": part.number, "pairs": part.pairs, "to_step": part.end} for part in parts],
    }


def _estimated_time(
    sizes: memory.Sizes, arguments: Arguments, made: dict, processes: int
) -> dict[str, float]:
    """Return the floating-point operations of the reference pass and of training, and the hours that they take. For each
    weight and token: 2 forward, 2 backward to the activations, 2 more for weights that are trained themselves, and 2 more
    if activations are recomputed."""
    tokens = made["tokens"]["prompt"] + made["tokens"]["answers"] + made["tokens"].get("image_side", 0)
    if arguments.engine == "stock":
        tokens += made["tokens"]["prompt"]
    passes = 2 + (1 if arguments.full else 0) + (1 if arguments.gradient_checkpointing else 0)
    trained = made["steps"] * made["pairs_per_step"]
    operations = 2 * sizes.language * tokens * (made["pairs"] - made["beyond_window"] + trained * passes)
    return {
        "petaflop": round(operations / 1e15, 4),
        "hours_at_200_tflops": round(operations / SUSTAINED / 3600 / processes, 4),
    }


def _measured_time(run: Run, rows: list[int], made: dict, processes: int) -> dict[str, float]:
    """Return hours and pairs a second, from timing a few batches of the rows on this machine, images included."""
    arguments, size = run.arguments, run.arguments.batch_size
    pairs = Pairs(run.folder / "data.jsonl", run.pairs.image_side)
    alone = replace(arguments, grad_accum=1, max_steps=1, stages="off", schedule_per_stage=False)
    settings = Settings(save_steps=10**9, log_steps=10**9, workers=0)
    trainer = build_trainer(Run(run.vlm, pairs, None, alone, run.folder / "run", settings))
    if fault := delta_kernels.replace_wrong(run.vlm.model):
        run.say(fault)
    if arguments.engine == "shared":
        trainer.share_prompts(pairs, arguments.attention, arguments.pack, features.Store(features.room()))
    batches = [rows[start : start + size] for start in range(0, min(len(rows), size * TIMED), size)]
    reference, training = [], []
    values: dict[int, tuple[float, ...]] = {}
    nothing = (0.0,) * len(trainer.references)
    for batch in batches:
        began = time.perf_counter()
        values |= trainer.measure_reference(pairs, batch)
        reference.append((time.perf_counter() - began) / len(batch))
    columns = zip(*(values.get(row, nothing) for row in range(len(pairs.starts))), strict=True)
    trainer.add_reference(pairs, dict(zip(trainer.references, map(list, columns), strict=True)))
    trainer.model.train()
    for batch in batches:
        began = time.perf_counter()
        dataset = pairs.dataset(batch)
        inputs = trainer.prepare_batch(trainer.data_collator([dataset[i] for i in range(len(batch))]))
        with trainer.autocast():
            loss = trainer.compute_loss(trainer.model, inputs)
        loss.backward()
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
    """Return a clause that says which pairs the numbers come from."""
    bulky = made["opened"] - made["sampled"]
    if made["opened"] == made["pairs"]:
        return "measured on all pairs"
    longest = f" and, for the longest row, on the {bulky} with the most images and text" if bulky else ""
    sampled = counted(made["sampled"], "pair")
    return f"measured on {sampled} drawn at random{longest}; other images were not opened"


def _tell(made: dict, say: Callable[[str], None]) -> None:
    """Pass the plan to `say`, in words."""
    tokens, gib, took = made["tokens"], made["memory_gib"], made["time"]
    over = made["beyond_window"]
    further = (
        f", {tokens['image_side']:.0f} of rejected images with their prompt and answer"
        if "image_side" in tokens
        else ""
    )
    beyond = f", about {over} of them beyond the window of {made['window']}" if over else ""
    say(
        f"{counted(made['pairs'], 'pair')}{beyond}: {tokens['prompt']:.0f} tokens of prompt "
        f"({tokens['images']:.0f} of images) and "
        f"{tokens['answers']:.0f} of both answers{further} on average, the longest row {tokens['longest_row']} "
        f"({_opened(made)})"
    )
    steps, each, parts = made["steps"], made["pairs_per_step"], len(made["stages"])
    say(f"{counted(steps, 'step')} of {counted(each, 'pair')}, in {counted(parts, 'stage')}")
    measured = f"; a batch measured here took {gib['measured']:.2f}" if "measured" in gib else ""
    say(
        f"memory: about {gib['estimate']:.2f} GiB ({gib['weights']:.2f} weights, {gib['training']:.2f} gradients "
        f"and optimizer, {gib['activations']:.2f} activations){measured}"
    )
    if "hours_here" in took:
        hours = (
            f"{took['hours_here']:.2f} hours here ({took['training_pairs_per_second']:.2f} pairs a second)"
        )
    else:
        hours = f"{took['hours_at_200_tflops']:.2f} hours on GPUs that sustain 200 TFLOP/s each"
    say(f"time: {hours}; {took['petaflop']:.3g} PFLOP")
