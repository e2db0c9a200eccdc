"""Attention of packed rows [prompt | answers] without a mask of S x S.

The prompt of a row has causal attention. Its answers, a few dozen tokens, attend to the prompt and to themselves. `split`
makes two calls of SDPA, and only the second needs a mask, of answers x row. `varlen` makes one call of variable-length
attention on CUDA, in which each answer is a sequence whose keys begin with those of the prompt. Both are registered with
transformers' AttentionInterface; rows that are not packed go through transformers' SDPA unchanged.

Vision towers whose images or windows are sequences of one row compute one of them at a time with SDPA: 144 calls a layer for
4 images of Qwen2.5-VL. `in_sequences` makes one variable-length call instead.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from s2h import upstream

SPLIT, VARLEN = "s2h_split", "s2h_varlen"
# transformers passes the ends of sequences to attention with "flash" in its name.
SEQUENCES = "s2h_flash_sequences"
PAD, PROMPT = -1, 0  # segments of a row; its answers are 1, 2, …


def register() -> None:
    """Make SPLIT, VARLEN and SEQUENCES known to transformers."""
    for name, function in ((SPLIT, split), (VARLEN, varlen), (SEQUENCES, in_sequences)):
        upstream.register_attention(name, function)


def mask(segments: Any, first: int = 0) -> Any:
    """Return the mask of packed rows whose segments are [B, S]: bool [B, 1, S - first, S], its rows from query `first` on. A
    token attends to the tokens before it in the prompt and in its own answer, and to itself."""
    import torch

    size = segments.shape[1]
    at = torch.arange(size, device=segments.device)
    earlier = at[first:].unsqueeze(1) >= at
    query, key = segments[:, first:].unsqueeze(2), segments.unsqueeze(1)
    seen = earlier & ((key == PROMPT) | (key == query)) & (key != PAD)
    return (seen | (at[first:].unsqueeze(1) == at)).unsqueeze(1)


def split(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    answers_only: bool = False,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Return attention [B, S, H, D] of query [B, H, S, D], key and value [B, K, S, D].

    A mask of fewer queries than S is the one of packed rows' answers (`mask` from the end of the prompts on). The queries
    before them are causal; with answers_only they are not computed and give zeros.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    batch, heads, size, width = query.shape
    answer_length = 0 if attention_mask is None else attention_mask.shape[2]
    if answer_length in (0, size):
        return upstream.sdpa(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    at, shared = size - answer_length, heads // key.shape[1]
    attend = partial(scaled_dot_product_attention, dropout_p=dropout, scale=scaling)
    if answers_only:
        prompts = query.new_zeros(batch, heads, at, width)
    else:
        prompts = attend(
            query[:, :, :at], key[:, :, :at], value[:, :, :at], is_causal=True, enable_gqa=shared > 1
        )
    # Stack the heads that share keys along the queries, so that the prompt's keys are not copied for each head.
    answers = query[:, :, at:].reshape(batch, -1, shared * answer_length, width)
    answers = attend(answers, key, value, attn_mask=attention_mask.repeat(1, 1, shared, 1))
    return torch.cat([prompts, answers.reshape(batch, heads, answer_length, -1)], 2).transpose(1, 2), None


@dataclass
class Sequences:
    """Packed rows as sequences for variable-length attention: `queries` and `keys` are indices into the flattened batch
    [B * S], cut at `query_ends` and `key_ends` (int32, from 0). The queries of a sequence are its last keys."""

    queries: Any
    keys: Any
    query_ends: Any
    key_ends: Any
    longest_query: int
    longest_key: int


def sequences(segments: Any) -> Sequences:
    """Make the sequences of rows with segments [B, S]: one of the prompt with the first answer, and one of each further
    answer after the prompt's keys."""
    import torch

    size = segments.shape[1]
    queries, keys = [], []
    for row, marks in enumerate(segments.cpu()):
        found = [
            row * size + (marks == segment).nonzero().squeeze(1) for segment in range(int(marks.max()) + 1)
        ]
        prompt, *answers = found
        for number, answer in enumerate(answers):
            keys.append(torch.cat([prompt, answer]))
            queries.append(answer if number else keys[-1])

    def ends(parts: list) -> Any:
        lengths = torch.tensor([0, *map(len, parts)])
        return lengths.cumsum(0).to(segments.device, torch.int32)

    return Sequences(
        torch.cat(queries).to(segments.device),
        torch.cat(keys).to(segments.device),
        ends(queries),
        ends(keys),
        max(map(len, queries)),
        max(map(len, keys)),
    )


def varlen(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    packed: Sequences | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Return the same as `split`, from one variable-length call over `packed`. Its causal mask aligns the last query of a
    sequence with the last key."""
    from torch.nn.attention import varlen as library

    if packed is None:
        return upstream.sdpa(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    batch, heads, size, width = query.shape
    more: dict[str, Any] = {}
    if heads > key.shape[1]:
        if _shares_keys(library.varlen_attn):
            more = {"enable_gqa": True}
        else:
            key, value = (x.repeat_interleave(heads // x.shape[1], 1) for x in (key, value))

    def places(states: Any, which: Any) -> Any:
        return states.transpose(1, 2).reshape(batch * size, -1, width)[which]

    found: Any = library.varlen_attn(
        places(query, packed.queries),
        places(key, packed.keys),
        places(value, packed.keys),
        packed.query_ends,
        packed.key_ends,
        packed.longest_query,
        packed.longest_key,
        scale=scaling,
        window_size=(-1, 0),
        **more,
    )
    out = found.new_zeros(batch * size, heads, width).index_copy(0, packed.queries, found)
    return out.view(batch, size, heads, width), None


def in_sequences(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    cu_seq_lens_q: Any = None,
    max_length_q: int | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Return attention [1, N, H, D] of a vision tower's query, key and value [1, H, N, D]. The N patches are sequences that
    are cut at cu_seq_lens_q (from 0), the longest of max_length_q patches; a patch attends to its own sequence."""
    from torch.nn.attention import varlen as library

    ends = cu_seq_lens_q
    states = [each.squeeze(0).transpose(0, 1) for each in (query, key, value)]
    found: Any = library.varlen_attn(*states, ends, ends, max_length_q, max_length_q, scale=scaling)
    return found.unsqueeze(0), None


@cache
def _shares_keys(varlen_attn: Any) -> bool:
    """Return whether heads can share keys in this torch. In torch 2.11 they can't."""
    return "enable_gqa" in inspect.signature(varlen_attn).parameters


def why_not_varlen(model: Any) -> str | None:
    """Return the reason why variable-length attention can't run on the model's device, or None if it can."""
    import torch

    if model.device.type != "cuda":
        return "variable-length attention needs a CUDA device"
    if torch.cuda.get_device_capability(model.device) < (8, 0):
        return f"{torch.cuda.get_device_name(model.device)} has no flash attention, which variable-length attention needs"
    if model.dtype not in (torch.float16, torch.bfloat16):
        return f"variable-length attention needs bfloat16 or float16, the model is {model.dtype}"
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return f"torch {torch.__version__} has no variable-length attention"
    if "window_size" not in inspect.signature(varlen_attn).parameters:
        return f"torch {torch.__version__}'s variable-length attention can't align a causal mask with the last key"
    return None
