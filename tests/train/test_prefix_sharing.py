"""The shared-prefix step has the numbers of the stock step on each architecture in `prefix_sharing.EXACT`. Wrong masks and
positions are caught by these numbers, and by the check on a run's first pairs."""

from __future__ import annotations

import copy
import math
from functools import cache
from itertools import pairwise

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora import Linear as LoraLinear

from s2h.models import features, layer_masks, layers, prefix_sharing
from s2h.train.arguments import LOSSES
from s2h.upstream import REFERENCE
from tests.support.architectures import make_pairs
from tests.support.controls import CONTROLS, FAMILIES
from tests.support.hybrid_architectures import RELATIVES
from tests.support.one_step import core_of, differences, step, trainer_for

NAMES = ("llava", "qwen2.5-vl", "qwen3-vl")
TYPES = {name: name.replace("-", "_").replace(".", "_") for name in (*NAMES, *RELATIVES)} | {
    "pixtral": "llava"
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 6)


@pytest.fixture(scope="module")
def trainers(tmp_path_factory, architectures, pairs):
    """Trainers by (architecture, dtype, arguments), with adapters that are not zero. Each is built once."""
    root = tmp_path_factory.mktemp("trainers")

    @cache
    def get(name, dtype=torch.float64, **more):
        if name in RELATIVES and not (root / name).exists():
            RELATIVES[name](root / name)
        folder = root / name if name in RELATIVES else architectures[name]
        # Images of Gemma 4 have 70 tokens, so six pairs would take long.
        some = pairs[:3] if name == "gemma4" else pairs
        return trainer_for(folder, some, root / f"{name}-{dtype}-{len(more)}", dtype, **more)

    return get


@pytest.fixture(scope="module")
def stock_step(trainers):
    """The numbers of the stock step by architecture, computed once."""
    return cache(lambda name: step(*trainers(name)))


@pytest.fixture(scope="module")
def agreement_of(trainers):
    """What the check on a run's first pairs says of right rows, by architecture and attention, asked once."""

    @cache
    def get(name, how):
        single, rows = trainers(name, torch.float32)
        return single.share_prompts(rows, how)

    return get


@pytest.mark.parametrize("name", [*NAMES, *RELATIVES])
def test_same_numbers_as_two_rows_to_the_last_digits(name, trainers, stock_step):
    trainer, rows = trainers(name)
    assert core_of(trainer).config.model_type == TYPES[name] and TYPES[name] in prefix_sharing.EXACT
    stock = stock_step(name)
    kept = features.Store(2**30)
    # The other models run fewer of the ways, to save time.
    ways = [("split", None), ("mask", None), ("split", kept), ("split", kept)]
    if layer_masks.needed(core_of(trainer).config.get_text_config()):
        ways = [("mask", kept)]
    elif name not in NAMES:
        ways = ways[1:3]
    for how, where in ways:
        ours = step(trainer, rows, packed=True, how=how, store=where)
        logps, loss, gradient = differences(ours, stock)
        assert logps < 1e-12 and loss < 1e-13 and gradient < 1e-13
    keeps = TYPES[name] not in prefix_sharing.BY_TILE
    assert len(kept.kept) == (len(rows.starts) if keeps else 0) and not kept.missed
    # Ragged rows, each image once, each prompt once.
    assert len({int((row >= 0).sum()) for row in ours["batch"]["row_segments"]}) > 2
    assert 2 * len(ours["batch"]["pixel_values"]) == len(stock["batch"]["pixel_values"])
    assert ours["batch"]["row_ids"].numel() < 0.75 * stock["batch"]["input_ids"].numel()


@pytest.mark.parametrize("name", NAMES)
def test_the_stock_head_and_checkpointing_agree_in_float32(name, trainers):
    trainer, rows = trainers(name, torch.float32, gradient_checkpointing=True)
    stock = step(trainer, rows)
    assert (
        max(differences(step(trainer, rows, packed=True, how=how), stock)[0] for how in ("split", "mask"))
        < 1e-4
    )
    assert max(differences(step(trainer, rows, packed=True), stock)[1:]) < 1e-5


@pytest.mark.parametrize("loss", [*LOSSES, "sft", "exo_pair", "bco_pair", "aot", "aot_unpaired", "discopop"])
def test_every_loss_of_the_library_agrees(loss, trainers, monkeypatch):
    trainer, rows = trainers("llava")
    monkeypatch.setattr(trainer, "loss_types", [loss, "sft"])
    monkeypatch.setattr(trainer, "loss_weights", [1.0, 0.3])
    monkeypatch.setattr(trainer, "label_smoothing", 0.1)
    found = [step(trainer, rows), step(trainer, rows, packed=True)]
    assert max(differences(*found)) < 1e-12


# LLaVA's positions are a line.
@pytest.mark.parametrize(
    ("control", "name"), [(c, n) for c in CONTROLS for n in NAMES if (c, n) != ("in-one-line", "llava")]
)
@pytest.mark.parametrize("how", ["split", "mask"])
def test_controls_are_caught(name, control, how, trainers, stock_step, agreement_of, monkeypatch):
    """A wrong mask, a wrong position or a leak changes the numbers by far more than rounding, and a run with one of them
    would use the stock step."""
    trainer, rows = trainers(name)
    stock = stock_step(name)
    single, its_rows = trainers(name, torch.float32)
    assert agreement_of(name, how) is None
    module, attribute, wrong = CONTROLS[control]
    monkeypatch.setattr(module, attribute, wrong(getattr(module, attribute)))
    assert differences(step(trainer, rows, packed=True, how=how), stock)[0] > 1e-3
    assert "differ from the stock step" in single.share_prompts(its_rows, how)
    assert single.data_collator.packed is False


@pytest.mark.parametrize(
    ("control", "name"), [(c, n) for c in CONTROLS for n in NAMES if (c, n) != ("in-one-line", "llava")]
)
def test_controls_are_caught_in_bfloat16(name, control, trainers, monkeypatch):
    """The check tells a wrong mask or position from rounding to eight bits, for short and long rows."""
    single, rows = trainers(name, torch.bfloat16)
    module, attribute, wrong = CONTROLS[control]
    monkeypatch.setattr(module, attribute, wrong(getattr(module, attribute)))
    assert "nat a token, and rounding makes" in single.share_prompts(rows)


@pytest.mark.parametrize(("name", "control"), [(n, c) for n, controls in FAMILIES.items() for c in controls])
def test_controls_of_a_family_are_caught(name, control, trainers, stock_step, monkeypatch):
    """The same for layers that only some models have: windows, blocks of image tokens, states."""
    trainer, rows = trainers(name)
    single, its_rows = trainers(name, torch.bfloat16)
    stock = stock_step(name)
    module, attribute, wrong = FAMILIES[name][control]
    monkeypatch.setattr(module, attribute, wrong(getattr(module, attribute)))
    assert differences(step(trainer, rows, packed=True), stock)[0] > 1e-3
    assert "nat a token, and rounding makes" in single.share_prompts(its_rows)


def test_a_routers_loss_counts_a_prompt_for_each_answer(trainers, stock_step, monkeypatch):
    name = "qwen3.5-moe"
    trainer, rows = trainers(name)
    stock = stock_step(name)
    monkeypatch.setattr(
        prefix_sharing, "own_tokens", lambda segments, index: (segments >= 0).long().repeat(2, 1)
    )
    logps, loss, gradient = differences(step(trainer, rows, packed=True), stock)
    assert logps < 1e-12 and loss > 1e-8 and gradient > 1e-8
    # The loss of a level, from known log-probabilities, has no such part.
    ones = torch.ones(4, 3, dtype=torch.long)
    known = dict.fromkeys(REFERENCE, torch.zeros(2))
    given = {"input_ids": ones, "attention_mask": ones, "completion_mask": ones, **known}
    assert trainer.loss_of(given, torch.zeros(4, 2)) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "name", [*NAMES, "llava-onevision", "internvl", "glm4v", "gemma3", "qwen3.5", "qwen3.5-moe"]
)
def test_rounding_in_bfloat16_is_no_difference(name, trainers, monkeypatch):
    single, rows = trainers(name, torch.bfloat16)
    before = copy.deepcopy(single.model.state_dict())
    assert single.share_prompts(rows) is None
    assert all(torch.equal(value, before[key]) for key, value in single.model.state_dict().items())


def test_an_adapter_that_is_added_wrongly_is_caught(trainers, monkeypatch):
    """The check also runs with the adapter switched on, because one that is off adds nothing."""
    single, rows = trainers("llava", torch.bfloat16)
    product = layers._product()

    def doubled(*given):
        return product.apply(*given[:-1], 2 * given[-1])

    monkeypatch.setattr(layers, "_product", lambda: type("Doubled", (), {"apply": staticmethod(doubled)}))
    assert "with an adapter differ from" in single.share_prompts(rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_last_layer_and_the_adapters_compute_no_more_than_is_read(name, trainers, monkeypatch):
    """The last layer skips the prompt, whose states the loss does not read. PEFT's forward runs only with dropout."""
    trainer, rows = trainers(name, torch.float32)
    decoder = core_of(trainer).get_decoder().layers
    called: dict = {"last": [], "first": [], "adapter": 0}
    pefts = LoraLinear.forward

    def counted(layer, x):
        called["adapter"] += not layer.disable_adapters  # the reference passes through it, without adapters
        return pefts(layer, x)

    monkeypatch.setattr(LoraLinear, "forward", counted)
    mine = [
        layer.mlp.down_proj.register_forward_hook(lambda module, given, out, to=to: called[to].append(out.shape[1]))
        for to, layer in (("first", decoder[0]), ("last", decoder[-1]))
    ]  # fmt: skip
    try:
        batch = step(trainer, rows, packed=True)["batch"]
    finally:
        for hook in mine:
            hook.remove()
    size = batch["row_ids"].shape[1]
    assert set(called["first"]) == {size} and set(called["last"]) == {size - batch["row_prompt"]}
    assert called["adapter"] == 0 and size - batch["row_prompt"] < size / 2
    layer = copy.deepcopy(decoder[0].mlp.down_proj).train()
    layer.lora_dropout["default"] = torch.nn.Dropout(0.5)
    layers.fuse_lora(torch.nn.ModuleList([layer]))
    layer(torch.ones(1, 2, layer.in_features))
    assert called["adapter"] == 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_fused_adapter_is_pefts(dtype):
    """Output and gradients are equal, in the dtype of the weights, and under autocast with weights in float32."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=6, init_lora_weights=False)
    layer = LoraLinear(torch.nn.Linear(24, 40), "default", config=config, r=4, lora_alpha=6)
    layer.base_layer.requires_grad_(False)
    low = dtype == torch.bfloat16
    layer.base_layer.to(dtype)
    layer.lora_A.to(torch.float32 if low else dtype)
    layer.lora_B.to(torch.float32 if low else dtype)
    wrapped = torch.nn.ModuleList([layer])

    def ran():
        wrapped.zero_grad()
        x = torch.randn(2, 7, 24, dtype=dtype, generator=torch.Generator().manual_seed(1)).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            out = layer(x)
        out.square().sum().backward()
        return [
            out.detach(),
            x.grad,
            *(p.grad.clone() for p in wrapped.parameters() if p.grad is not None),
        ]

    stock = ran()
    undo = layers.fuse_lora(wrapped)
    fused = ran()
    undo()
    assert len(stock) == 4 and all(a.dtype == b.dtype for a, b in zip(stock, fused, strict=True))
    for a, b in zip(stock, fused, strict=True):
        assert (a - b).abs().max() <= (0.02 if low else 1e-14) * a.abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_tower_runs_once_a_pass_and_without_gradient(name, trainers):
    """Gradient checkpointing does not make it run again, as PEFT's hook on its embeddings would."""
    trainer, rows = trainers(name, torch.float32, gradient_checkpointing=True)
    core, ran = core_of(trainer), []
    tower = core.vision_tower if hasattr(core, "vision_tower") else core.visual
    blocks = next(module for module in tower.modules() if isinstance(module, torch.nn.ModuleList))
    handle = blocks[0].register_forward_hook(lambda *given: ran.append(torch.is_grad_enabled()))
    try:
        assert prefix_sharing.is_frozen(core)
        step(trainer, rows, packed=True)  # policy and reference in the loss, then the reference by itself
        assert ran == [False] * 3
        step(trainer, rows)
        assert any(ran)
    finally:
        handle.remove()
    next(tower.parameters()).requires_grad_(True)
    assert not prefix_sharing.is_frozen(core)
    next(tower.parameters()).requires_grad_(False)


def without_shared_keys(*given, scale, window_size=(-1, -1)):
    """The kernel of torch 2.11, in which heads can't share keys."""
    return by_one_sequence(*given, scale=scale, window_size=window_size, enable_gqa=False)


def by_one_sequence(
    query, key, value, query_ends, key_ends, most_q, most_k, *, scale, window_size=(-1, -1), enable_gqa=False
):
    """The result of a variable-length kernel, one sequence at a time: without a mask, or causal with the last query at the
    last key."""
    assert window_size in ((-1, 0), (-1, -1)) and query_ends.dtype == key_ends.dtype == torch.int32
    out = torch.zeros_like(query)
    for (q, q_end), (k, k_end) in zip(pairwise(query_ends), pairwise(key_ends), strict=True):
        said, seen = int(q_end - q), int(k_end - k)
        assert said <= most_q and seen <= most_k
        mask = torch.ones(said, seen, dtype=torch.bool)
        mask = mask.tril(seen - said) if window_size == (-1, 0) else mask
        parts = [states.transpose(0, 1) for states in (query[q:q_end], key[k:k_end], value[k:k_end])]
        out[q:q_end] = torch.nn.functional.scaled_dot_product_attention(
            *parts, attn_mask=mask, scale=scale, enable_gqa=enable_gqa
        ).transpose(0, 1)
    return out


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        *((name, kernel) for name in NAMES for kernel in (by_one_sequence, without_shared_keys)),
        ("glm4v", by_one_sequence),
        ("qwen3.5", by_one_sequence),
    ],
)
def test_variable_length_sequences_are_the_rows(name, kernel, trainers, monkeypatch):
    """Compare the index arithmetic of the one call on CUDA with the stock step."""
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="torch without such attention")
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    trainer, rows = trainers(name)
    stock = step(trainer, rows)
    assert max(differences(step(trainer, rows, packed=True, how="varlen"), stock)) < 1e-12
    trainer.model.gradient_checkpointing_enable()  # whose layers get the sequences a second time
    try:
        assert max(differences(step(trainer, rows, packed=True, how="varlen"), stock)) < 1e-12
    finally:
        trainer.model.gradient_checkpointing_disable()
    assert "needs a CUDA device" in trainer.share_prompts(rows, "varlen")


def test_a_card_without_the_kernel_uses_another_attention(trainers, monkeypatch):
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="torch without such attention")

    def refused(*given, **named):
        raise RuntimeError("No available kernel. Aborting execution.\nmore of it")

    trainer, rows = trainers("llava", torch.float32)
    core = core_of(trainer)
    before = core.language_model.config._attn_implementation
    monkeypatch.setattr(varlen, "varlen_attn", refused)
    reason = trainer._share(core, rows, "varlen", False, None)
    assert reason == "variable-length attention can't run here: No available kernel. Aborting execution."
    assert trainer.data_collator.packed is False
    assert core.language_model.config._attn_implementation == before
    monkeypatch.setattr(varlen, "varlen_attn", by_one_sequence)
    assert trainer._share(core, rows, "varlen", False, None) is None and trainer.data_collator.packed
    assert trainer.share_prompts(rows) is None


@pytest.fixture
def negatives(pairs) -> list:
    """Seven pairs of three prompts: one with three rejected answers, one with another chosen answer, one by itself."""
    made = []
    for place, (which, chosen, rejected) in enumerate(
        [(0, 0, 0), (1, 1, 1), (0, 0, 1), (2, 2, 2), (0, 0, 2), (1, 2, 1), (1, 1, 3)]
    ):
        pair = copy.copy(pairs[which])
        pair |= {
            "id": f"n{place}",
            "chosen": pairs[chosen]["chosen"],
            "rejected": pairs[rejected]["rejected"],
        }
        made.append(pair)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_pairs_of_one_prompt_share_a_row(name, architectures, negatives, tmp_path):
    trainer, rows = trainer_for(architectures[name], negatives, tmp_path)
    stock = step(trainer, rows)
    for how in ("split", "mask"):
        ours = step(trainer, rows, packed=True, pack=True, how=how)
        logps, loss, gradient = differences(ours, stock)
        assert logps < 1e-12 and loss < 1e-13 and gradient < 1e-13
    segments = ours["batch"]["row_segments"]
    # The chosen answer that three pairs have is there once; the pairs' prompts and images are.
    assert segments.shape[0] == 3 and segments.amax(1).tolist() == [4, 4, 2]
    assert len(ours["batch"]["pixel_values"]) < 0.3 * len(stock["batch"]["pixel_values"])
    assert trainer.share_prompts(rows, pack=True) is None or trainer.model.dtype == torch.float64


def test_a_model_that_is_not_known_to_be_exact_uses_the_stock_step(trainers, monkeypatch):
    trainer, rows = trainers("llava", torch.float32)
    config = core_of(trainer).config
    for where, name, value, told in (
        (config, "model_type", "paligemma", "paligemma"),
        (config.text_config, "model_type", "qwen3_next", "qwen3_next"),
        (config.text_config, "sliding_window", 64, "sliding-window"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, value, raising=False)
            assert told in trainer.share_prompts(rows)
            assert trainer.data_collator.packed is False


@pytest.mark.parametrize("how", ["split", "varlen"])
def test_layers_with_masks_of_their_own_refuse_other_attention(how, trainers):
    trainer, rows = trainers("gemma3", torch.bfloat16)
    assert trainer.share_prompts(rows, how) == "the layers of gemma3_text need masks (--attention mask)"
    assert trainer.share_prompts(rows, "mask") is None
