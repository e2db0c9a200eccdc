"""The bundled miniatures are small and complete, and the libraries load them without s2h."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from s2h import record, registry, tasks
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.models import clip, names, vlm

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("mini", "mini-clip", "mini-text")


def test_together_they_stay_below_15_megabytes_and_hold_no_pickle():
    files = [path for name in SHIPPED for path in names.bundled(name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 15_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".jinja", ".txt"}


def test_the_miniature_is_a_real_llava_with_its_own_processor():
    from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration

    folder = names.bundled("mini")
    assert isinstance(AutoModelForImageTextToText.from_pretrained(folder), LlavaForConditionalGeneration)
    assert AutoProcessor.from_pretrained(folder).chat_template


@pytest.fixture(scope="module")
def calibration():
    return runpy.run_path(str(ROOT / "examples" / "benchmarks" / "clip_calibration.py"))


@pytest.fixture(scope="module")
def mini_clip():
    return clip.load("mini-clip")


@pytest.mark.parametrize("task", registry.names("task"))
def test_a_cosine_of_a_quarter_separates_right_claims_from_wrong_ones(task, calibration, mini_clip):
    """A small version of the benchmark; examples/results/clip-calibration.json has at least 0.9 and 0.8 everywhere."""
    found = calibration["measure"](mini_clip, task, n=40, size=64, split="heldout", seed=3)
    assert found["claims"]["right_kept"] > 0.85 and found["claims"]["wrong_below"] > 0.72, found
    assert found["pairs_kept"] > 0.8, found


def test_the_committed_calibration_is_that_of_the_weights_that_ship(calibration, mini_clip):
    committed = json.loads((ROOT / "examples" / "results" / "clip-calibration.json").read_text())
    assert committed["weights"] == calibration["fingerprint"](mini_clip)
    for task in registry.names("task"):
        for share, least in (("right_kept", 0.9), ("wrong_below", 0.8)):
            found = [
                v["claims"][share] for name, v in committed["tasks"][task].items() if not name.endswith(" 32")
            ]
            assert len(found) == 4 and sum(found) / len(found) >= least, (task, share, found)


def test_it_is_good_on_one_image(tmp_path):
    from s2h.language.reply_verdicts import RIGHT, judge

    made = list(
        tasks.generate("vqa", n=80, split="heldout", per_prompt=(1, 1), images=Store(tmp_path), size=64)
    )
    replies = vlm.generate(vlm.load("mini"), ((p["prompt"], open_images(p)) for p in made), max_new_tokens=12)
    right = [
        judge(said, "", [p["facts"]["answer"]], {value: value for value in p["facts"]["candidates"]}).kind
        == RIGHT
        for p, said in zip(made, replies, strict=True)
    ]
    assert sum(right) / len(right) > 0.6


@pytest.mark.parametrize(("samples", "n"), [(1, 34), (4, 12)])
def test_level_1_takes_its_rejected_answers_from_the_models_mistakes(samples, n, tmp_path):
    """34 slots are more than the model is asked at once."""
    from collections import Counter

    from s2h import seeds
    from s2h.tasks.hallucinations import Answerer

    model, tally = vlm.load("mini"), Counter()

    def answer(rows, key):
        how = {"max_new_tokens": 24, "batch_size": 32}
        if samples == 1:
            return [[text] for text in vlm.generate(model, rows, **how)]
        seed = seeds.seed_of(key) % 2**31
        return list(vlm.sample(model, rows, samples=samples, temperature=1.0, seed=seed, **how))

    def made(**more):
        return list(
            tasks.generate(
                "vqa", n=n, images=Store(tmp_path), size=64, answerer=Answerer(answer), tally=tally, **more
            )
        )

    pairs = made()
    assert len(pairs) > 0.75 * n and tally["the model was right"] > (4 if samples == 1 else 0)
    for pair in pairs:
        record.check(pair)
        assert pair["negative"] in ("hallucination", "confusion")
        assert record.text_of(pair["rejected"]).lower() != record.text_of(pair["chosen"]).lower()
    assert pairs == made(shard=(1, 2)) + made(shard=(2, 2))


def test_scores_of_answers_agree_at_every_batch_size(tmp_path):
    made = list(tasks.generate("search", n=6, images=Store(tmp_path), size=64))
    rows = [(p["prompt"], p[which], open_images(p)) for p in made for which in ("chosen", "rejected")]
    model = vlm.load("mini")
    one, many = (list(vlm.score(model, rows, batch_size=size)) for size in (1, 12))
    assert all(abs(a - b) < 1e-3 for a, b in zip(one, many, strict=True)) and max(one) < 0
