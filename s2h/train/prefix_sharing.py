"""The shared-prefix step: the prompt, images and vision pass of a pair are computed once and serve all its answers.

A row holds [prompt | answer | answer …]; the answers don't see each other and all start at the position that follows the
prompt. The hidden states of the answers are then handed to TRL's own head, losses and metrics in the form in which a row
for each answer would have given them, so the numbers are those of the stock step. The idea for text: prefix sharing,
arXiv:2410.20305.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from s2h.models.encode import TEXT_KEYS, padding
from s2h.train import adapters, features, last_layer, packed_attention
from s2h.train.packed_attention import PAD, PROMPT

# Model types whose packed rows give the numbers of the stock step (tests/train/test_prefix_sharing.py), and the types of
# their language models.
EXACT = ("llava", "llava_next", "llava_onevision", "qwen2_vl", "qwen2_5_vl", "qwen3_vl")
LANGUAGE = ("llama", "mistral", "qwen2", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3_vl_text")
ATTENTION = ("auto", "split", "mask", "varlen")


def why_not(config: Any) -> str | None:
    """The reason why a model can't take packed rows, or None where it can."""
    text = config.get_text_config()
    if config.model_type not in EXACT:
        return f"model type {config.model_type} has not been shown to be exact"
    if text.model_type not in LANGUAGE:
        return f"a language model of type {text.model_type} has not been shown to be exact"
    if getattr(text, "sliding_window", None) and getattr(text, "use_sliding_window", True):
        return "sliding-window attention"
    if text._attn_implementation not in ("sdpa", "eager", packed_attention.SPLIT, packed_attention.VARLEN):
        return f"attention by {text._attn_implementation}, which takes no mask of its own"
    return None


def pack_answers(
    tokenizer: Any, prompts: dict[str, Any], answers: list[list[str]], rows: list[int] | None = None
) -> dict[str, Any]:
    """A batch of packed rows from R encoded prompts and the (chosen, rejected) texts of B pairs; rows: the prompt of each
    pair, by default each its own. An answer that a row has twice is computed once.

    Returns what TRL's loss reads, 0 to B-1 chosen and B to 2B-1 rejected: input_ids, attention_mask, completion_mask
    [2B, 1 + longest answer], column 0 the prompt's last token; what the model computes: row_ids, row_segments (and row_types
    where the processor tells text from images) [R, S], prompts on the left of column row_prompt but for their last tokens,
    which stand in it, and the answers after that, so that all hidden states that a loss reads are those from there on;
    row_index [2B, 1 + longest answer], where in the flattened rows a token's hidden state lies; and the images' tensors.
    """
    import torch

    pad = padding(tokenizer)
    mask, kinds = prompts["attention_mask"].bool(), prompts.get("mm_token_type_ids")
    known = [ids[kept] for ids, kept in zip(prompts["input_ids"], mask, strict=True)]
    rows = list(range(len(known))) if rows is None else rows
    encoded = [
        tuple(ids) for side in answers for ids in tokenizer(side, add_special_tokens=False)["input_ids"]
    ]
    said: list[dict] = [{} for _ in known]  # of each row: answer to where it starts, behind row_prompt
    for row, answer in zip(rows * 2, encoded, strict=True):
        said[row].setdefault(answer, sum(map(len, said[row])))
    start = max(map(len, known)) - 1
    width = start + 1 + max(sum(map(len, found)) for found in said)
    longest = 1 + max(map(len, encoded))

    row_ids = torch.full((len(known), width), pad)
    segments, types = torch.full_like(row_ids, PAD), torch.zeros_like(row_ids)
    for row, (prompt, found) in enumerate(zip(known, said, strict=True)):
        places = torch.tensor([*range(len(prompt) - 1), start])
        row_ids[row, places], segments[row, places] = prompt, PROMPT
        if kinds is not None:
            types[row, places] = kinds[row][mask[row]]
        for segment, (answer, at) in enumerate(found.items(), 1):
            place = slice(start + 1 + at, start + 1 + at + len(answer))
            row_ids[row, place], segments[row, place] = torch.tensor(answer), segment

    ids, index = (
        torch.full((len(encoded), longest), pad),
        torch.zeros(len(encoded), longest, dtype=torch.long),
    )
    real, spoken = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, (row, answer) in enumerate(zip(rows * 2, encoded, strict=True)):
        view, first = slice(1, 1 + len(answer)), row * width + start + 1 + said[row][answer]
        ids[i, 0], ids[i, view] = known[row][-1], torch.tensor(answer)
        index[i, 0] = row * width + start
        index[i, view] = torch.arange(first, first + len(answer))
        real[i, : 1 + len(answer)], spoken[i, view] = 1, 1
    batch = {"input_ids": ids, "attention_mask": real, "completion_mask": spoken}
    batch |= {"row_ids": row_ids, "row_segments": segments, "row_index": index, "row_prompt": start}
    if kinds is not None:
        batch["row_types"] = types
    return batch | {key: value for key, value in prompts.items() if key not in TEXT_KEYS}


def positions(core: Any, segments: Any, row_ids: Any, types: Any, images: dict[str, Any]) -> Any:
    """Position ids [B, S], or [3, B, S] where images have positions of three parts: the prompt's as the model gives them,
    each answer's from the one after the prompt's last."""
    import torch

    in_prompt = segments == PROMPT
    at = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    if hasattr(core, "get_rope_index"):
        found, _ = core.get_rope_index(
            row_ids, mm_token_type_ids=types, attention_mask=in_prompt.long(), **images
        )
    else:
        found = in_prompt.cumsum(-1) - 1
    after = (found * in_prompt).amax(-1, keepdim=True) + 1
    begins = torch.ones_like(in_prompt)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    since = at - torch.where(begins, at, 0).cummax(1).values
    return torch.where(segments > PROMPT, after + since, found)


def install(core: Any, how: str = "auto", store: features.Store | None = None) -> Callable[[], None]:
    """Let a backbone (what stands under the language-model head) take batches of `pack_answers`; others go through as
    before. how: one of ATTENTION; `auto` is split unless the model was loaded with eager attention. A frozen vision tower
    runs without gradient, once for each tensor of images or with a store row by row and into it; the last layer runs for the
    answers only (but not with `mask`), LoRA in fewer passes. Returns what undoes it."""
    forward, encode, rows = core.forward, core.get_image_features, []
    config, before = core.language_model.config, core.language_model.config._attn_implementation
    if how == "auto":
        how = "mask" if before == "eager" else "split"
    if how != "mask":
        packed_attention.register()
        core.language_model.set_attn_implementation(
            {"split": packed_attention.SPLIT, "varlen": packed_attention.VARLEN}[how]
        )

    def packed_or_not(*args: Any, row_ids: Any = None, row_images: Any = (), **kwargs: Any) -> Any:
        rows[:] = row_images
        if row_ids is None:
            return forward(*args, **kwargs)
        return _packed(core, forward, how, row_ids, **kwargs)

    def encode_rows(pixels: Any, *args: Any, **kwargs: Any) -> Any:
        if store is None or not rows:
            return encode(pixels, *args, **kwargs)
        return features.of_rows(rows, store, encode, pixels, *args, **kwargs)

    core.forward = packed_or_not
    if frozen(core):
        core.get_image_features = _once(encode_rows)
    undone = [adapters.fuse(core.language_model)]
    if how != "mask":
        undone.append(last_layer.restrict(core.language_model.layers[-1]))

    def undo() -> None:
        for part in undone:
            part()
        core.forward, core.get_image_features = forward, encode
        if config._attn_implementation != before:
            core.language_model.set_attn_implementation(before)

    return undo


def frozen(core: Any) -> bool:
    """Whether no parameter outside the language model is trained."""
    language = {id(parameter) for parameter in core.language_model.parameters()}
    return not any(p.requires_grad for p in core.parameters() if id(p) not in language)


def _once(encode: Callable) -> Callable:
    """A frozen tower's features of the images that it saw last are kept as long as those images are: policy and reference
    of a batch share them. Without gradient neither checkpointing nor PEFT's hook on its embeddings makes it run again."""
    import torch

    kept: dict[str, Any] = {}

    def once(pixel_values: Any, *args: Any, packed: Any = None, **kwargs: Any) -> Any:
        if "of" not in kept or kept["of"]() is not pixel_values:
            with torch.no_grad():
                kept["features"] = encode(pixel_values, *args, **kwargs)
            kept["of"] = weakref.ref(
                pixel_values, lambda gone: kept.clear() if kept.get("of") is gone else None
            )
        return kept["features"]

    return once


def _packed(
    core: Any,
    forward: Callable,
    how: str,
    row_ids: Any,
    *,
    row_segments: Any,
    row_index: Any,
    row_prompt: int,
    row_types: Any = None,
    **kwargs: Any,
) -> Any:
    """Run packed rows and return last_hidden_state [2B, 1 + longest answer, H]."""
    for name in ("input_ids", "attention_mask", "position_ids"):
        kwargs.pop(name, None)
    grids = {name: kwargs[name] for name in ("image_grid_thw",) if kwargs.get(name) is not None}
    mask = packed_attention.mask(row_segments, 0 if how == "mask" else row_prompt)
    if core.language_model.config._attn_implementation == "eager":
        dtype = core.get_input_embeddings().weight.dtype  # eager adds its mask to the scores
        mask = mask.new_zeros(mask.shape, dtype=dtype).masked_fill(~mask, _lowest(dtype))
    if how == "varlen":
        kwargs["packed"] = packed_attention.sequences(row_segments)
    if row_types is not None:
        kwargs["mm_token_type_ids"] = row_types
    out = forward(
        input_ids=row_ids,
        attention_mask=mask,
        position_ids=positions(core, row_segments, row_ids, row_types, grids),
        **kwargs,
    )
    out.last_hidden_state = out.last_hidden_state.flatten(0, 1)[row_index]
    return out


def _lowest(dtype: Any) -> float:
    import torch

    return torch.finfo(dtype).min
