"""Limits of a line and its numbers: the same in every command that reads records."""

import io
import json
import re
import resource
import subprocess
import sys

import pytest
import zstandard

from s2h.streams import jsonl, parse
from tests.support.records import pair

BIG = 1180591620717411303424


@pytest.mark.parametrize(("opener", "closer"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[1,", ",1]")])
def test_the_limit_of_nesting(opener, closer):
    per = len(opener.replace('"a":', "").replace("1,", ""))
    good = parse.MAX_DEPTH // per
    assert parse.loads((opener * good + "1" + closer * good).encode()) is not None
    for levels in (good + 1, 300, 2000, 100_000):
        with pytest.raises(parse.LimitError, match="nested too deeply: more than 128 levels"):
            parse.loads((opener * levels + "1" + closer * levels).encode())


def test_brackets_in_texts_and_side_by_side_do_not_count():
    assert parse.loads(json.dumps(["[{" * 5000, [[]] * 5000]).encode())[1][0] == []


def test_digits_stay():
    line = b'{"a":[1180591620717411303424,-1180591620717411303424],"b":1e999,"c":-1E400,"d":18446744073709551616}'
    found = parse.loads(line)
    assert found["a"][0] == BIG and found["b"] == float("inf")
    assert parse.dumps(found) == line
    assert jsonl.dump(found) == line + b"\n"
    assert json.loads(parse.dumps(parse.loads(b"[" + b"9" * 5000 + b"]")), parse_int=len) == [5000]


@pytest.mark.parametrize(
    "line",
    [
        b"[NaN]",
        b"[1e999, NaN]",
        b"[1e999, -Infinity]",
        b'"\xff"',
        b"",
        b"[1e999",
        rb'["\ud800"]',
        rb'[1e999, "\ud800"]',
    ],
)
def test_what_is_no_json(line):
    with pytest.raises(ValueError):
        parse.loads(line)


def test_many_values_are_an_error_before_they_take_memory():
    with pytest.raises(parse.LimitError, match="too many values: more than 1,000,000"):
        parse.loads(b"[" + b"[]," * 1_000_001 + b"[]]")


LINES = {
    "deep": '"note": ' + "[" * 300 + "]" * 300,
    "deep objects": '"facts": ' + '{"a": ' * 300 + "1" + "}" * 300,
}


@pytest.mark.parametrize(
    "command", [["s2h-mix", "--flat"], ["s2h-filter", "--length-ratio", "0.1:10"], ["s2h-filter"]]
)
@pytest.mark.parametrize("kind", LINES)
def test_a_deep_line_is_one_bad_record(light, tmp_path, command, kind):
    lines = [json.dumps(pair(f"p{i}"))[:-1] + f', "n": {BIG}, "w": 1e999}}' for i in range(4)]
    lines.insert(2, json.dumps(pair("deep"))[:-1] + ", " + LINES[kind] + "}")
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")
    done = light.told(*command, "in.jsonl", "--on-error", "skip", cwd=tmp_path, status=3)
    assert len(done.stdout.splitlines()) == 4
    assert "in.jsonl:3: is nested too deeply" in done.stderr
    assert all(str(BIG) in line and "1e999" in line for line in done.stdout.splitlines())


@pytest.mark.slow
def test_a_bomb_takes_little_memory(tmp_path):
    """2 GiB in 64 kB; the process reads it beside two good lines."""
    squeezed, good = zstandard.ZstdCompressor(level=3), json.dumps(pair("a")).encode() + b"\n"
    with open(tmp_path / "bomb.jsonl.zst", "wb") as file:
        out = squeezed.compressobj()
        file.write(out.compress(good))
        for _ in range(128):
            file.write(out.compress(b"a" * (1 << 24)))
        file.write(out.compress(b"\n" + good.replace(b'"a"', b'"b"', 1)) + out.flush())
    code = (
        "import sys; from s2h.streams import jsonl; print(len(list(jsonl.read(sys.argv[1], on_error=print))))"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "bomb.jsonl.zst")]
    # A child's peak is at least what its parent had when it was started.
    before = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "bomb.jsonl.zst:2: line is too long: more than 64 MiB" in done.stdout
    assert done.stdout.splitlines()[-1] == "2"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 400 << 10)


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (b"\n" + json.dumps([pair("a")]).encode(), "jq -c '.[]'"),
        (b"\n" + json.dumps([pair("a")], indent=1).encode(), "jq -c '.[]'"),
        (json.dumps(pair("a"), indent=1).encode(), "jq -c ."),
        (json.dumps(pair("a")).encode("utf-16"), "iconv -f utf-16 -t utf-8"),
        (json.dumps(pair("a")).encode("utf-16-le"), "iconv -f utf-16 -t utf-8"),
    ],
)
def test_other_formats_name_the_remedy(data, remedy):
    with pytest.raises(jsonl.RecordError) as found:
        list(jsonl.read(io.BytesIO(data)))
    assert re.match("<stdin>:[12]: not a JSON object: ", str(found.value)) and remedy in str(found.value)


@pytest.mark.parametrize("blank", [b"\x0c\n", b"\x0b \x0c\n", b"\xef\xbb\xbf\n", b"\xef\xbb\xbf", b" \r\n"])
def test_blank_lines(blank):
    assert list(jsonl.read(io.BytesIO(blank))) == []


def test_rows_of_a_source_are_read_within_the_same_limits(tmp_path):
    from collections import Counter

    from s2h.sources import SourceError, text_files, webdataset

    excluded, deep = Counter(), b'{"caption": ' + b"[" * 300 + b"]" * 300 + b"}"
    assert text_files.json_line(deep, excluded) is None
    assert excluded == {"a line that is nested too deeply: more than 128 levels": 1}
    assert text_files.json_line(b'{"id": %d}' % BIG, excluded) == {"id": BIG}
    (tmp_path / "rows.json").write_bytes(b"[" + deep + b"]")
    with pytest.raises(SourceError, match="nested too deeply"):
        text_files.load_json(str(tmp_path / "rows.json"))
    (tmp_path / "rows.json").write_bytes(b"[NaN, 1]")
    assert text_files.load_json(str(tmp_path / "rows.json"))[1] == 1
    for levels in (300, 100_000):
        assert webdataset._facts({"json": '{"caption": ' + "[" * levels + "]" * levels + "}"}) == ([], [])
