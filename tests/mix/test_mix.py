"""Mixing: the order and its independence of the files' order, shares, the split's integrity, references, memory."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from s2h import mix
from s2h.cli.mix_options import beside
from s2h.streams import jsonl
from tests.support.mixing import names, run, three_levels, write
from tests.support.records import lines, pair


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
    write("c.jsonl", [f"c{i}" for i in range(5)], images=["c.png"], rejected_images=["shared.png"])
    run("--flat", "a/l1", "b/l1", "c", "--val", "0.3", "-o", "mix.jsonl")
    assert {name[0] for name in names("mix.val")} == {"b"}


def test_where_all_hangs_together_nothing_is_held_out():
    said = run("--flat", "--val", "0.1", "-o", "mix.jsonl.gz", data=lines(10)).stderr
    assert len(names("mix")) == 10 and names("mix.val.jsonl.gz") == []
    assert "0 of 10 held out" in said and "fewer are held out than asked for" in said


def test_references_keep_their_pictures():
    write("deep/in/l1.jsonl", ["a"], images=["s/1.png", "/abs/2.png"])
    write("l2.jsonl", ["b"], images=["tar:t.tar!m.png", "data:image/png;base64,AAAA"])
    run("--flat", "deep/in/l1", "l2", "-o", "deep/mix.jsonl")
    found = {record["id"]: record["images"] for record in jsonl.read("deep/mix")}
    assert found["a"] == ["in/s/1.png", "/abs/2.png"]
    assert found["b"] == [f"tar:{Path.cwd()}/t.tar!m.png", "data:image/png;base64,AAAA"]
    other = ["s/3.png", "/abs/4.png"]
    write("deep/in/l3.jsonl", ["c"], images=["/abs/1.png", "/abs/2.png"], rejected_images=other)
    run("--flat", "deep/in/l3", "-o", "deep/mix.jsonl")
    (found,) = jsonl.read("deep/mix")
    assert found["rejected_images"] == ["in/s/3.png", "/abs/4.png"] and found["images"][0] == "/abs/1.png"
    streamed = run("--flat", "deep/in/l1").stdout
    assert '"deep/in/s/1.png"' in streamed


def test_moved_references_are_written_as_a_writer_would():
    """However a line is spelled; what only looks like the record's images stays as it is."""
    lines = [
        pair("a", images=["s/1.png", "/abs/2.png"]),
        pair("b", images=["a]b.png", "two.png"]),
        pair("c", images=["ä.png", 'quo"te.png']),
        pair("d", facts={"images": ["facts.png"]}),
        {
            "own": {"images": ["own.png"]},
            **pair("e", images=["tar:t.tar!m.png", "data:image/png;base64,AAAA"]),
        },
        pair("f", note="\u2028 and \x01"),
        pair("h", images=["/abs/1.png", "two.png"]),
    ]
    Path("in").mkdir()
    with open("in/a.jsonl", "wb") as out:
        for i, one in enumerate(lines):
            out.write(jsonl.dump(dict(one)) if i % 2 else json.dumps(one).encode() + b"\n")
    with open("in/escaped.jsonl", "wb") as out:
        line = jsonl.dump({"note": {"images": ["note.png"]}, **pair("g")})
        out.write(line[::-1].replace(b'"images"'[::-1], b'"im\\u0061ges"'[::-1], 1)[::-1])
    run("--flat", "in/a", "in/escaped", "-o", "no/such/mix.jsonl", status=1)
    run("--flat", "in/a", "in/escaped", "-o", "out/mix.jsonl")
    found = {record["id"]: dict(record) for record in jsonl.read("out/mix")}
    with jsonl.Writer("out/plain.jsonl") as out:
        for name in ("in/a", "in/escaped"):
            for record in jsonl.read(name):
                out.write(record)
    assert found == {record["id"]: dict(record) for record in jsonl.read("out/plain")}
    assert found["a"]["images"] == [os.path.abspath("in/s/1.png"), "/abs/2.png"]


def test_an_id_in_two_files():
    write("l1.jsonl", ["a", "b", "c"])
    write("l2.jsonl", ["d", "b"])
    done = run("--flat", "l1", "l2", "-o", "mix.jsonl", status=1)
    assert "l2.jsonl:2: id: duplicate: b, first in l1.jsonl:2" in done.stderr
    assert not Path("mix.jsonl").exists()
    done = run("--flat", "l1", "l2", "-o", "mix.jsonl", "--on-error", "skip", status=3)
    assert "skipped 1 record: 1 id: duplicate" in done.stderr
    assert sorted(names("mix")) == ["a", "b", "c", "d"]
    assert "<stdin>:2: id: duplicate: r0" in run("--flat", data=lines(1) * 2, status=1).stderr


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
