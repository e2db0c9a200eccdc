"""Answers and their log-probabilities for a batch of prompts: one pass over the prompts, then a token at a time. A row
leaves the batch when its answer has ended. Greedy answers in float32 do not depend on the rest of the batch: near-tied
tokens, between which rounding could decide, are recomputed with batch size 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2h.models import ModelError
from s2h.models import prompts as made
from s2h.models.prompts import Prompt
from s2h.models.tokens import positions

if TYPE_CHECKING:
    from s2h.models.vlm import VLM

# Two tokens are near-tied if their logits differ by less than this share of the largest logit, times the number of layers.
# Rounding moved logits by at most a seventh of that in models of 2 to 8 layers.
NEAR = 5e-6


@dataclass
class State:
    """A batch after its prompts. cache: keys and values of each layer. mask: which of its S columns count, [B, S]. next:
    position of the next token, [B]. logits: of the next token, [B, V]."""

    cache: Any
    mask: Any
    next: Any
    logits: Any

    def keep(self, rows: list[int]) -> None:
        """Keep these rows, in this order. A row may be named several times."""
        import torch

        at = torch.tensor(rows, device=self.next.device)
        self.cache.batch_select_indices(at)
        self.mask, self.next, self.logits = self.mask[at], self.next[at], self.logits[at]


def can_decode(vlm: VLM) -> bool:
    """Return whether this module can decode the model: plain prompts, and a cache that keeps every token."""
    if not made.takes_plain(vlm):
        return False
    from transformers.cache_utils import DynamicCache, DynamicLayer

    cache = DynamicCache(config=vlm.model.config.get_text_config())
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def prefill(vlm: VLM, prompts: list[Prompt]) -> State:
    """Run the prompts and return the state after them. A beginning that several prompts share, up to the last image, is run
    once."""
    heads = [
        None if p.shared is None or not p.head else (p.shared, tuple(p.ids[: p.head].tolist()))
        for p in prompts
    ]
    distinct = list(dict.fromkeys(heads))
    if None in distinct or len(distinct) == len(prompts) or any(p.head == len(p.ids) for p in prompts):
        return _run(vlm, made.stack(vlm, prompts))
    first = [prompts[heads.index(head)] for head in distinct]
    state = _run(vlm, made.stack(vlm, [Prompt(p.text, p.ids[: p.head], p.images) for p in first]))
    state.keep([distinct.index(head) for head in heads])
    extend(vlm, state, [p.ids[p.head :] for p in prompts])
    return state


def extend(vlm: VLM, state: State, rows: list[Any], side: str = "left", keep: int = 1) -> Any:
    """Run more tokens, [L] of each row, and return the logits [B, keep, V] of the last `keep` columns, or of all with 0.
    With side "left" all rows end in the last column, and the state can be extended again."""
    import torch

    more = made.on_device(vlm, made.join(rows, 0, side))
    ids, real = more["input_ids"], more["attention_mask"]
    state.mask = torch.cat([state.mask, real], 1)
    places = state.next.unsqueeze(1) + (real.cumsum(1) - 1).clamp(min=0)
    out = _forward(vlm, state.cache, ids, state.mask, places, logits_to_keep=keep)
    state.next = state.next + real.sum(1)
    state.logits = out[:, -1]
    return out


def greedy(vlm: VLM, prompts: list[Prompt], max_new_tokens: int) -> list[list[int]]:
    """Return the tokens of each prompt's greedy answer, with the token that ends it. A prompt and its answer stay within the
    model's window."""
    import torch

    with torch.inference_mode():
        replies, alone = _greedy(vlm, prompts, max_new_tokens)
        for row in alone:
            replies[row] = _greedy(vlm, [prompts[row]], max_new_tokens)[0][0]
    return replies


def answer_logps(vlm: VLM, prompts: list[Prompt], answers: list[list[Any]]) -> list[list[float]]:
    """Return the log-probability (nats, summed over tokens) of each answer after its prompt, one list for each prompt. Every
    prompt has the same number of answers, tensors of tokens [L], and is run once for all of them."""
    import torch

    flat = [(row, ids) for row, some in enumerate(answers) for ids in some]
    with torch.inference_mode():
        state = prefill(vlm, prompts)
        first = torch.log_softmax(state.logits.float(), -1)
        sums = [first[row, ids[0]] for row, ids in flat]
        if any(len(ids) > 1 for _, ids in flat):
            state.keep([row for row, _ in flat])
            logits = extend(vlm, state, [ids[:-1] for _, ids in flat], side="right", keep=0)
            for at, (_, ids) in enumerate(flat):
                each = torch.log_softmax(logits[at, : len(ids) - 1].float(), -1)
                sums[at] = sums[at] + each.gather(-1, ids[1:, None].to(each.device)).sum()
        found = iter(torch.stack(sums).tolist())
    return [[next(found) for _ in some] for some in answers]


def first_logps(vlm: VLM, prompts: list[Prompt]) -> Any:
    """Return the log-probabilities (nats) of the first token after each prompt: float32 [B, V]."""
    import torch

    with torch.inference_mode():
        if can_decode(vlm):
            logits = prefill(vlm, prompts).logits
        else:
            logits = vlm.model(**made.stack(vlm, prompts), logits_to_keep=1).logits[:, -1]
        return torch.log_softmax(logits.float(), -1)


def _greedy(vlm: VLM, prompts: list[Prompt], max_new_tokens: int) -> tuple[list[list[int]], list[int]]:
    """Return the tokens of the answers, and the rows with near-tied tokens, which must be recomputed with batch size 1."""
    import torch

    ends, near = end_tokens(vlm), nearness(vlm)
    most = [min(max_new_tokens, positions(vlm.model.config) - len(prompt.ids)) for prompt in prompts]
    replies: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
    alone: list[int] = []
    state = prefill(vlm, prompts)
    while rows:
        best, tokens = state.logits.max(-1)
        if near is not None and len(prompts) > 1:
            bound = best - near * state.logits.abs().amax(-1)
            doubtful = (state.logits >= bound.unsqueeze(-1)).sum(-1).gt(1).tolist()
        else:
            doubtful = [False] * len(rows)
        going = []
        for at, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
            if doubtful[at]:
                alone.append(row)
                continue
            replies[row].append(token)
            if token not in ends and len(replies[row]) < most[row]:
                going.append(at)
        if len(going) < len(rows):
            rows = [rows[at] for at in going]
            if rows:
                state.keep(going)
                tokens = tokens[torch.tensor(going, device=tokens.device)]
        if rows:
            _step(vlm, state, tokens)
    return replies, alone


def _step(vlm: VLM, state: State, tokens: Any) -> None:
    import torch

    state.mask = torch.cat([state.mask, state.mask.new_ones(len(state.mask), 1)], 1)
    state.logits = _forward(vlm, state.cache, tokens.unsqueeze(1), state.mask, state.next.unsqueeze(1))[:, -1]
    state.next = state.next + 1


def _run(vlm: VLM, batch: dict[str, Any]) -> State:
    """Run whole prompts with their images, and return the state after them. Raises ModelError for logits that are not
    finite."""
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache(config=vlm.model.config.get_text_config())
    ids, mask = batch.pop("input_ids"), batch.pop("attention_mask")
    core = vlm.model.model
    if hasattr(core, "get_rope_index") and "image_grid_thw" in batch:
        places, _ = core.get_rope_index(
            ids,
            mm_token_type_ids=batch["mm_token_type_ids"],
            image_grid_thw=batch["image_grid_thw"],
            attention_mask=mask,
        )
        after = places.amax((0, 2)) + 1
    else:
        places = (mask.cumsum(1) - 1).clamp(min=0)
        after = mask.sum(1)
    logits = _forward(vlm, cache, ids, mask, places, **batch)[:, -1]
    if not logits.isfinite().all():
        raise ModelError(f"{vlm.name}: the model's logits are not finite (are its weights damaged?)")
    return State(cache, mask, after, logits)


def _forward(
    vlm: VLM, cache: Any, ids: Any, mask: Any, places: Any, *, logits_to_keep: int = 1, **images: Any
) -> Any:
    """Return logits [B, logits_to_keep, V] of one pass. places: position ids [B, L], or [3, B, L] in models whose images
    have positions in three dimensions. They are always given: without them, padding on the left would shift a row."""
    if places.ndim == 2 and hasattr(vlm.model.model, "get_rope_index"):
        places = places.expand(3, -1, -1)
    return vlm.model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=logits_to_keep,
        **images,
    ).logits


def nearness(vlm: VLM) -> float | None:
    """Return the share of the largest logit within which two tokens are near-tied; None below float32, where answers may
    depend on the batch."""
    import torch

    if vlm.model.dtype != torch.float32:
        return None
    return NEAR * vlm.model.config.get_text_config().num_hidden_layers


def end_tokens(vlm: VLM) -> set[int]:
    """Return the tokens that end an answer."""
    config = getattr(vlm.model, "generation_config", None)
    ends = config.eos_token_id if config is not None else None
    if ends is None:
        ends = vlm.processor.tokenizer.eos_token_id
    return {ends} if isinstance(ends, int) else set(ends or ())
