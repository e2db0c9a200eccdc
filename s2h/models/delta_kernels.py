"""A check of the kernels of gated delta nets (`s2h.models.delta_net`). transformers computes the delta rule with the package
flash-linear-attention, if it is installed, else in PyTorch. The kernel's gradients are wrong with some versions of Triton on
Hopper GPUs (fla-org/flash-linear-attention#640), where later versions refuse to run. It takes more heads of values than of
keys only since version 0.5, and it fails on a CPU."""

from __future__ import annotations

import importlib
from typing import Any

from s2h.errors import one_line
from s2h.models import delta_net

MOST = 0.1  # of a tensor's norm. Rounding the inputs to bfloat16 changes these tensors by up to 0.004
ROWS, TOKENS, SEED = 2, 200, 0  # of the random numbers: several chunks of 64 tokens, the last one shorter
LEAVES = ("queries", "keys", "values", "decays", "betas", "the first state")
NAMES = ("output", "last state", *(f"gradient of {leaf}" for leaf in LEAVES))
_NAME = "torch_chunk_gated_delta_rule"


def replace_wrong(model: Any) -> str | None:
    """Compare the kernel of a model's delta nets with transformers' own computation, on random numbers on the model's
    device. If the kernel fails, or differs by more than MOST, replace it by that computation in this process, and return a
    message; else return None, also for a model without such layers."""
    if not delta_net.needed(model.config.get_text_config()) or delta_net.why_not():
        return None
    net = delta_net.nets(model.base_model.get_decoder())[0]
    library = importlib.import_module(type(net).__module__)
    plain = getattr(getattr(library, _NAME), "__wrapped__", None)
    fault = plain and _fault(getattr(library, _NAME), plain, net)
    if not fault:
        return None
    setattr(library, _NAME, plain)
    return (
        f"flash-linear-attention is not used, since {fault}; PyTorch computes the delta rule, which is slower (try another "
        "version of flash-linear-attention or of Triton)"
    )


def _fault(kernel: Any, plain: Any, net: Any) -> str | None:
    """Return the fault of a kernel, or None if it gives the numbers of `plain`."""
    import torch

    given = _random(net)
    expected = _results(plain, given)
    try:
        found = _results(kernel, given)
    except Exception as error:  # a kernel may fail in any way: in Triton, in its own checks, or on the device
        return f"its kernel fails here: {type(error).__name__}: {one_line(error, 200)}"
    for name, one, other in zip(NAMES, found, expected, strict=True):
        if one is None:
            return f"its kernel gives no {name}"
        apart = torch.linalg.vector_norm(one.double() - other.double())
        if not apart <= MOST * torch.linalg.vector_norm(other.double()):  # also true for NaN
            return f"its kernel is wrong here ({name})"
    return None


def _random(net: Any) -> list[Any]:
    """Return random queries and keys [ROWS, TOKENS, heads, width], values […, value heads, width], decays and betas […,
    value heads], and a first state [ROWS, value heads, key width, value width], in the dtypes of a run."""
    import torch

    weight = net.out_proj.weight
    dtype = torch.bfloat16 if weight.device.type == "cuda" else torch.float32
    random = torch.Generator().manual_seed(SEED)

    def numbers(*shape: int) -> Any:
        return torch.randn(ROWS, *shape, generator=random)

    heads = net.num_v_heads if delta_net.repeats_keys(net) else net.num_k_heads
    keys, values = (TOKENS, heads, net.head_k_dim), (TOKENS, net.num_v_heads, net.head_v_dim)
    parts = [numbers(*keys).to(dtype), numbers(*keys).to(dtype), numbers(*values).to(dtype)]
    parts += [-numbers(*values[:2]).exp() / 8, numbers(*values[:2]).sigmoid().to(dtype)]
    parts += [numbers(net.num_v_heads, net.head_k_dim, net.head_v_dim)]
    return [part.to(weight.device) for part in parts]


def _results(rule: Any, given: list[Any]) -> list[Any]:
    """Return the output, the last state, and the gradients of both sums of squares by each tensor of `given`."""
    import torch

    query, key, value, decay, beta, state = leaves = [part.detach().requires_grad_() for part in given]
    with torch.enable_grad():
        out, last = rule(
            query, key, value, g=decay, beta=beta, initial_state=state, output_final_state=True,
            use_qk_l2norm_in_kernel=True,
        )  # fmt: skip
        (out.float().pow(2).sum() + last.float().pow(2).sum()).backward()
    return [out.detach(), last.detach(), *(leaf.grad for leaf in leaves)]
