"""Attention to images: the share of an answer's attention that goes to each image of its prompt."""

from __future__ import annotations

from typing import Any

from s2h import record as records
from s2h import upstream
from s2h.errors import counted
from s2h.models import ModelError, encode
from s2h.models.vlm import VLM


def share(vlm: VLM, messages: list[dict], images: list[Any], answer: str, target: int) -> float:
    """Return the target image's share, 0 to 1, of the attention that the tokens of the answer pay to images, in the middle
    layer of the language model as the mean over its heads (MIA-DPO, arXiv 2410.17637). Raises ModelError if the tokens of
    one image can't be separated from those of the next."""
    return shares(vlm, messages, images, answer)[target]


def shares(vlm: VLM, messages: list[dict], images: list[Any], answer: str) -> list[float]:
    """Return the share of the attention to each image, in order (see `share`). The shares sum to 1."""
    import torch

    text = encode.prompt_text(vlm.processor, messages)
    reply = encode.answer_text(vlm.processor, messages, records.assistant(answer), text)
    prompts = encode.encode_prompts(vlm.processor, [text], [list(images)])
    inputs = encode.join_answers(vlm.processor, prompts, [[reply]], side="left")
    spoken = inputs.pop("completion_mask")[0].bool()
    runs = _runs(inputs["input_ids"][0].tolist(), _image_token(vlm), len(images))
    device = vlm.model.device
    inputs = {k: v.to(device, vlm.model.dtype if v.is_floating_point() else None) for k, v in inputs.items()}
    layers = _layers(vlm.model)
    attention = layers[len(layers) // 2].self_attn
    caught: list[Any] = []

    def catch(module: Any, given: Any, out: Any) -> None:
        caught.append(out[1][0].float().mean(0))  # [query, key] of the one row, mean over heads

    before = upstream.attention_of(vlm.model.config)
    handle = attention.register_forward_hook(catch)
    try:
        vlm.model.set_attn_implementation("eager")
        with torch.inference_mode():
            vlm.model(**inputs, logits_to_keep=1, use_cache=False)
    finally:
        handle.remove()
        vlm.model.set_attn_implementation(before)
    paid = caught[0][spoken.to(device)].sum(0)  # [key]
    each = [float(paid[start:stop].sum()) for start, stop in runs]
    total = sum(each)
    return [value / total for value in each] if total > 0 else [1 / len(each)] * len(each)


def _layers(model: Any) -> Any:
    """Return the layers of the language model."""
    inner = model.get_decoder()
    layers = getattr(inner, "layers", None)
    if layers is None or not hasattr(layers[0], "self_attn"):
        raise ModelError(
            f"{type(model).__name__}: s2h can't find the layers whose attention --select needs (leave --select out)"
        )
    return layers


def _image_token(vlm: VLM) -> int | None:
    """Return the image token; None if the configuration names none."""
    config = vlm.model.config
    token = getattr(config, "image_token_id", None)
    return getattr(config, "image_token_index", None) if token is None else token


def _runs(tokens: list[int], image: int | None, count: int) -> list[tuple[int, int]]:
    """Return the run of tokens of each image, [start, stop), in order. A run of several images is cut into equal parts."""
    runs: list[tuple[int, int]] = []
    start = None
    for at, token in enumerate([*tokens, None]):
        if token == image and start is None:
            start = at
        elif token != image and start is not None:
            runs.append((start, at))
            start = None
    if len(runs) == 1 and count > 1 and (runs[0][1] - runs[0][0]) % count == 0:
        (first, last), step = runs[0], (runs[0][1] - runs[0][0]) // count
        runs = [(at, at + step) for at in range(first, last, step)]
    if len(runs) != count:
        raise ModelError(
            f"{counted(count, 'image')}, but {counted(len(runs), 'run')} of image tokens in the prompt "
            "(leave --select out)"
        )
    return runs
