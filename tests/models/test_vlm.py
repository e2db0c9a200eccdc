"""Models by name: runs, adapters, merged folders, models that can't be loaded, and models that transformers decodes."""

from __future__ import annotations

import json
import shutil

import pytest

from s2h.eval import ask
from s2h.eval.questions.pairs import question_of
from s2h.images import decoding
from s2h.models import ModelError, decode, prompts, vlm
from tests.support import architectures as support


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


def build_next(folder):
    """Build a LLaVA-NeXT, whose images have different numbers of tiles: its processor and `generate` make its batches."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
    )

    tokenizer = support._train_tokenizer(
        ("<unk>", "<s>", "</s>", "<image>", "<pad>"),
        bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    side, tiles = 32, [[32, 64], [64, 32]]
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessor(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}, image_grid_pinpoints=tiles
        ),
        tokenizer=tokenizer, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=support.LLAVA_TEMPLATE,
    )  # fmt: skip
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=side, patch_size=8,
            projection_dim=32,
        ),
        text_config=LlamaConfig(
            **support._language(tokenizer), bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), image_grid_pinpoints=tiles, image_seq_length=16,
    )  # fmt: skip
    model = support._grow(LlavaNextForConditionalGeneration, config, tokenizer, 0)
    return support._save(folder, model, processor)


def test_a_model_that_decode_does_not_know_is_decoded_by_transformers(tmp_path):
    model = vlm.load(str(build_next(tmp_path / "next")))
    assert not decode.can_decode(model) and not prompts.is_plain(model)
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
