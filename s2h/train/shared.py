"""The shared-prefix step: a pair's prompt, images and vision pass are computed once and serve both answers.

A row holds [prompt | chosen | rejected]; a mask keeps the answers from seeing each other and both start at the position
that follows the prompt. The hidden states of the answers are then handed to TRL's own head, losses and metrics in the form
in which two separate rows would have given them, so the numbers are those of the stock step. The idea for text:
prefix sharing, arXiv:2410.20305.
"""

from __future__ import annotations

from typing import Any

from s2h.models.encode import TEXT_KEYS, padding

# Model types for which the packed row was shown to give the stock step's numbers (tests/train/test_shared.py).
EXACT = ("llava", "qwen2_5_vl", "qwen3_vl")
PAD, PROMPT, CHOSEN, REJECTED = -1, 0, 1, 2
FLOAT32_TOLERANCE, TOLERANCE = 1e-4, 2e-2  # relative to a log-probability's size, at least 1 nat


def why_not(config: Any) -> str | None:
    """The reason why a model can't take packed rows, or None where it can."""
    text = config.get_text_config()
    if config.model_type not in EXACT:
        return f"model type {config.model_type} has not been shown to be exact"
    if getattr(text, "use_sliding_window", False):
        return "sliding-window attention"
    if "flash" in (text._attn_implementation or ""):
        return f"{text._attn_implementation} takes no mask of its own"
    return None


def pack_answers(tokenizer: Any, prompts: dict[str, Any], answers: list[list[str]]) -> dict[str, Any]:
    """A batch of packed rows from encoded prompts and (chosen, rejected) texts, B each.

    Returns what TRL's loss reads, rows 0 to B-1 chosen and B to 2B-1 rejected: input_ids, attention_mask,
    completion_mask [2B, 1 + longest answer], column 0 the prompt's last token; what the model computes:
    row_ids, row_segments (and row_types where the processor tells text from images) [B, S]; row_index [2B, 1 + longest
    answer], where in its row a token's hidden state lies; and the images' tensors once.
    """
    import torch

    pad = padding(tokenizer)
    mask, kinds = prompts["attention_mask"].bool(), prompts.get("mm_token_type_ids")
    encoded = [tokenizer(texts, add_special_tokens=False)["input_ids"] for texts in answers]
    known = [ids[kept].tolist() for ids, kept in zip(prompts["input_ids"], mask, strict=True)]
    size = len(known)
    width = max(len(p) + len(c) + len(r) for p, c, r in zip(known, *encoded, strict=True))
    longest = 1 + max(len(ids) for side in encoded for ids in side)
    row_ids = torch.full((size, width), pad)
    segments, types = torch.full_like(row_ids, PAD), torch.zeros_like(row_ids)
    ids, index = torch.full((2 * size, longest), pad), torch.zeros(2 * size, longest, dtype=torch.long)
    real, said = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, prompt in enumerate(known):
        at = len(prompt)
        row_ids[i, :at], segments[i, :at] = torch.tensor(prompt), PROMPT
        if kinds is not None:
            types[i, :at] = kinds[i][mask[i]]
        for which, segment in ((0, CHOSEN), (1, REJECTED)):
            answer, row = torch.tensor(encoded[which][i]), i + which * size
            end = at + len(answer)
            row_ids[i, at:end], segments[i, at:end] = answer, segment
            view = slice(1, 1 + len(answer))
            ids[row, 0], ids[row, view] = prompt[-1], answer
            index[row, 0], index[row, view] = len(prompt) - 1, torch.arange(at, end)
            real[row, : 1 + len(answer)], said[row, view] = 1, 1
            at = end
    batch = {"input_ids": ids, "attention_mask": real, "completion_mask": said}
    batch |= {"row_ids": row_ids, "row_segments": segments, "row_index": index}
    if kinds is not None:
        batch["row_types"] = types
    return batch | {key: value for key, value in prompts.items() if key not in TEXT_KEYS}


def attention_mask(segments: Any) -> Any:
    """bool [B, 1, S, S]: a token sees what comes before it in the prompt and in its own answer, and itself."""
    import torch

    size = segments.shape[1]
    before = torch.ones(size, size, dtype=torch.bool, device=segments.device).tril()
    query, key = segments.unsqueeze(2), segments.unsqueeze(1)
    seen = before & ((key == PROMPT) | (key == query)) & (key != PAD)
    return (seen | torch.eye(size, dtype=torch.bool, device=segments.device)).unsqueeze(1)


def positions(core: Any, segments: Any, row_ids: Any, types: Any, images: dict[str, Any]) -> Any:
    """Position ids [B, S], or [3, B, S] where images have positions of three parts: the prompt's as the model gives them,
    each answer's from the one after the prompt's last."""
    import torch

    in_prompt = segments == PROMPT
    if hasattr(core, "get_rope_index"):
        found, _ = core.get_rope_index(
            row_ids, mm_token_type_ids=types, attention_mask=in_prompt.long(), **images
        )
    else:
        found = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    after = (found * in_prompt).amax(-1, keepdim=True) + 1
    for segment in (CHOSEN, REJECTED):
        mine = segments == segment
        found = torch.where(mine, after + mine.long().cumsum(-1) - 1, found)
    return found


def install(core: Any) -> None:
    """Let a backbone (what stands under the language-model head) take batches of `pack_answers`; others go through as
    before."""
    original = core.forward

    def forward(*args: Any, row_ids: Any = None, **kwargs: Any) -> Any:
        if row_ids is None:
            return original(*args, **kwargs)
        return _packed(core, original, row_ids, **kwargs)

    core.forward = forward


def _packed(
    core: Any, original: Any, row_ids: Any, *, row_segments, row_index, row_types=None, **kwargs: Any
) -> Any:
    """Run packed rows and return last_hidden_state [2B, 1 + longest answer, H]."""
    for name in ("input_ids", "attention_mask", "position_ids"):
        kwargs.pop(name, None)
    grids = {name: kwargs[name] for name in ("image_grid_thw",) if kwargs.get(name) is not None}
    mask = attention_mask(row_segments)
    if core.config.get_text_config()._attn_implementation != "sdpa":  # eager adds its mask to the scores
        dtype = core.get_input_embeddings().weight.dtype
        mask = mask.new_zeros(mask.shape, dtype=dtype).masked_fill(~mask, _lowest(dtype))
    out = original(
        input_ids=row_ids,
        attention_mask=mask,
        position_ids=positions(core, row_segments, row_ids, row_types, grids),
        **({"mm_token_type_ids": row_types} if row_types is not None else {}),
        **kwargs,
    )
    hidden = out.last_hidden_state
    of_row = row_index.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
    out.last_hidden_state = hidden.repeat(2, 1, 1).gather(1, of_row)
    return out


def _lowest(dtype: Any) -> float:
    import torch

    return torch.finfo(dtype).min


def agree(ours: list[float], stock: list[float], *, float32: bool) -> bool:
    """Whether two lists of log-probabilities are the same but for rounding."""
    least = FLOAT32_TOLERANCE if float32 else TOLERANCE
    return all(abs(a - b) <= least * max(1.0, abs(b)) for a, b in zip(ours, stock, strict=True))
