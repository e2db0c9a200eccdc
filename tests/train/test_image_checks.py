"""The images of pairs before training: the sizes and the faults of whole images, and the order of the pairs."""

from __future__ import annotations

import io
import threading

import pytest
from PIL import Image

from s2h.images.decoding import ImageError, open_image, seen_size
from s2h.images.resizing import Pixels
from s2h.models.tokens import TokenCounter
from s2h.streams import jsonl
from s2h.train.dataset import store
from s2h.train.image_checks import AHEAD, ahead
from tests.support.architectures import make_pairs


def write(path, form, turned=0, mode="RGB") -> str:
    image = Image.effect_noise((97, 61), 60).convert(mode)
    exif = image.getexif()
    if turned:
        exif[0x0112] = turned
    image.save(path, form, exif=exif)
    return str(path)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turned", [0, 1, 3, 5, 6, 7, 8])
def test_a_size_is_that_of_the_opened_image(form, turned, tmp_path):
    place = write(tmp_path / "one", form, turned)
    for bounds in (Pixels(), Pixels(most=1000), Pixels(least=20_000)):
        assert seen_size(place, "", bounds) == open_image(place, "", bounds).size


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_size_in_other_colours(mode, tmp_path):
    assert seen_size(write(tmp_path / "one", "JPEG", mode=mode)) == (97, 61)


def fault(read, place) -> str:
    try:
        read(place)
    except ImageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("progressive", [False, True])
def test_the_same_files_are_damaged(progressive, tmp_path):
    """Cut anywhere, and with a byte changed anywhere, a JPEG has the same fault as when it is decoded in full."""
    made = io.BytesIO()
    Image.effect_noise((97, 61), 60).convert("RGB").save(made, "JPEG", progressive=progressive)
    whole, place, found = made.getvalue(), tmp_path / "one.jpg", set()
    for at in range(0, len(whole), 41):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            place.write_bytes(data)
            known = fault(open_image, str(place))
            assert fault(seen_size, str(place)) == known, at
            found.add(bool(known))
    assert found == {True, False}


def test_pairs_keep_their_order_and_errors_their_place():
    """An error in reading comes after the pairs before it, and the first pairs come before the last are read."""
    read = []

    def records():
        for i in range(3 * AHEAD):
            read.append(i)
            yield {"id": i}
        raise ValueError("cut")

    later, seen = threading.Event(), []

    def look(record):
        if record["id"] == 0:
            assert later.wait(60)  # another thread looks at later records in the meantime
        if record["id"] == 1:
            later.set()
        return record["id"] * 2

    with pytest.raises(ValueError, match="cut"):
        for record, found in ahead(records(), look):
            seen.append((record["id"], found.result()))
            assert len(read) <= len(seen) + AHEAD
    assert seen == [(i, 2 * i) for i in range(3 * AHEAD)]


def test_lengths_are_those_of_opened_images(architectures, tmp_path):
    """The lengths that a run stores, from sizes alone, are those of the processor's own tensors."""
    from s2h.images.decoding import open_images
    from s2h.models import encode, vlm

    pairs = make_pairs(tmp_path / "pictures", 4)
    with jsonl.Writer(str(tmp_path / "in.jsonl")) as writer:
        for pair in pairs:
            writer.write(pair)
    for folder in architectures.values():
        model = vlm.load(str(folder))
        counter = TokenCounter.of(model.model, model.processor, str(folder))
        assert counter.needs_only_sizes
        found = store(jsonl.read(str(tmp_path / "in.jsonl")), tmp_path / "out.jsonl", counter=counter)
        for tokens, pair in zip(found.tokens, pairs, strict=True):
            text = encode.prompt_text(model.processor, pair["prompt"])
            prompt = encode.encode_prompts(model.processor, [text], [open_images(pair)])
            assert tokens == prompt["input_ids"].shape[1] + max(counter.count_answers(pair))
