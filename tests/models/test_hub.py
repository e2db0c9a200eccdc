"""Models of the Hub, from a complete, partial or empty cache: the files that were checked are those that are loaded."""

from __future__ import annotations

import json
import shutil

import pytest

from s2h.models import ModelError, names, text, vlm
from tests.support import hub

ADAPTER = {"base_model_name_or_path": "org/base", "peft_type": "LORA", "task_type": "CAUSAL_LM"}


@pytest.fixture
def root(tmp_path):
    """Repositories of a Hub: org/base and org/text; org/adapter is a whole model with an adapter's file beside it."""
    shutil.copytree(names.bundled("mini"), tmp_path / "org" / "base")
    shutil.copytree(names.bundled("mini"), tmp_path / "org" / "adapter")
    (tmp_path / "org" / "adapter" / "adapter_config.json").write_text(json.dumps(ADAPTER))
    shutil.copytree(names.bundled("mini-text"), tmp_path / "org" / "text")
    return tmp_path


@pytest.mark.parametrize("weights", ["cached", "missing"])
def test_an_adapter_that_a_partial_cache_does_not_show_loads_no_base(root, monkeypatch, weights):
    missing = ("adapter_config.json", *(["model.safetensors"] if weights == "missing" else []))
    hub.cached(root, "org/adapter", *missing)
    with hub.served(root, monkeypatch) as asked:
        if weights == "missing":
            with pytest.raises(ModelError, match="is an adapter"):
                vlm.read("org/adapter", None)
        else:  # the snapshot is a whole model, and only that is read
            model, _ = vlm.read("org/adapter", None)
            assert model.name_or_path == "org/adapter" and not asked
        assert not any("org/base" in path for path in asked)


def test_a_text_model_that_is_an_adapter_loads_no_base(root, monkeypatch):
    (root / "org" / "text" / "adapter_config.json").write_text(json.dumps(ADAPTER))
    hub.cached(root, "org/text", "adapter_config.json", "model.safetensors")
    with hub.served(root, monkeypatch) as asked:
        with pytest.raises(ModelError, match="is an adapter"):
            text.load("org/text")
        assert not any("org/base" in path for path in asked)


@pytest.mark.parametrize(
    "missing",
    [None, "model.safetensors", "chat_template.jinja", "processor_config.json", "tokenizer.json", "config.json"],
)  # fmt: skip
def test_missing_files_of_a_cache_are_fetched_once(root, monkeypatch, missing):
    if missing is not None:
        assert (root / "org" / "base" / missing).is_file()
        hub.cached(root, "org/base", missing)
    with hub.served(root, monkeypatch) as asked:
        model, processor = vlm.read("org/base", None)
        assert asked and processor.tokenizer.name_or_path == model.config._name_or_path == "org/base"
        asked.clear()
        vlm.read("org/base", None)
        assert not asked


def test_a_whole_cache_needs_no_network(root, monkeypatch):
    from huggingface_hub import constants

    hub.cached(root, "org/base")
    hub.cached(root, "org/text")
    with hub.served(root, monkeypatch) as asked:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        vlm.read("org/base", None)
        assert text.load("org/text").encode(["a red star"]).shape == (1, 128)
        assert not asked


def test_weights_in_several_files(root, monkeypatch):
    from transformers import AutoModelForImageTextToText

    folder = root / "org" / "base"
    model = AutoModelForImageTextToText.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="1MB")
    parts = sorted(path.name for path in folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    hub.cached(root, "org/base", parts[-1])
    with hub.served(root, monkeypatch) as asked:
        read, _ = vlm.read("org/base", None)
        assert read.num_parameters() == model.num_parameters()
        assert [path for path in asked if path.endswith(parts[-1])]
        assert not [path for path in asked if path.endswith(parts[0])]


def test_an_adapter_names_its_base_by_its_id(root, monkeypatch, tmp_path):
    from peft import LoraConfig, get_peft_model

    with hub.served(root, monkeypatch):
        model, processor = vlm.read("org/base", None)
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    said = "".join(path.read_text() for path in (tmp_path / "saved").glob("*.json"))
    assert "org/base" in said and "snapshots" not in said
