"""A JSON list and a Parquet file are read as their rows would be as JSON lines, by every reader, from files and pipes."""

import base64
import gzip
import io
import json
import tempfile
from pathlib import Path

import pytest

from s2h import mix
from s2h.record import RecordError
from s2h.streams import containers, jsonl
from tests.support.mixing import run
from tests.support.records import pair, pixel


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def pairs(count: int = 5) -> list[dict]:
    return [dict(pair(f"p{i}", note='"[{\\]},\n\u2028é', big=10**30 + i)) for i in range(count)]


def rows(data: bytes) -> list[bytes]:
    """The lines that a container's bytes become."""
    found = containers.unpacked(data[:7], io.BytesIO(data[7:]))
    assert found is not None
    return found.read().splitlines(keepends=True)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("piece", [1, 7, 1 << 18])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" "])
def test_a_list_is_its_items(indent, piece, before, monkeypatch):
    monkeypatch.setattr(containers, "PIECE", piece)
    made = pairs()
    lines = rows(before + json.dumps(made, indent=indent, ensure_ascii=False).encode())
    assert [json.loads(line) for line in lines] == made
    if indent is None:
        assert lines == [json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in made]


@pytest.mark.parametrize(
    ("data", "count", "words"),
    [
        (b'[{"a": 1}, {"b": 2}', 2, "it has no ]"),
        (b'[{"a": 1}, {"b": ', 1, "Expecting value"),
        (b'[{"a": 1} {"b": 2}]', 1, "unexpected content"),
        (b'[{"a": 1}, ]', 1, "Expecting value"),
        (b'[{"a": 1}, {"b": "\xff"}]', 0, "a JSON array"),
        (b'[\n{"a": 1},' + b" " * (1 << 19) + b'{"b": "\xff"}]', 1, "it is not valid UTF-8"),
        (b'[{"a": 1}, ' + b"[" * 5000 + b"]" * 5000 + b"]", 1, "nested too deeply"),
    ],
)
def test_a_damaged_list_ends_where_it_is_damaged(data, count, words):
    faults = []
    found = list(jsonl.read(io.BytesIO(data), check=None, on_error=faults.append))
    assert len(found) == count and len(faults) == 1
    assert f"<stdin>:{count + 1}: not " in str(faults[0]) and words in str(faults[0])


@pytest.mark.parametrize(
    "first", [b"[]", b"[1]", b"[", b'[{"a": ', b'[{"a":' * 5000 + b"}]" * 5000, b'[{"a": 1}]']
)
def test_lines_after_one_that_looks_like_a_list_are_read(first):
    faults = []
    data = first + b"\n" + b"".join(map(jsonl.dump, pairs(3)))
    found = list(jsonl.read(io.BytesIO(data), check=None, on_error=faults.append))
    assert found[-3:] == pairs(3) and len(faults) + len(found) == 4 - (first == b"[")
    Path("a.jsonl").write_bytes(data)
    done = run("--flat", "a.jsonl", "--on-error", "skip", status=0 if first == b"[" else 3)
    assert "3 pairs" in done.stderr


def test_an_item_that_is_too_long_is_told(monkeypatch):
    monkeypatch.setattr(containers, "MAX_LINE", 1 << 12)
    monkeypatch.setattr(containers, "PIECE", 64)
    with pytest.raises(RecordError, match="not a JSON list: an item has more than"):
        rows(json.dumps([{}, {"a": "x" * (1 << 14)}]).encode())


def test_an_empty_list_has_no_rows():
    assert rows(b"[ \n ]\n") == [] and list(jsonl.read(io.BytesIO(b"[]"))) == []


def test_every_reader_reads_them():
    """Files with any name, compressed ones, and pipes; by `read` and by the index of a mix."""
    made = pairs()
    data = json.dumps(made, indent=1).encode()
    Path("a.json").write_bytes(data)
    Path("b").write_bytes(data)
    Path("c.json.gz").write_bytes(gzip.compress(data))
    Path("lines.jsonl").write_bytes(b"".join(map(jsonl.dump, made)))
    for name in ("a.json", "b", "c.json.gz"):
        assert [dict(one) for one in jsonl.read(name)] == made
        run("--flat", name, "-o", f"{name}.out")
        run("--interleave", name, "-o", f"{name}.turns")
    run("--flat", "lines", "-o", "expected")
    lines = Path("expected").read_bytes().splitlines()
    for name in ("a.json.out", "b.out", "c.json.gz.out"):
        assert [json.loads(line) for line in Path(name).read_bytes().splitlines()] == [
            json.loads(line) for line in lines
        ]
    assert len(list(jsonl.read("b.turns"))) == 5
    assert run("--flat", data=data).stdout_bytes == Path("b.out").read_bytes()
    with tempfile.TemporaryFile() as spool, mix.load(["a.json"], spool) as index:
        assert index.where(2) == "a.json:3" and index.record(2) == made[2]


def test_a_parquet_file_is_its_rows():
    import pyarrow
    from pyarrow import parquet

    picture = Path(pixel(Path("x.png"))).read_bytes()
    made = [
        {
            "images": [{"bytes": picture, "path": None}],
            "prompt": "What?",
            "chosen": f"Red {i}.",
            "rejected": "Blue.",
        }
        for i in range(40)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(made), "in.parquet", row_group_size=7)
    data = Path("in.parquet").read_bytes()
    found = [json.loads(line) for line in rows(data)]
    assert found[39] == made[39] | {"images": [{"bytes": base64.b64encode(picture).decode(), "path": None}]}
    run("--flat", "in.parquet", "-o", "out/mix.jsonl")
    records = list(jsonl.read("out/mix.jsonl"))
    assert sorted(one["chosen"][0]["content"][0]["text"] for one in records) == sorted(
        one["chosen"] for one in made
    )
    assert {Path("out", one["images"][0]).read_bytes() for one in records} == {picture}
    Path("cut.parquet").write_bytes(data[:-20])
    said = run("--flat", "cut.parquet", status=1).stderr
    assert "cut.parquet:1: a Parquet file that can't be read: " in said
