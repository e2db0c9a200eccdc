"""The quick look at a line finds what the careful reader finds, in the same words."""

import copy
import io
import json
import os
import pickle
import tempfile

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from s2h import shorthand
from s2h.images import references
from s2h.mix import scan
from s2h.record import RecordError
from s2h.streams import jsonl
from tests.robust.cases import PAIRS, lines
from tests.robust.values import REFERENCES
from tests.support.records import pair

ODD = (
    None,
    True,
    0,
    1,
    4,
    -1,
    1.0,
    10**30,
    "",
    " ",
    "user",
    "image",
    [],
    {},
    [0, 0],
    ["x"],
    [[0, "x"]],
    [{"role": "user"}],
)
ROLES = ("system", "tool")


def paths(value: object, at: tuple = ()) -> list[tuple]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*at, key))
    return found


def changed(record: dict) -> list[dict]:
    """Every field, part and list item once left out, once repeated and once replaced by each odd thing."""
    made = []
    for path in paths(record):
        for act in ("drop", "double", *ODD, *({"role": role, "content": []} for role in ROLES)):
            new = copy.deepcopy(record)
            place = new
            for key in path[:-1]:
                place = place[key]
            if act == "drop":
                del place[path[-1]]
            elif act == "double":
                if not isinstance(place, list):
                    continue
                place.append(copy.deepcopy(place[path[-1]]))
            else:
                place[path[-1]] = act
            made.append(new)
    return made


def full(line: str) -> dict:
    """A record with its short forms completed."""
    record = json.loads(line)
    shorthand.complete(record)
    return record


def looked_at(data: bytes, wanted: scan.Wanted) -> tuple[list[str], list[tuple]]:
    """The lines that are records, and the faults of the others, as a scan sees them and hands them to another process."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        found = scan.scan(file.fileno(), 0, len(data), "", wanted)
        kept = [
            scan.read_whole(file.fileno(), at, size).decode()
            for at, size in zip(found.offset.tolist(), found.length.tolist(), strict=True)
        ]
        keys = [scan.order_key(wanted.seed, full(line)["id"]) for line in kept]
        assert found.order.tolist() == keys
        return kept, [
            (f"<stdin>:{line}", *said(error)) for line, error in pickle.loads(pickle.dumps(found.faults))
        ]


def read(data: bytes) -> tuple[list[dict], list[tuple]]:
    """The same as `jsonl.read` sees it."""
    faults: list[RecordError] = []
    records = list(jsonl.read(io.BytesIO(data), on_error=faults.append))
    return records, [(fault.where, *said(fault)) for fault in faults]


def said(fault: RecordError) -> tuple:
    return fault.message, fault.field, fault.remedy, list(map(str, fault.others))


@pytest.mark.parametrize("wanted", [scan.Wanted(), scan.Wanted(3, True, True, True)])
def test_the_same_records_and_the_same_faults_as_the_careful_reader(wanted):
    whole = dict(pair("a", scores={"ref": {"chosen": -1.5, "rejected": -2}}, stage=2))
    whole["prompt"] = [*whole["prompt"], {"role": "assistant", "content": [{"type": "text", "text": "Hm."}]}]
    whole["prompt"] += [
        {"role": "system", "content": []},
        {"role": "user", "content": [{"type": "text", "text": "Well?"}]},
    ]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in changed(whole))
    kept, faults = looked_at(data, wanted)
    records, told = read(data)
    assert len(kept) > 100 and len(told) > 1000
    assert [full(line) for line in kept] == records
    assert faults == told


def test_lines_that_are_no_json_or_stand_oddly():
    good = jsonl.dump(pair("a")).strip()
    lines = [
        b"", b"  \t", good, b"  " + good + b" \r", b"{", b"[1]", b"null", b'{"a": NaN}', good[:-1],
        good + b"x", b"\x1f\x8b\x08",
        good.replace(b'"a"', b'"\xff"', 1), good.replace(b'"digits"', b'"\xff"', 1), good.replace(b"[3,4]", b"NaN"),
        good.replace(b'"a"', '"ä\u2028"'.encode(), 1), good.replace(b"[3,4]", b"[" * 2000 + b"]" * 2000),
        good.replace(b'"7"', b'"\\ud800"', 1), b"\xef\xbb\xbf" + good,
    ]  # fmt: skip
    kept, faults = looked_at(b"\n".join(lines), scan.Wanted())
    records, told = read(b"\n".join(lines))
    assert [orjson.loads(line) for line in kept] == records and len(records) == 4
    assert kept[0] == kept[-1] == good.decode() and not kept[1].endswith((" ", "\r"))
    assert faults == told and len(told) == len(lines) - 6


@settings(
    max_examples=40, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(lines(PAIRS))
def test_mutated_lines_have_the_same_verdicts_and_the_same_faults(mutated):
    # A list at the start would be read as a container, a last line that is cut has other words.
    data = jsonl.dump(pair("first")) + mutated.removesuffix(b"\n") + b"\n"
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        found = scan.scan(file.fileno(), 0, len(data), "", scan.Wanted(3, True, True, True))
    records, told = read(data)
    assert [(f"<stdin>:{line}", *said(error)) for line, error in found.faults] == told
    assert found.order.tolist() == [scan.order_key(3, one["id"]) for one in records]
    assert found.lines == data.count(b"\n")
    kept = [
        data[at : at + size] for at, size in zip(found.offset.tolist(), found.length.tolist(), strict=True)
    ]
    assert list(jsonl.read(io.BytesIO(b"\n".join(kept)))) == records
    kinds = [found.kinds[at] for at in found.kind.tolist()]
    names = ("level", "task", "source")
    assert [kind[:3] for kind in kinds] == [tuple(map(one.get, names)) for one in records]


@pytest.mark.parametrize(
    "reference",
    [
        *filter(str.isprintable, REFERENCES),
        *("/a:b", "a:b.png", "./data:x", "tar:/x.tar!a", "s3://a/b", "data:,x", "tar:x!a"),
    ],
)
def test_a_relative_reference_is_one_for_every_stage(reference):
    data = jsonl.dump(pair("a", images=[reference]))
    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), data)
        found = scan.scan(file.fileno(), 0, len(data), "", scan.Wanted())
    assert not found.faults and found.kinds[0].relative is references.is_relative(reference)


def test_a_file_that_shrinks_meanwhile_is_told():
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 100)
        file.flush()
        with pytest.raises(RecordError, match="cut short"):
            scan.scan(file.fileno(), 50, 150, "", scan.Wanted())


def test_margins_are_numbers_or_missing():
    lines = [
        pair(
            "a", scores={"ref": {"chosen": -1.5, "rejected": -2}, "clip": {"chosen": 0.25, "rejected": 0.5}}
        ),
        pair("b", scores={"ref": {"chosen": None, "rejected": 1}, "clip": "none"}),
        pair("c", scores={"ref": {"chosen": True, "rejected": 1}}),
        pair("d"),
    ]
    data = b"".join(map(jsonl.dump, lines))
    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), data)
        found = scan.scan(file.fileno(), 0, len(data), "", scan.Wanted(margins=True))
    assert found.ref[0] == 0.5 and found.clip[0] == -0.25
    assert all(map(lambda value: value != value, [*found.ref[1:], *found.clip[1:]]))
