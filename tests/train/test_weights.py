"""The trained weights: LoRA or the whole language model, never the vision tower, which costs no backward pass."""

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoProcessor

from s2h.models import ModelError, thinking, vlm
from s2h.models.names import bundled
from s2h.train import card, weights
from s2h.train.construction import Run, build_trainer
from s2h.train.dataset import Pairs, store
from s2h.train.run import Arguments, Settings, read_metrics, train
from tests.support.architectures import ARCHITECTURES, make_pairs
from tests.support.hybrid_architectures import RELATIVES


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 6)


def arguments(model, **more) -> Arguments:
    return Arguments(
        str(model),
        **{"batch_size": 2, "grad_accum": 1, "rank": 4, "alpha": 8, "epochs": 2, "lr": 2e-3, **more},
    )


def test_full_fine_tuning_changes_only_the_language_model(qwen3vl, pairs, tmp_path):
    """No second model is needed as the reference: the loss starts at log 2. The run folder is a whole model."""
    result = train(pairs, arguments(qwen3vl, full=True, warmup=0.0), tmp_path / "run", Settings(log_steps=1))
    assert result["merged"] == str(tmp_path / "run" / "merged") and "adapter" not in result
    assert read_metrics(tmp_path / "run")[0]["loss"] == pytest.approx(0.6931, abs=1e-4)
    before, after = (
        load_file(qwen3vl / "model.safetensors"),
        load_file(tmp_path / "run/merged/model.safetensors"),
    )
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and all(weights.LANGUAGE.search(name) for name in moved)
    assert any("mlp" in name for name in moved) and not any("visual" in name for name in moved)
    loaded = vlm.load(str(tmp_path / "run"))
    assert torch.equal(loaded.model.state_dict()[min(moved)], after[min(moved)])


@pytest.mark.parametrize(
    ("name", "engine"), [("llava", "stock"), ("qwen2.5-vl", "stock"), ("qwen3-vl", "shared")]
)
def test_checkpointing_leaves_the_frozen_tower_out(name, engine, architectures, pairs, tmp_path):
    """A vision layer runs once for each call of the tower, and keeps no graph. A language layer is recomputed."""
    store(pairs, tmp_path / "data.jsonl")
    rows = Pairs(tmp_path / "data.jsonl")
    counts = {}
    for checkpointing in (False, True):
        asked = arguments(architectures[name], gradient_checkpointing=checkpointing, engine=engine)
        trainer = build_trainer(Run(weights.read(asked), rows, None, asked, tmp_path / "run"))
        if engine == "shared":
            assert trainer.share_prompts(rows) is None
        trainer.add_reference(rows)
        trainer.model.train()
        if checkpointing:  # as training does when it begins
            trainer.model.gradient_checkpointing_enable()
        layers, asks = {"vision": 0, "language": 0}, []
        for part, module in trainer.model.named_modules():
            if part.endswith(".mlp"):
                kind = "language" if weights.LANGUAGE.search(part) else "vision"

                def seen(module, inputs, kind=kind, layers=layers, asks=asks):
                    layers[kind] += 1
                    if kind == "vision":
                        asks.append(inputs[0].requires_grad)

                module.register_forward_pre_hook(seen)
        batch = trainer.prepare_batch(trainer.data_collator([rows.dataset()[i] for i in range(2)]))
        trainer.compute_loss(trainer.model, batch).backward()
        counts[checkpointing] = layers
        assert layers["vision"] and not any(asks)
        gradients = [p.grad for n, p in trainer.model.named_parameters() if "lora_A" in n or "lora_B" in n]
        assert all(gradient is not None for gradient in gradients)
    assert counts[True]["vision"] == counts[False]["vision"]
    assert counts[True]["language"] == 2 * counts[False]["language"]


@pytest.mark.parametrize(
    ("given", "told"), [({}, "by default"), ({"targets": "q"}, "--lora-targets 'q' matches no")]
)
def test_a_model_without_the_modules_to_adapt_is_told_which_it_has(given, told):
    layers = torch.nn.ModuleList([torch.nn.ModuleDict({"attn": torch.nn.Linear(2, 2)}) for _ in range(2)])
    model = torch.nn.ModuleDict({"visual": torch.nn.Linear(2, 2), "language_model": layers})
    with pytest.raises(ModelError, match=told) as raised:
        weights._check_targets(model, Arguments(model="x", **given))
    assert "linear modules: language_model.N.attn, visual, where N is the number of a layer" in str(
        raised.value
    )


def test_a_user_is_told_what_is_not_trained_in_a_mixture_of_experts(tmp_path):
    model, _ = vlm.read(str(RELATIVES["glm4v-moe"](tmp_path / "model")), torch.float32)
    known = weights.of_experts(model, Arguments(model="x"))
    assert [line.partition(":")[0] for line in known] == [
        "LoRA adapts no experts of glm4v_moe, whose weights are no linear modules (--full trains them)",
        "the router's auxiliary loss is left out",
    ]
    assert len(weights.of_experts(model, Arguments(model="x", full=True))) == 1


def test_the_card_names_the_template_that_switches_thoughts(tmp_path):
    (tmp_path / "processor").mkdir()
    processor = AutoProcessor.from_pretrained(bundled("mini"))
    for template, told in (("{{ enable_thinking }}", True), ("", False)):
        processor.chat_template = template
        (tmp_path / "processor/chat_template.jinja").write_text(thinking.template(processor, "off"))
        said = "\n".join(card._serving(tmp_path, Arguments(model="mini"), {}))
        assert ("thinking off: start vLLM or SGLang with `--chat-template" in said) is told


def test_four_bits_without_a_gpu_are_one_clear_error(llava, pairs, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ModelError, match="needs an NVIDIA GPU"):
        train(pairs, arguments(llava, quantize="4bit"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["llava", "qwen2.5-vl", "internvl", "smolvlm", "gemma3", "qwen3.5"])
def test_four_bits_are_those_of_the_language_model(name, tmp_path):
    """transformers matches the patterns with full names, from their start."""
    from transformers.quantizers.quantizers_utils import should_convert_module

    folder = (ARCHITECTURES | RELATIVES)[name](tmp_path / "model")
    model, _ = vlm.read(str(folder), torch.float32)
    linear = {module for module, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    converted = {module for module in linear if should_convert_module(module, list(weights.UNQUANTIZED))}
    assert converted == {module for module in linear if re.search("language_model|text_model", module)}
    assert 0 < len(converted) < len(linear) - 1 and "lm_head" in linear - converted


def test_a_run_starts_from_an_earlier_run_and_merges(llava, pairs, tmp_path):
    """With --model RUN, the adapter is merged into its base, and a new adapter is trained on top of it."""
    import json

    from transformers import AutoModelForImageTextToText, AutoProcessor

    train(pairs, arguments(llava, lr=2e-2), tmp_path / "one", Settings(merged=True))
    result = train(
        pairs, arguments(tmp_path / "one", lr=2e-2), tmp_path / "two", Settings(merged=True, log_steps=1)
    )
    assert result["merged"] == str(tmp_path / "two" / "merged")
    assert read_metrics(tmp_path / "two")[0]["loss"] == pytest.approx(0.6931, abs=1e-4)
    rows = [(p["prompt"], p["chosen"], _images(p)) for p in pairs]
    found = [list(vlm.score(vlm.load(str(place)), rows)) for place in
             (llava, tmp_path / "one", tmp_path / "two", tmp_path / "two" / "merged")]  # fmt: skip
    assert found[2] == pytest.approx(found[3], abs=1e-3)
    assert max(abs(a - b) for a, b in zip(found[0], found[1], strict=True)) > 0.1
    assert max(abs(a - b) for a, b in zip(found[1], found[2], strict=True)) > 0.1
    place = tmp_path / "two" / "merged"
    assert AutoModelForImageTextToText.from_pretrained(place) and AutoProcessor.from_pretrained(place)
    for written in (tmp_path / "two" / "README.md", tmp_path / "two" / "adapter" / "README.md"):
        text = written.read_text()
        assert "## Measures" in text and "level 2" in text and "`4e" not in text.split("##")[0]
        assert str(result["fingerprint"]) in text and "s2h-eval --model two" in text
        base = tmp_path / "one" / "merged"
        assert f"vllm serve {base} --enable-lora --max-lora-rank 8 --lora-modules two=two/adapter\n" in text
        assert (
            f"--model-path {base} --enable-lora --max-lora-rank {arguments(llava).rank} --lora-paths two=two"
            in text
        )
        assert "s2h-train -o two --merge && transformers serve two/merged\n" in text
    # The base of the second adapter is the first run's merged model, not the model below it.
    said = json.loads((tmp_path / "two" / "adapter" / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == str(base)


def _images(pair):
    from s2h.images.decoding import open_images

    return open_images(pair)


def test_an_adapter_of_another_base_is_one_clear_error(llava, qwen3vl, pairs, tmp_path):
    import json

    run = tmp_path / "run"
    train(pairs[:2], arguments(llava, epochs=1), run)
    said = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**said, "model": str(qwen3vl)}))
    for use in (lambda: vlm.load(str(run)), lambda: train(pairs, arguments(run), tmp_path / "new")):
        with pytest.raises(ModelError, match="the adapter does not fit its base"):
            use()
