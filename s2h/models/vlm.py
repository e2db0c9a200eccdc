"""Vision-language models: loading by name or run folder, greedy generation in batches, log-probabilities of answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from s2h import accel
from s2h.models import ModelError, decode, encode, hub, names, prompts

ADAPTER, MERGED = "adapter", "merged"  # where in a run folder s2h-train puts an adapter, and a whole model
ARGUMENTS = "args.json"


@dataclass
class VLM:
    """A model with its processor, ready to answer; `name` is what the user called it."""

    model: Any
    processor: Any
    name: str


def load(name: str, *, device: Any = None, dtype: Any = None) -> VLM:
    """Load by alias, Hub id, folder, or run folder of s2h-train (the adapter on its base). Only safetensors are read and no
    code that comes with a model is run. Raises ModelError with the remedy where it can't be had."""
    import warnings

    warnings.filterwarnings(
        "ignore", category=FutureWarning, module="transformers"
    )  # of libraries to each other
    run = Path(name)
    if (run / ADAPTER / "adapter_config.json").is_file():
        said = json.loads((run / ARGUMENTS).read_text()) if (run / ARGUMENTS).is_file() else {}
        base = said.get("model")
        if base is None:
            base = json.loads((run / ADAPTER / "adapter_config.json").read_text())["base_model_name_or_path"]
        loaded = load(base, device=device, dtype=dtype)
        if said.get("base") not in (None, sketch(base, loaded.model)):
            raise ModelError(
                f"{name}: the adapter does not fit its base {base}: it was trained on other weights (give it those again)"
            )
        return VLM(_adapted(loaded.model, run / ADAPTER, name, base), loaded.processor, name)
    whole = run / MERGED if (run / MERGED / "config.json").is_file() else name
    model, processor = read(str(whole), dtype if dtype is not None else accel.dtype())
    model.to(device if device is not None else accel.device()).eval()
    return VLM(model, processor, name)


def sketch(name: str, model: Any) -> str | None:
    """16 hexadecimal digits by which a model is known again in whatever precision it is read: some numbers of each weight,
    rounded to bfloat16. None for what is made as it is read: an earlier run's adapter in its base, weights of 4 bits."""
    import torch

    if (Path(name) / ADAPTER).is_dir() or getattr(model, "is_loaded_in_4bit", False):
        return None
    told = blake2b(digest_size=8)
    for part, weight in sorted(model.state_dict().items()):
        some = weight.detach().reshape(-1)[:64].to(torch.bfloat16).cpu()
        told.update(part.encode() + some.view(torch.int16).numpy().tobytes())
    return told.hexdigest()


def _adapted(model: Any, adapter: Path, name: str, base: str) -> Any:
    """A model with an adapter merged into its weights. Raises ModelError where it was made for another model."""
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
        with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
            left = set(file.keys()) ^ set(get_peft_model_state_dict(adapted))
    except Exception as error:  # PEFT's and safetensors' own errors have no common base
        raise ModelError(f"{name}: the adapter does not fit its base {base}: {_short(error)}") from error
    if left:
        raise ModelError(f"{name}: the adapter does not fit its base {base}: no such weights: {min(left)}")
    return adapted.merge_and_unload().eval()


def read(name: str, dtype: Any, quantization: Any = None) -> tuple[Any, Any]:
    """Model and processor from a folder or the Hub, for `load` and for training; on the CPU, or, where transformers is to
    quantize the weights as they are read (a BitsAndBytesConfig), on this process's GPU."""
    import transformers
    from transformers import AutoModelForImageTextToText, AutoProcessor

    transformers.utils.logging.disable_progress_bar()
    place = names.resolve(name)
    options = {"trust_remote_code": False, "local_files_only": Path(place).is_dir()}
    how = {"quantization_config": quantization, "device_map": {"": accel.device()}} if quantization else {}
    try:
        with hub.quiet():
            if not options["local_files_only"]:
                hub.fetch(place, "config.json")  # says at once where neither cache nor network has the model
            processor = AutoProcessor.from_pretrained(place, **options)
            model = AutoModelForImageTextToText.from_pretrained(
                place, dtype=dtype, use_safetensors=True, **how, **options
            )
    except Exception as error:  # the hub client's own errors have no common base
        raise ModelError(_unavailable(name, place, error)) from error
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(
            f"model {name!r} has no image processor: it is no vision-language model (choose another --model)"
        )
    if not getattr(processor, "chat_template", None):
        raise ModelError(f"model {name!r} has no chat template (choose an instruction-tuned model)")
    return model, processor


def _unavailable(name: str, place: str, error: Exception) -> str:
    if "Unrecognized configuration class" in str(error) or "unrecognized" in str(error).lower():
        return f"model {name!r} is no vision-language model that transformers knows (choose another --model)"
    where = "" if place == name else f" ({place})"
    if Path(place).is_dir():
        return f"model {name!r}{where} can't be loaded: {_short(error)} (is the folder whole?)"
    return (
        f"model {name!r}{where} can't be had: no such folder, not in the local Hub cache, and the Hub did not give it "
        "(check --model and the network, or give a local folder)"
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


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
                prompts.prepare(vlm, messages, [prompts.prepare_image(vlm, image) for image in images])
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
        logits = vlm.model(**inputs, logits_to_keep=longest + 1).logits[:, :-1].float()
    chosen = inputs["input_ids"][:, -longest:]
    each = torch.log_softmax(logits, -1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    return (each * spoken[:, -longest:]).sum(1).tolist()
