"""The reference's log-probabilities: those of the model used plainly, with the images and without, and the same for whoever
asks for them again."""

import math

import pytest
import torch

from s2h.filters import blind_margin, judge, log_probabilities, ref
from s2h.filters.engine import Engine
from s2h.images.decoding import open_images
from s2h.models import fingerprint, vlm
from s2h.record import RecordError
from tests.support.architectures import ARCHITECTURES, make_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), 5)


def scored(pairs, *judgements, **how):
    return list(judge([pair.copy() for pair in pairs], list(judgements), **how))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_values_are_the_models_one_by_one(architectures, name, pairs):
    folder = str(architectures[name])
    engine = Engine({"ref": lambda name: log_probabilities.load(name, "float32")})
    both = ref.build(engine, folder, batch_size=3), blind_margin.build(engine, folder, batch_size=3)
    plain = vlm.load(folder, dtype=torch.float32)
    model_print = fingerprint.of_model(plain.model, plain.processor)
    for pair, reasons in scored(pairs, *both):
        assert reasons == []
        for score, prompt, images in (
            ("ref", pair["prompt"], open_images(pair)),
            ("blind", log_probabilities.unseen(pair["prompt"]), []),
        ):
            said = pair["scores"][score]
            for side in ("chosen", "rejected"):
                (value,) = vlm.score(plain, [(prompt, pair[side], images)])
                assert said[side] == pytest.approx(value, abs=2e-3)
            assert said["fingerprint"] == fingerprint.scores_ref_fingerprint(model_print, pair)
        assert pair["scores"]["ref"]["chosen"] != pair["scores"]["blind"]["chosen"]


def test_bands_on_values_that_are_there():
    said = {
        "chosen": -2.0,
        "rejected": -5.0,
        "chosen_tokens": 4,
        "rejected_tokens": 5,
        "model": "m",
        "fingerprint": "f",
    }
    record = make_record({"ref": said, "blind": {**said, "rejected": -2.5}})
    engine = Engine({})
    for how, wanted in (
        ({"margin": (-math.inf, 3.0)}, []),
        ({"margin": (0.0, 2.9)}, ["margin above 2.9"]),
        ({"perplexity": (1.0, 2.0)}, ["perplexity of rejected above 2"]),
    ):
        assert [why for _, why in judge([record], [ref.build(engine, None, **how)])] == [wanted]
    for most, wanted in ((0.5, ["blind margin of 0.5 or more"]), (0.6, [])):
        assert [why for _, why in judge([record], [blind_margin.build(engine, None, most=most)])] == [wanted]
    with pytest.raises(RecordError, match=r"scores.ref: is missing .*--ref MODEL"):
        list(judge([make_record({})], [ref.build(engine, None, margin=(0, 1))]))


def make_record(scores):
    from tests.support.records import pair

    return pair(scores=scores)


def test_what_is_there_is_used_again_and_never_rewritten(llava, pairs):
    loads = []

    def load(name):
        loads.append(name)
        return log_probabilities.load(name, "float32")

    done = [record for record, _ in scored(pairs[:2], ref.build(Engine({"ref": load}), str(llava)))]
    again = [record for record, _ in scored(done, ref.build(Engine({"ref": load}), str(llava)))]
    assert again == done and len(loads) == 2
    for wrong, said in (
        ({"fingerprint": "0" * 16 + done[0]["scores"]["ref"]["fingerprint"][16:]}, "other weights"),
        ({"model": "other", "fingerprint": ""}, "another model: other"),
    ):
        record = done[0].copy()
        record["scores"] = {"ref": {**done[0]["scores"]["ref"], **wrong}}
        with pytest.raises(RecordError, match=f"scores.ref: .*{said}.*del"):
            scored([record], ref.build(Engine({"ref": load}), str(llava)))


def test_a_vanished_image_takes_one_pair_only(llava, pairs):
    gone = pairs[1].copy()
    gone["images"] = [*gone["images"][:-1], "/nowhere/gone.png"]
    skipped = []
    engine = Engine({"ref": lambda name: log_probabilities.load(name, "float32")})
    done = scored([pairs[0], gone, pairs[2]], ref.build(engine, str(llava)), on_error=skipped.append)
    assert [record["id"] for record, _ in done] == [pairs[0]["id"], pairs[2]["id"]]
    assert [error.field for error in skipped] == [f"images[{len(gone['images']) - 1}]"]
