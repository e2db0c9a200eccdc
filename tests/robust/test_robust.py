"""Every command over hostile files from a grammar, by Hypothesis: a small budget that is the same in every run.

`examples/robust.sh --minutes 30 --seed 7` runs the same strategies for longer and from another seed (see long.py). What must
hold of every run stands in running.py, the grammar in values.py, the commands in cases.py, the source folders in layouts.py
and folders.py, the tables of benchmarks in tables.py."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.robust import fuzz, layouts, running, sweep, tables, writing
from tests.robust.cases import IMAGES, PAIRS, PREDICTIONS
from tests.robust.checks import CHECKS
from tests.robust.values import spelled

QUIET = dict(
    derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
)


@pytest.mark.parametrize("name", CHECKS)
def test_hostile_files(name):
    check = CHECKS[name]

    @settings(max_examples=check.examples, **QUIET)
    @given(check.strategy())
    def run(case):
        check.run(case)

    run()


@pytest.mark.parametrize(
    ("line", "bases"),
    [
        ("filter in/a.jsonl --margin -1:9 --rejects out/r.jsonl -o out/o.jsonl", PAIRS[4:5]),
        ("mix --curriculum in/a.jsonl -o out/o.jsonl", PAIRS[5:]),
        ("mix --flat --order margin in/a.jsonl -o out/o.jsonl", PAIRS[4:5]),
        ("mix --flat in/a.jsonl --to parquet -o out/o.parquet", PAIRS[5:]),
        ("view in/a.jsonl -n 9999 -o out/o.html", PAIRS[4:5]),
        ("eval --score in/a.jsonl --report out/report.md -o out/o.jsonl", PREDICTIONS[-4:]),
    ],
    ids=lambda given: given.split(" ")[0] if isinstance(given, str) else "",
)
def test_every_field_with_odd_values(line, bases):
    assert running.check(sweep.case(line, bases, step=8)).status == 3


@pytest.mark.parametrize("layout", layouts.LAYOUTS, ids=lambda layout: layout.kind)
def test_sound_folders_give_pairs(layout):
    """What the mutations start from is sound, or they would test the first check alone."""
    files = {f"in/{name}": writing.written(content) for name, content in layout.files.items()}
    for task in layout.tasks:
        line = f"gen {task} --source {layout.kind}:in -n 2 --image-dir out/store -o out/pairs.jsonl"
        outcome = running.check(running.Case(line, files))
        assert outcome.status == 0 and "2 pairs of level" in outcome.stderr


@pytest.mark.parametrize("tree", range(len(tables.trees())))
def test_sound_benchmarks_give_questions(tree):
    layout = tables.trees()[tree]
    files = {f"in/{name}": writing.written(content) for name, content in layout.files.items()}
    assert tables.check(running.Case(f"{layout.kind}=in llava", files)) > 0


def test_the_checks_see_a_fault():
    data = b"".join(spelled(one) + b"\n" for one in PAIRS)
    sound = running.Case("filter in/a.jsonl -o out/o.jsonl", {"in/a.jsonl": data, **IMAGES}, len(PAIRS))
    assert running.check(sound).status == 0
    for wrong in (
        sound._replace(read=len(PAIRS) + 1),
        sound._replace(line="filter in/a.jsonl -o beside/o.jsonl"),
        sound._replace(line="filter in/none.jsonl -o out/o.jsonl --on-error skip"),
    ):
        with pytest.raises(AssertionError):
            running.check(wrong)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_the_corpus_of_the_fuzzer(name):
    seeds = sorted((fuzz.CORPUS / name).iterdir())
    assert seeds
    for seed in seeds:
        data = seed.read_bytes()
        for cut in {data, data[: len(data) // 2], data[1:], data * 2}:
            fuzz.TARGETS[name](cut)
