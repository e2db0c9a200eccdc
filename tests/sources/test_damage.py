"""A damaged file beside sound ones is counted by its reason, and the sound ones are used; links that lead out are told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from s2h.sources import SourceError, open_source, symlinks
from tests.support.photos import encoded, save

THINGS = ("owl", "truck", "tulip", "castle", "spoon", "whale", "violin", "ladder", "kettle", "canoe")


def caption(i: int) -> str:
    return f"A {('red', 'blue', 'green')[i % 3]} {THINGS[i % 10]} on a lawn."


def reasons(source, part: str) -> int:
    """How many things were not used for reasons with these words in them."""
    return sum(count for reason, count in source.excluded.items() if part in reason)


def images(numbers: range) -> list[dict]:
    return [{"bytes": encoded(i), "path": None} for i in numbers]


def photos(root: Path, count: int = 12) -> Path:
    for i in range(count):
        save(root / f"{i}.jpg", i)
    return root


@pytest.mark.parametrize("damage", ["cut", "middle", "empty", "columns"])
def test_one_parquet_file_of_several(damage, tmp_path):
    for k in range(3):
        numbers = range(10 * k, 10 * k + 10)
        table = pyarrow.table({"image": images(numbers), "text": [caption(i) for i in numbers]})
        pyarrow.parquet.write_table(table, tmp_path / f"{k}.parquet")
    path = tmp_path / "1.parquet"
    whole = path.read_bytes()
    damaged = {"cut": whole[:900], "middle": whole[:200] + bytes(400) + whole[600:], "empty": b""}
    if damage == "columns":
        pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), path)
    else:
        path.write_bytes(damaged[damage])
    source = open_source(str(tmp_path))
    assert source.size + source.excluded["not in the train split"] == 20
    assert (
        reasons(
            source, "a parquet file with other columns" if damage == "columns" else "1.parquet: can't be read"
        )
        == 1
    )
    for name in ("0", "2"):
        (tmp_path / f"{name}.parquet").write_bytes(b"PAR1")
    path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"0\.parquet: can't be read: .* \(copy it anew\)"):
        open_source(str(tmp_path))


def test_none_of_several_annotators_is_rejected(tmp_path):
    numbers = range(12)
    columns = {
        "image": images(numbers),
        "question": ["What colour is it?"] * 12,
        "answers": [
            [{"answer": a} for a in ("grey", "grey", "silver")] if i % 2 else [{"answer": "red"}] * 3
            for i in numbers
        ],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    sheet = open_source(str(tmp_path)).table
    told = {(sheet.answers[row], sheet.accepted[row]) for row in range(len(sheet))}
    assert told == {("grey", "grey\nsilver"), ("red", "red")}


TABLE = "file_name,text\n" + "".join(f'{i}.jpg,"{caption(i)}"\n' for i in range(12))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (TABLE.replace("A blue", "A café blue", 1).encode("latin-1"), "a caption that is not UTF-8"),
        (TABLE.replace("3.jpg", "é.jpg").encode("latin-1"), "a name that is not UTF-8"),
        (
            TABLE.replace('tulip on a lawn."', "tulip on a lawn.", 1).encode(),
            "a row that is not CSV (a quote may be left open)",
        ),
        (TABLE.replace("3.jpg,", "3.jpg,x,").encode(), "a row of a table with too many cells"),
        (TABLE.encode("utf-16"), ""),
        (TABLE.replace("on a lawn", "on\na lawn", 3).encode("utf-8-sig"), ""),
    ],
    ids=["caption", "name", "quote", "cells", "utf-16", "lines"],
)
def test_a_table_with_one_bad_row(table, why, tmp_path):
    (photos(tmp_path) / "metadata.csv").write_bytes(table)
    source = open_source(str(tmp_path))
    assert source.size + source.excluded["not in the train split"] == (11 if why else 12)
    assert not why or source.excluded[why] == 1


def test_one_byte_that_is_not_utf8_costs_one_row_of_a_list(tmp_path):
    rows = [
        {
            "image": f"{i}.jpg",
            "conversations": [{"from": "human", "value": "What is shown?"}, {"from": "gpt", "value": t}],
        }
        for i, t in enumerate(THINGS)
    ]
    photos(tmp_path)
    (tmp_path / "x.json").write_bytes(json.dumps(rows).encode().replace(b"owl", b"\xe9wl"))
    source = open_source(f"llava:{tmp_path / 'x.json'}")
    assert source.excluded["a question or an answer that is not UTF-8"] == 1 and source.size > 5


def test_links_that_lead_out_are_told_and_refused(light, tmp_path, monkeypatch):
    monkeypatch.setattr(symlinks, "_fenced", {})
    root = photos(tmp_path / "photos", 16)
    away = photos(tmp_path / "away", 22).resolve()
    for i in range(16):
        (root / f"{i}.txt").write_text(caption(i))
    for i in (16, 17, 18):
        os.symlink(away / f"{i}.jpg", root / f"{i}.jpg")
        (root / f"{i}.txt").write_text(caption(i))
    os.symlink("0.jpg", root / "inside.jpg")
    (tmp_path / "away.txt").write_text("A frog.")
    save(root / "frog.jpg", "frog")
    os.symlink((tmp_path / "away.txt").resolve(), root / "frog.txt")
    os.symlink(away, root / "more")
    done = light.told("s2h-gen", "search", "--source", "photos", "-n", "2", cwd=tmp_path)
    assert done.stderr.count("5 links lead out of photos/") == 1
    done = light.told("s2h-gen", "search", "--source", "photos", "-n", "40", "--no-follow", cwd=tmp_path)
    assert "5 links lead out of photos/ and are refused" in done.stderr
    used = {image for line in done.stdout.splitlines() for image in json.loads(line)["images"]}
    assert used and not any(
        Path(image).stem in {"16", "17", "18", "frog"} or "more" in image for image in used
    )
    source = open_source(str(root), follow=False)
    assert source.excluded[symlinks.REFUSED] == 5 and source.excluded["caption file unreadable"] <= 1


@pytest.mark.parametrize("number", [10**400, -(10**30), True, float("inf")])
def test_numbers_that_are_no_sizes_are_no_box(number):
    from s2h.sources.coco import NO_BOX, _box

    assert _box({"bbox": [1, 2, 3, number]}) == NO_BOX
    assert _box({"bbox": [1, 2, 3, 4], "area": number}) == (12.0, 1.0, 4)


def test_numbers_of_thousands_of_digits_name_no_member_and_no_image():
    from s2h.sources.fiw import _number

    assert _number("MID3") == 3 and _number("3.0") == 3 and _number("1" * 5000) is None
