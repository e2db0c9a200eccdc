"""LoRA in fewer passes over what it adapts.

PEFT computes W x, then B A x, then its product with the scaling, then the sum, and backward as much again: each is a tensor
of the layer's size to write and read. A matrix product can scale and add as it goes. (Hu et al. 2021, equation 3.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


def fuse(model: Any) -> Callable[[], None]:
    """Give each LoRA layer under `model` a forward and backward that add in place, in the dtypes that PEFT's have. What is
    more than a frozen linear layer and a low-rank product (dropout, DoRA, biases of its own, quantised weights, weights that
    FSDP or ZeRO fetch) keeps PEFT's own. Returns what undoes it."""
    from peft.tuners.lora import Linear

    layers = [m for m in model.modules() if type(m) is Linear and "forward" not in vars(m)]
    for layer in layers:
        layer.forward = _fused(layer)

    def undo() -> None:
        for layer in layers:
            del layer.forward

    return undo


def _fused(layer: Any) -> Callable:
    stock, product = layer.forward, _product()

    def forward(x: Any, *args: Any, **kwargs: Any) -> Any:
        name = None if args or kwargs else _plain(layer)
        if name is None:
            return stock(x, *args, **kwargs)
        base, down, up = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
        if not _one_dtype(x, base.weight, down, up):
            return stock(x)
        out = product.apply(x.flatten(0, -2), base.weight, base.bias, down, up, layer.scaling[name])
        return out.view(*x.shape[:-1], -1)

    return forward


def _plain(layer: Any) -> str | None:
    """The adapter that is on, where there is one and nothing but a low-rank product to add."""
    from torch import nn

    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    (name,) = layer.active_adapters
    if name not in layer.lora_A or name in layer.lora_variant or layer.lora_bias[name]:
        return None
    if layer.training and not isinstance(layer.lora_dropout[name], nn.Identity):
        return None
    parts = layer.base_layer, layer.lora_A[name], layer.lora_B[name]
    if type(parts[0]) is not nn.Linear or any(p.requires_grad for p in parts[0].parameters()):
        return None
    # Weights that come only when their own module is called can't be read beside it.
    return None if any(part._forward_pre_hooks for part in parts) else name


def _one_dtype(x: Any, *weights: Any) -> bool:
    """Whether all of it is multiplied in the dtype of x, be it that autocast would cast weights to it."""
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
