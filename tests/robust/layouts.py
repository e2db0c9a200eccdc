"""Small sound source folders in the layouts that s2h-gen reads, a value a layout, and mutations of them: of their rows, of the
bytes of their files, of their archives, of names and links."""

from __future__ import annotations

import copy
import csv
import io
import json
import struct
import tarfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from s2h import seeds
from tests.robust import values
from tests.robust.running import Link, Pipe
from tests.support.photos import encoded

THINGS = ("owl", "truck", "tulip", "castle", "spoon", "whale", "violin", "ladder", "kettle", "canoe")
COUNT = 20


class Told(NamedTuple):
    """A file that is made of a JSON value: rows, a tree. kind: how it is written."""

    kind: str
    value: Any


class Layout(NamedTuple):
    """tasks: those that the source serves. kind: the reader's name in a spec."""

    kind: str
    tasks: tuple[str, ...]
    files: dict[str, object]


def caption(i: int) -> str:
    return f"A {('red', 'blue', 'green')[i % 3]} {THINGS[i % 10]} on a {('lawn', 'table')[i % 2]}."


@lru_cache
def picture(i: object) -> bytes:
    return encoded(i)


def pictures(folder: str = "", count: int = COUNT) -> dict[str, object]:
    return {f"{folder}{i}.jpg": picture(i) for i in range(count)}


def beside() -> dict[str, object]:
    return pictures() | {f"{i}.txt": caption(i).encode() for i in range(COUNT)}


def described(kind: str) -> dict[str, object]:
    rows = [{"file_name": f"{i}.jpg", "text": caption(i)} for i in range(COUNT)]
    return pictures() | {f"metadata.{kind}": Told(kind, rows)}


def coco() -> dict[str, object]:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 48, "height": 40} for i in range(COUNT)]
    boxes = [
        {"image_id": i, "category_id": (i + k) % 4, "bbox": [1, 2.5, 9, 9], "area": 81.0, "iscrowd": 0, "id": 100 * k + i}
        for i in range(COUNT)
        for k in range(1 + i % 2)
    ]  # fmt: skip
    categories = [{"id": i, "name": THINGS[i]} for i in range(4)]
    told = [{"image_id": i, "id": i, "caption": caption(i)} for i in range(COUNT)]
    return pictures("val2017/") | {
        "annotations/instances_val2017.json": Told(
            "json", {"images": images, "annotations": boxes, "categories": categories}
        ),
        "annotations/captions_val2017.json": Told("json", {"images": images, "annotations": told}),
    }


def conversations() -> list[dict]:
    rows = []
    for i in range(COUNT):
        turns = ("What is seen?\n<image>", THINGS[i % 10], "Is there a person?", ("Yes", "No")[i % 2])
        said = [{"from": ("human", "gpt")[k % 2], "value": text} for k, text in enumerate(turns)]
        rows.append({"id": f"{i}", "image": f"{i}.jpg", "conversations": said})
    return rows


def vqav2() -> dict[str, object]:
    name, answers = "train2014", ("red", "blue", "green", "two", "yes")
    questions = [
        {"question_id": i, "image_id": i // 2, "question": f"What colour is thing {i}?"}
        for i in range(2 * COUNT)
    ]
    annotations = [
        {
            "question_id": i, "image_id": i // 2, "multiple_choice_answer": answers[i % 5], "question_type": "what colour is",
            "answers": [{"answer": answers[i % 5], "answer_id": k} for k in range(3)],
        }
        for i in range(2 * COUNT)
    ]  # fmt: skip
    return {f"{name}/COCO_{name}_{i:012d}.jpg": picture(i) for i in range(COUNT)} | {
        f"v2_OpenEnded_mscoco_{name}_questions.json": Told("json", {"questions": questions}),
        f"v2_mscoco_{name}_annotations.json": Told("json", {"annotations": annotations}),
        f"v2_mscoco_{name}_complementary_pairs.json": Told(
            "json", [[i, i + 2] for i in range(0, 2 * COUNT - 2, 4)]
        ),
    }


def shards() -> dict[str, object]:
    members: list[list] = []
    for i in range(COUNT):
        end, told = (
            ("txt", caption(i).encode()),
            ("json", Told("json", {"caption": caption(i), "width": 48})),
            ("cls", THINGS[i % 10].encode()),
        )[min(i % 4, 2)]
        members += [[f"{i:04d}.jpg", picture(i)], [f"{i:04d}.{end}", told]]
    return {"a-000000.tar": Told("tar", members[:COUNT]), "a-000001.tar": Told("tar", members[COUNT:])}


def table(*columns: str) -> dict[str, object]:
    given = {
        "caption": caption,
        "question": lambda i: f"What colour is thing {i}?",
        "answer": lambda i: THINGS[i % 10],
    }
    rows = [
        {"image": {"bytes": i, "path": f"{i}.jpg"}, **{column: given[column](i) for column in columns}}
        for i in range(COUNT)
    ]
    return {"data/train-00000.parquet": Told("parquet", rows)}


def classes() -> dict[str, object]:
    return {f"{thing}/{i}.jpg": picture((thing, i)) for thing in THINGS[:4] for i in range(5)}


def imagenet() -> dict[str, object]:
    synsets = {
        "n01440764": "tench, Tinca tinca",
        "n02504013": "Indian elephant",
        "n03445777": "golf ball",
        "n02666196": "abacus",
    }
    found: dict[str, object] = {f"train/{w}/{w}_{i}.JPEG": picture((w, i)) for w in synsets for i in range(5)}
    words = "".join(f"{wnid} {said}\n" for wnid, said in synsets.items())
    return found | {"synset_words.txt": words.encode(), "wordnet.is_a.txt": b"n02504013 n01440764\nn1 n2\n"}


def digits() -> dict[str, object]:
    return {f"{value}/{i}.jpg": picture((value, i)) for value in range(10) for i in range(3)}


def idx(prefix: str) -> dict[str, object]:
    labels = bytes(i % 10 for i in range(60))
    pixels = seeds.rng(prefix).randbytes(60 * 16)
    return {
        f"{prefix}train-images-idx3-ubyte": struct.pack(">IIII", 2051, 60, 4, 4) + pixels,
        f"{prefix}train-labels-idx1-ubyte": struct.pack(">II", 2049, 60) + labels,
    }


def kinfacew() -> dict[str, object]:
    found: dict[str, object] = {}
    for kind, folder in {
        "fd": "father-dau",
        "fs": "father-son",
        "md": "mother-dau",
        "ms": "mother-son",
    }.items():
        rows = [
            [1 + i % 5, int(i != 3), f"{kind}_{i:03d}_1.jpg", f"{kind}_{i:03d}_2.jpg"] for i in range(1, 7)
        ]
        found[f"meta_data/{kind}_pairs.mat"] = Told("mat", rows)
        found |= {f"images/{folder}/{name}": picture(name) for row in rows for name in row[2:]}
    return found


def tskinface() -> dict[str, object]:
    return {
        f"TSKinFace_cropped/{folder}/{folder}-{i}-{member}.jpg": picture((folder, i, member))
        for folder in ("FMS", "FMD", "FMSD")
        for i in range(1, 6)
        for member in folder
    }


def families() -> dict[str, object]:
    found: dict[str, object] = {}
    for family in range(1, 9):
        folder = f"F{family:04d}"
        rows = [["MID", "1", "2", "3", "Name", "Gender"], ["1", "0", "5", "4", "a", "female"], ["2", "5", "0", "4", "b", "male"],
                ["3", "1", "1", "0", "c", ("m", "F")[family % 2]]]  # fmt: skip
        found[f"{folder}/mid.csv"] = Told("cells", rows)
        found |= {f"{folder}/MID{m}/P{family:05d}_face0.jpg": picture((family, m)) for m in (1, 2, 3)}
    return found


LAYOUTS = (
    Layout("captions", ("search",), beside()),
    Layout("captions", ("search",), described("jsonl")),
    Layout("captions", ("search",), described("csv")),
    Layout("captions", ("search",), described("parquet")),
    Layout("coco", ("search", "vqa"), coco()),
    Layout("llava", ("vqa",), pictures() | {"mix.json": Told("json", conversations())}),
    Layout("llava", ("vqa",), pictures("images/") | {"mix.json": Told("jsonl", conversations())}),
    Layout("vqav2", ("vqa",), vqav2()),
    Layout("webdataset", ("search",), shards()),
    Layout("parquet", ("search",), table("caption")),
    Layout("parquet", ("vqa",), table("question", "answer")),
    Layout("classes", ("search", "compare", "vqa"), classes()),
    Layout("imagenet", ("search", "compare"), imagenet()),
    Layout("digits", ("arithmetic", "compare"), digits()),
    Layout("mnist", ("arithmetic",), idx("")),
    Layout("emnist", ("arithmetic",), idx("emnist-digits-")),
    Layout("fashion", ("compare",), idx("")),
    Layout("kinfacew", ("kinship",), kinfacew()),
    Layout("tskinface", ("kinship",), tskinface()),
    Layout("fiw", ("kinship",), families()),
)


def written(content: object) -> object:
    """A file's content as bytes, where it isn't a link or a pipe."""
    return WRITERS[content.kind](content.value) if isinstance(content, Told) else content


def _rows(value: Any) -> list[dict]:
    listed = value if isinstance(value, list) else [value]
    return [row for row in listed if isinstance(row, dict)]


def _csv(value: Any) -> bytes:
    rows = _rows(value)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return _cells([columns, *([row.get(column, "") for column in columns] for row in rows)])


def _cells(value: Any) -> bytes:
    out = io.StringIO()
    rows = value if isinstance(value, list) else [value]
    csv.writer(out, escapechar="\\").writerows(row if isinstance(row, list) else [row] for row in rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _tar(value: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in value if isinstance(value, list) else ():
            if not isinstance(member, list) or len(member) < 2:
                continue
            data = written(member[1])
            info = tarfile.TarInfo(str(member[0]).replace("\ud800", "\udcff"))
            if isinstance(data, bytes):
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                info.type, info.linkname = (
                    tarfile.SYMTYPE,
                    str(data).replace("\ud800", "x").replace("\0", "x"),
                )
                archive.addfile(info)
    return out.getvalue()


def _parquet(value: Any) -> bytes:
    """A table of the rows; of columns whose types don't go together the texts."""
    import pyarrow
    import pyarrow.parquet

    rows = [_filled(row) for row in _rows(value)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    made = {}
    for column in columns:
        cells = [row.get(column) for row in rows]
        try:
            made[column] = pyarrow.array(cells)
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):
            made[column] = pyarrow.array(
                [repr(cell)[:99].encode("utf-8", "replace").decode() for cell in cells]
            )
    out = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pyarrow.table(made), out)
    except (pyarrow.ArrowException, UnicodeEncodeError):  # a struct without fields can't be written
        return json.dumps(repr(rows)).encode()
    return out.getvalue()


def _filled(row: dict) -> dict:
    """A row with the bytes of a picture where its number stands."""
    cell = row.get("image")
    if isinstance(cell, dict) and type(cell.get("bytes")) is int:
        return row | {"image": cell | {"bytes": picture(cell["bytes"] % COUNT)}}
    return row


def _mat(value: Any) -> bytes:
    import numpy
    from scipy.io import savemat

    rows = [row for row in value if isinstance(row, list) and row] if isinstance(value, list) else [[value]]
    cells = numpy.full((len(rows), max(map(len, rows), default=1)), "", dtype=object)
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            plain = isinstance(cell, int) and abs(cell) < 2**62
            cells[at, column] = cell if plain else str(cell).encode("utf-8", "replace").decode()
    out = io.BytesIO()
    savemat(out, {"pairs": cells})
    return out.getvalue()


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "json": values.spelled,
    "jsonl": lambda rows: b"".join(values.spelled(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows])),
    "csv": _csv, "cells": _cells, "tar": _tar, "parquet": _parquet, "mat": _mat,
}  # fmt: skip


@st.composite
def trees(draw: Callable, layout: Layout) -> dict[str, object]:
    """The files of a layout, below in/, with some changes."""
    files = dict(layout.files)
    for _ in range(draw(st.integers(1, 3))):
        names = sorted(files, key=lambda name: not isinstance(files[name], Told))
        if not names:
            break
        told = sum(isinstance(files[name], Told) for name in names)
        name = names[draw(st.integers(0, max(0, (told or len(names)) - 1)) | st.integers(0, len(names) - 1))]
        draw(st.sampled_from(FILE_CHANGES))(draw, files, name)
    return {f"in/{name}": written(content) for name, content in files.items()}


def _inside(draw: Callable, files: dict, name: str) -> None:
    content = files[name]
    if isinstance(content, Told):
        files[name] = Told(content.kind, draw(values.mutated(content.value, 1, 6)))
    else:
        _damage(draw, files, name)


def _damage(draw: Callable, files: dict, name: str) -> None:
    content = written(files[name])
    if isinstance(content, bytes):
        files[name] = draw(values.damaged(content))


def _remove(draw: Callable, files: dict, name: str) -> None:
    del files[name]


def _rename(draw: Callable, files: dict, name: str) -> None:
    folder, slash, base = name.rpartition("/")
    stem, dot, end = base.partition(".")
    odd = (
        "caf\udce9",
        "tar:x!y",
        "data:a",
        "-",
        "a\nb",
        "\x1b[31m",
        "n" * 200,
        " ",
        "{0..3}",
        "[ab]*",
        "\u202e",
        stem.upper(),
    )
    files[f"{folder}{slash}{draw(st.sampled_from(odd))}{dot}{end}"] = files.pop(name)


def _exchange(draw: Callable, files: dict, name: str) -> None:
    names = sorted(files)
    files[name] = copy.deepcopy(files[names[draw(st.integers(0, len(names) - 1))]])


def _link(draw: Callable, files: dict, name: str) -> None:
    target = draw(
        st.sampled_from(("nowhere", ".", "..", name.rpartition("/")[2], "/dev/zero", "/elsewhere.jpg"))
    )
    files[name] = Link("../" * name.count("/") + ".." + target if target == "/elsewhere.jpg" else target)


def _pipe(draw: Callable, files: dict, name: str) -> None:
    files[name] = Pipe()


def _stray(draw: Callable, files: dict, name: str) -> None:
    folder = name.rpartition("/")[0]
    stray = draw(st.sampled_from(("metadata.csv", "metadata.jsonl", "x.tar", "x.json", "x.parquet", "a.png", "dataset_info.json",
                                  "state.json", "train-images-idx3-ubyte", "mid.csv", "LOC_val_solution.csv", "val/0.jpg")))  # fmt: skip
    content = draw(
        st.sampled_from((b"", b"{}", b"[]", b"\x00" * 600, b"PAR1", picture(0), values.nested(500).encode()))
    )
    files.setdefault(f"{folder}/{stray}" if folder else stray, content)


FILE_CHANGES = (
    _inside,
    _inside,
    _inside,
    _inside,
    _damage,
    _damage,
    _remove,
    _rename,
    _exchange,
    _link,
    _pipe,
    _stray,
)
