"""Digits from idx files and from folders."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from s2h import tasks
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.sources import SourceError, open_source
from s2h.sources.digit_set import Digits


def idx(values, shape=()) -> bytes:
    array = np.asarray(values, dtype=np.uint8)
    magic = 2049 if array.ndim == 1 else 2051
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def pictures(values) -> np.ndarray:
    """28x28 pictures whose upper right quarter is as bright as 20 times the value."""
    made = np.zeros((len(values), 28, 28), np.uint8)
    made[:, :14, 14:] = (20 * np.asarray(values))[:, None, None]
    return made


@pytest.fixture
def values():
    return [i % 10 for i in range(400)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "name", ["train-{}-idx{}-ubyte", "t10k-{}.idx{}-ubyte", "emnist-digits-train-{}-idx{}-ubyte"]
)
def test_idx_files_are_found_by_layout(packed, name, values, tmp_path):
    made = pictures(values)
    if "emnist" in name:
        made = made.transpose(0, 2, 1)
    for kind, rank, content in (("images", 3, idx(made)), ("labels", 1, idx(values))):
        path = tmp_path / (name.format(kind, rank) + (".gz" if packed else ""))
        path.write_bytes(gzip.compress(content) if packed else content)
    source = open_source(str(tmp_path))
    assert isinstance(source, Digits) and 320 < source.size < 400
    for pair in tasks.generate("arithmetic", n=20, source=source, images=Store(tmp_path / "i"), size=32):
        seen = [round(image.getpixel((24, 8))[0] / 20) for image in open_images(pair)]
        assert seen == pair["facts"]["values"]
        assert all(image.getpixel((8, 24))[0] == 0 for image in open_images(pair)), "transposed"


def test_emnist_with_all_its_sets_in_one_folder(tmp_path):
    """Letters are never taken for digits, one set is read, and its test part is held out."""

    def put(name: str, labels: list[int]) -> None:
        (tmp_path / f"emnist-{name}-images-idx3-ubyte").write_bytes(idx(pictures([0] * len(labels))))
        (tmp_path / f"emnist-{name}-labels-idx1-ubyte").write_bytes(idx(labels))

    put("letters-train", [1 + i % 26 for i in range(260)])
    with pytest.raises(SourceError, match="no picture of the digit 0"):
        open_source(str(tmp_path))
    put("balanced-train", [i % 47 for i in range(470)])
    # A mapping of its own: the label 10 + d is the digit d.
    mapping = tmp_path / "emnist-balanced-mapping.txt"
    mapping.write_text("".join(f"{i} {ord('A') + i}\n{10 + i} {ord('0') + i}\n" for i in range(10)))
    put("balanced-test", [10 + i % 10 for i in range(50)])
    train, held = (open_source(str(tmp_path), split=split) for split in ("train", "heldout"))
    assert (train.size, held.size) == (100, 50)
    assert train.excluded["not a digit"] == 370 and train.excluded["files of other sets of EMNIST"] == 1
    mapping.write_text("A 65\n")
    with pytest.raises(SourceError, match=r"emnist-balanced-mapping\.txt: not EMNIST's mapping"):
        open_source(str(tmp_path))


def test_folders_named_by_digits(tmp_path):
    for value in range(10):
        for i in range(30):
            path = tmp_path / str(value) / f"{i}.PNG"
            path.parent.mkdir(exist_ok=True)
            picture = Image.new("L", (20, 20), 20 * value)
            picture.putpixel((19, 19), i)
            picture.save(path)
        (tmp_path / str(value) / "notes.txt").write_text("seen")
    train, held = open_source(str(tmp_path)), open_source(f"digits:{tmp_path}", split="heldout")
    assert train.size + held.size == 300 and held.size > 5
    assert train.excluded["not a picture"] == 10
    for pair in tasks.generate("arithmetic", n=200, source=train, per_prompt=(5, 5), twins=True):
        assert len(set(pair["images"])) == 5, "no picture stands beside itself"
    pair = next(tasks.generate("arithmetic", n=1, source=train))
    assert [round(i.getpixel((3, 3))[0] / 20) for i in open_images(pair)] == pair["facts"]["values"]
    assert not set(train.names[p] for v in train.by_value for p in v) & {
        held.names[p] for v in held.by_value for p in v
    }


def test_what_is_wrong_is_told_in_one_line(values, tmp_path):
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    images.write_bytes(idx(pictures(values)))
    with pytest.raises(SourceError, match="train-labels-idx1-ubyte beside it"):
        open_source(str(tmp_path))
    labels.write_bytes(idx(values[:-1]))
    with pytest.raises(SourceError, match="400 pictures but 399 labels"):
        open_source(str(tmp_path))
    labels.write_bytes(b"P5 28 28")
    with pytest.raises(SourceError, match="not an idx file of labels"):
        open_source(str(tmp_path))
    labels.write_bytes(idx(values)[:-7])
    lacking = "pictures that an idx file cut short lacks (train-images-idx3-ubyte)"
    assert open_source(str(tmp_path)).excluded[lacking] == 7, "the whole ones are used"
    (tmp_path / "more-images-idx3-ubyte").write_bytes(b"no idx file")
    (tmp_path / "more-labels-idx1-ubyte").write_bytes(idx(values))
    (tmp_path / "other-images-idx3-ubyte").write_bytes(idx(pictures(values)))
    excluded = open_source(str(tmp_path)).excluded
    assert sum("idx files that can't be read" in reason for reason in excluded) == 1
    assert (
        excluded["pictures without labels (put other-labels-idx1-ubyte beside other-images-idx3-ubyte)"] == 1
    )
    for path in tmp_path.glob("[mo]*ubyte"):
        path.unlink()
    labels.write_bytes(idx([1] * 400))
    with pytest.raises(SourceError, match="no picture of the digit 0"):
        open_source(str(tmp_path))
    with pytest.raises(SourceError, match="no pictures with captions or classes; search needs"):
        labels.write_bytes(idx(values))
        next(tasks.generate("search", n=1, source=str(tmp_path)))
