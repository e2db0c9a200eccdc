"""Gated delta nets (Yang et al. 2024, arXiv 2412.06464) over packed rows: the layers of Qwen3.5 that have a state instead of
attention. Each answer begins with a copy of the state at the end of its prompt, which is the memory of the delta rule and
the last inputs of the convolution. `s2h.models.prefix_sharing` installs it.

It calls the functions with which transformers computes these layers, and `PARTS` names them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

from s2h import upstream
from s2h.models.packed_attention import PROMPT

LINEAR = "linear_attention"
_MODULE = "transformers.models.qwen3_5.modeling_qwen3_5"
_TO = "fork the state of linear attention"
PARTS = (
    upstream.Part(
        f"{_MODULE}:torch_chunk_gated_delta_rule",
        _TO,
        takes=("query", "key", "value", "g", "beta", "initial_state", "output_final_state", "use_qk_l2norm_in_kernel"),
    ),
    upstream.Part(f"{_MODULE}:causal_conv1d_fn", _TO, takes=("weight", "bias", "activation")),
    upstream.Part(
        f"{_MODULE}:Qwen3_5GatedDeltaNet.forward",
        _TO,
        says=("in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "A_log", "dt_bias", "conv1d", "norm", "out_proj"),
    ),
)  # fmt: skip


def needed(text: Any) -> bool:
    """Return whether a language model has such layers. text: its configuration."""
    return LINEAR in (getattr(text, "layer_types", None) or ())


@cache
def why_not() -> str | None:
    """Return the reason why the installed transformers can't compute forked states, or None if it can."""
    return next((f"transformers {lack}" for part in PARTS if (lack := upstream.lack(part))), None)


def repeats_keys(net: Any) -> bool:
    """Return whether the layer repeats its queries and keys for the heads of values before it calls the delta rule. It does
    so in transformers 5.18; in 5.24 the rule itself does."""
    return net.num_v_heads > net.num_k_heads and _has_repeat(type(net).forward)


@cache
def _has_repeat(function: Callable) -> bool:
    return "repeat_interleave" in inspect.getsource(function)


@dataclass
class Forks:
    """Packed rows of S tokens as sequences. prompts [R, P], padded on the left, and answers [A, L], padded on the right, are
    indices into the flattened rows [R * S]; in_prompts and in_answers are 1 for their tokens and 0 for padding. rows [A]:
    the prompt of each answer."""

    prompts: Any
    in_prompts: Any
    answers: Any
    in_answers: Any
    rows: Any


def forks(segments: Any) -> Forks:
    """Make the sequences of rows with segments [R, S]."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    prompts, answers, rows = [], [], []
    for row, line in enumerate(segments.tolist()):
        places: dict[int, list[int]] = {}
        for at, segment in enumerate(line, row * len(line)):
            places.setdefault(segment, []).append(at)
        prompts.append(torch.tensor(places[PROMPT]))
        for segment in sorted(set(places) - {PROMPT}):
            if segment > PROMPT:
                answers.append(torch.tensor(places[segment]))
                rows.append(row)

    def padded(parts: list[Any], side: str) -> list[Any]:
        ones = [torch.ones_like(part) for part in parts]
        return [pad_sequence(x, True, padding_side=side).to(segments.device) for x in (parts, ones)]

    (first, in_first), (second, in_second) = padded(prompts, "left"), padded(answers, "right")
    return Forks(first, in_first, second, in_second, torch.tensor(rows, device=segments.device))


def nets(language: Any) -> list[Any]:
    """Return the delta nets of a language model, in the order of its layers."""
    return [layer.linear_attn for layer in language.layers if hasattr(layer, "linear_attn")]


def install(language: Any) -> Callable[[], None]:
    """Let the delta nets of a language model compute packed rows, which come with an argument `forks`. Return a function
    that undoes it."""
    undo = ExitStack()
    for net in nets(language):
        undo.callback(upstream.replace(net, "forward", _forked(net)))
    return undo.close


def _forked(net: Any) -> Callable:
    stock, library = net.forward, importlib.import_module(type(net).__module__)

    def forward(hidden_states: Any, *args: Any, forks: Forks | None = None, **kwargs: Any) -> Any:
        import torch
        from torch.nn.functional import softplus

        if forks is None:
            return stock(hidden_states, *args, **kwargs)
        given = net.in_proj_qkv(hidden_states).flatten(0, 1)  # [R * S, channels]
        decay = -net.A_log.float().exp() * softplus(net.in_proj_a(hidden_states).float() + net.dt_bias)
        steps = _Steps(
            net, library, decay.flatten(0, 1), net.in_proj_b(hidden_states).sigmoid().flatten(0, 1)
        )
        kept = net.conv_kernel_size - 1
        prompts = given[forks.prompts] * forks.in_prompts.unsqueeze(-1).to(given.dtype)
        prompts = torch.cat([prompts.new_zeros(len(prompts), kept, prompts.shape[2]), prompts], 1)
        out, state = steps.run(prompts, forks.prompts)
        tails = prompts[:, -kept:][forks.rows]
        answers = torch.cat([tails, given[forks.answers]], 1)
        answered, _ = steps.run(answers, forks.answers, state[forks.rows])
        values = given.new_zeros(len(given), net.num_v_heads, net.head_v_dim)
        for sequences, places, mask in (
            (out, forks.prompts, forks.in_prompts),
            (answered, forks.answers, forks.in_answers),
        ):
            values = values.index_put((places[mask.bool()],), sequences[mask.bool()])
        gates = net.in_proj_z(hidden_states).reshape(-1, net.head_v_dim)
        normed = net.norm(values.reshape(-1, net.head_v_dim), gates)
        return net.out_proj(normed.view(*hidden_states.shape[:2], -1))

    return forward


@dataclass
class _Steps:
    """The convolution and the delta rule of a layer. decay (log) and beta: of each token of the flattened rows, [R * S,
    heads]."""

    net: Any
    library: Any
    decay: Any
    beta: Any

    def run(self, given: Any, places: Any, state: Any = None) -> tuple[Any, Any]:
        """Return the output [N, L, heads, width] and the last state of N sequences. given: inputs of the convolution [N, L +
        those before, channels]. places: of the tokens in the flattened rows, [N, L]. state: the first state, None for 0."""
        net, size = self.net, places.shape[1]
        mixed = self.library.causal_conv1d_fn(
            given.transpose(1, 2), net.conv1d.weight.squeeze(1), net.conv1d.bias, activation=net.activation
        ).transpose(1, 2)[:, -size:]
        query, key, value = mixed.split([net.key_dim, net.key_dim, net.value_dim], -1)
        query, key = (part.reshape(*places.shape, -1, net.head_k_dim) for part in (query, key))
        if repeats_keys(net):
            count = net.num_v_heads // net.num_k_heads
            query, key = query.repeat_interleave(count, 2), key.repeat_interleave(count, 2)
        return self.library.torch_chunk_gated_delta_rule(
            query,
            key,
            value.reshape(*places.shape, -1, net.head_v_dim),
            g=self.decay[places],
            beta=self.beta[places],
            initial_state=state,
            output_final_state=True,
            use_qk_l2norm_in_kernel=True,
        )
