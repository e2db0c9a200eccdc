import gzip
import io
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from s2h.record import Record, RecordError
from s2h.streams import jsonl
from s2h.streams.hash_set import HashSet
from tests.support.records import lines, pair


def names(records):
    return [record["id"] for record in records]


def read(data: bytes, **options):
    return list(jsonl.read(io.BytesIO(data), **options))


def test_find(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert jsonl.find("-") == "-"
    for name in ("l1.jsonl.zst", "l1.jsonl.gz", "l1.jsonl", "l1"):  # each goes before those that were there
        (tmp_path / name).touch()
        assert jsonl.find("l1") == name
    with pytest.raises(RecordError, match=r"no such file: l9 .*\.jsonl\.zst"):
        jsonl.find("l9")
    (tmp_path / "runs").mkdir()
    with pytest.raises(RecordError, match="runs: is a folder"):
        jsonl.find("runs")


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_round_trip(tmp_path, suffix):
    path = str(tmp_path / f"l2{suffix}")
    with jsonl.Writer(path) as out:
        for i in range(3):
            out.write(pair(f"r{i}", note="a\u2028b\x85c", images=["/x.png"]))
    assert out.count == 3
    found = list(jsonl.read(str(tmp_path / "l2")))
    assert names(found) == ["r0", "r1", "r2"]
    assert found[1].where == f"{path}:2"
    assert found[1].base == str(tmp_path)
    assert found[1]["note"] == "a\u2028b\x85c"
    first = Path(path).read_bytes()
    with jsonl.Writer(path) as out:
        for record in found:
            out.write(record)
    assert Path(path).read_bytes() == first  # no time, no name in the bytes
    assert os.listdir(tmp_path) == [f"l2{suffix}"]


def test_unknown_fields_pass_in_order():
    data = b'{"z":1,"id":"a","b":{"y":[1.5,null],"x":"\xe2\x80\xa8"},"a":true}\n'
    assert jsonl.dump(read(data, check=None)[0]) == data


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{bad", "not JSON: "),
        (b'{"id": "a"', "not JSON: "),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": NaN}', "not JSON: NaN is no JSON number, column 7"),
        (b'{"a": -Infinity}', "not JSON: -Infinity is no JSON number"),
        (b'{"a": "\xff"}', "not valid UTF-8: byte 8 of the line (save the file as UTF-8"),
        (b"\x89PNG\r", "not a JSON object: an image (name a file of JSON lines"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x00\x00\x00\x00\x00", "not a JSON object: an image"),
        (b'{"a": "\\ud800"}', "not JSON: "),
        (b"\x1f\x8b\x08\x00", "not JSON: gzip data"),
        (b"PK\x03\x04\x00\x00\x00\x00", "not a JSON object: a zip file (unpack it"),
        (b"{" * 5000, "not JSON: "),
    ],
)
def test_bad_lines(line, message):
    data = lines(2) + b"\n" + line + b"\n" + lines(1)
    with pytest.raises(RecordError) as caught:
        read(data)
    assert str(caught.value).startswith(f"<stdin>:4: {message}")
    assert len(str(caught.value)) < 300
    errors = []
    assert names(read(data, on_error=errors.append)) == ["r0", "r1", "r0"]
    assert [error.where for error in errors] == ["<stdin>:4"]


def test_a_table_gets_the_place_and_the_remedy():
    with pytest.raises(RecordError, match=r"^<stdin>:1: not JSON: .*, column 1 \(each line holds one record"):
        read(b"id,text\n")


def test_lines_end_at_newlines_only():
    data = (
        jsonl.dump(pair("a", note="x\u2028y\u2029z\x0bw")).replace(b"\n", b"\r\n")
        + b"  \n\n"
        + lines(1).rstrip()
    )
    found = read(b"\xef\xbb\xbf" + data)
    assert names(found) == ["a", "r0"]
    assert [record.where for record in found] == ["<stdin>:1", "<stdin>:4"]


def test_a_line_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_LINE", 2000)
    errors = []
    found = read(lines(1) + b'{"id": "' + b"x" * 9000 + b'"}\n' + lines(1), on_error=errors.append)
    assert len(found) == 2
    assert [error.where for error in errors] == ["<stdin>:2"]
    assert "too long" in str(errors[0])


def test_an_id_twice_in_a_file(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_bytes(lines(3) + lines(1))
    with pytest.raises(RecordError, match=r"l\.jsonl:4: id: duplicate in this file: r0"):
        list(jsonl.read(str(path)))
    assert len(list(jsonl.read(str(path), check=None))) == 4
    assert len(read(lines(1) * 2)) == 2  # a stream may be endless, and its ids are not remembered
    path.write_bytes(lines(1))
    assert len(list(jsonl.read_all([str(path), str(path)]))) == 2  # in one file, not over several


def test_seen_is_a_set():
    seen = HashSet()
    assert all(seen.add(str(i)) for i in range(5000))
    assert not any(seen.add(str(i)) for i in range(5000))
    assert seen.count == 5000


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_truncated_compression(tmp_path, suffix):
    data = lines(400)
    packed = gzip.compress(data) if suffix == ".gz" else zstandard.ZstdCompressor().compress(data)
    path = tmp_path / f"l.jsonl{suffix}"
    for part, word in (
        (packed[: len(packed) // 2], "truncated or damaged"),
        (b"no such thing", "truncated or damaged"),
    ):
        path.write_bytes(part)
        with pytest.raises(RecordError, match=rf"l\.jsonl{suffix}:\d+: compressed data is {word}"):
            list(jsonl.read(str(path)))
        errors = []
        list(jsonl.read(str(path), on_error=errors.append))
        assert len(errors) == 1
    path.write_bytes(packed + packed)  # members one after the other, as `cat` makes them
    assert len(list(jsonl.read(str(path), check=None))) == 800


def test_read_all_looks_for_every_file_first(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    with pytest.raises(RecordError, match="no such file"):
        next(jsonl.read_all([str(tmp_path / "a"), str(tmp_path / "b")]))


def test_nothing_but_finite_numbers_is_written():
    with pytest.raises(RecordError, match=r"facts\.a\[1\]: is not a finite number"):
        jsonl.dump({"facts": {"a": [0.5, math.nan]}})
    with pytest.raises(RecordError, match="scores: is not a finite number"):
        jsonl.dump({"scores": -math.inf})
    assert jsonl.dump({"a": None}) == b'{"a":null}\n'
    with pytest.raises(RecordError, match="cannot be written as JSON"):
        jsonl.dump({"a": {1, 2}})
    with pytest.raises(RecordError, match=r"has a text that is not UTF-8.*repair the text"):
        jsonl.dump({"a": ["\ud800"]})


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_a_failure_leaves_the_old_file(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), jsonl.Writer(str(path)) as out:
        out.write(pair())
        raise KeyError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "out.jsonl"
    link.symlink_to(tmp_path / "real" / "out.jsonl")
    with jsonl.Writer(str(link)) as out:
        out.write(pair())
    assert link.is_symlink()
    assert len(list(jsonl.read(str(link)))) == 1
    os.chmod(tmp_path / "real" / "out.jsonl", 0o640)
    with jsonl.Writer(str(link)) as out:
        out.write(pair())
    assert os.stat(link).st_mode & 0o777 == 0o640
    with jsonl.Writer(os.devnull) as out:
        out.write(pair())
    assert not os.path.isfile(os.devnull)
    with pytest.raises(RecordError, match="real: is a folder"):
        jsonl.Writer(str(tmp_path / "real"))
    with pytest.raises(
        RecordError, match=r"cannot be written: .*out.jsonl \(name a file in a folder that exists\)"
    ):
        jsonl.Writer(str(tmp_path / "no" / "where" / "out.jsonl"))


def test_references_follow_the_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data/deep", "out"):
        (tmp_path / folder).mkdir(parents=True)
    images = ["a.png", "tar:s.tar!b.png", "/abs/c.png", "data:image/png;base64,AA=="]
    record = pair("a", images)
    record.base = "data"

    def written(to):
        with jsonl.Writer(to) as out:
            out.write(record)
        return next(jsonl.read(to))["images"]

    fixed = images[2:]
    assert written("data/x.jsonl") == images
    assert written(str(tmp_path / "data" / "y.jsonl")) == images
    assert written("x.jsonl") == ["data/a.png", "tar:data/s.tar!b.png", *fixed]
    above = str(tmp_path / "data")
    for elsewhere in ("out/x.jsonl", "data/deep/x.jsonl"):
        assert written(elsewhere) == [f"{above}/a.png", f"tar:{above}/s.tar!b.png", *fixed]
    stream = io.BytesIO()
    with jsonl.Writer(stream) as out:
        out.write(record)
    assert next(jsonl.read(io.BytesIO(stream.getvalue())))["images"][0] == "data/a.png"
    assert record["images"] == images  # the record itself is not touched
    made = Record({"images": ["s2h-images/a.png"]})  # relative to the working directory
    with jsonl.Writer("out/made.jsonl") as out:
        out.write(made)
    assert next(jsonl.read("out/made.jsonl", check=None))["images"] == [str(tmp_path / "s2h-images/a.png")]


def test_standard_streams_by_descriptor(tmp_path):
    code = (
        "from s2h.streams import jsonl\nwith jsonl.Writer() as out:\n    for r in jsonl.read(): out.write(r)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=lines(3), capture_output=True, check=True)
    assert done.stdout == lines(3)


def test_memory_does_not_grow_with_the_stream(tmp_path):
    import tracemalloc

    path = tmp_path / "l.jsonl"
    path.write_bytes(lines(5000))
    tracemalloc.start()
    for _ in jsonl.read(str(path)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size
