"""Mixing: order, stages, weights, caps, and a split that nothing crosses."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter

import pytest
from click.testing import CliRunner

from s2h import mix, record
from s2h.cli.mix import main
from s2h.record import RecordError
from tests.support.architectures import make_pairs


def pair(i: int, level: int = 1, images: list[str] | None = None, **facts) -> record.Record:
    return record.make(
        id=f"p{i}", level=level, task="vqa", images=images or [f"/images/{i}.png"],
        prompt=record.interleave([record.IMAGE, "What?"]),
        chosen=record.assistant("Red."), rejected=record.assistant("Blue."),
        target=[0], facts=facts, grounding=None, negative="wrong-attribute", source="test",
    )  # fmt: skip


def spooled(pairs, seed: int = 0) -> mix.Spool:
    spool = mix.Spool(seed)
    spool.add(pairs, 0, split=True)
    return spool


def write(path, pairs) -> None:
    path.write_text("".join(json.dumps(p) + "\n" for p in pairs))


def read(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_flat_is_a_seeded_shuffle_that_does_not_depend_on_the_order_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "l1.jsonl", [pair(i) for i in range(50)])
    write(tmp_path / "l2.jsonl", [pair(i, level=2) for i in range(50, 100)])
    for name, files in (("a", ["l1", "l2"]), ("b", ["l2", "l1"])):
        assert CliRunner().invoke(main, ["--flat", *files, "-o", name]).exit_code == 0
    a, b = read(tmp_path / "a"), read(tmp_path / "b")
    assert a == b and [p["id"] for p in a] != sorted(p["id"] for p in a)
    assert {p["id"] for p in a} == {f"p{i}" for i in range(100)}
    CliRunner().invoke(main, ["--flat", "l1", "l2", "-o", "c", "--seed", "1"])
    assert read(tmp_path / "c") != a


def test_curriculum_goes_up_the_levels_and_marks_stages():
    spool = spooled([pair(i, level=1 + i % 3) for i in range(30)])
    made = list(mix.arrange(spool, mix.choose(spool, weights=None, per_level=None), curriculum=True))
    assert [p["level"] for p in made] == [1] * 10 + [2] * 10 + [3] * 10
    assert all(p["stage"] == p["level"] for p in made)


def test_weights_and_caps():
    spool = mix.Spool(0)
    spool.add([pair(i) for i in range(40)], 0, split=False)
    spool.add([pair(i, level=2) for i in range(40, 80)], 1, split=False)
    rows = mix.choose(spool, weights=[1.0, 0.25], per_level=None)
    assert Counter(spool.sources[row] for row in rows) == {0: 40, 1: 10}
    rows = mix.choose(spool, weights=None, per_level=7)
    assert Counter(spool.levels[row] for row in rows) == {1: 7, 2: 7}


def test_nothing_shared_crosses_the_split():
    pairs = [pair(i, images=[f"/i/{i // 3}.png"], families=[f"f{i // 6}"]) for i in range(300)]
    pairs += [pair(i, twin=f"t{i // 2}") for i in range(300, 400)]
    spool = spooled(pairs)
    rows = mix.choose(spool, weights=None, per_level=None)
    train, held = mix.split(spool, rows, 0.1)
    assert sorted(train + held) == sorted(rows) and 20 <= len(held) <= 40

    def bound(rows: list[int]) -> set:
        return {thing for row in rows for thing in mix.bindings(spool.read(row))}

    assert not bound(train) & bound(held)


def test_a_duplicate_id_names_both_places():
    spool = mix.Spool(0)
    a, b = pair(1), pair(1)
    a.where, b.where = "l1.jsonl:3", "l2.jsonl:7"
    with pytest.raises(RecordError, match=r"l2\.jsonl:7: id: duplicate id: 'p1' came before, from l1\.jsonl"):
        spool.add([a, b], 0, split=False)


def test_memory_stays_small_whatever_the_records_hold():
    def heavy(n: int):
        for i in range(n):
            yield pair(i, note="x" * 5000)

    tracemalloc.start()
    spool = mix.Spool(0)
    spool.add(heavy(4000), 0, split=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(spool) == 4000 and peak / 4000 < 400  # the records are 5,400 bytes each


def test_relative_images_are_still_found_from_the_new_file(tmp_path, monkeypatch):
    from s2h.images import open_images
    from s2h.jsonl import read as read_records

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    pairs = make_pairs(tmp_path / "in" / "pictures", 4)
    for p in pairs:
        p["images"] = [image.replace(f"{tmp_path}/in/", "") for image in p["images"]]
    write(tmp_path / "in" / "a.jsonl", pairs)
    assert CliRunner().invoke(main, ["--flat", "in/a", "-o", "mix.jsonl"]).exit_code == 0
    for p in read_records("mix.jsonl"):
        assert open_images(p)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--flat"),
        (["--flat", "--curriculum"], "--flat"),
        (["--flat", "--weights", "1,x", "a"], "weights"),
        (["--flat", "--weights", "1,2", "a"], "2 weights for 1 files"),
        (["--flat", "--val", "0.1", "a"], "--val-output"),
        (["--flat", "--val", "1.5", "a", "-o", "b"], "1.5"),
        (["--flat", "--per-level", "-3", "a"], "-3"),
    ],
)
def test_wrong_usage_is_status_2(arguments, message):
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 2 and message in run.output


def test_held_out_file_lies_beside_the_mixture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "l1.jsonl", [pair(i) for i in range(50)])
    assert CliRunner().invoke(main, ["--flat", "l1", "--val", "0.2", "-o", "mix.jsonl"]).exit_code == 0
    assert len(read(tmp_path / "mix.val.jsonl")) == 10 and len(read(tmp_path / "mix.jsonl")) == 40
