"""What comes into a mix: caps, the hardest, copies, turns."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from s2h import mix
from s2h.streams import jsonl
from tests.support.mixing import names, run, three_levels, write
from tests.support.records import lines, pair


def scored(path: str, margins, score: str = "ref", **fields) -> None:
    with jsonl.Writer(path) as out:
        for i, margin in enumerate(margins):
            said = {score: {"chosen": -3 + margin, "rejected": -3, "model": "m"}}
            out.write(
                {**pair(f"{Path(path).stem}-{i}", images=[f"{path}{i}.png"] * 2), "scores": said, **fields}
            )


def test_caps_by_task_and_source():
    three_levels()
    write("more.jsonl", [f"m{i}" for i in range(30)], task="task1", source="coco:x", level=1)
    said = run("--flat", "l1", "l2", "l3", "more", "--per-task", "50", "-o", "a.jsonl").stderr
    assert Counter(record["task"] for record in jsonl.read("a")) == {"task1": 50, "task2": 40, "task3": 40}
    assert "task task2 has fewer than 50: all 40 are kept" in said and "task task1" not in said
    run("--flat", "more", "l3", "l1", "l2", "--per-task", "50", "-o", "b.jsonl")
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    run("--flat", "l1", "l2", "more", "--per-source", "25", "--per-level", "20", "-o", "c.jsonl")
    found = list(jsonl.read("c"))
    assert max(Counter(record["source"] for record in found).values()) <= 25
    assert Counter(record["level"] for record in found)[1] == 20


def test_the_hardest_are_those_of_the_least_margin():
    scored("a.jsonl", [0.5, 3, -1, 2, 0.25, -4])
    scored("b.jsonl", [1, 0.125])
    said = run("--flat", "a", "b", "--hardest", "3", "-o", "mix.jsonl").stderr
    assert sorted(names("mix")) == ["a-2", "a-5", "b-1"]
    assert "the hardest 3 are kept, by the margin of scores.ref" in said
    run("--flat", "a", "b", "--hardest", "0.5", "--order", "margin", "-o", "mix.jsonl")
    assert names("mix") == ["a-4", "b-1", "a-2", "a-5"]  # from easy to hard
    run("--flat", "b", "a", "--hardest", "1.0", "--order", "hard-first", "-o", "mix.jsonl")
    assert names("mix") == ["a-5", "a-2", "b-1", "a-4", "a-0", "b-0", "a-3", "a-1"]
    assert (
        "fewer than 9 records: all 8" in run("--flat", "a", "b", "--hardest", "9", "-o", "mix.jsonl").stderr
    )


def test_a_curriculum_by_margin_goes_up_inside_each_level():
    scored("a.jsonl", [1, 2, 3], level=2)
    scored("b.jsonl", [5, 9, 7], level=1, score="clip")
    scored("c.jsonl", [4, 6], level=1)
    assert (
        "b.jsonl:1: scores.ref: has no margin"
        in run("--flat", "a", "b", "c", "--order", "margin", status=1).stderr
    )
    said = run(
        "--curriculum", "a", "b", "c", "--order", "margin", "--on-error", "skip", "-o", "mix.jsonl", status=3
    ).stderr
    assert names("mix") == ["c-1", "c-0", "a-2", "a-1", "a-0"]
    assert "skipped 3 records" in said and "by level, by margin of scores.ref" in said
    run("--flat", "b", "--order", "margin", "-o", "mix.jsonl")
    assert names("mix") == ["b-1", "b-2", "b-0"]


def test_no_scores_for_an_order():
    three_levels(3)
    said = run("--flat", "l1", "--order", "margin", status=1).stderr
    assert "l1.jsonl:1: scores.ref: has no margin" in said and "s2h-filter --ref MODEL" in said
    Path("nan.jsonl").write_bytes(
        jsonl.dump(pair("a", scores={"ref": {"chosen": 1, "rejected": 7.5}})).replace(b"7.5", b"NaN")
    )
    assert "nan.jsonl:1: not JSON: NaN" in run("--flat", "nan", "--hardest", "1", status=1).stderr
    assert run("--flat", "--order", "margin", "-o", "mix.jsonl").exit_code == 0  # nothing to order


def test_copies_have_names_of_their_own_and_stay_on_their_side():
    three_levels()
    run("--flat", "l1", "l2", "l3", "--oversample", "l2=2.5,l3=3", "--val", "0.1", "-o", "mix.jsonl")
    found = names("mix")
    assert len(set(found)) == len(found)
    held = {name: [name[0] for name in names("mix.val")].count(name) for name in "123"}
    counts = Counter(name[0] for name in found)
    assert counts["1"] == 40 - held["1"] and counts["3"] == 3 * (40 - held["3"])
    assert counts["2"] == 2 * (40 - held["2"]) + round((40 - held["2"]) / 2)
    assert {name.partition("~")[2] for name in found if name[0] == "3"} == {"", "2", "3"}
    assert not any("~" in name for name in names("mix.val"))
    assert not {name.partition("~")[0] for name in found} & set(names("mix.val"))
    record = next(record for record in jsonl.read("mix") if record["id"].endswith("~2"))
    assert {**record, "id": record["id"][:-2]} in list(jsonl.read("mix"))
    # The copies are shuffled in: a file that holds them has the same order.
    write("l4.jsonl", ["a"])
    run("--flat", "l4", "--oversample", "3", "-o", "a.jsonl")
    write("l5.jsonl", ["a", "a~2", "a~3"], images=["a-1.png", "a-2.png"])
    run("--flat", "l5", "-o", "b.jsonl")
    assert names("a") == names("b")


def test_a_copy_whose_name_is_taken():
    write("l1.jsonl", ["a", "a~2"])
    assert "duplicate: a~2, first in l1.jsonl:2" in run("--flat", "l1", "--oversample", "2", status=1).stderr
    run("--flat", "l1", "--oversample", "2", "--on-error", "skip", "-o", "mix.jsonl", status=3)
    assert sorted(names("mix")) == ["a", "a~2", "a~2~2"]


def test_in_turn():
    three_levels(6)
    write("l3.jsonl", ["3-0"], level=3)
    run("--interleave", "l1", "l2", "l3", "--weights", "2,1,1", "-o", "mix.jsonl")
    found = names("mix")
    assert found[:4] in (["1-0", "2-0", "3-0", "1-1"], ["1-0", "2-0", "1-1", "3-0"])
    assert [name for name in found if name[0] == "1"] == [f"1-{i}" for i in range(6)]
    assert len(found) == 13 and Counter(name[0] for name in found[:9])["1"] == 6
    run("--interleave", "l1", "l2", "--weights", "l2=0", "-o", "mix.jsonl")
    assert names("mix") == [f"1-{i}" for i in range(6)]
    said = run("--interleave", "l1", "l2", "--per-task", "2", "-o", "mix.jsonl").stderr
    assert names("mix") == ["1-0", "2-0", "1-1", "2-1"] and "4 pairs, in turn" in said
    write("l4.jsonl", ["4-0", "1-3", "4-1"])
    assert "l4.jsonl:2: id: duplicate: 1-3" in run(
        "--interleave", "l1", "l4", "-o", "mix.jsonl", "--on-error", "skip", status=3
    ).stderr + run(
        "--interleave", "l4", "l1", "-o", "mix.jsonl", "--on-error", "skip", status=3
    ).stderr.replace("l1.jsonl:4", "l4.jsonl:2")


def test_turns_flow_from_endless_streams():
    endless = ({**pair(f"{name}"), "id": f"{name}{i}"} for name in "a" for i in itertools.count())
    other = ({**pair("b"), "id": f"b{i}"} for i in itertools.count())
    found = [record["id"] for record in itertools.islice(mix.interleave([endless, other], [3, 1]), 8)]
    assert sorted(found[:4]) == ["a0", "a1", "a2", "b0"] and sorted(found[4:]) == ["a3", "a4", "a5", "b1"]


@pytest.mark.parametrize(
    "arguments",
    [
        "--flat --interleave", "--interleave --val 0.1 -o m", "--interleave --hardest 3", "--interleave --order margin",
        "--interleave l1 --oversample 2", "--flat --hardest 0", "--flat --hardest 1.5", "--flat --hardest nan",
        "--flat --hardest x", "--flat l1 --oversample 0.5", "--flat l1 --oversample 1,2", "--flat --order up",
        "--flat --per-task 0", "--flat --workers 0",
    ],
)  # fmt: skip
def test_wrong_usage(arguments):
    assert "Usage:" in run(*arguments.split(), status=2, data=lines(1)).stderr
