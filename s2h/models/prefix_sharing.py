"""Prefix sharing: the prompt, the images and the vision pass of a pair are computed once and serve all its answers.

A row holds [prompt | answer | answer …]. The answers don't see each other, and each starts at the position after the prompt.
TRL's own head, losses and metrics get the hidden states of the answers in the shape of one row for each answer, so the
numbers are those of the stock step. (For text: prefix sharing, arXiv 2410.20305.)
`s2h.train.collator` makes such rows with `pack_answers`, `s2h.train.trainer` installs them with `install`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from s2h import upstream
from s2h.models import delta_net, features, layer_masks, layers, packed_attention
from s2h.models.encode import TEXT_KEYS, padding, types_key
from s2h.models.packed_attention import PAD, PROMPT

# Model types whose packed rows give the numbers of the stock step (tests/train/test_prefix_sharing.py), and the types of
# their language models.
EXACT = (
    "llava", "llava_next", "llava_onevision", "mistral3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl", "smolvlm",
    "idefics3", "glm4v", "gemma3", "gemma4", "qwen3_5", "qwen3_5_moe", "qwen3_vl_moe", "glm4v_moe",
)  # fmt: skip
LANGUAGE = (
    "llama", "mistral", "qwen2", "qwen3", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3_vl_text", "glm4v_text", "gemma3_text",
    "gemma4_text", "qwen3_5_text", "qwen3_5_moe_text", "qwen3_vl_moe_text", "glm4v_moe_text",
)  # fmt: skip
# Types whose vision tower takes tensors with a line for each tile, or with a line for each row, and not for each image.
BY_TILE = ("internvl", "smolvlm", "idefics3")
# Types whose vision tower computes images or windows one at a time, unless its attention takes sequences of one row.
BY_SEQUENCE = (
    "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "glm4v", "glm4v_moe",
)  # fmt: skip


def why_not(config: Any, how: str = "auto") -> str | None:
    """Return the reason why a model can't take packed rows, or None if it can. how: one of arguments.ATTENTION."""
    text = config.get_text_config()
    attention = upstream.attention_of(text)
    if config.model_type not in EXACT:
        return f"model type {config.model_type} has not been shown to be exact"
    if text.model_type not in LANGUAGE:
        return f"a language model of type {text.model_type} has not been shown to be exact"
    if delta_net.needed(text) and (reason := delta_net.why_not()):
        return reason
    if layer_masks.needed(text):
        if how in ("split", "varlen"):
            return f"the layers of {text.model_type} need masks (--attention mask)"
        if reason := layer_masks.why_not(text):
            return reason
    elif getattr(text, "sliding_window", None) and getattr(text, "use_sliding_window", True):
        return "sliding-window attention"
    if attention not in ("sdpa", "eager", packed_attention.SPLIT, packed_attention.VARLEN):
        return f"attention by {attention}, which takes no custom mask"
    return None


def pack_answers(
    tokenizer: Any, prompts: dict[str, Any], answers: list[str], rows: list[int]
) -> dict[str, Any]:
    """Make a batch of packed rows from R encoded prompts and the texts of A answers, each with the index of its prompt. An
    answer that a row has twice is computed once. The batch has three groups of tensors:

    input_ids, attention_mask, completion_mask: inputs of TRL's loss, [A, 1 + longest answer]. Column 0 is the last token of
        the prompt.
    row_ids, row_segments, row_types: inputs of the model, [R, S] (row_types only if the processor has token types).
        Prompts end in column `row_prompt` and answers follow, so the loss reads no hidden state before that column.
        row_index [A, 1 + longest answer] is the place of each token's hidden state in the flattened rows.
    The tensors of the images, as the processor made them.
    """
    import torch

    pad = padding(tokenizer)
    mask, key = prompts["attention_mask"].bool(), types_key(prompts)
    kinds = prompts[key] if key else None
    known = [ids[kept] for ids, kept in zip(prompts["input_ids"], mask, strict=True)]
    encoded = [tuple(ids) for ids in tokenizer(answers, add_special_tokens=False)["input_ids"]]
    starts: list[dict] = [{} for _ in known]  # by row: the start of each answer, counted from row_prompt
    for row, answer in zip(rows, encoded, strict=True):
        starts[row].setdefault(answer, sum(map(len, starts[row])))
    start = max(map(len, known)) - 1
    width = start + 1 + max(sum(map(len, found)) for found in starts)
    longest = 1 + max(map(len, encoded))

    row_ids = torch.full((len(known), width), pad)
    segments, types = torch.full_like(row_ids, PAD), torch.zeros_like(row_ids)
    for row, (prompt, found) in enumerate(zip(known, starts, strict=True)):
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
    for i, (row, answer) in enumerate(zip(rows, encoded, strict=True)):
        view, first = slice(1, 1 + len(answer)), row * width + start + 1 + starts[row][answer]
        ids[i, 0], ids[i, view] = known[row][-1], torch.tensor(answer)
        index[i, 0] = row * width + start
        index[i, view] = torch.arange(first, first + len(answer))
        real[i, : 1 + len(answer)], spoken[i, view] = 1, 1
    batch: dict[str, Any] = {"input_ids": ids, "attention_mask": real, "completion_mask": spoken}
    batch |= {"row_ids": row_ids, "row_segments": segments, "row_index": index, "row_prompt": start}
    if kinds is not None:
        batch["row_types"] = types
    return batch | {key: value for key, value in prompts.items() if key not in TEXT_KEYS}


def positions(core: Any, segments: Any, row_ids: Any, types: Any, images: dict[str, Any]) -> Any:
    """Return position ids of rows [B, S]: [B, S], or [3, B, S] in models whose images have positions in three dimensions.
    Prompts have the positions that the model gives them; each answer starts after the last position of its prompt."""
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


def own_tokens(row_segments: Any, row_index: Any) -> Any:
    """Return which tokens of its row each of A answers has, with its prompt: long [A, S]. The auxiliary loss of a mixture of
    experts counts tokens, and a prompt's tokens count once for each answer, as in rows of their own."""
    size = row_segments.shape[1]
    rows, own = row_segments[row_index[:, 0] // size], row_segments.flatten()[row_index[:, 1:2]]
    return ((rows == PROMPT) | (rows == own)).long()


def install(core: Any, how: str = "auto", store: features.Store | None = None) -> Callable[[], None]:
    """Make a backbone (the model below the language-model head) take batches of `pack_answers`; other batches are computed
    as before. Return a function that undoes it.

    how: split, mask or varlen, which towers BY_SEQUENCE then use too; `auto` is split, or mask for eager attention and masks
    by layer. A frozen vision tower runs without gradient; with a store it runs row by row, once for each row that the store
    has space for. Types BY_TILE use no store. LoRA computes in fewer passes, and the last layer computes the answers only
    (with split and varlen, and no router's loss).
    """
    undo = ExitStack()
    language = core.get_decoder()
    before = upstream.attention_of(language.config)
    if how == "auto":
        how = "mask" if before == "eager" or layer_masks.needed(language.config) else "split"
    if how != "mask":
        packed_attention.register()
        undo.callback(language.set_attn_implementation, before)
        language.set_attn_implementation(
            {"split": packed_attention.SPLIT, "varlen": packed_attention.VARLEN}[how]
        )
    if how == "varlen" and core.config.model_type in BY_SEQUENCE:
        undo.callback(upstream.set_attention(core.visual.config, packed_attention.SEQUENCES))
    store = None if core.config.model_type in BY_TILE else store
    sharing = _Sharing(core, how, store, core.forward, core.get_image_features)
    undo.callback(upstream.replace(core, "forward", sharing.forward))
    if is_frozen(core):
        undo.callback(upstream.replace(core, "get_image_features", sharing.image_features))
    undo.callback(layers.fuse_lora(language))
    undo.callback(delta_net.install(language))
    # The auxiliary loss of a mixture of experts reads the last layer's router for prompts too.
    reads_prompts = hasattr(language.config, "output_router_logits")
    if how != "mask" and hasattr(language.layers[-1], "self_attn") and not reads_prompts:
        undo.callback(layers.restrict_to_answers(language.layers[-1]))
    return undo.close


def is_frozen(core: Any) -> bool:
    """Return whether no parameter outside the language model is trained."""
    language = {id(parameter) for parameter in core.get_decoder().parameters()}
    return not any(p.requires_grad for p in core.parameters() if id(p) not in language)


@dataclass
class _Sharing:
    """Replacements for two methods of a backbone. plain, encode: its own `forward` and `get_image_features`. images: of each
    row of the current batch, a name for its images, and their number."""

    core: Any
    how: str
    store: features.Store | None
    plain: Callable
    encode: Callable
    images: list[tuple[str, int]] = field(default_factory=list)

    def forward(self, *args: Any, row_ids: Any = None, row_images: Any = (), **kwargs: Any) -> Any:
        self.images = list(row_images)
        return self.plain(*args, **kwargs) if row_ids is None else self._packed(row_ids, **kwargs)

    def image_features(
        self, pixel_values: Any, *args: Any, packed: Any = None, forks: Any = None, **kwargs: Any
    ) -> Any:
        """Encode images without gradient, so that neither checkpointing nor PEFT's hook on embeddings runs the tower again.
        `packed` and `forks` are arguments for the language model's layers and are dropped here."""
        import torch

        with torch.no_grad():
            if self.store is None or not self.images:
                return self.encode(pixel_values, *args, **kwargs)
            return features.of_rows(self.images, self.store, self.encode, pixel_values, *args, **kwargs)

    def _packed(
        self, row_ids: Any, *, row_segments: Any, row_index: Any, row_prompt: int, row_types: Any = None, **kwargs: Any
    ) -> Any:  # fmt: skip
        """Run packed rows and return the model's output with last_hidden_state [A, 1 + longest answer, H]."""
        for name in ("input_ids", "attention_mask", "position_ids"):
            kwargs.pop(name, None)
        core = self.core
        text = core.get_decoder().config
        grids = {name: kwargs[name] for name in ("image_grid_thw",) if kwargs.get(name) is not None}
        places = positions(core, row_segments, row_ids, row_types, grids)
        masks: Any
        if layer_masks.needed(text):
            masks = layer_masks.by_layer(text, row_segments, places, row_types)
        else:
            masks = packed_attention.mask(row_segments, 0 if self.how == "mask" else row_prompt)
            if row_types is not None:
                kwargs["mm_token_type_ids"] = row_types
        if upstream.attention_of(text) == "eager":
            masks = _added(masks, core.get_input_embeddings().weight.dtype)
        if self.how == "varlen":
            kwargs["packed"] = packed_attention.sequences(row_segments)
        if delta_net.needed(text):
            kwargs["forks"] = delta_net.forks(row_segments)
        out = self.plain(input_ids=row_ids, attention_mask=masks, position_ids=places, **kwargs)
        out.last_hidden_state = out.last_hidden_state.flatten(0, 1)[row_index]
        if getattr(out, "router_logits", None):
            rows = row_index[:, 0] // row_ids.shape[1]
            out.router_logits = tuple(
                one.view(*row_ids.shape, -1)[rows].flatten(0, 1) for one in out.router_logits
            )
        return out


def _added(mask: Any, dtype: Any) -> Any:
    """Return a mask, or masks by layer, for eager attention, which adds it to its scores: 0 for visible tokens, the lowest
    number for others."""
    import torch

    if isinstance(mask, dict):
        return {kind: _added(one, dtype) for kind, one in mask.items()}
    return mask.new_zeros(mask.shape, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
