"""Vision-language models: load one by name or run folder, generate answers in batches, score answers by their
log-probability."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from s2h import accel, upstream
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import (
    ModelError,
    adapter,
    causes,
    decode,
    encode,
    guard,
    hub_files,
    image_size,
    names,
    prefix_sharing,
    prompts,
    tokens,
)
from s2h.models import (
    thinking as modes,
)
from s2h.models.adapter import ARGUMENTS, MERGED
from s2h.processes import uncollected


@dataclass
class VLM:
    """A model with its processor. name: the user's name for it. pixels: the bounds of an image that the user or the preset
    has set. shown: those within which an image must be opened for the processor (`s2h.images.decoding.open_image`)."""

    model: Any
    processor: Any
    name: str
    pixels: Pixels = WHOLE
    shown: Pixels = WHOLE


def load(
    name: str,
    *,
    device: Any = None,
    dtype: Any = None,
    pixels: Pixels | None = None,
    thinking: str | None = None,
    above: tuple[str, ...] = (),
) -> VLM:
    """Load a model by alias, Hub id, folder, or folder of a run, a checkpoint or an adapter, which is merged into its base.
    Only safetensors are read, and no code that comes with a model is run. pixels: the bounds of an image; None for those of
    the run or of the preset. thinking: as in `thinking.wanted`. above: folders of the adapters on top of this model. Raises
    ModelError with the remedy."""
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    pixels = image_size.wanted(name) if pixels is None else pixels
    thinks = modes.wanted(name, thinking)
    folder = adapter.find(name)
    if folder is not None:
        guard.check(folder, name)
        base = adapter.base_of(folder)
        if os.path.realpath(folder) in above:
            raise ModelError(
                f"{name}: the adapter is its own base (correct {ARGUMENTS} or adapter_config.json)"
            )
        try:
            under = (*above, os.path.realpath(folder))
            loaded = load(base, device=device, dtype=dtype, pixels=pixels, thinking=thinks, above=under)
        except ModelError as error:
            raise ModelError(f"{name}: its base can't be loaded: {error}") from error
        merged = adapter.merge(loaded.model, folder, name, base)
        return VLM(merged, loaded.processor, name, pixels, loaded.shown)
    whole = Path(name) / MERGED
    if (whole / "config.json").is_file():
        model, processor = read(str(whole), dtype if dtype is not None else accel.dtype(), thinking=thinks)
    elif (Path(name) / ARGUMENTS).is_file():
        raise ModelError(
            f"{name} has no adapter: its training has not ended (s2h-train --resume continues it; a folder in "
            "checkpoints/ is a model too)"
        )
    else:
        model, processor = read(name, dtype if dtype is not None else accel.dtype(), thinking=thinks)
    shown = image_size.bound(processor, model.config, pixels, name)
    model.to(device if device is not None else accel.device()).eval()
    return VLM(model, processor, name, pixels, shown)


def read(
    name: str, dtype: Any, quantization: Any = None, thinking: str = "off", empty: bool = False
) -> tuple[Any, Any]:
    """Read model and processor from a folder or the Hub, for `load` and for training. quantization: a BitsAndBytesConfig,
    with which the model is on this process's GPU; otherwise it is on the CPU. thinking: "off" or "on", for the chat
    template. empty: leave the weights on the meta device, unless they are quantized. Raises ModelError."""
    with uncollected():
        import accelerate
        import transformers
        from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

    transformers.utils.logging.disable_progress_bar()
    place = names.resolve(name)
    how = {"quantization_config": quantization, "device_map": {"": accel.device()}} if quantization else {}
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}

    def check(folder: str) -> None:
        guard.check(folder, f"model {name!r}")
        guard.no_adapter(folder, f"model {name!r}")

    def made(folder: str) -> tuple[Any, Any]:
        processor = AutoProcessor.from_pretrained(folder, **options)
        _check_processor(processor, name)
        processor.chat_template = modes.template(processor, thinking)
        config = AutoConfig.from_pretrained(folder, **options) if empty and not quantization else None
        if config and not hasattr(config, "quantization_config"):
            with accelerate.init_empty_weights():
                model = AutoModelForImageTextToText.from_config(config, dtype=dtype)
        else:
            model = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, **how, **options
            )
        upstream.name_model(model, processor, os.path.abspath(place) if os.path.isdir(place) else place)
        return model, processor

    try:
        with hub_files.quiet():
            if not Path(place).is_dir():
                return hub_files.loaded(place, check, made)
            check(place)
            return made(place)
    except ModelError:
        raise
    except Exception as error:  # the libraries have no error in common
        raise ModelError(causes.unavailable(name, place, error)) from error


def _check_processor(processor: Any, name: str) -> None:
    """Raise ModelError if the processor can't prepare messages and images for the model."""
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(
            f"model {name!r} has no image processor: it is not a vision-language model (choose another --model)"
        )
    if not getattr(processor, "chat_template", None):
        raise ModelError(f"model {name!r} has no chat template (choose an instruction-tuned model)")
    if tokens.no_place_for_images(processor):
        raise ModelError(
            f"model {name!r}: its chat template has no place for images (choose a vision-language model, or correct "
            "its chat_template.jinja)"
        )


def _batches(rows: Iterable, size: int) -> Iterator[list]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


def generate(
    vlm: VLM, rows: Iterable[tuple[list[dict], list[Any]]], *, max_new_tokens: int = 64, batch_size: int = 16
) -> Iterator[str]:
    """Yield a greedy answer to each of (messages, PIL images), in order (see `answer`)."""
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
    """Return a greedy answer to each prompt of a batch: the likeliest token each time, without the penalties and the
    sampling of the model's own generation settings. In float32 the answers do not depend on the batch for models that
    `decode` knows; others go through transformers' `generate`, where near-tied tokens may depend on it."""
    if decode.can_decode(vlm):
        replies = decode.greedy(vlm, batch, max_new_tokens)
        return _texts(vlm, [prompt.text for prompt in batch], replies)
    inputs, texts = prompts.stack(vlm, batch), [prompt.text for prompt in batch]
    greedy = {"do_sample": False, "repetition_penalty": 1.0}
    return _generate(vlm, texts, inputs, max_new_tokens=max_new_tokens, **greedy)


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
    """Yield `samples` answers to each of (messages, PIL images), drawn at a temperature from the whole distribution. The
    same seed, rows and batch size give the same answers."""
    import torch

    for number, batch in enumerate(_batches(rows, batch_size)):
        with torch.random.fork_rng():
            torch.manual_seed(seed + number)
            texts = [encode.prompt_text(vlm.processor, messages) for messages, _ in batch]
            inputs = encode.encode_prompts(vlm.processor, texts, [list(images) for _, images in batch])
            texts = _generate(
                vlm,
                [text for text in texts for _ in range(samples)],
                prompts.on_device(vlm, inputs),
                do_sample=True,
                temperature=temperature,
                top_k=0,
                top_p=1.0,
                num_return_sequences=samples,
                max_new_tokens=max_new_tokens,
            )
        yield from (texts[i : i + samples] for i in range(0, len(texts), samples))


def _texts(vlm: VLM, asked: list[str], replies: Any) -> list[str]:
    """Return the texts of replies, lists of tokens, to the prompts `asked`."""
    if modes.is_on(vlm.processor):
        return [modes.reply(vlm.processor, text, list(ids)) for text, ids in zip(asked, replies, strict=True)]
    return [text.strip() for text in vlm.processor.batch_decode(replies, skip_special_tokens=True)]


def _generate(vlm: VLM, asked: list[str], inputs: dict[str, Any], **how: Any) -> list[str]:
    import torch

    with torch.inference_mode():
        out = vlm.model.generate(**inputs, **how)
    return _texts(vlm, asked, out[:, inputs["input_ids"].shape[1] :].tolist())


def score(
    vlm: VLM, rows: Iterable[tuple[list[dict], list[dict], list[Any]]], *, batch_size: int = 16
) -> Iterator[float]:
    """Yield the log-probability (nats, summed over tokens) of each answer after its prompt, in order. rows: (prompt
    messages, answer messages, PIL images)."""
    for batch in _batches(rows, batch_size):
        texts = [encode.prompt_text(vlm.processor, prompt) for prompt, _, _ in batch]
        answers = [
            encode.answer_text(vlm.processor, prompt, answer, text)
            for (prompt, answer, _), text in zip(batch, texts, strict=True)
        ]
        encoded = encode.encode_prompts(vlm.processor, texts, [list(images) for _, _, images in batch])
        yield from _score(vlm, encoded, answers)


def score_answers(vlm: VLM, batch: list[prompts.Prompt], answers: list[list[str]]) -> list[list[float]]:
    """Return the log-probabilities (nats, summed over tokens) of the answers of one batch, one list for each prompt.
    answers: the same number of texts for each prompt, as `encode.answer_text` writes them. A prompt is run once for all its
    answers if `decode` knows the model."""
    import torch

    if decode.can_decode(vlm):
        tokens = [vlm.processor.tokenizer(some, add_special_tokens=False)["input_ids"] for some in answers]
        return decode.answer_logps(vlm, batch, [[torch.tensor(ids) for ids in some] for some in tokens])
    encoded = prompts.stack(vlm, batch)
    columns = [_score(vlm, encoded, list(texts)) for texts in zip(*answers, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def score_pairs(vlm: VLM, rows: list[tuple[list[dict], list[Any], list[list[dict]]]]) -> list[list[float]]:
    """Return the log-probabilities (nats, summed over tokens) of the answers to each prompt of one batch. rows: (prompt
    messages, PIL images, answers' messages). Models that `prefix_sharing` knows compute a prompt and its images once for all
    its answers, others once for each."""
    if prefix_sharing.why_not(vlm.model.config):
        flat = [(prompt, answer, images) for prompt, images, answers in rows for answer in answers]
        values = iter(list(score(vlm, flat, batch_size=max(len(flat), 1))))
        return [[next(values) for _ in answers] for _, _, answers in rows]
    texts = [encode.prompt_text(vlm.processor, prompt) for prompt, _, _ in rows]
    spoken = [
        [encode.answer_text(vlm.processor, prompt, answer, text) for answer in answers]
        for (prompt, _, answers), text in zip(rows, texts, strict=True)
    ]
    if not rows:
        return []
    encoded = encode.encode_prompts(vlm.processor, texts, [images for _, images, _ in rows])
    of = [at for at, answers in enumerate(spoken) for _ in answers]
    flat_texts = [text for answers in spoken for text in answers]
    batch = prefix_sharing.pack_answers(vlm.processor.tokenizer, encoded, flat_texts, of)
    found = iter(_score_packed(vlm, batch))
    return [[next(found) for _ in answers] for answers in spoken]


def _score_packed(vlm: VLM, batch: dict[str, Any]) -> list[float]:
    """Return the log-probability of each answer of a batch of `prefix_sharing.pack_answers`."""
    import torch

    first = batch.pop("row_prompt")
    batch = prompts.on_device(vlm, batch)
    tokens, spoken = batch.pop("input_ids")[:, 1:], batch.pop("completion_mask")[:, 1:]
    del batch["attention_mask"]
    core = vlm.model.base_model
    undo = prefix_sharing.install(core)
    try:
        with torch.inference_mode():
            states = core(**batch, row_prompt=first, use_cache=False).last_hidden_state[:, :-1]
            logits = vlm.model.get_output_embeddings()(states)
            cap = getattr(vlm.model.config.get_text_config(), "final_logit_softcapping", None)
            return _log_probs((logits / cap).tanh() * cap if cap else logits, tokens, spoken)
    finally:
        undo()


def _log_probs(logits: Any, tokens: Any, spoken: Any) -> list[float]:
    """Return the log-probability of each row's tokens, summed where `spoken` is 1. logits: [B, L, V]; others: [B, L]."""
    import torch

    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    each = torch.log_softmax(wide, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return (each * spoken).sum(1).tolist()


def _score(vlm: VLM, encoded: dict[str, Any], answers: list[str]) -> list[float]:
    import torch

    # Padding on the left lets all answers end in the last column, so that the head computes the last positions only.
    inputs = encode.join_answers(vlm.processor, encoded, [answers], side="left")
    inputs = prompts.on_device(vlm, inputs)
    spoken = inputs.pop("completion_mask")
    longest = int(spoken.sum(1).max())
    with torch.inference_mode():
        logits = vlm.model(**inputs, logits_to_keep=longest + 1, use_cache=False).logits[:, :-1]
    return _log_probs(logits, inputs["input_ids"][:, -longest:], spoken[:, -longest:])
