"""Image-text models: a folder in open_clip's layout gives open_clip's embeddings, names are completed, and a model that
can't be loaded is one line."""

import json
import shutil
import socket
import time

import numpy
import pytest
import torch
from PIL import Image

from s2h.models import ModelError, clip, names
from tests.support import clips

TEXTS = ["a red star on grass", "two blue squares", "the digit " + "is " * 40]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return clips.build(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pictures() -> list[Image.Image]:
    generator = numpy.random.default_rng(1)
    return [
        Image.fromarray(generator.integers(0, 255, (h, w, 3), "uint8"))
        for h, w in ((40, 90), (32, 32), (7, 5))
    ]


def test_embeddings_are_those_of_plain_open_clip(folder, no_network):
    import open_clip

    loaded = clip.load(str(folder))
    plain, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    plain.eval()
    with torch.no_grad():
        images = plain.encode_image(
            torch.stack([transform(picture) for picture in pictures()]), normalize=True
        )
        texts = plain.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS), normalize=True)
    got = loaded.images(pictures()), loaded.texts(TEXTS)
    for made, wanted in zip(got, (images, texts), strict=True):
        assert made.dtype == numpy.float32
        numpy.testing.assert_allclose(made, wanted.numpy(), atol=1e-6)
        numpy.testing.assert_allclose(numpy.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert loaded.name == str(folder)


def test_texts_are_framed_padded_and_cut(folder):
    rows = clip.load(str(folder)).tokenizer(TEXTS).tolist()
    assert rows[0] == [1, 3, 7, 10, 16, 17, 2, 0, 0, 0, 0, 0]
    assert len(rows[2]) == clips.CONTEXT
    assert (rows[2][0], rows[2][-1]) == (1, 2)


def test_images_are_squashed_not_cropped(folder):
    wide = Image.new("RGB", (96, 32), "black")
    wide.paste("white", (0, 0, 32, 32))  # lost, if the middle were cut out
    tensor = clip.load(str(folder)).prepare(wide)
    assert tensor.shape == (3, 32, 32)
    assert tensor[0, 16, 4] > 1 > 0 > tensor[0, 16, 28]


def test_a_long_list_of_texts_is_embedded_in_parts(folder, monkeypatch):
    loaded = clip.load(str(folder))
    whole = loaded.texts(TEXTS)
    monkeypatch.setattr(clip, "TEXTS_AT_ONCE", 2)
    numpy.testing.assert_allclose(loaded.texts(TEXTS), whole, atol=1e-6)


def test_names_in_full(folder):
    assert clip.identify("ViT-B-32") == clip.identify("ViT-B-32:openai") == clip.DEFAULT
    assert clip.identify("ViT-B-32/openai") == clip.DEFAULT
    assert clip.identify("ViT-B-32:laion2b_s34b_b79k") == "ViT-B-32:laion2b_s34b_b79k"
    assert clip.identify(f"{folder}/") == clip.identify(f"local-dir:{folder}") == str(folder)
    assert clip.identify("hf-hub:org/name") == "hf-hub:org/name"
    assert clip.identify(clip.BUNDLED) == clip.BUNDLED


def test_a_model_that_cannot_be_loaded_is_one_line(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "pickled")
    (tmp_path / "pickled" / "open_clip_model.safetensors").rename(
        tmp_path / "pickled" / "open_clip_model.bin"
    )
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / "open_clip_model.safetensors").write_bytes(b"nonsense")
    for name, said in (
        ("no-such-model", "no such model"),
        ("ViT-B-32:nothing", "no such weights"),
        ("some/model", "no such model"),
        (str(tmp_path), "no model in open_clip's layout"),
        (str(tmp_path / "pickled"), "only safetensors"),
        (str(tmp_path / "broken"), "can't be loaded"),
    ):
        with pytest.raises(ModelError) as found:
            clip.load(name)
        assert said in str(found.value) and "--clip-model" in str(found.value)
        assert "\n" not in str(found.value)


@pytest.mark.parametrize("key", ["positional_embedding", "text_projection"])
def test_a_checkpoint_of_another_shape_is_one_line(folder, tmp_path, key):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "other")
    weights = load_file(tmp_path / "other" / "open_clip_model.safetensors")
    weights[key] = weights[key][:-1].contiguous()
    save_file(weights, tmp_path / "other" / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="checkpoint has other shapes than the model") as found:
        clip.load(str(tmp_path / "other"))
    assert "\n" not in str(found.value)


def test_openai_weights_get_the_activation_they_were_trained_with(tmp_path, monkeypatch, no_network):
    """open_clip's own `ViT-B-32` has GELU, with which OpenAI's weights give other cosines. What the cache has is not asked
    for."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for repository in ("timm/vit_base_patch32_clip_224.openai", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"):
        folder = tmp_path / f"models--{repository.replace('/', '--')}"
        (folder / "snapshots" / "abc").mkdir(parents=True)
        (folder / "snapshots" / "abc" / "open_clip_model.safetensors").write_bytes(b"")
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("abc")
    place, options, files = clip._locate("ViT-B-32:openai")
    assert place == "ViT-B-32"
    assert options["force_quick_gelu"] is True
    assert options["force_preprocess_cfg"]["mean"] == (0.48145466, 0.4578275, 0.40821073)
    assert "openai/snapshots/abc/open_clip_model.safetensors" in options["pretrained"]
    assert {path.rpartition("/")[2] for path in files} == {"open_clip_model.safetensors", "main"}
    assert clip._locate("ViT-B-32:laion2b_s34b_b79k")[1]["force_quick_gelu"] is False


@pytest.mark.skipif(not names.bundled(clip.BUNDLED).is_dir(), reason="not bundled here")
def test_the_bundled_model_needs_no_network(no_network):
    loaded = clip.load(clip.BUNDLED)
    config = json.loads((names.bundled(clip.BUNDLED) / "open_clip_config.json").read_text())["model_cfg"]
    assert loaded.images(pictures()).shape == (3, config["embed_dim"])
    assert loaded.texts(TEXTS).shape == (3, config["embed_dim"])


def test_without_a_network_the_answer_is_quick(tmp_path, monkeypatch):
    """A closed port stands for the Hub, whose client would retry for half a minute."""
    from huggingface_hub import constants

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        waits = []
        monkeypatch.setattr(time, "sleep", waits.append)
        for name in (clip.DEFAULT, "hf-hub:org/name"):
            with pytest.raises(ModelError, match=r"can't be loaded.*--clip-model") as found:
                clip.load(name)
            assert "\n" not in str(found.value)
        assert sum(waits) < 8
