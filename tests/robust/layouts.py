"""Small sound source folders in the layouts that s2h-gen reads, a value a layout."""

from __future__ import annotations

import struct
from typing import NamedTuple

from s2h import seeds
from tests.robust.writing import COUNT, Told, picture

THINGS = ("owl", "truck", "tulip", "castle", "spoon", "whale", "violin", "ladder", "kettle", "canoe")


class Layout(NamedTuple):
    """tasks: those that the source serves. kind: the reader's name in a spec."""

    kind: str
    tasks: tuple[str, ...]
    files: dict[str, object]


def caption(i: int) -> str:
    return f"A {('red', 'blue', 'green')[i % 3]} {THINGS[i % 10]} on a {('lawn', 'table')[i % 2]}."


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
            "question_id": i, "image_id": i // 2, "multiple_choice_answer": answers[i % 5],
            "question_type": "what colour is",
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
        rows = [["MID", "1", "2", "3", "Name", "Gender"],
                ["1", "0", "5", "4", "a", "female"], ["2", "5", "0", "4", "b", "male"],
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
