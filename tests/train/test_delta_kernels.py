"""Kernels of the delta rule that are wrong are found and replaced (s2h/models/delta_kernels.py)."""

from __future__ import annotations

import importlib

import pytest

from s2h.models import delta_kernels, delta_net, vlm
from tests.support.hybrid_architectures import RELATIVES


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return vlm.load(str(RELATIVES["qwen3.5"](tmp_path_factory.mktemp("models") / "qwen3.5"))).model


@pytest.fixture
def library(model, monkeypatch):
    """The module of transformers in which the model calls the rule."""
    module = importlib.import_module(type(delta_net.nets(model.base_model.get_decoder())[0]).__module__)
    if not hasattr(module.torch_chunk_gated_delta_rule, "__wrapped__"):
        pytest.skip("this transformers chooses the kernel in another place")
    monkeypatch.setattr(module, "torch_chunk_gated_delta_rule", module.torch_chunk_gated_delta_rule)
    return module


def fails(plain, *given, **more):
    raise RuntimeError("Triton >= 3.4.0 and < 3.7.1\non this GPU")


def without_state(plain, *given, initial_state, **more):
    return plain(*given, initial_state=None, **more)


def without_gradient_of_decay(plain, *given, g, **more):
    return plain(*given, g=g.detach(), **more)


def with_wrong_gradient_of_keys(plain, query, key, value, **more):
    half = 0.5 * key
    return plain(query, half + half.detach(), value, **more)


def without_last_chunk(plain, *given, **more):
    out, state = plain(*given, **more)
    return out * (out.new_ones(out.shape[1]).cumsum(0) <= 192)[None, :, None, None], state


WRONG = {
    fails: "its kernel fails here: RuntimeError: Triton >= 3.4.0 and < 3.7.1 on this GPU",
    without_state: "its kernel is wrong here (output)",
    without_gradient_of_decay: "its kernel gives no gradient of decays",
    with_wrong_gradient_of_keys: "its kernel is wrong here (gradient of keys)",
    without_last_chunk: "its kernel is wrong here (output)",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_kernel_is_replaced(model, library, wrong):
    plain = library.torch_chunk_gated_delta_rule.__wrapped__

    def kernel(*given, **more):
        return wrong(plain, *given, **more)

    kernel.__wrapped__ = plain
    library.torch_chunk_gated_delta_rule = kernel
    said = delta_kernels.replace_wrong(model)
    assert said.startswith(f"flash-linear-attention is not used, since {WRONG[wrong]}")
    assert library.torch_chunk_gated_delta_rule is plain and delta_kernels.replace_wrong(model) is None


def test_a_right_kernel_stays(model, library):
    plain = library.torch_chunk_gated_delta_rule.__wrapped__

    def kernel(query, *given, **more):
        out, state = plain(query, *given, **more)
        return out * 1.01, state  # as different as bfloat16 may make it

    kernel.__wrapped__ = plain
    library.torch_chunk_gated_delta_rule = kernel
    assert delta_kernels.replace_wrong(model) is None and library.torch_chunk_gated_delta_rule is kernel


def test_a_model_without_delta_nets_needs_no_check(llava):
    assert delta_kernels.replace_wrong(vlm.load(str(llava)).model) is None
