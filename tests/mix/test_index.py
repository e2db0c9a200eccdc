"""The index: what it costs, what it keeps apart, spans, streams and processes that change nothing in what comes out."""

import gzip
import io
import os
import random
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from s2h import mix
from s2h.mix import holdout, inputs
from s2h.record import RecordError
from s2h.streams import jsonl
from tests.support.mixing import loaded, names, run, three_levels, write
from tests.support.records import lines, pair


def test_the_stage_as_functions():
    with loaded([pair("a")], [], [pair("b")]) as index:
        assert [index.record(row)["id"] for row in index.rows()] == ["a", "b"]
        assert [one.first for one in index.inputs] == [0, 1, 1]
        train, held = mix.split(index, index.rows(), 0.5)
        assert (len(train), len(held)) == (2, 0)  # they share their pictures
        with pytest.raises(ValueError, match="3 inputs"):
            mix.weigh(index, index.rows(), [1.0, 1.0])
        assert index.where(1) == "<stdin>:1"
    with pytest.raises(RecordError, match="duplicate: a"), loaded([pair("a"), pair("a")]):
        pass
    with tempfile.TemporaryFile() as spool:
        index = mix.load([io.BytesIO(lines(2))], spool)
        with pytest.raises(ValueError, match="links"):
            mix.split(index, index.rows(), 0.5)


@pytest.mark.slow
def test_memory_does_not_hold_the_records(monkeypatch):
    """6,000 records of 4 kB: 24 bytes of columns and what a sort needs, not the 24 MB that they are."""
    monkeypatch.setattr(inputs, "CHUNK", 1 << 15)  # a span and its lines are in hand at a time
    count, made = 6_000, pair("r", note="x" * 4000)
    with jsonl.Writer("big.jsonl") as out:
        for i in range(count):
            out.write({**made, "id": f"r{i}", "level": 1 + i % 3})

    def order(rows: int) -> int:
        with tempfile.TemporaryFile() as spool, mix.load([name], spool) as index:
            kept, _ = mix.cap(index, index.rows(), "level", rows)
            columns = (index.offset, index.length, index.order, index.kind)
            assert sum(column.itemsize for column in columns) == 24
            assert index.record(0)["id"] == "r0"
            return len(mix.curriculum(index, kept))

    with jsonl.Writer("small.jsonl") as out:
        out.write({**made, "id": "r0"})
    name = "small.jsonl"
    order(1)  # what is imported is not counted
    name = "big.jsonl"
    tracemalloc.start()
    try:
        assert order(1500) == 4500
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * count + 4 * inputs.CHUNK


@pytest.mark.parametrize("chunk", [1, 300, 5000])
def test_spans_and_processes_change_nothing(chunk, monkeypatch):
    three_levels(30)
    Path("l1.jsonl").write_bytes(b"\n\n" + Path("l1.jsonl").read_bytes().rstrip(b"\n"))
    Path("l2.jsonl.gz").write_bytes(gzip.compress(Path("l2.jsonl").read_bytes()))
    os.remove("l2.jsonl")
    write("twice.jsonl", ["x", "3-7"])
    arguments = ("--flat", "l1", "l2", "l3", "twice", "--val", "0.2", "--on-error", "skip")
    whole = run(*arguments, "-o", "a.jsonl", status=3)
    assert "twice.jsonl:2: id: duplicate: 3-7, first in l3.jsonl:8" in whole.stderr
    monkeypatch.setattr(inputs, "CHUNK", chunk)
    monkeypatch.setattr(inputs, "TAIL", 100)
    monkeypatch.setattr(inputs, "OPEN", 1)  # the others are copied
    for workers in (1, 2):
        run(*arguments, "-o", "b.jsonl", "--workers", workers, status=3)
        for end in (".jsonl", ".val.jsonl"):
            assert Path(f"a{end}").read_bytes() == Path(f"b{end}").read_bytes()
    Path("l3.jsonl").write_bytes(Path("l3.jsonl").read_bytes().replace(b'"level":3', b'"level":4', 20))
    for workers in (1, 2):
        done = run("--flat", "l1", "l3", "--workers", workers, status=1)
        assert "l3.jsonl:1: level: must be 1, 2 or 3: it is 4" in done.stderr


def test_a_damaged_file_gives_what_it_has():
    data = gzip.compress(lines(2000), mtime=0)
    Path("l1.jsonl.gz").write_bytes(data[: len(data) // 2])
    assert "compressed data is truncated or damaged" in run("--flat", "l1", status=1).stderr
    done = run("--flat", "l1", "-o", "mix.jsonl", "--on-error", "skip", status=3)
    assert len(names("mix")) > 100
    assert f"l1.jsonl.gz:{len(names('mix')) + 1}: compressed data" in done.stderr


def test_a_line_beyond_all_bounds_is_no_memory_fault(monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_LINE", 5000)
    monkeypatch.setattr(inputs, "CHUNK", 2000)
    Path("l1.jsonl").write_bytes(lines(3) + b'{"id": "' + b"x" * 9000 + b'"}\n' + lines(5)[len(lines(3)) :])
    done = run("--flat", "l1", "-o", "mix.jsonl", "--on-error", "skip", status=3)
    assert "l1.jsonl:4: line is too long" in done.stderr and len(names("mix")) == 5


def test_a_file_that_changes_meanwhile_is_told():
    three_levels(3)
    with tempfile.TemporaryFile() as spool, mix.load(["l1"], spool) as index:
        index.check_unchanged()
        with open("l1.jsonl", "ab") as out:
            out.write(lines(1))
        with pytest.raises(RecordError, match=r"l1\.jsonl: was changed while it was mixed"):
            index.check_unchanged()


@pytest.mark.parametrize("at_once", [1, 7, holdout.AT_ONCE])
def test_the_split_is_the_same_in_however_many_passes(monkeypatch, at_once):
    """Against a plain union-find over everything that is shared."""
    monkeypatch.setattr(holdout, "AT_ONCE", at_once)
    chance = random.Random(5)
    made = [pair(f"r{i}", images=[f"{chance.randrange(150)}.png", f"o{i}.png"]) for i in range(120)]
    group = {record["id"]: {record["id"]} for record in made}
    for one in made:
        for other in made:
            if set(mix.shared(one)) & set(mix.shared(other)) and group[one["id"]] is not group[other["id"]]:
                joined = group[one["id"]] | group[other["id"]]
                group.update(dict.fromkeys(joined, joined))
    with loaded(made) as index:
        train, held = mix.split(index, index.rows(), 0.25)
        held = {index.record(row)["id"] for row in held}
        assert len(train) + len(held) == 120 and 30 <= len(held) < 30 + max(map(len, group.values()))
        assert all(group[name] <= held for name in held)
        some = index.rows()[::2]  # what was not chosen binds nothing
        assert sum(map(len, mix.split(index, some, 0.25))) == 60


@pytest.mark.slow
def test_memory_of_a_split_does_not_grow_with_what_is_shared(monkeypatch):
    """4,000 records with 12 names each, of which one is the same in most of them."""
    monkeypatch.setattr(
        holdout, "AT_ONCE", 1 << 10
    )  # as small beside these records as it is beside a million
    count, made = 4_000, pair("r")
    with jsonl.Writer("many.jsonl") as out:
        for i in range(count):
            facts = {"families": [f"f{i}/{k}" for k in range(9)] + ["all"] * (i % 3 > 0), "twin": f"t{i}"}
            out.write({**made, "id": f"r{i}", "images": [f"{i}.png"] * 2, "facts": facts})
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as links:
        index = mix.load(["many"], spool, wanted=mix.Wanted(links=True), links=links)
        tracemalloc.start()
        try:
            train, held = mix.split(index, index.rows(), 0.1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            index.__exit__()
        assert len(held) == 400 and len(train) == 3600
        # The columns are 24 bytes; 12 names in memory would be 96 bytes alone.
        assert peak / count <= 64 - 24 + 40
