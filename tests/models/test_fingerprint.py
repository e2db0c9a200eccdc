"""A fingerprint does not depend on the folder of the files, and differs if anything differs on which the values depend."""

import shutil

import pytest
import torch

from s2h.images.decoding import ImageError
from s2h.models import encode, fingerprint, vlm
from s2h.record import assistant
from tests.support.architectures import ARCHITECTURES, make_pairs


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), 1)[0]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_copy_elsewhere_after_use_is_the_same_model(architectures, tmp_path, name, record):
    model, processor = vlm.read(str(architectures[name]), torch.float32)
    first = fingerprint.of_model(model, processor)
    encode.encode_prompts(processor, ["a", "a b"], [[], []])  # sets the padding of its tokenizer
    model.config.use_cache = False
    assert fingerprint.of_model(model, processor) == first and len(first) == 16
    shutil.copytree(architectures[name], tmp_path / "copy")
    assert fingerprint.of_model(*vlm.read(str(tmp_path / "copy"), torch.float32)) == first


def test_each_change_of_the_model_changes_the_fingerprint(llava):
    model, processor = vlm.read(str(llava), torch.float32)
    prints = {fingerprint.of_model(model, processor)}
    prints.add(fingerprint.of_model(vlm.read(str(llava), torch.bfloat16)[0], processor))
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-3
    prints.add(fingerprint.of_model(model, processor))
    model.config.vision_feature_layer = -1
    prints.add(fingerprint.of_model(model, processor))
    processor.chat_template += " "
    prints.add(fingerprint.of_model(model, processor))
    processor.image_processor.image_mean = [0.1, 0.2, 0.3]
    prints.add(fingerprint.of_model(model, processor))
    processor.tokenizer.add_tokens(["unheard-of"])
    prints.add(fingerprint.of_model(model, processor))
    assert len(prints) == 7


def test_the_fingerprint_of_a_record_covers_its_images_and_texts(record, tmp_path):
    first = fingerprint.of_record(record)
    assert fingerprint.of_record({**record, "id": "x", "scores": {}}) == first
    moved = record.copy()
    moved["images"] = [shutil.copy(path, tmp_path / f"{i}.png") for i, path in enumerate(record["images"])]
    moved["images"] = [f"{i}.png" for i in range(len(record["images"]))]
    moved.base = str(tmp_path)
    known: dict[str, str] = {}
    assert fingerprint.of_record(moved, known) == first and len(known) == len(record["images"])
    swapped = {**record, "chosen": record["rejected"], "rejected": record["chosen"]}
    other = {**record, "rejected": assistant("Something else.")}
    (tmp_path / "0.png").write_bytes(b"other bytes")
    prints = {first, *map(fingerprint.of_record, (swapped, other, moved))}
    assert len(prints) == 4
    (tmp_path / "0.png").unlink()
    moved.where = "f.jsonl:3"
    with pytest.raises(ImageError, match=r"f.jsonl:3: images.0.: no such file"):
        fingerprint.of_record(moved)
    assert fingerprint.scores_ref_fingerprint("abc", record) == f"abc-{first}"
