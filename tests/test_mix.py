"""Mixing: the order and its independence of the files' order, shares, the split's integrity, references, memory."""

import os
import random
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h import jsonl, mix
from s2h.cli.mix import beside, main
from s2h.record import RecordError
from tests.support.records import lines, pair


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    yield tmp_path
    assert os.listdir(tmp_path / "spool") == []


def write(path: str, names, **fields) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with jsonl.Writer(path) as out:
        for name in names:
            out.write(
                dict(pair(name, **{"images": [f"{name}-1.png", f"{name}-2.png"], **fields}))
            )  # no base: references stay as they are


def run(*arguments, status: int = 0, data: bytes = b""):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], input=data)
    assert done.exit_code == status, done.output
    return done


def names(path: str) -> list[str]:
    return [record["id"] for record in jsonl.read(path)]


def three_levels(count: int = 40) -> None:
    for level in (1, 2, 3):
        write(f"l{level}.jsonl", [f"{level}-{i}" for i in range(count)], level=level, task=f"task{level}")


def test_flat_does_not_depend_on_the_order_of_the_files():
    three_levels()
    said = run("--flat", "l1", "l2", "l3", "-o", "a.jsonl").stderr
    assert "120 pairs, shuffled: level 1 40 (task1 40), level 2 40 (task2 40), level 3 40 (task3 40)" in said
    run("--flat", "l3", "l1", "l2", "-o", "b.jsonl")
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    both = b"".join(Path(f"l{level}.jsonl").read_bytes() for level in (2, 3, 1))
    assert run("--flat", data=both).stdout_bytes == Path("a.jsonl").read_bytes()
    found = names("a")
    assert len(set(found)) == 120
    assert 5 < sum(name[0] == "1" for name in found[:40]) < 25  # level 1 is everywhere, not at one end
    run("--flat", "l1", "l2", "l3", "--seed", "1", "-o", "c.jsonl")
    assert names("c") != found and sorted(names("c")) == sorted(found)


def test_the_curriculum_goes_up_and_names_its_stages():
    three_levels()
    write("own.jsonl", ["own"], level=1, stage=7)
    run("--curriculum", "l3", "own", "l2", "l1", "-o", "mix.jsonl")
    found = list(jsonl.read("mix"))
    assert [record["level"] for record in found] == [1] * 41 + [2] * 40 + [3] * 40
    assert all(record["stage"] == (7 if record["id"] == "own" else record["level"]) for record in found)
    inside = [record["id"] for record in found if record["level"] == 2]
    assert inside != [f"2-{i}" for i in range(40)]
    run("--flat", "l1", "l2", "l3", "-o", "flat.jsonl")
    assert [name for name in names("flat") if name[0] == "2"] == inside
    assert "stage" not in next(jsonl.read("flat"))


def test_weights_are_shares_of_the_largest():
    three_levels()
    run("--flat", "l1", "l2", "l3", "--weights", "2,1,0", "-o", "a.jsonl")
    assert Counter(name[0] for name in names("a")) == {"1": 40, "2": 20}
    run("--flat", "l3", "l2", "l1", "--weights", "0,0.5,1", "-o", "b.jsonl")
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    # The part that stays is spread over the mix.
    assert 4 <= sum(name[0] == "2" for name in names("a")[:30]) <= 16


def test_per_level_keeps_so_many_and_says_where_there_are_fewer():
    three_levels()
    write("more.jsonl", [f"more-{i}" for i in range(30)], level=1)
    said = run("--curriculum", "l1", "l2", "more", "--per-level", "50", "-o", "a.jsonl").stderr
    assert "level 2 has fewer than 50: all 40 are kept" in said and "level 1 has" not in said
    assert Counter(record["level"] for record in jsonl.read("a")) == {1: 50, 2: 40}


def linked(count: int) -> None:
    """Pairs that hang together in threes by an image, in twos by a twin or a family."""
    with jsonl.Writer("in/linked.jsonl") as out:
        for i in range(count):
            facts = (
                {"answer": "7", "twin": f"t{i // 2}"}
                if i < count // 2
                else {"families": [f"f{i // 2}", f"g{i}"]}
            )
            out.write(pair(f"r{i}", images=[f"x{i // 3}.png", f"y{i}.png"], facts=facts))


def test_nothing_shared_is_on_both_sides_of_the_split():
    Path("in").mkdir()
    linked(60)  # 60 in threes and twos: groups of six
    write("in/free.jsonl", [f"s{i}" for i in range(140)])
    said = run("--flat", "in/linked", "in/free", "--val", "0.2", "-o", "mix.jsonl").stderr
    train, held = list(jsonl.read("mix")), list(jsonl.read("mix.val"))
    assert len(train) + len(held) == 200
    assert 40 <= len(held) <= 45
    assert f"{len(held)} of 200 held out ({len(held) / 200:.1%}): mix.val.jsonl" in said
    keys = [{key for record in side for key in mix.shared(record)} for side in (train, held)]
    assert not keys[0] & keys[1]
    assert any(record["id"][0] == "s" for record in held) and any(record["id"][0] == "r" for record in train)
    run("--flat", "in/free", "in/linked", "--val", "0.2", "-o", "again.jsonl")
    assert Path("again.val.jsonl").read_bytes() == Path("mix.val.jsonl").read_bytes()
    run("--flat", "in/free", "in/linked", "--val", "0.2", "--seed", "2", "-o", "other.jsonl")
    assert sorted(names("other.val")) != sorted(names("mix.val"))


def test_one_image_named_from_two_folders_is_one_image():
    write("a/l1.jsonl", [f"a{i}" for i in range(20)], images=["../shared.png", "own.png"])
    write("b/l1.jsonl", [f"b{i}" for i in range(10)])
    write("c.jsonl", [f"c{i}" for i in range(5)], images=["shared.png"])
    run("--flat", "a/l1", "b/l1", "c", "--val", "0.3", "-o", "mix.jsonl")
    assert {name[0] for name in names("mix.val")} == {"b"}


def test_where_all_hangs_together_nothing_is_held_out():
    said = run("--flat", "--val", "0.1", "-o", "mix.jsonl.gz", data=lines(10)).stderr
    assert len(names("mix")) == 10 and names("mix.val.jsonl.gz") == []
    assert "0 of 10 held out" in said and "fewer held out than asked for" in said


def test_references_keep_their_pictures():
    write("deep/in/l1.jsonl", ["a"], images=["s/1.png", "/abs/2.png"])
    write("l2.jsonl", ["b"], images=["tar:t.tar!m.png", "data:image/png;base64,AAAA"])
    run("--flat", "deep/in/l1", "l2", "-o", "deep/mix.jsonl")
    found = {record["id"]: record["images"] for record in jsonl.read("deep/mix")}
    assert found["a"] == ["in/s/1.png", "/abs/2.png"]
    assert found["b"] == [f"tar:{Path.cwd()}/t.tar!m.png", "data:image/png;base64,AAAA"]
    streamed = run("--flat", "deep/in/l1").stdout
    assert '"deep/in/s/1.png"' in streamed


def test_an_id_in_two_files():
    write("l1.jsonl", ["a", "b", "c"])
    write("l2.jsonl", ["d", "b"])
    done = run("--flat", "l1", "l2", "-o", "mix.jsonl", status=1)
    assert "l2.jsonl:2: id: is there twice: b, first in l1.jsonl:2" in done.stderr
    assert not Path("mix.jsonl").exists()
    done = run("--flat", "l1", "l2", "-o", "mix.jsonl", "--on-error", "skip", status=3)
    assert "skipped 1 record: 1 id: is there twice" in done.stderr
    assert sorted(names("mix")) == ["a", "b", "c", "d"]
    assert "<stdin>:2: id: is there twice: r0" in run("--flat", data=lines(1) * 2, status=1).stderr


def test_errors_leave_nothing_behind():
    write("l1.jsonl", ["a"])
    Path("l2.jsonl").write_bytes(b"{bad\n")
    Path("mix.val.jsonl").write_bytes(b"old")
    assert (
        "l2.jsonl:1: not JSON"
        in run("--flat", "l1", "l2", "--val", "0.5", "-o", "mix.jsonl", status=1).stderr
    )
    assert Path("mix.val.jsonl").read_bytes() == b"old"
    assert "no such file: l9" in run("--flat", "l2", "l9", status=1).stderr  # before l2 is read
    assert sorted(os.listdir()) == ["l1.jsonl", "l2.jsonl", "mix.val.jsonl", "spool"]


def test_nothing_to_mix():
    assert "no records" in run("--curriculum", "--val", "0.5", "--per-level", "3", "-o", "mix.jsonl").stderr
    assert Path("mix.jsonl").read_bytes() == Path("mix.val.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    "arguments",
    [
        "", "--flat --curriculum", "--flat --val 0.1", "--flat --val 1 -o m", "--flat --val -0.1 -o m",
        "--flat --val nan -o m", "--flat --val x -o m", "--flat l1 l2 --weights 1", "--flat l1 --weights 1,1",
        "--flat --weights 1", "--flat l1 l2 --weights 1,x", "--flat l1 l2 --weights 1,-1", "--flat l1 --weights 0",
        "--flat l1 --weights inf", "--flat --per-level 0", "--flat --val-output v", "--flat --val 0.1 --val-output m -o ./m",
        "--flat --val 0.1 -o /dev/null",
    ],
)  # fmt: skip
def test_wrong_usage(arguments):
    assert "Usage:" in run(*arguments.split(), status=2).stderr
    assert os.listdir() == ["spool"]


def test_names_of_held_out_files():
    assert beside("a/mix.jsonl") == "a/mix.val.jsonl"
    assert beside("mix.jsonl.gz") == "mix.val.jsonl.gz"
    assert beside("mix.zst") == "mix.val.zst"
    assert beside("mix.txt") == "mix.val.txt"
    assert beside("a.b/mix") == "a.b/mix.val"


def test_names_from_the_data_do_not_steer_the_terminal():
    said = run("--flat", data=lines(1, task="a\n\x1b[31mb")).stderr
    assert "\x1b" not in said and len(said.splitlines()) == 1


def test_memory_does_not_hold_the_records():
    """20,000 records of 4 kB: 29 bytes of columns and what a sort needs, not the 80 MB that they are."""
    count, made = 20_000, pair("r", note="x" * 4000)
    stream = ({**made, "id": f"r{i}", "level": 1 + i % 3} for i in range(count))
    with tempfile.TemporaryFile() as spool:
        warm = mix.load([[made]], spool)  # what is imported is not counted
        mix.curriculum(warm, mix.per_level(warm, warm.rows(), 1)[0])
        spool.seek(0)
        tracemalloc.start()
        try:
            index = mix.load([stream], spool, seed=3)
            rows = mix.curriculum(index, mix.per_level(index, index.rows(), 6000)[0])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(rows) == 18_000
        assert (
            peak / count <= 64 + 20
        )  # the interpreter's own and one record in hand come to a few bytes each
        columns = (index.offset, index.length, index.line, index.order, index.level, index.source)
        assert sum(column.itemsize for column in columns) == 29
        assert index.record(7)["id"] == "r7"


def test_the_stage_as_functions():
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as links:
        index = mix.load([[pair("a")], [], [pair("b")]], spool, links=links)
        assert [index.record(row)["id"] for row in index.rows()] == ["a", "b"]
        train, held = mix.split(index, index.rows(), 0.5)
        assert (len(train), len(held)) == (2, 0)  # they share their pictures
        with pytest.raises(ValueError, match="3 inputs"):
            mix.weigh(index, index.rows(), [1.0, 1.0])
    with tempfile.TemporaryFile() as spool:
        with pytest.raises(RecordError, match="is there twice: a"):
            mix.load([[pair("a"), pair("a")]], spool)
        with pytest.raises(ValueError, match="links"):
            mix.split(mix.load([[pair("a")]], spool), mix.load([[pair("c")]], spool).rows(), 0.5)


def test_weights_by_name():
    three_levels()
    run("--flat", "l1", "l2", "l3", "--weights", "1,0.5,1", "-o", "a.jsonl")
    for named in ("l2=0.5", "l2.jsonl=0.5", "l1=1, l2=.5,l3=1"):
        run("--flat", "l1", "./l2.jsonl", "l3", "--weights", named, "-o", "b.jsonl")
        assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    for wrong, said in (
        ("l4=1", "'l4' is none of the FILEs"),
        ("l1=1,2", "name each FILE once"),
        ("l1=1,l1=2", "name each FILE once"),
        ("=1,=2", "name each FILE once"),
        ("l1=0,l2=0,l3=0", "leaves nothing"),
    ):
        assert said in run("--flat", "l1", "l2", "l3", "--weights", wrong, status=2).stderr
    assert "more than one" in run("--flat", "a/l1", "b/l1", "--weights", "l1=2", status=2).stderr


def test_one_image_in_two_stores_is_one_image():
    stored = "0123456789abcdef" * 2 + ".png"
    for folder in ("a", "b"):
        write(
            f"{folder}/f.jsonl", [f"{folder}{i}" for i in range(3)], images=[f"s2h-images/{stored}", "x.png"]
        )
    write("c.jsonl", [f"c{i}" for i in range(14)])
    for seed in range(8):
        run("--flat", "a/f", "b/f", "c", "--val", "0.4", "--seed", seed, "-o", "m.jsonl")
        assert len({name[0] in "ab" for name in names("m.val")} | {None}) > 1
        held = {name for name in names("m.val") if name[0] in "ab"}
        assert len(held) in (0, 6)


@pytest.mark.parametrize("at_once", [1, 7, mix.AT_ONCE])
def test_the_split_is_the_same_in_however_many_passes(monkeypatch, at_once):
    """Against a plain union-find over everything that is shared."""
    monkeypatch.setattr(mix, "AT_ONCE", at_once)
    chance = random.Random(5)
    made = [pair(f"r{i}", images=[f"{chance.randrange(150)}.png", f"o{i}.png"]) for i in range(120)]
    group = {record["id"]: {record["id"]} for record in made}
    for one in made:
        for other in made:
            if set(mix.shared(one)) & set(mix.shared(other)) and group[one["id"]] is not group[other["id"]]:
                joined = group[one["id"]] | group[other["id"]]
                group.update(dict.fromkeys(joined, joined))
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as links:
        index = mix.load([made], spool, links=links)
        train, held = mix.split(index, index.rows(), 0.25)
        held = {index.record(row)["id"] for row in held}
        assert len(train) + len(held) == 120 and 30 <= len(held) < 30 + max(map(len, group.values()))
        assert all(group[name] <= held for name in held)
        some = index.rows()[::2]  # what was not chosen binds nothing
        assert sum(map(len, mix.split(index, some, 0.25))) == 60


def test_memory_of_a_split_does_not_grow_with_what_is_shared(monkeypatch):
    """15,000 records with 12 names each, of which one is everywhere in a half of them."""
    monkeypatch.setattr(mix, "AT_ONCE", 1 << 10)  # as small beside these records as it is beside a million
    count, made = 15_000, pair("r")

    def stream():
        for i in range(count):
            facts = {"families": [f"f{i}/{k}" for k in range(9)] + ["all"] * (i % 2), "twin": f"t{i}"}
            yield {**made, "id": f"r{i}", "images": [f"{i}.png"], "facts": facts}

    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as links:
        warm = mix.load([[made, pair("s")]], spool, links=links)  # what is imported is not counted
        mix.split(warm, warm.rows(), 0.5)
        for file in (spool, links):
            file.seek(0)
            file.truncate()
        tracemalloc.start()
        try:
            index = mix.load([stream()], spool, links=links)
            train, held = mix.split(index, index.rows(), 0.1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(held) == 1500 and len(train) == 13_500
        # 12 names in memory would be 96 bytes alone.
        assert peak / count <= 64 + 20
