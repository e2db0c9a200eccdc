"""Layers of the language model that compute less for the same numbers: LoRA in fewer passes over its layer's output, and
the last decoder layer for the answers of packed rows only. `s2h.models.prefix_sharing` installs both."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

from s2h import upstream


def fuse_lora(model: Any) -> Callable[[], None]:
    """Let each LoRA layer under `model` add its product in place, in the dtypes that PEFT computes in. Return a function
    that undoes it.

    PEFT computes W x, then B A x, then its product with the scaling, then the sum (Hu et al. 2021, arXiv 2106.09685,
    equation 3). Each is a tensor of the layer's size that is written and read, and backward does the same again. One matrix
    product (addmm) can multiply, scale and add. Layers for which `upstream.plain_adapter` returns None keep PEFT's forward.
    """
    undo = ExitStack()
    if "peft" not in sys.modules:  # so no layer has an adapter
        return undo.close
    from peft.tuners.lora import Linear

    for layer in model.modules():
        if type(layer) is Linear and "forward" not in vars(layer):
            undo.callback(upstream.replace(layer, "forward", _fused(layer)))
    return undo.close


def _fused(layer: Any) -> Callable:
    import torch
    from torch.nn.functional import linear

    stock, product = layer.forward, _product()

    def forward(x: Any, *args: Any, **kwargs: Any) -> Any:
        name = None if args or kwargs else upstream.plain_adapter(layer)
        if name is None:
            return stock(x, *args, **kwargs)
        base, down, up = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
        if not _one_dtype(x, base.weight, down, up):
            return stock(x)
        # The compiler joins the passes by itself, and torch 2.11's loses the gradient of Product.
        if torch.compiler.is_compiling():
            return linear(x, base.weight, base.bias) + layer.scaling[name] * linear(linear(x, down), up)
        out = product.apply(x.flatten(0, -2), base.weight, base.bias, down, up, layer.scaling[name])
        return out.view(*x.shape[:-1], -1)

    return forward


def _one_dtype(x: Any, *weights: Any) -> bool:
    """Return whether all operands are multiplied in the dtype of x, as they have it or autocast casts them to it."""
    import torch

    device = x.device.type
    if torch.is_autocast_enabled(device):
        return x.dtype == torch.get_autocast_dtype(device)
    return all(weight.dtype == x.dtype for weight in weights)


@cache
def _product() -> Any:
    import torch
    from torch.autograd.function import once_differentiable
    from torch.nn.functional import linear

    class Product(torch.autograd.Function):
        """x [N, I], frozen weight [O, I] and bias [O], down [R, I], up [O, R] to x (weight + scaling up down)^T + bias."""

        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, bias: Any, down: Any, up: Any, scaling: float) -> Any:
            with torch.autocast(x.device.type, enabled=False):
                out = linear(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))
                low = linear(x, down.to(x.dtype))
                out.addmm_(low, up.to(x.dtype).T, alpha=scaling)
            ctx.save_for_backward(x, weight, down, up, low)
            ctx.scaling = scaling
            return out

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, grad: Any) -> tuple:
            x, weight, down, up, low = ctx.saved_tensors
            grad_low = grad @ up.to(grad.dtype)
            grad_low *= ctx.scaling
            grad_x = None
            if ctx.needs_input_grad[0]:
                grad_x = grad @ weight.to(grad.dtype)
                grad_x.addmm_(grad_low, down.to(grad.dtype))
            grad_up = (grad.T @ low).mul_(ctx.scaling)
            return grad_x, None, None, (grad_low.T @ x).to(down.dtype), grad_up.to(up.dtype), None

    return Product


def restrict_to_answers(layer: Any) -> Callable[[], None]:
    """Let the last decoder layer compute packed rows from the last token of their prompts on, and give zeros for the tokens
    before. Return a function that undoes it.

    The loss does not read the last layer's output for prompts. Of their tokens, this layer needs keys and values, but no
    queries, no attention output and no feed-forward. In a model of 32 layers this saves most of one, forward and backward.
    Packed rows are recognized by their mask, which has fewer queries than there are tokens (`packed_attention.mask`).
    """
    attention = layer.self_attn
    tail = _Tail(attention.forward)
    undo = ExitStack()
    undo.callback(upstream.replace(attention, "forward", tail.attend))
    for part in (attention.q_proj, attention.o_proj, layer.mlp):
        undo.callback(part.register_forward_pre_hook(tail.cut).remove)
        undo.callback(part.register_forward_hook(tail.fill).remove)
    return undo.close


class _Tail:
    """Hooks that let the last layer skip the first `unread` tokens of the current call."""

    def __init__(self, forward: Callable) -> None:
        self.forward, self.unread = forward, 0

    def attend(self, hidden_states: Any, *args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        is_packed = attention_mask is not None and attention_mask.dim() == 4
        self.unread = hidden_states.shape[1] - attention_mask.shape[2] if is_packed else 0
        kwargs |= {"attention_mask": attention_mask, "answers_only": self.unread > 0}
        return self.forward(hidden_states, *args, **kwargs)

    def cut(self, module: Any, given: tuple) -> tuple:
        return (given[0][:, self.unread :], *given[1:])

    def fill(self, module: Any, given: tuple, out: Any) -> Any:
        from torch.nn.functional import pad

        return pad(out, (0, 0, self.unread, 0)) if self.unread else out
