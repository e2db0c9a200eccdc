"""Training with bounds of the images' size: the run reports which pairs would fit with smaller images, keeps its bounds, and
the models of its folder see images of the same size."""

import json

import pytest
from PIL import Image

from s2h.filters import log_probabilities
from s2h.images.resizing import Pixels
from s2h.models import image_size, vlm
from s2h.models.tokens import TokenCounter
from s2h.record import RecordError
from s2h.train import plan
from s2h.train.arguments import again, fill
from s2h.train.collator import Collator
from s2h.train.run import Arguments, RunError, Settings, train
from s2h.train.smaller_images import SmallerImages, steps
from tests.support.architectures import build_qwen25vl, make_pairs

WINDOW = 140  # tokens: room for small images, and not for two of a thousand tokens


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A Qwen2.5-VL that takes up to 2,000 tokens of an image."""
    return build_qwen25vl(tmp_path_factory.mktemp("roomy") / "m", tokens=(4, 2_000))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Six pairs on two images each, two of them on photographs of 4,000 pixels."""
    folder = tmp_path_factory.mktemp("pairs")
    found = [pair for pair in make_pairs(folder, 12) if len(pair["images"]) == 2][:3]
    for at, pair in enumerate(found[:2]):
        Image.new("RGB", (4000, 3000 - 500 * at), "red").save(folder / f"large-{at}.png", compress_level=1)
        pair["images"] = [str(folder / f"large-{at}.png"), pair["images"][1]]
    return found


def arguments(model, **more) -> Arguments:
    fixed = {"batch_size": 1, "grad_accum": 2, "rank": 2, "alpha": 4, "epochs": 1, "max_steps": 1}
    return Arguments(str(model), **{**fixed, "window": WINDOW, **more})


def test_pairs_that_would_fit_with_smaller_images_are_counted(roomy, pairs, tmp_path):
    said: list[str] = []
    train(pairs, arguments(roomy), tmp_path / "run", say=said.append)
    [line] = [line for line in said if "would" in line]
    assert line == (
        f"2 of 3 pairs do not fit the window of {WINDOW} tokens; with smaller images more would: 1 with --max-pixels "
        "1048576, 1 with --max-pixels 589824, 1 with --max-pixels 262144, 1 with --max-pixels 147456"
    )


def test_each_count_is_that_of_a_run_with_the_value(roomy, pairs):
    model = vlm.load(str(roomy))
    for window, wanted in ((400, [1, 1, 3, 3]), (1_000, [1, 3, 3, 3]), (2_000, [3, 3, 3, 3])):
        counter = TokenCounter.of(model.model, model.processor, "m", window)
        smaller, fits = SmallerImages.of(counter), 0
        for pair in pairs:
            from s2h.images.decoding import open_images

            images = open_images(pair)
            known = counter.count(pair, images)
            if known.row > window:
                smaller.add(pair, images, known)
            fits += known.row <= window
        found = []
        for most in steps(2_000 * 784):
            bounded = counter.with_most(most)
            found.append(
                sum(bounded.count(pair, open_images(pair, bounded.shown)).row <= window for pair in pairs)
            )
        assert (
            found == wanted and [fits + smaller.fitting.get(most, 0) for most in smaller.counters] == wanted
        )


def test_a_model_with_the_same_tokens_for_any_image_says_so(llava, pairs):
    model = vlm.load(str(llava))
    counter = TokenCounter.of(model.model, model.processor, "m", 20)
    smaller = SmallerImages.of(counter)
    images = [Image.new("RGB", (4000, 3000)), Image.new("RGB", (300, 300))]
    smaller.add(pairs[0], images, counter.count(pairs[0], images))
    assert (
        smaller.line(4)
        == "1 of 5 pairs does not fit the window of 20 tokens, and smaller images would not help"
    )
    assert SmallerImages.of(counter).line(4) == "" and steps(4_096) == [] and len(steps(0)) == 4


def test_a_run_keeps_its_bounds(roomy, pairs, tmp_path):
    """All pairs fit at the smaller size; a resume with another one is refused; the adapter sees images of the run's size."""
    run = tmp_path / "run"
    said: list[str] = []
    first = arguments(roomy, max_pixels=6_000)
    train(pairs, first, run, say=said.append)
    assert not [line for line in said if "fit" in line]
    kept = json.loads((run / "args.json").read_text())
    assert (kept["min_pixels"], kept["max_pixels"], kept["pairs"]) == (0, 6_000, 3)
    for place in (run, run / "adapter"):
        assert image_size.own_pixels(vlm.load(str(place)).processor) == Pixels(3_136, 6_000)
    assert "images of at most 6000 pixels" in (run / "adapter" / "README.md").read_text()
    assert fill({"model": str(run)}).max_pixels == 6_000  # a run on top of it
    assert fill(again(kept, {})).max_pixels == 6_000
    with pytest.raises(RunError, match="max_pixels was 6000 and is 5000"):
        train([], arguments(roomy, max_pixels=5_000), run, Settings(resume=True))
    older = {key: value for key, value in kept.items() if not key.endswith("_pixels")}
    (run / "args.json").write_text(json.dumps(older))
    assert fill(again({**older, "model": "qwen2.5-vl-7b"}, {})).max_pixels == 0
    with pytest.raises(RunError, match="max_pixels was 0 and is 6000"):
        train([], first, run, Settings(resume=True))


def test_scores_of_another_size_are_measured_again(llava, pairs, tmp_path):
    """LLaVA's processor has no bounds, so that images are resized when they are opened: in training and in s2h-filter."""
    bounds = Pixels(most=900)
    reference = log_probabilities.load(str(llava), "float32", bounds)
    prints = {reference.fingerprint(), log_probabilities.load(str(llava), "float32").fingerprint()}
    assert len(prints) == 2 and reference.vlm.shown == bounds
    rows = [{"row": at, "record": pair} for at, pair in enumerate(pairs[2:])]
    small, large = (
        Collator(reference.vlm.processor, shown=shown)(rows)["pixel_values"] for shown in (bounds, Pixels())
    )
    assert small.shape == large.shape and not small.equal(large)
    by_hand = [[bounds.fit(Image.open(one).convert("RGB")) for one in pair["images"]] for pair in pairs[2:]]
    found = reference.vlm.processor.image_processor(by_hand[0], return_tensors="pt")["pixel_values"]
    assert small[: len(found)].equal(found)


def test_a_plan_counts_with_the_bounds(roomy, pairs):
    said: list[str] = []
    small = plan.plan_run(pairs, arguments(roomy, window=4_000, max_pixels=6_000), say=said.append)
    assert small["max_pixels"] == 6_000 and small["tokens"]["longest_row"] < 120
    whole = plan.plan_run(pairs, arguments(roomy, window=1_000), say=said.append)
    assert any(
        line.startswith("of the pairs drawn, 2 of 3 pairs do not fit the window of 1000") for line in said
    )
    assert (whole["max_pixels"], whole["beyond_window"]) == (0, 2)


def test_a_plan_from_a_shape_has_the_presets_bounds(pairs):
    made = fill({"model": "qwen2.5-vl-7b", "step": 2})
    whole = plan.plan_run(pairs, made, say=lambda line: None)
    small = plan.plan_run(
        pairs, fill({"model": "qwen2.5-vl-7b", "max_pixels": 200_704}), say=lambda line: None
    )
    assert 1_200 < whole["tokens"]["longest_row"] < 1_400 and small["tokens"]["longest_row"] < 350


def test_impossible_bounds_of_a_run_are_one_error(roomy, pairs, tmp_path):
    for bounds, message in (
        ({"max_pixels": 500}, "below one patch"),
        ({"max_pixels": 2_000}, "--min-pixels 3136 is above --max-pixels 2000"),
    ):
        with pytest.raises((RecordError, RuntimeError), match=message):
            train(pairs, arguments(roomy, **bounds), tmp_path / "run")
        assert not (tmp_path / "run").exists()
