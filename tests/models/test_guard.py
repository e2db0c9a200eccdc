"""No model runs code: each kind of model gets a Python file that would leave a mark, and a file that asks for it."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from s2h import upstream
from s2h.models import ModelError, adapter, clip, names, text, vlm

CODE = """open({mark!r}, "w").write("ran")
from transformers import PreTrainedTokenizerFast, ProcessorMixin, PreTrainedModel, PretrainedConfig
class Code(PreTrainedTokenizerFast): pass
"""


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """The file that code from a model would write. Standard input would answer yes to every question."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 100))
    return tmp_path / "MARK"


def copied(name: str, folder: Path, mark: Path) -> Path:
    shutil.copytree(names.bundled(name), folder)
    (folder / "evil.py").write_text(CODE.format(mark=str(mark)))
    return folder


def change(path: Path, **fields) -> None:
    told = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(told | fields))


def refused(load, name: Path | str, mark: Path, *said: str) -> None:
    with pytest.raises(ModelError) as found:
        load(str(name))
    message = str(found.value)
    assert not mark.exists()
    assert "\n" not in message
    for words in (str(name), *said):
        assert words in message


AUTO = {"AutoTokenizer": ["evil.Code", "evil.Code"]}


def clip_config(folder: Path, **text_cfg) -> None:
    config = json.loads((folder / clip.CONFIG).read_text())["model_cfg"]
    config["text_cfg"].update(text_cfg)
    change(folder / clip.CONFIG, model_cfg=config)


def cached(folder: Path, cache: Path, repository: str) -> None:
    """Put a folder into a Hub cache as the snapshot of a repository."""
    kept = cache / f"models--{repository.replace('/', '--')}"
    shutil.copytree(folder, kept / "snapshots" / "abc")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")


@pytest.mark.parametrize("trust", [True, "False"])
def test_a_clip_folder_that_asks_for_trust(tmp_path, mark, trust):
    folder = copied("mini-clip", tmp_path / "model", mark)
    change(folder / "tokenizer_config.json", tokenizer_class="Code", auto_map=AUTO)
    clip_config(folder, tokenizer_kwargs={"trust_remote_code": trust})
    refused(clip.load, folder, mark, "open_clip_config.json asks for trust_remote_code")


def test_a_clip_folder_that_would_ask_on_standard_input(tmp_path, mark):
    folder = copied("mini-clip", tmp_path / "model", mark)
    change(folder / "tokenizer_config.json", tokenizer_class="Code", auto_map=AUTO)
    refused(clip.load, folder, mark, "tokenizer_config.json brings Python code (auto_map)")


def test_transformers_never_asks_a_question(tmp_path, mark):
    from transformers import AutoTokenizer

    folder = copied("mini-clip", tmp_path / "model", mark)
    change(folder / "tokenizer_config.json", tokenizer_class="Code", auto_map=AUTO)
    with upstream.no_questions(), pytest.raises(ValueError, match="trust_remote_code"):
        AutoTokenizer.from_pretrained(folder)
    assert not mark.exists() and sys.stdin.tell() == 0


@pytest.mark.parametrize(
    "fields", [{"hf_model_name": "other/tower"}, {"hf_model_name": "model"}], ids=["hub", "path"]
)
def test_a_clip_folder_with_a_text_tower_from_elsewhere(tmp_path, mark, fields):
    folder = copied("mini-clip", tmp_path / "model", mark)
    clip_config(folder, **fields)
    refused(clip.load, folder, mark, "fetched from elsewhere", "hf_model_name")


def test_a_clip_folder_with_an_image_tower_from_elsewhere(tmp_path, mark):
    folder = copied("mini-clip", tmp_path / "model", mark)
    config = json.loads((folder / clip.CONFIG).read_text())["model_cfg"]
    config["vision_cfg"]["timm_model_name"] = "local-dir:other"
    change(folder / clip.CONFIG, model_cfg=config)
    refused(clip.load, folder, mark, "fetched from elsewhere", "timm_model_name")


@pytest.mark.parametrize("tokenizer", ["other/tokenizer", "org/name"])
def test_a_clip_model_of_the_hub(tmp_path, mark, monkeypatch, tokenizer):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = copied("mini-clip", tmp_path / "model", mark)
    clip_config(folder, hf_tokenizer_name=tokenizer)
    if tokenizer == "org/name":
        cached(folder, tmp_path / "cache", "org/good")
        clip_config(folder, hf_tokenizer_name="org/good")
        shutil.copy(folder / clip.CONFIG, tmp_path / "cache/models--org--good/snapshots/abc")
        assert clip.load("hf-hub:org/good").texts(["a red star"]).shape == (1, 128)
        clip_config(folder, hf_tokenizer_name=tokenizer, tokenizer_kwargs={"trust_remote_code": True})
        said = "open_clip_config.json asks for trust_remote_code"
    else:
        said = "fetched from elsewhere"
    cached(folder, tmp_path / "cache", "org/name")
    refused(clip.load, "hf-hub:org/name", mark, said)


@pytest.mark.parametrize(
    ("file", "fields", "said"),
    [
        ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}, "asks for trust_remote_code"),
        ("config_sentence_transformers.json", {"model_kwargs": {"trust_remote_code": 1}}, "asks for trust"),
        ("config.json", {"attn_implementation": "other/kernel"}, "fetched from the Hub"),
    ],
)  # fmt: skip
def test_a_text_model(tmp_path, mark, file, fields, said):
    folder = copied("mini-text", tmp_path / "model", mark)
    change(folder / file, **fields)
    refused(text.load, folder, mark, file, said)


@pytest.mark.parametrize(
    ("module", "said"),
    [({"type": "evil.Code", "path": ""}, "no part of sentence-transformers"),
     ({"type": "sentence_transformers.models.Normalize", "path": "../other"}, "outside of the model")],
)  # fmt: skip
def test_a_text_model_with_a_module_of_its_own(tmp_path, mark, module, said):
    folder = copied("mini-text", tmp_path / "model", mark)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*modules, {"idx": 3, "name": "3", **module}]))
    refused(text.load, folder, mark, "modules.json", said)


def test_a_text_model_whose_architecture_is_code(tmp_path, mark):
    folder = copied("mini-text", tmp_path / "model", mark)
    change(
        folder / "config.json",
        model_type="odd",
        auto_map={"AutoConfig": "evil.Code", "AutoModel": "evil.Code"},
    )
    refused(text.load, folder, mark, "code that comes with")


@pytest.mark.parametrize(
    ("file", "fields", "said"),
    [
        ("processor_config.json", {"trust_remote_code": True}, "asks for trust_remote_code"),
        ("tokenizer_config.json", {"init_kwargs": {"trust_remote_code": True}}, "asks for trust_remote_code"),
        ("preprocessor_config.json", {"a": [{"trust_remote_code": True}]}, "asks for trust_remote_code"),
        ("config.json", {"text_config": {"_attn_implementation": "x/y"}}, "fetched from the Hub"),
        ("config.json", {"model_type": "odd", "auto_map": {"AutoConfig": "evil.Code"}}, "code that comes with"),
    ],
)  # fmt: skip
def test_a_vision_language_model(tmp_path, mark, file, fields, said):
    folder = copied("mini", tmp_path / "model", mark)
    change(folder / file, **fields)
    refused(vlm.load, folder, mark, said)


@pytest.mark.parametrize(
    "fields", [{"trust_remote_code": True}, {"megatron_config": {"a": 1}, "megatron_core": "evil"}]
)
def test_an_adapter(tmp_path, mark, fields):
    folder = tmp_path / "adapter"
    folder.mkdir()
    change(folder / "adapter_config.json", base_model_name_or_path="mini", peft_type="LORA", **fields)
    refused(vlm.load, folder, mark, "adapter_config.json asks for")


def test_an_adapter_on_a_base_with_code(tmp_path, mark):
    base = copied("mini", tmp_path / "base", mark)
    change(base / "processor_config.json", trust_remote_code=True)
    folder = tmp_path / "adapter"
    folder.mkdir()
    change(folder / "adapter_config.json", base_model_name_or_path=str(base), peft_type="LORA")
    refused(vlm.load, folder, mark, "processor_config.json asks for trust_remote_code")


def test_pickles_and_spellings(tmp_path, mark):
    folder = copied("mini", tmp_path / "model", mark)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(vlm.load, folder, mark, "pytorch_model.bin is a pickle")
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    (folder / "generation_config.json").write_text(
        '{"trust_remote_c\\u006fde": true, "trust_remote_code": false}'
    )
    refused(vlm.load, folder, mark, "generation_config.json asks for trust_remote_code")
    (folder / "generation_config.json").write_text("[" * 100_000)
    refused(vlm.load, folder, mark, "generation_config.json is nested too deeply")


def test_a_folder_that_is_an_adapter_never_loads_its_base_by_itself(tmp_path):
    """transformers loads the base of an adapter by the name that the adapter's own file gives."""
    folder = tmp_path / "adapter-on-the-hub"
    shutil.copytree(names.resolve("mini"), folder)
    (folder / "adapter_config.json").write_text(
        '{"base_model_name_or_path": "some/other", "peft_type": "LORA"}'
    )
    with pytest.raises(ModelError, match="is an adapter"):
        vlm.read(str(folder), None)


def test_an_adapter_that_is_its_own_base(tmp_path):
    (tmp_path / "loop" / "adapter").mkdir(parents=True)
    (tmp_path / "loop" / "args.json").write_text(json.dumps({"model": str(tmp_path / "loop")}))
    change(
        tmp_path / "loop" / "adapter" / "adapter_config.json", base_model_name_or_path="x", peft_type="LORA"
    )
    with pytest.raises(ModelError, match="is its own base") as found:
        vlm.load(str(tmp_path / "loop"))
    assert len(str(found.value)) < 400


def test_an_adapter_is_found_in_its_run_or_by_itself(tmp_path):
    """s2h-train and s2h-eval take both names."""
    assert adapter.find(str(tmp_path)) is None and adapter.find("mini") is None
    (tmp_path / "adapter").mkdir()
    change(tmp_path / "adapter" / "adapter_config.json", base_model_name_or_path="mini", peft_type="LORA")
    assert adapter.find(str(tmp_path)) == adapter.find(str(tmp_path / "adapter")) == tmp_path / "adapter"
