"""The size of images: bounds give the tensors of an image resized by hand, and tokens are counted with the same size. The
bounds come from the user, else from the run, else from the preset."""

import json

import pytest
import torch
from PIL import Image

from s2h.images.resizing import WHOLE, Pixels
from s2h.models import ModelError, encode, fingerprint, image_size, names, vlm
from s2h.models.tokens import TokenCounter
from tests.models.test_tokens import pair
from tests.support.architectures import ARCHITECTURES

LARGE, SMALL = (4000, 3000), (20, 30)
BOUNDS = Pixels(2_500, 5_000)


@pytest.fixture(scope="module")
def pictures():
    return [Image.effect_noise(size, 90).convert("RGB") for size in (LARGE, SMALL)]


def tensors(model, images):
    return encode.encode_prompts(model.processor, [model.processor.image_token * len(images)], [images])


@pytest.mark.parametrize(
    "name, bounds", [("llava", BOUNDS), ("qwen2.5-vl", BOUNDS), ("qwen3-vl", Pixels(2_500, 6_500))]
)
def test_tensors_are_those_of_images_resized_by_hand(architectures, pictures, name, bounds):
    from torchvision.transforms.v2 import functional
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    plain, bounded = (vlm.load(str(architectures[name]), pixels=one) for one in (WHOLE, bounds))
    found = tensors(bounded, [bounded.shown.fit(one) for one in pictures])
    if name == "llava":
        assert bounded.shown == bounds
        sizes = [bounds.size(one.size) for one in pictures]
        resized = [p.resize(size, Image.Resampling.BICUBIC) for p, size in zip(pictures, sizes, strict=True)]
    else:
        assert bounded.shown == WHOLE and image_size.own_pixels(bounded.processor) == bounds
        side = 28 if name == "qwen2.5-vl" else 32
        sizes = [smart_resize(p.height, p.width, side, bounds.least, bounds.most) for p in pictures]
        cubic = functional.InterpolationMode.BICUBIC
        both = [functional.pil_to_tensor(one) for one in pictures]
        both = [
            functional.resize(one, list(size), cubic, antialias=True)
            for one, size in zip(both, sizes, strict=True)
        ]
        resized = [functional.to_pil_image(one) for one in both]
    by_hand = tensors(plain, resized)
    assert found.keys() == by_hand.keys()
    assert all(torch.equal(found[key], by_hand[key]) for key in found)
    assert name == "llava" or len(found["input_ids"][0]) < len(tensors(plain, pictures)["input_ids"][0])


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize("bounds", [BOUNDS, Pixels(most=3_136), Pixels(least=20_000, most=90_000)], ids=str)
def test_tokens_are_counted_as_images_are_prepared(architectures, pictures, name, bounds):
    if name == "qwen3-vl" and bounds.most == 3_136:
        bounds = Pixels(1_024, 3_136)  # its own least is 4,096
    model = vlm.load(str(architectures[name]), pixels=bounds)
    counter = TokenCounter.of(model.model, model.processor, name, shown=model.shown)
    shown = [model.shown.fit(one) for one in pictures]
    mark = model.processor.tokenizer.convert_tokens_to_ids(model.processor.image_token)
    made = int((tensors(model, shown)["input_ids"] == mark).sum())
    assert counter.count(pair(2), shown).images == made
    assert sum(counter.planned(one.size) for one in pictures) == made
    # The counter of the whole images knows what these bounds would lead to.
    whole = vlm.load(str(architectures[name]))
    all_of_it = TokenCounter.of(whole.model, whole.processor, name)
    before = image_size.own_pixels(whole.processor)
    assert all_of_it.with_most(bounds.most).planned(LARGE) == counter.planned(LARGE)
    assert image_size.own_pixels(whole.processor) == before


@pytest.mark.parametrize(
    "name, bounds, message",
    [
        ("llava", Pixels(most=63), r"--max-pixels 63 is below one patch of the model \(8 x 8 = 64 pixels\)"),
        ("qwen2.5-vl", Pixels(most=783), r"below one patch of the model \(28 x 28 = 784 pixels\)"),
        ("qwen3-vl", Pixels(1, 1023), r"below one patch of the model \(32 x 32 = 1024 pixels\)"),
        ("qwen2.5-vl", Pixels(most=2_000), "--min-pixels 3136 is above --max-pixels 2000"),
        ("qwen2.5-vl", Pixels(least=9_000), "--min-pixels 9000 is above --max-pixels 7056"),
        ("llava", Pixels(9, 8), "model .*--min-pixels 9 is above --max-pixels 8|below one patch"),
    ],
)
def test_bounds_that_a_model_cannot_take_are_one_error(architectures, name, bounds, message):
    with pytest.raises(ModelError, match=message):
        vlm.load(str(architectures[name]), pixels=bounds)


def test_the_user_overrides_the_run_and_the_run_the_preset(tmp_path):
    assert image_size.wanted("qwen2.5-vl-7b") == Pixels(0, 1280 * 28 * 28)
    assert image_size.wanted("Qwen/Qwen3-VL-2B-Instruct") == names.preset("qwen3-vl-2b").pixels
    assert image_size.wanted("llava-1.5-7b") == image_size.wanted("some/model") == WHOLE
    assert image_size.wanted("qwen2.5-vl-7b", Pixels(5, 700)) == Pixels(5, 700)
    with pytest.raises(ModelError, match="--min-pixels 2000000 is above --max-pixels 1003520"):
        image_size.wanted("qwen2.5-vl-7b", Pixels(least=2_000_000))
    run = tmp_path / "run"
    (run / "checkpoints" / "checkpoint-4").mkdir(parents=True)
    said = {"model": "qwen2.5-vl-7b", "min_pixels": 0, "max_pixels": 5_000}
    for more, own in (({}, Pixels(0, 5_000)), ({"max_pixels": 0}, WHOLE)):
        (run / "args.json").write_text(json.dumps({**said, **more}))
        for place in (run, run / "adapter", run / "merged", run / "checkpoints" / "checkpoint-4"):
            assert image_size.wanted(str(place)) == own, place
    assert image_size.wanted(str(run), Pixels(least=6)) == Pixels(6, 0)
    (run / "args.json").write_text(json.dumps({"model": "qwen2.5-vl-7b"}))  # of an older release
    assert image_size.wanted(str(run)) == WHOLE
    (run / "args.json").write_text(json.dumps({**said, "max_pixels": "many"}))
    with pytest.raises(ModelError, match=r"args\.json was changed: min_pixels and max_pixels are no numbers"):
        image_size.wanted(str(run))


@pytest.mark.parametrize("name", ["llava", "qwen3-vl"])
def test_fingerprints_differ_between_sizes(architectures, name):
    models = [vlm.load(str(architectures[name]), pixels=one) for one in (WHOLE, BOUNDS, Pixels(2_500, 5_100))]
    prints = [fingerprint.of_model(one.model, one.processor, one.shown) for one in models]
    assert len(set(prints)) == 3
    assert prints[0] == fingerprint.of_model(*vlm.read(str(architectures[name]), models[0].model.dtype))
