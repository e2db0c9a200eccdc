"""CLIP's judgement with a tiny model: the scores are the mean cosines of the claims, each image is looked at once, and a
record that cannot be judged does not take others with it."""

import copy
import dataclasses
from pathlib import Path

import numpy
import pytest
from PIL import Image

from s2h.filters import clip_claims, clip_rank, judge
from s2h.filters import engine as engines
from s2h.filters.engine import Engine
from s2h.images.decoding import ImageError
from s2h.models import clip as models
from s2h.models.cache import Embeddings
from s2h.record import RecordError, assistant
from tests.support import clips
from tests.support.records import pair


def judged(load, **how):
    return clip_claims.build(Engine({"clip": load}), **how)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.load(str(clips.build(tmp_path_factory.mktemp("clip"))))


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = numpy.random.default_rng(3)
    for name in ("one", "two", "three"):
        Image.fromarray(generator.integers(0, 255, (32, 32, 3), "uint8")).save(f"{name}.png")


@pytest.fixture
def load(model):
    """Gives the tiny model under every name; `load.names` tells which, `load.seen` how many images it saw."""

    def loading(name: str):
        def transform(image):
            loading.seen += 1
            return model.transform(image)

        loading.names.append(name)
        return dataclasses.replace(model, name=name, transform=transform)

    loading.names, loading.seen = [], 0
    return loading


def cosine(model, image: str, text: str) -> float:
    return float(model.images([Image.open(image).convert("RGB")])[0] @ model.texts([text])[0])


def test_the_score_is_the_mean_cosine_of_the_claims(model, load):
    claims = {"chosen": [[0, "a red star"], [1, "the digit"]], "rejected": [[1, "two blue"]]}
    [(record, reasons)] = judge([pair(grounding=claims)], [judged(load)])
    said = record["scores"]["clip"]
    both = (cosine(model, "one.png", "a red star") + cosine(model, "two.png", "the digit")) / 2
    assert said == {
        "chosen": pytest.approx(both, abs=1e-4),
        "rejected": pytest.approx(cosine(model, "two.png", "two blue"), abs=1e-4),
        "model": "mini-clip",
    }
    assert reasons == []


def test_without_claims_the_answer_is_held_against_the_target_images(model, load):
    answer = "a red star is on grass"
    wanted = (cosine(model, "one.png", answer) + cosine(model, "three.png", answer)) / 2
    record = pair(images=["one.png", "two.png", "three.png"], target=[0, 2], chosen=assistant(answer))
    del record["grounding"]
    empty = record.copy()
    empty["grounding"] = {"chosen": [], "rejected": [[0, "a"]]}
    for scored, _ in judge([record, empty], [judged(load)]):
        assert scored["scores"]["clip"]["chosen"] == pytest.approx(wanted, abs=1e-4)


def test_thresholds(load):
    first = pair(scores={"clip": {"chosen": 0.3, "rejected": 0.25, "model": "mini-clip"}})
    for least, margin, reasons in (
        (0.3, 0.05, []),
        (0.31, 0.06, ["clip below 0.31"]),
        (None, 0.06, ["clip margin below 0.06"]),
        (None, None, []),
    ):
        assert [r for _, r in judge([first], [judged(load, least=least, margin=margin)])] == [reasons]
    assert load.names == []  # the scores were there


def test_the_record_alone_decides_who_scores_it(load):
    records = [
        pair("a"),
        pair("b", source="captions:photos"),
        pair("c", source="builtin:faces"),
        pair("d", source="builtins"),
    ]
    done = list(judge(records, [judged(load)]))
    assert [record["scores"]["clip"]["model"] for record, _ in done] == [
        "mini-clip", "ViT-B-32:openai", "mini-clip", "ViT-B-32:openai",
    ]  # fmt: skip
    assert load.names == ["mini-clip", "ViT-B-32:openai"]
    assert {r["scores"]["clip"]["model"] for r, _ in judge([pair("a"), pair("b", source="x")],
                                                        [judged(load, model="mine")])} == {"mine"}  # fmt: skip


def test_each_image_is_looked_at_once(load):
    records = [pair(f"r{i}", note=i) for i in range(50)]
    kept = [record["note"] for record, _ in judge(records, [judged(load)], batch_size=8)]
    assert kept == list(range(50))
    assert load.seen == 1  # both claims are about image 0


def test_scores_do_not_depend_on_the_batches(load):
    def records():
        for i in range(30):
            said = " ".join(clips.WORDS[i % 7 : i % 7 + 5])
            yield pair(f"r{i}", images=["one.png", "two.png"][:: 1 if i % 2 else -1],
                       grounding={"chosen": [[i % 2, said]], "rejected": [[0, "a " + said]]})  # fmt: skip

    runs = [list(judge(records(), [judged(load)], batch_size=size)) for size in (1, 7, 64)]
    assert runs[0] == runs[1] == runs[2]


def test_an_image_that_vanished(load):
    second = {"chosen": [[1, "a"]], "rejected": [[0, "a"]]}
    records = [
        pair("a"),
        pair("b", images=["one.png", "gone.png"], grounding=second),
        pair("c"),
        pair("d", images=["gone.png", "one.png"], grounding=second),
    ]
    for i, record in enumerate(records):
        record.where = f"f.jsonl:{i + 1}"
    skipped = []
    done = list(judge([r.copy() for r in records], [judged(load)], on_error=skipped.append))
    assert [record["id"] for record, _ in done] == ["a", "c"]
    assert [(type(error), error.where, error.field) for error in skipped] == [
        (ImageError, "f.jsonl:2", "images[1]"), (ImageError, "f.jsonl:4", "images[0]"),
    ]  # fmt: skip
    stream = judge([r.copy() for r in records], [judged(load)])
    assert next(stream)[0]["id"] == "a"
    with pytest.raises(ImageError, match=r"f.jsonl:2: images.1.: no such file"):
        next(stream)


def test_what_came_before_a_bad_line_is_still_judged(load):
    def reading():
        yield pair("a")
        raise RecordError("not JSON", where="f.jsonl:2")

    stream = judge(reading(), [judged(load)])
    assert next(stream)[0]["id"] == "a"
    with pytest.raises(RecordError, match=r"f.jsonl:2"):
        next(stream)


def test_a_score_of_another_model_is_not_rewritten(load):
    for said, words in (({"chosen": 0.3, "rejected": 0.2, "model": "other"}, "another model: other, not by mini-clip"),
                        ({"chosen": 0.3}, "holds no score"), ("high", "holds no score")):  # fmt: skip
        with pytest.raises(RecordError, match=f"scores.clip: .*{words}.*del"):
            list(judge([pair(scores={"clip": said})], [judged(load)]))


def test_a_score_that_is_no_number(model):
    broken = copy.deepcopy(model.model)
    broken.text_projection.data.fill_(float("nan"))

    def load(name):
        return dataclasses.replace(model, model=broken)

    with pytest.raises(RecordError, match=r"scores.clip: is not a number: nan from mini-clip"):
        list(judge([pair()], [judged(load)]))


def test_images_of_one_name_in_two_folders(model, load):
    for folder in ("a", "b"):
        Path(folder).mkdir()
    Path("one.png").rename("a/x.png")
    Path("two.png").rename("b/x.png")
    records = []
    for folder in ("a", "b"):
        records.append(pair(folder, images=["x.png"], target=[0]))
        records[-1].base = folder
    scores = [record["scores"]["clip"]["chosen"] for record, _ in judge(records, [judged(load)])]
    assert scores == [pytest.approx(cosine(model, f"{f}/x.png", "the digit 3"), abs=1e-4) for f in "ab"]


def test_the_cache_is_bounded_and_forgets_the_least_used():
    asked, cache = [], Embeddings(most=3)

    def embed(missing):
        asked.append(list(missing))
        return [(key, numpy.full(2, ord(key))) for key in missing if key != "!"]

    cache.get("abc", embed)
    assert list(cache.get("a", embed)) == ["a"]
    assert set(cache.get("d!", embed)) == {"d"}
    cache.get("abd", embed)
    assert asked == [["a", "b", "c"], ["d", "!"], ["b"]]
    assert len(cache.kept) == 3


def test_few_images_are_open_at_a_time(model):
    """However many records a batch has: what waits for the model is bounded."""
    counts = {"open": 0, "most": 0, "seen": 0}

    class Counting(models.Clip):
        def prepare(self, image):
            counts["open"] += 1
            counts["most"] = max(counts["most"], counts["open"])
            return super().prepare(image)

        def images(self, pictures):
            counts["open"] -= len(pictures)
            counts["seen"] += len(pictures)
            return super().images(pictures)

    records = []
    for i in range(200):
        Image.new("RGB", (32, 32), (i, 0, 0)).save(f"{i}.png")
        records.append(pair(f"r{i}", images=[f"{i}.png"], target=[0]))
    counting = Counting(model.name, model.model, model.transform, model.tokenizer)
    assert len(list(judge(records, [judged(lambda name: counting)], batch_size=200))) == 200
    assert counts["seen"] == 200 and counts["most"] <= (engines.AHEAD + 1) * model.images_at_once


def ranked(load, record, first=True):
    engine = Engine({"clip": load})
    [(scored, reasons)] = judge([record], [clip_rank.build(engine, first=first)])
    return scored["scores"]["clip_images"], reasons


def test_the_rank_among_all_images(model, load):
    names = ["one.png", "two.png", "three.png"]
    text = "a red star"
    cosines = [cosine(model, name, text) for name in names]
    best, worst = cosines.index(max(cosines)), cosines.index(min(cosines))
    for at, rank in ((best, 1), (worst, 3)):
        record = pair(
            images=names, target=[at], grounding={"chosen": [[at, text]], "rejected": [[at, "a digit"]]}
        )
        said, reasons = ranked(load, record)
        assert said["rank"] == rank and reasons == ([] if rank == 1 else ["clip rank above 1"])
        assert said["images"] == [[pytest.approx(value, abs=1e-4) for value in cosines]]
        rivals = [value for i, value in enumerate(cosines) if i != at]
        assert said["lead"] == pytest.approx(cosines[at] - max(rivals), abs=2e-4)
        assert ranked(load, record.copy(), first=False)[1] == []


def test_images_that_are_no_rivals(model, load):
    """A text that is claimed of several images, a second copy of the target, and a prompt without a distractor."""
    text = "a red star"
    names = sorted(["one.png", "two.png", "three.png"], key=lambda name: cosine(model, name, text))
    Path("copy.png").write_bytes(Path(names[1]).read_bytes())
    low, mid, high = names

    def claims(*places):
        return {"chosen": [[at, text] for at in places], "rejected": [[0, "a digit"]]}

    both = pair(images=[low, mid, high], target=[1, 2], grounding=claims(1, 2))
    assert ranked(load, both)[0]["rank"] == 1, "of both it is true"
    twice = pair(images=[mid, "copy.png", low], target=[0], grounding=claims(0))
    assert ranked(load, twice)[0]["rank"] == 1, "a copy shows the same"
    alone = ranked(load, pair(images=[low, low], target=[0], grounding=claims(0)))[0]
    assert alone["rank"] == 1 and "lead" not in alone
    del both["grounding"]
    both["scores"], both["chosen"] = {}, assistant(text)
    assert ranked(load, both)[0]["rank"] == 1, "without claims it is said of all targets"


def test_a_distractor_that_vanished_is_told(load):
    record = pair(images=["one.png", "gone.png"], grounding={"chosen": [[0, "a"]], "rejected": [[0, "a"]]})
    assert len(list(judge([record.copy()], [judged(load)]))) == 1, "nothing is claimed of it"
    with pytest.raises(ImageError, match=r"images.1.: no such file"):
        ranked(load, record)


def test_worker_processes_give_the_same_scores(model):
    records = [pair(f"r{i}", images=["one.png", "two.png"][:: 1 if i % 2 else -1]) for i in range(6)]
    runs = []
    for workers in (0, 2):
        with Engine({"clip": lambda name: model}, workers=workers) as engine:
            runs.append(list(judge([r.copy() for r in records], [clip_claims.build(engine)])))
    assert runs[0] == runs[1]
