"""Vision-language models: loading by name or run folder, greedy generation in batches, log-probabilities of answers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from s2h import accel
from s2h.models import ModelError, adapter, causes, decode, encode, guard, hub, names, prompts, tokens
from s2h.models.adapter import ARGUMENTS, MERGED


@dataclass
class VLM:
    """A model with its processor, ready to answer; `name` is what the user called it."""

    model: Any
    processor: Any
    name: str


def load(name: str, *, device: Any = None, dtype: Any = None, above: tuple[str, ...] = ()) -> VLM:
    """Load by alias, Hub id, folder, or run folder of s2h-train (the adapter on its base; the folder of an adapter or a
    checkpoint will do). Only safetensors are read and no code that comes with a model is run. Raises ModelError with the
    remedy where it can't be had. above: the adapters that stand on this one."""
    import warnings

    warnings.filterwarnings(
        "ignore", category=FutureWarning, module="transformers"
    )  # of libraries to each other
    folder = adapter.find(name)
    if folder is not None:
        guard.check(folder, name)
        base = adapter.base_of(folder)
        if os.path.realpath(folder) in above:
            raise ModelError(
                f"{name}: the adapter stands on itself (mend {ARGUMENTS} or adapter_config.json)"
            )
        try:
            loaded = load(base, device=device, dtype=dtype, above=(*above, os.path.realpath(folder)))
        except ModelError as error:
            raise ModelError(f"{name}: its base is not to be had: {error}") from error
        return VLM(adapter.put_on(loaded.model, folder, name, base), loaded.processor, name)
    whole = Path(name) / MERGED
    if (whole / "config.json").is_file():
        model, processor = read(str(whole), dtype if dtype is not None else accel.dtype())
    elif (Path(name) / ARGUMENTS).is_file():
        raise ModelError(
            f"{name} has no adapter: its training has not ended (s2h-train --resume goes on with it; a folder of "
            "checkpoints/ is a model too)"
        )
    else:
        model, processor = read(name, dtype if dtype is not None else accel.dtype())
    model.to(device if device is not None else accel.device()).eval()
    return VLM(model, processor, name)


def read(name: str, dtype: Any, quantization: Any = None) -> tuple[Any, Any]:
    """Model and processor from a folder or the Hub, for `load` and for training; on the CPU, or, where transformers is to
    quantize the weights as they are read (a BitsAndBytesConfig), on this process's GPU."""
    import transformers
    from transformers import AutoModelForImageTextToText, AutoProcessor

    transformers.utils.logging.disable_progress_bar()
    place = names.resolve(name)
    how = {"quantization_config": quantization, "device_map": {"": accel.device()}} if quantization else {}
    options = {"trust_remote_code": False, "local_files_only": True}

    def check(folder: str) -> None:
        guard.check(folder, f"model {name!r}")
        guard.no_adapter(folder, f"model {name!r}")

    def made(folder: str) -> tuple[Any, Any]:
        processor = AutoProcessor.from_pretrained(folder, **options)
        _check_processor(processor, name)
        model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, **how, **options
        )
        # An adapter notes its base by this name: a folder of the cache would be of no use elsewhere.
        model.name_or_path = model.config._name_or_path = processor.tokenizer.name_or_path = place
        return model, processor

    try:
        with hub.quiet():
            if not Path(place).is_dir():
                return hub.loaded(place, check, made)
            check(place)
            return made(place)
    except ModelError:
        raise
    except Exception as error:  # the hub client's own errors have no common base
        raise ModelError(causes.unavailable(name, place, error)) from error


def _check_processor(processor: Any, name: str) -> None:
    """Raises ModelError where the processor can't make the model's input of messages and images."""
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(
            f"model {name!r} has no image processor: it is no vision-language model (choose another --model)"
        )
    if not getattr(processor, "chat_template", None):
        raise ModelError(f"model {name!r} has no chat template (choose an instruction-tuned model)")
    if tokens.no_place_for_images(processor):
        raise ModelError(
            f"model {name!r}: its chat template has no place for images (choose a vision-language model, or mend its "
            "chat_template.jinja)"
        )


def _batches(rows: Iterable, size: int) -> Iterator[list]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


def generate(
    vlm: VLM, rows: Iterable[tuple[list[dict], list[Any]]], *, max_new_tokens: int = 64, batch_size: int = 16
) -> Iterator[str]:
    """Greedy answers to (messages, PIL images), in order; see `answer`."""
    for batch in _batches(rows, batch_size):
        yield from answer(
            vlm,
            [
                prompts.prepare(vlm, messages, prompts.prepare_images(vlm, list(images)))
                for messages, images in batch
            ],
            max_new_tokens=max_new_tokens,
        )


def answer(vlm: VLM, batch: list[prompts.Prompt], *, max_new_tokens: int) -> list[str]:
    """Greedy answers to one batch: the likeliest word each time, without the penalties and the sampling that a model's own
    generation settings may ask for. In float32 they do not depend on the batch for the models that `decode` knows; others
    go through transformers' `generate`, where words that are equally likely but for rounding may."""
    if decode.can_decode(vlm):
        said = decode.greedy(vlm, batch, max_new_tokens)
        return [text.strip() for text in vlm.processor.batch_decode(said, skip_special_tokens=True)]
    inputs = prompts.stack(vlm, batch)
    return _generate(vlm, inputs, do_sample=False, repetition_penalty=1.0, max_new_tokens=max_new_tokens)


def sample(
    vlm: VLM,
    rows: Iterable[tuple[list[dict], list[Any]]],
    *,
    samples: int,
    temperature: float,
    seed: int,
    max_new_tokens: int = 64,
    batch_size: int = 16,
) -> Iterator[list[str]]:
    """`samples` answers to each of (messages, PIL images), drawn at a temperature from the whole distribution; the same for
    the same seed, rows and batch size."""
    import torch

    for number, batch in enumerate(_batches(rows, batch_size)):
        with torch.random.fork_rng():
            torch.manual_seed(seed + number)
            texts = [encode.prompt_text(vlm.processor, messages) for messages, _ in batch]
            inputs = encode.encode_prompts(vlm.processor, texts, [list(images) for _, images in batch])
            texts = _generate(
                vlm,
                prompts.on_device(vlm, inputs),
                do_sample=True,
                temperature=temperature,
                top_k=0,
                top_p=1.0,
                num_return_sequences=samples,
                max_new_tokens=max_new_tokens,
            )
        yield from (texts[i : i + samples] for i in range(0, len(texts), samples))


def _generate(vlm: VLM, inputs: dict[str, Any], **how: Any) -> list[str]:
    import torch

    with torch.inference_mode():
        out = vlm.model.generate(**inputs, **how)
    said = out[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in vlm.processor.batch_decode(said, skip_special_tokens=True)]


def score(
    vlm: VLM, rows: Iterable[tuple[list[dict], list[dict], list[Any]]], *, batch_size: int = 16
) -> Iterator[float]:
    """Summed log-probability (nats) of each answer after its prompt, in order. rows: (prompt messages, answer messages, PIL
    images)."""
    for batch in _batches(rows, batch_size):
        texts = [encode.prompt_text(vlm.processor, prompt) for prompt, _, _ in batch]
        answers = [
            encode.answer_text(vlm.processor, prompt, answer, text)
            for (prompt, answer, _), text in zip(batch, texts, strict=True)
        ]
        encoded = encode.encode_prompts(vlm.processor, texts, [list(images) for _, _, images in batch])
        yield from _score(vlm, encoded, answers)


def score_answers(vlm: VLM, batch: list[prompts.Prompt], answers: list[list[str]]) -> list[list[float]]:
    """The same of one batch of prompts that have several answers each, as many for each, written as `encode.answer_text`
    does; prompt and images are run once for all of them where `decode` knows the model."""
    import torch

    if decode.can_decode(vlm):
        said = [vlm.processor.tokenizer(some, add_special_tokens=False)["input_ids"] for some in answers]
        return decode.answer_logps(vlm, batch, [[torch.tensor(ids) for ids in some] for some in said])
    encoded = prompts.stack(vlm, batch)
    columns = [_score(vlm, encoded, list(texts)) for texts in zip(*answers, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _score(vlm: VLM, encoded: dict[str, Any], answers: list[str]) -> list[float]:
    import torch

    # Padded on the left all answers end together, so that the model's own head scores only the last positions.
    inputs = encode.join_answers(vlm.processor, encoded, [answers], side="left")
    inputs = prompts.on_device(vlm, inputs)
    spoken = inputs.pop("completion_mask")
    longest = int(spoken.sum(1).max())
    with torch.inference_mode():
        logits = vlm.model(**inputs, logits_to_keep=longest + 1, use_cache=False).logits[:, :-1].float()
    chosen = inputs["input_ids"][:, -longest:]
    each = torch.log_softmax(logits, -1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    return (each * spoken[:, -longest:]).sum(1).tolist()
