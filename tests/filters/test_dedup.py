"""Repeats of pairs: exact ones, near ones, of the stream and of other files."""

import json
import tracemalloc

import pytest
from PIL import Image

from s2h.filters import Judge, dedup, judge
from s2h.filters.repeats import Repeats, learn
from s2h.record import Record, RecordError, assistant
from tests.support.photos import photo
from tests.support.records import pair

LONG = "A {} peacock stands on a lawn beside a pond, with its tail spread wide and two ducks watching it from the water."


@pytest.fixture()
def shown(tmp_path):
    def save(picture, name: str, **fields):
        picture.save(tmp_path / name)
        return pair(fields.pop("id", name), images=[str(tmp_path / name)], target=[0], **fields)

    return save


def reasons(records, **how) -> list[bool]:
    return [bool(why) for _, why in judge(records, [dedup.build(Repeats(**how))])]


def test_exact_repeats_are_the_same_bytes_and_texts(shown):
    said = {"chosen": assistant("Two dogs."), "rejected": assistant("Two cats.")}
    records = [
        shown(photo(1), "a.png", **said),
        shown(photo(1), "b.png", **said),  # the same bytes under another name
        shown(photo(1), "c.png", **{**said, "rejected": assistant("Three cats.")}),
        shown(photo(2), "d.png", **said),
        shown(photo(1).resize((100, 80)), "e.png", **said),
    ]
    done = list(judge(records, [dedup.build(Repeats())]))
    assert [why for _, why in done] == [[], ["repeats a pair of the stream"], [], [], []]
    assert done[1][0]["scores"]["repeats"] == {"of": "the stream"} and "scores" not in done[0][0]


def test_pairs_with_other_rejected_images_are_no_repeats(shown):
    said = {"chosen": assistant("Two dogs."), "rejected": assistant("Two cats.")}
    first = shown(photo(1), "a.png", **said)
    other = [shown(photo(i), f"{i}.png", **said)["images"] for i in (2, 3, 2)]
    records = [
        first,
        *(Record({**first, "id": str(i), "rejected_images": one}) for i, one in enumerate(other)),
    ]
    assert reasons(records) == [False, False, False, True]
    records = [Record(record) for record in records]
    for record in records:
        record.pop("scores", None)
    assert reasons(records, bits=2) == [False, False, False, True]


def test_near_images(shown):
    said = {"chosen": assistant("Two dogs."), "rejected": assistant("Two cats.")}
    records = [
        shown(photo(1, (200, 160)), "a.png", **said),
        shown(photo(1, (200, 160)).resize((150, 120)), "b.jpg", **said),
        shown(photo(2, (200, 160)), "c.png", **said),
    ]
    assert reasons(records, bits=4) == [False, True, False]
    assert reasons(records) == [False, False, False]


def test_near_texts(shown):
    records = [
        shown(
            photo(1), f"{i}.png", chosen=assistant(LONG.format(word)), rejected=assistant(LONG.format("grey"))
        )
        for i, word in enumerate(("blue", "bright", "blue"))
    ]
    records.append(shown(photo(1), "other.png", chosen=assistant("A car."), rejected=assistant("A bus.")))
    assert reasons(records, alike=0.7) == [False, True, True, False]
    both = [
        shown(photo(1, (200, 160)), "x.png", chosen=assistant(LONG.format("blue"))),
        shown(photo(1, (200, 160)).resize((100, 80)), "y.jpg", chosen=assistant(LONG.format("bright"))),
    ]
    assert reasons(both, bits=4, alike=0.7) == [False, True]
    assert reasons(both, bits=4) == reasons(both, alike=0.7) == [False, False]


def test_other_files_with_and_without_the_stream(shown):
    records = [shown(photo(i % 2), f"{i}.png", chosen=assistant("Two dogs.")) for i in range(4)]
    for within, wanted in ((True, [True, False, True, True]), (False, [True, False, True, False])):
        repeats = Repeats()
        assert learn(repeats, [records[0].copy()], "held-out.jsonl") == 1
        done = list(judge([r.copy() for r in records], [dedup.build(repeats, within=within)]))
        assert [bool(why) for _, why in done] == wanted
        assert done[0][1] == ["repeats a pair of held-out.jsonl"]


def test_the_memory_that_is_stated(shown):
    one = shown(photo(1), "a.png")
    for how, most in (
        ({}, 48),
        ({"bits": 4}, 300),
        ({"alike": 0.8}, 5000),
        ({"bits": 4, "alike": 0.8}, 16_000),
    ):
        repeats = Repeats(**how)
        repeats.see(_with(one, "what is made once"), "s")
        tracemalloc.start()
        for i in range(300):
            said = " ".join(f"w{(i * 7 + j) % 997}x{i % 31}" for j in range(8))
            assert repeats.see(_with(one, said), "s") is None
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert taken / 300 <= most


def _with(record, said: str):
    other = record.copy()
    other["chosen"] = assistant(said)
    return other


def test_a_verdict_does_not_outlive_its_record(tmp_path, monkeypatch):
    """A later judgement may fail on a repeat; Python then gives its place in memory to another record."""
    monkeypatch.chdir(tmp_path)
    for n in range(4):
        Image.new("RGB", (8, 8), (60 * n, 0, 0)).save(f"{n}.png")
    once = pair("first", images=["0.png"])
    fresh = [
        pair(f"new{n}", images=[f"{1 + n % 3}.png"], chosen=assistant(f"The sum is {n}.")) for n in range(200)
    ]
    records = [once, *(one for new in fresh for one in (*[pair("again", images=["0.png"])] * 3, new))]

    def fails(batch):
        return {at: RecordError("odd", "id") for at, one in enumerate(batch) if one["id"] == "again"}

    lines = [json.dumps(one) for one in records]
    read = (Record(json.loads(line)) for line in lines)
    made = [dedup.build(Repeats()), Judge("odd", fails, None)]
    kept = [one["id"] for one, why in judge(read, made, on_error=lambda error: None) if not why]
    assert kept == ["first", *(one["id"] for one in fresh)]
