"""The last layer of packed rows, for those positions only whose hidden states are read.

After it nobody looks at a prompt's states: of prompts it needs keys and values, and no queries, no output of attention and
no feed-forward. Of the 32 layers of a 7B model this saves most of one, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def restrict(layer: Any) -> Callable[[], None]:
    """Let a decoder layer compute packed rows from their prompts' last tokens on; what lies before gets zeros. Rows are
    known by their mask, which has fewer queries than there are tokens (`attention.mask`). Returns what undoes it."""
    from torch.nn.functional import pad

    attention = layer.self_attn
    forward, before = attention.forward, 0  # positions that nobody reads, in the call that is under way

    def attend(hidden_states: Any, *args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        nonlocal before
        size = hidden_states.shape[1]
        before = 0 if attention_mask is None or attention_mask.dim() < 4 else size - attention_mask.shape[2]
        return forward(hidden_states, *args, attention_mask=attention_mask, answers_only=before > 0, **kwargs)

    def cut(module: Any, given: tuple) -> tuple:
        return (given[0][:, before:], *given[1:])

    def fill(module: Any, given: tuple, out: Any) -> Any:
        return pad(out, (0, 0, before, 0)) if before else out

    attention.forward = attend
    hooks = []
    for part in (attention.q_proj, attention.o_proj, layer.mlp):
        hooks += [part.register_forward_pre_hook(cut), part.register_forward_hook(fill)]

    def undo() -> None:
        attention.forward = forward
        for hook in hooks:
            hook.remove()

    return undo
