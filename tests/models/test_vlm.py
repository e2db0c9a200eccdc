"""Models by name: runs, adapters, merged folders, models that can't be loaded, and models that transformers decodes."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext

import pytest

from s2h.eval import ask
from s2h.eval.questions.pairs import question_of
from s2h.images import decoding
from s2h.models import ModelError, decode, prompts, vlm
from tests.support import architectures as support
from tests.support.hybrid_architectures import RELATIVES


@pytest.fixture(scope="module")
def run(llava, tmp_path_factory):
    """A run folder like those of s2h-train, with an adapter that is not zero."""
    import torch
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("run")
    base = vlm.load(str(llava))
    torch.manual_seed(0)
    targets = r".*language_model.*\.(q|v)_proj"
    model = get_peft_model(base.model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False))
    model.save_pretrained(str(folder / "adapter"))
    (folder / "args.json").write_text(json.dumps({"model": str(llava)}))
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    pairs = support.make_pairs(tmp_path_factory.mktemp("pairs"), 4)
    return [(pair["prompt"], decoding.open_images(pair)) for pair in pairs]


def test_run_adapter_and_merged_folder_are_one_model(run, llava, rows, tmp_path):
    tuned = vlm.load(str(run))
    said = list(vlm.generate(tuned, rows, max_new_tokens=8))
    assert said != list(vlm.generate(vlm.load(str(llava)), rows, max_new_tokens=8))
    assert said == list(vlm.generate(vlm.load(str(run / "adapter")), rows, max_new_tokens=8))
    tuned.model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="has no processor"):
        vlm.load(str(tmp_path))
    tuned.processor.save_pretrained(tmp_path)
    assert said == list(vlm.generate(vlm.load(str(tmp_path)), rows, max_new_tokens=8))


def test_a_base_that_is_missing_or_wrong_is_an_error(run, tmp_path, qwen25vl, monkeypatch):
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.copytree(run, tmp_path / "run")
    told = tmp_path / "run" / "args.json"
    original = json.loads(told.read_text())["model"]

    def says(base: object) -> str:
        told.write_text(json.dumps({"model": base}))
        with pytest.raises(ModelError) as error:
            vlm.load(str(tmp_path / "run"))
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "its base can't be loaded" in says("no/such-model") and "no/such-model" in says("no/such-model")
    assert "does not fit its base" in says(str(qwen25vl))
    config = AutoConfig.from_pretrained(original)
    config.text_config.num_hidden_layers = 1
    shutil.copytree(original, tmp_path / "shallow")
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path / "shallow")
    assert "have no counterpart" in says(str(tmp_path / "shallow"))
    told.write_text("{}")
    with pytest.raises(ModelError, match="name the base model"):
        vlm.load(str(tmp_path / "run"))
    told.write_text(json.dumps({"model": original}))
    (tmp_path / "run" / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no such file"):
        vlm.load(str(tmp_path / "run"))
    shutil.rmtree(tmp_path / "run" / "adapter")
    with pytest.raises(ModelError, match="has no adapter"):
        vlm.load(str(tmp_path / "run"))


@pytest.mark.parametrize("name", ["llava-next", "pixtral"])
def test_a_model_that_decode_does_not_know_is_decoded_by_transformers(name, tmp_path):
    model = vlm.load(str(RELATIVES[name](tmp_path / "model")))
    assert not decode.can_decode(model) and not prompts.takes_plain(model)
    pairs = support.make_pairs(tmp_path / "pairs", 5)
    alone = list(ask.predict(map(question_of, pairs), model, batch_size=1, max_new_tokens=6))
    together = list(ask.predict(map(question_of, pairs), model, batch_size=5, max_new_tokens=6))
    assert [line["response"] for line in alone] == [line["response"] for line in together]
    assert all(line["response"] for line in alone)
    shown = [decoding.open_images(pair) for pair in pairs]
    rows = [
        (pair["prompt"], pair[w], image)
        for pair, image in zip(pairs, shown, strict=True)
        for w in ("chosen", "rejected")
    ]
    sums = list(vlm.score(model, rows, batch_size=1))
    lines = list(ask.predict(map(question_of, pairs), model, scoring="likelihood", batch_size=2))
    assert [v for line in lines for v in line["logp"].values()] == pytest.approx(sums, abs=3e-4)
    letters = [({**line, "choices": {"A": "a", "B": "b"}, "_pair": {"images": line["images"]}}, pair["prompt"])
               for line, pair in zip(lines, pairs, strict=True)]  # fmt: skip
    for line in ask.predict(letters, model, scoring="likelihood", batch_size=3):
        assert line["response"] in ("A", "B") and line["logp"].keys() == {"A", "B"}


@pytest.mark.parametrize("name", [*support.ARCHITECTURES, "internvl", "glm4v", "gemma3", "gemma4", "qwen3.5"])
def test_the_answers_of_a_pair_share_its_prompt(architectures, name, tmp_path):
    """The numbers are those of each answer alone, to the last digits in float64 and up to rounding in bfloat16. The language
    model sees each prompt once, and keeps no cache."""
    import torch

    from tests.support.float64 import float64

    folder = tmp_path / name if name in RELATIVES else architectures[name]
    if name in RELATIVES:
        RELATIVES[name](folder)
    pairs = support.make_pairs(tmp_path / "pictures", 4)
    rows = [(p["prompt"], decoding.open_images(p), [p["chosen"], p["rejected"]]) for p in pairs]
    alone = [(prompt, answer, images) for prompt, images, answers in rows for answer in answers]
    for dtype, most in ((torch.float64, 1e-12), (torch.bfloat16, 0.3)):
        model = vlm.load(str(folder), dtype=dtype)
        if name == "gemma4":
            model.model.set_experts_implementation("eager")  # grouped products have no float64
        seen, kept = [], model.model.base_model.forward
        with float64() if dtype == torch.float64 else nullcontext():
            wanted = list(vlm.score(model, alone, batch_size=1))
            hook = model.model.base_model.get_decoder().register_forward_pre_hook(
                lambda _, given, more, seen=seen: seen.append(
                    (len(more["inputs_embeds"]), more["use_cache"])
                ),
                with_kwargs=True,
            )
            found = [value for values in vlm.score_pairs(model, rows) for value in values]
            hook.remove()
            again = list(vlm.score(model, alone[:2], batch_size=1))
        assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < most
        assert seen == [(len(pairs), False)]
        assert model.model.base_model.forward == kept and again == wanted[:2]  # nothing is left of the rows


def test_a_model_that_is_not_known_to_share_computes_each_answer(llava, tmp_path, monkeypatch):
    from s2h.filters import log_probabilities, scorers

    (pair,) = support.make_pairs(tmp_path / "pictures", 1)
    model = log_probabilities.load(str(llava), "float32")
    assert scorers.REFERENCE.remark(model) == ""
    rows = [(pair["prompt"], decoding.open_images(pair), [pair["chosen"], pair["rejected"]])]
    shared = vlm.score_pairs(model.vlm, rows)
    monkeypatch.setattr(model.vlm.model.config.text_config, "sliding_window", 64, raising=False)
    assert scorers.REFERENCE.remark(model) == (
        "each prompt is computed twice, once for each answer: sliding-window attention"
    )
    assert vlm.score_pairs(model.vlm, rows)[0] == pytest.approx(shared[0], abs=1e-4)
