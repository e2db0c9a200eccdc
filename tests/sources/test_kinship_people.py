"""Readers of people whose kinship is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2h import record, tasks
from s2h.images.store import Store
from s2h.sources import SourceError, open_source
from tests.support.photos import save

# What the member of a row is to that of a column: a mother (1), her mother (2), her two children (3, 4), her husband (5).
CODES = {
    (1, 2): 1, (2, 1): 4, (1, 3): 4, (3, 1): 1, (1, 4): 4, (4, 1): 1, (3, 4): 2, (4, 3): 2,
    (2, 3): 6, (3, 2): 3, (2, 4): 6, (4, 2): 3, (1, 5): 5, (5, 1): 5, (5, 3): 4, (3, 5): 1, (5, 4): 4,
}  # fmt: skip
GENDERS = {1: "female", 2: "F", 3: "female", 4: "male", 5: "Male"}


def made(source, tmp_path, n: int = 60, **more) -> list[record.Record]:
    found = list(tasks.generate("kinship", n=n, source=source, images=Store(tmp_path / "s"), **more))
    assert len(found) == n * (2 if more.get("twins") else 1)
    for pair in found:
        record.check(pair)
        assert not pair["facts"]["working"], "nothing is known of how these people look"
        check(pair["facts"])
    return found


def check(facts: dict) -> None:
    """Derive the answer again from what each of the people is to whom."""
    people, a, b, relation = facts["people"], facts["a"], facts["b"], facts["relation"]

    def holds(x: int, y: int) -> bool:
        return people[x]["is"].get(people[y]["person"]) == relation

    if facts["answer_type"] == "yes/no":
        truth = holds(a, b) or (facts["form"] != f"is-{relation}" and holds(b, a))
        assert facts["answer"] == ("yes" if truth else "no")
    else:
        at = facts["answer"] - 1
        other = b if at == a else a
        assert at != other and (holds(at, other) or holds(other, at))
    strangers = [p for i, p in enumerate(people) if i not in (a, b)]
    families = [p["family"] for p in people]
    assert all(families.count(p["family"]) == 1 for p in strangers)
    if facts["form"].startswith("find"):  # nobody is ruled out by sex
        sought = people[facts["answer"] - 1]
        assert {p["sex"] for p in strangers} <= {sought["sex"]}


@pytest.fixture()
def fiw(tmp_path) -> Path:
    root = tmp_path / "FIDs"
    for family in range(1, 25):
        folder = root / f"F{family:04d}"
        for member in range(1, 6):
            for face in range(2):
                save(folder / f"MID{member}" / f"P{family:05d}_face{face}.jpg", (family, member, face))
        style = family % 3
        rows = [["MID" if style == 0 else "0", *map(str, range(1, 6)), "Name", "Gender"]] if style < 2 else []
        for i in range(1, 6):
            codes = [str(CODES.get((i, j), 0)) for j in range(1, 6)]
            rows.append([str(i), *codes, f"name {i}", GENDERS[i]])
        if family == 4:  # columns in another order than the members
            rows = [[row[0], *reversed(row[1:6]), *row[6:]] for row in rows]
        name = "mid.csv" if family % 2 else f"F{family:04d}.csv"
        (folder / name).write_text("\n".join(",".join(row) for row in rows) + "\n")
    return root


def test_fiw_matrices(fiw, tmp_path):
    source = open_source(str(fiw))
    assert source.relations == ("parent", "grandparent", "sibling")
    assert source.excluded["relations whose inverse disagrees"] > 10, (
        "5 is 4's parent, and 4 is not said to be 5's child"
    )
    forms = {pair["facts"]["form"] for pair in made(source, tmp_path, n=150)}
    assert {"is-parent", "which-grandparent", "find-grandchild", "are-siblings", "find-sibling"} <= forms
    made(source, tmp_path, n=30, twins=True)
    held = open_source(str(fiw), split="heldout")
    assert not {p.family for p in held.by_key.values()} & {p.family for p in source.by_key.values()}
    only = made(source, tmp_path, n=30, relations={"sibling": 1.0})
    assert {pair["facts"]["relation"] for pair in only} == {"sibling"}
    with pytest.raises(SourceError, match="does not describe how its people look"):
        next(tasks.generate("kinship", n=1, source=source, images=Store(tmp_path), working=0.5))
    matrix = fiw / "F0003" / "mid.csv"
    matrix.write_text(matrix.read_text().replace("1,0,1", "1,0,x", 1))
    (fiw / "F0006" / "F0006.csv").write_text("")
    (said,) = (reason for reason in open_source(str(fiw)).excluded if "matrix can't be read" in reason)
    assert (
        "F0003/mid.csv:2: column 3: 'x' is no relation" in said and open_source(str(fiw)).excluded[said] == 2
    )


@pytest.mark.parametrize(
    ("header", "member", "cell"),
    [
        (["MID", "MID1", "MID2", "MID3", "MID4", "MID5", "Gender", "Name"], "MID{}", "{}"),
        (["", "1.0", "2.0", "3.0", "4.0", "5.0", " name ", " gender "], "{}.0", "{}.0"),
        (["0", "5", "4", "3", "2", "1", "Name", "Gender"], "{}", "{}"),
    ],
)
def test_headers_and_cells_of_fiw_as_spreadsheets_leave_them(header, member, cell, fiw):
    """Members as MID3 or 3.0, other orders, empty cells as nan, CRLF, a byte order mark, names that are not UTF-8."""
    plain = open_source(str(fiw))
    columns = [int(name.removeprefix("MID").split(".")[0]) for name in header[1:6]]
    for folder in fiw.iterdir():
        for matrix in folder.glob("*.csv"):
            matrix.unlink()
        rows = [header]
        for i in range(1, 6):
            codes = [cell.format(CODES[i, j]) if (i, j) in CODES else "nan" for j in columns]
            last = [GENDERS[i], "Zo\xeb"] if header[6] == "Gender" else ["Zo\xeb", GENDERS[i]]
            rows.append([member.format(i), *codes, *last])
        (folder / "mid.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(map(",".join, rows)).encode("latin-1"))
    dirty = open_source(str(fiw))
    assert dirty.by_key == plain.by_key and dirty.kin_of == plain.kin_of and dirty.excluded == plain.excluded


def test_kinfacew(tmp_path):
    import numpy as np
    from scipy.io import savemat

    root = tmp_path / "KinFaceW-II" / "KinFaceW-II"
    folders = {"fd": "father-dau", "fs": "father-son", "md": "mother-dau", "ms": "mother-son"}
    for kind, folder in folders.items():
        rows = []
        for i in range(1, 13):
            names = [f"{kind}_{i:03d}_{which}.jpg" for which in (1, 2)]
            for name in names:
                if not (kind == "fd" and name == "fd_003_2.jpg"):
                    save(root / "images" / folder / name, name)
            rows.append([1 + i % 5, 0 if (kind, i) == ("ms", 5) else 1, *names])
        cells = np.empty((len(rows), 4), dtype=object)
        for at, row in enumerate(rows):
            cells[at] = row
        (root / "meta_data").mkdir(exist_ok=True)
        savemat(root / "meta_data" / f"{kind}_pairs.mat", {"pairs": cells})
    source = open_source(str(tmp_path / "KinFaceW-II"))
    assert source.relations == ("parent",)
    assert (
        source.excluded["a pair without its other half"] == 1 and source.excluded["not kin by meta_data"] == 1
    )
    made(source, tmp_path)
    (root / "meta_data" / "md_pairs.mat").write_bytes(b"no matlab file")
    (told,) = (reason for reason in open_source(str(tmp_path)).excluded if "md_pairs.mat" in reason)
    assert "no list of pairs" in told
    for kind in ("fd", "fs", "ms"):
        (root / "meta_data" / f"{kind}_pairs.mat").write_bytes(b"no matlab file")
    with pytest.raises(SourceError, match=r"fd_pairs\.mat: no list of pairs"):
        open_source(str(tmp_path / "KinFaceW-II"))


def test_tskinface(tmp_path):
    root = tmp_path / "TSKinFace" / "TSKinFace_cropped"
    for folder, members in (("FMS", "FMS"), ("FMD", "FMD"), ("FMSD", "FMSD")):
        for number in range(1, 13):
            for member in members:
                save(root / folder / f"{folder}-{number}-{member}.jpg", (folder, number, member))
    save(root / "FMS" / "FMS-77-S.jpg", "orphan")
    source = open_source(str(tmp_path / "TSKinFace"))
    assert source.relations == ("parent", "sibling")
    assert source.excluded["a group without a parent or a child"] == 1
    for pair in made(source, tmp_path, n=80):
        assert len({p["family"] for p in pair["facts"]["people"]}) >= len(pair["images"]) - 1
