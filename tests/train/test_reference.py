"""Reference log-probabilities are measured once, also in runs that are killed, repeated or given scored pairs."""

from __future__ import annotations

import json

import pytest

from s2h.images.decoding import open_images
from s2h.models import fingerprint, vlm
from s2h.train.run import Arguments, Settings, read_metrics, train
from tests.support.architectures import make_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 8)


def run(pairs, model, folder, **more) -> list[str]:
    said: list[str] = []
    arguments = Arguments(str(model), batch_size=2, grad_accum=1, rank=4, alpha=8, epochs=1, lr=5e-3)
    train(pairs, arguments, folder, Settings(log_steps=1, **more), say=said.append)
    return [line for line in said if "reference" in line]


def values(folder) -> dict:
    return json.loads((folder / "reference.json").read_text())


def test_a_second_run_uses_the_values_of_the_first_and_has_the_same_weights(llava, pairs, tmp_path, cache):
    assert "8 pairs (train): measured now" in run(pairs, llava, tmp_path / "a")[0]
    [told] = run(pairs, llava, tmp_path / "b")
    assert "8 pairs (train): from" in told and str(cache) in told
    a, b = ((tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in "ab")
    assert a == b and values(tmp_path / "a") == values(tmp_path / "b")
    # Other data, or the same under another image's bytes, are other values.
    assert "measured now" in run(pairs[:6], llava, tmp_path / "c")[0]


def test_a_cache_of_a_killed_run_is_completed_to_the_same_digits(llava, pairs, tmp_path, cache):
    run(pairs, llava, tmp_path / "a")
    [kept] = cache.glob("*/*.jsonl")
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:6]) + "[3, -1")  # cut in the middle of a batch and of a line
    told = run(pairs, llava, tmp_path / "b")
    assert "5 pairs (train): from" in told[0] and "3 pairs (train): measured now" in told[1]
    assert values(tmp_path / "a") == values(tmp_path / "b")
    kept.write_bytes(b"\xff no json\n[1, 2]\n")
    assert "8 pairs (train): measured now" in run(pairs, llava, tmp_path / "c")[0]


def test_scores_of_the_same_model_and_record_are_used(llava, pairs, tmp_path):
    run(pairs, llava, tmp_path / "a")
    model = vlm.load(str(llava))
    name = fingerprint.of_model(*vlm.read(str(llava), model.model.dtype))
    scored = [pair.copy() for pair in pairs]
    for i, pair in enumerate(scored[:5]):
        rows = [(pair["prompt"], pair[which], open_images(pair)) for which in ("chosen", "rejected")]
        chosen, rejected = vlm.score(model, rows)
        print_ = fingerprint.scores_ref_fingerprint(name, pair)
        if i == 4:  # of another model
            chosen, print_ = 1000.0, print_.replace(name, "0" * 16)
        pair["scores"] = {
            "ref": {"chosen": chosen, "rejected": rejected, "model": "m", "fingerprint": print_}
        }
    told = run(scored, llava, tmp_path / "b")
    assert "4 pairs (train): from scores.ref" in told[0] and "4 pairs (train): measured now" in told[1]
    before, after = values(tmp_path / "a")["train"], values(tmp_path / "b")["train"]
    assert after["tokens"] == before["tokens"]
    for which in ("ref_chosen_logps", "ref_rejected_logps"):
        assert after[which] == pytest.approx(before[which], abs=1e-3)
    assert read_metrics(tmp_path / "b")[0]["loss"] == pytest.approx(0.6931, abs=1e-3)


def test_a_cache_that_cannot_be_written_is_one_warning(llava, pairs, tmp_path):
    (tmp_path / "file").write_text("")
    told = run(pairs, llava, tmp_path / "a", cache=tmp_path / "file" / "cache")
    assert "warning: " in told[0] and "--reference-cache names another folder" in told[0]
    assert "8 pairs (train): measured now" in told[1]
