"""Faults of single files and rows, each in every kind of source that can have it: counted under its reason, the rest is
used, and every reference that is written can be opened."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import tarfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from s2h import tasks
from s2h.images.decoding import ImageError, open_image, open_images
from s2h.images.store import Store
from s2h.sources import SourceError, open_source, picture_folders
from s2h.sources.idx_files import LABELS, PICTURES
from tests.support.photos import encoded, save

THINGS = ("owl", "truck", "tulip", "castle", "spoon", "whale", "violin", "ladder", "kettle", "canoe")
OUTSIDE = picture_folders.OUTSIDE
BYTES = b"caf\xe9"  # Latin-1, and no UTF-8


def caption(i: int) -> str:
    return f"A {('red', 'blue', 'green')[i % 3]} {THINGS[i % 10]} on a lawn."


def photos(root: Path, count: int = 30, texts: bool = True) -> Path:
    for i in range(count):
        path = save(root / f"{i}.jpg", i)
        if texts:
            path.with_suffix(".txt").write_text(caption(i))
    return root


def search(source, tmp_path, n: int = 20) -> list:
    made = list(tasks.generate("search", n=n, source=source, images=Store(tmp_path / "store")))
    assert len(made) >= n // 2
    for pair in made:
        open_images(pair)
    return made


def captioned(prefix: str = "") -> list[tuple[str, bytes]]:
    """The members of a shard of 30 pictures."""
    pairs = (((f"{i:03d}.jpg", encoded(i)), (f"{i:03d}.txt", caption(i).encode())) for i in range(30))
    return [(prefix + name, data) for pair in pairs for name, data in pair]


def shard(path: Path, members: list[tuple[str, bytes]], form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def put(root: Path, name: bytes, data: bytes) -> None:
    with open(os.path.join(os.fsencode(root), name), "wb") as file:
        file.write(data)


def test_names_that_are_not_utf8(tmp_path):
    for kind in ("beside", "birds"):
        root = tmp_path / kind
        if kind == "beside":
            photos(root)
            put(root, BYTES + b".jpg", encoded("x"))
            put(root, BYTES + b".txt", b"A frog.")
        else:
            for thing in THINGS[:4]:
                photos(root / thing, 8, texts=False)
            put(root / "owl", BYTES + b".jpg", encoded("x"))
            os.mkdir(os.path.join(os.fsencode(root), BYTES))
            put(root, BYTES + b"/1.jpg", encoded("y"))
        source = open_source(str(root))
        search(source, tmp_path)
        assert source.excluded["a name that is not UTF-8"] == (1 if kind == "beside" else 2)
    members = captioned()
    members += [(os.fsdecode(BYTES) + ".jpg", encoded("x")), (os.fsdecode(BYTES) + ".txt", b"A frog.")]
    source = open_source(f"webdataset:{shard(tmp_path / 'x.tar', members)}")
    search(source, tmp_path)
    assert source.excluded["a name that is not UTF-8"] == 1
    for digit in range(10):
        photos(tmp_path / "scans" / str(digit), 3, texts=False)
    put(tmp_path / "scans" / "3", BYTES + b".png", encoded("z"))
    assert open_source("digits:scans").excluded["a name that is not UTF-8"] == 1
    os.mkdir(BYTES)
    with pytest.raises(SourceError, match=r"caf\\xe9: the path is not UTF-8"):
        open_source(os.fsdecode(BYTES))


def test_special_files_are_never_waited_for(tmp_path):
    """A named pipe as a picture, a caption, a shard, a table and a list; a socket; a link to a pipe."""
    root = photos(tmp_path / "photos")
    os.mkfifo(root / "q.txt")
    save(root / "q.png", "q")
    os.mkfifo(root / "pipe.jpg")
    os.symlink("pipe.jpg", root / "link.jpg")
    (root / "link.txt").write_text("A frog.")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "s"))
        source = open_source(str(root))
    search(source, tmp_path, n=60)
    for name in ("q.txt", "pipe.jpg", "s"):
        assert source.excluded[f"{name}: not a regular file"] == 1
    assert source.excluded["caption file unreadable"] == 1
    os.mkfifo(root / "metadata.csv")
    assert open_source(str(root)).size > 20, "the texts beside are read"
    os.mkfifo("x.tar")
    os.mkfifo("x.json")
    for spec in ("webdataset:x.tar", "llava:x.json", "parquet:x.tar"):
        with pytest.raises(SourceError):
            open_source(spec)
    shards = tmp_path / "shards"
    shards.mkdir()
    os.mkfifo(shards / "b.tar")
    members = captioned()
    shard(shards / "a.tar", members)
    assert open_source("shards").excluded["b.tar: not a regular file"] == 1


def test_rows_that_leave_the_folder(tmp_path):
    """Absolute, with .., through a link of the folder's own; and one of each that stays inside."""
    root = photos(tmp_path / "photos", texts=False)
    secret, real = save(tmp_path / "secret.jpg", "secret"), os.path.abspath(root)
    os.symlink("photos", "linked")
    names = [f"{i}.jpg" for i in range(30)]
    names[0], names[1] = os.path.join(real, "0.jpg"), "./x/../1.jpg"
    names[2] = os.path.abspath("linked/2.jpg")
    names += [
        os.path.abspath(secret),
        "../secret.jpg",
        "x/../../secret.jpg",
        "..",
        "a\0b.jpg",
        "..\\secret.jpg",
    ]
    rows = [{"file_name": name, "text": caption(i)} for i, name in enumerate(names)]
    lines = [json.dumps(row) for row in rows] + ["[1]", "{"]
    (root / "metadata.jsonl").write_text("\n".join(lines))
    source = open_source("photos")
    assert source.excluded[OUTSIDE] == 5 and source.excluded["no file_name"] == 1
    assert source.excluded["a line that is not JSON"] == source.excluded["a line that is no object"] == 1
    read = set(source.table(0).names[at] for at in range(source.size))
    assert len(read) > 20 and source.excluded["file missing"] == 0
    for pair in search(source, tmp_path):
        assert all(os.path.dirname(image) == real for image in pair["images"])


TURNS = [{"from": "human", "value": "<image>\nWhat is shown?"}, {"from": "gpt", "value": "owl"}]


def conversations(names: list) -> list[dict]:
    return [
        {"id": str(i), "image": name, "conversations": [TURNS[0], {"from": "gpt", "value": THINGS[i % 10]}]}
        for i, name in enumerate(names)
    ]


def test_llava_rows_in_every_form(tmp_path):
    root = photos(tmp_path / "ll", texts=False)
    names = [f"{i}.jpg" for i in range(30)]
    forms = {
        "absolute": [os.path.join(os.path.abspath(root), name) for name in names],
        "outside": [*names[:29], "/etc/hostname"],
        "list": [[name] for name in names],
        "several": [*names[:28], names[:2], 7],
    }
    counted = {
        "absolute": {},
        "list": {},
        "outside": {OUTSIDE: 1},
        "several": {"several images": 1, "no file_name": 1},
    }
    for form, images in forms.items():
        for kind in ("array", "lines"):
            rows = conversations(images)
            text = json.dumps(rows) if kind == "array" else "\n".join(map(json.dumps, rows)) + "\n"
            (root / "x.json").write_text(text)
            source = open_source("llava:ll/x.json")
            excluded = dict(source.excluded)
            excluded.pop("not in the train split", None)
            assert excluded == counted[form] and source.size > 20
    text = "\n".join(map(json.dumps, conversations(names)))
    (root / "x.json").write_text(text.replace("}]}\n", "}]\n", 1) + "\n7")
    source = open_source("llava:ll/x.json")
    assert source.excluded["a line that is not JSON"] == source.excluded["a line that is no object"] == 1
    (root / "x.json").write_text(json.dumps(conversations(names))[:-300])
    with pytest.raises(SourceError, match=r"x\.json: neither JSON nor JSON Lines: .*it may be cut short"):
        open_source("llava:ll/x.json")
    (root / "x.json").write_text("[" * 100_000)
    with pytest.raises(SourceError, match="neither JSON nor JSON Lines"):
        open_source("llava:ll/x.json")


def test_broken_rows_of_annotations(tmp_path):
    photos(tmp_path / "coco" / "val2017", texts=False)
    folder = tmp_path / "coco" / "annotations"
    folder.mkdir()
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(30)]
    images += [{"id": 77}, "x", {"id": [1], "file_name": "1.jpg"}, {"id": 78, "file_name": "/etc/x.jpg"}]
    told = [{"image_id": i, "caption": caption(i)} for i in range(30)] + [{"image_id": 3}, None]
    (folder / "captions_val2017.json").write_text(json.dumps({"images": images, "annotations": told}))
    source = open_source("coco")
    assert source.excluded["images without id or file_name"] == 3 and source.excluded[OUTSIDE] == 1
    assert source.excluded["annotations without image_id or caption"] == 2
    search(source, tmp_path)
    pictures = tmp_path / "vqa" / "val2014"
    for i in range(30):
        save(pictures / f"COCO_val2014_{i:012d}.jpg", i)
    asked = [{"image_id": i, "question_id": i, "question": "What is shown?"} for i in range(30)]
    given = [{"question_id": i, "multiple_choice_answer": THINGS[i % 10]} for i in range(30)]
    asked += [3, {"question_id": 4}, {"question_id": 5, "image_id": "x"}]
    for name, content in (
        ("OpenEnded_mscoco_val2014_questions", {"questions": asked}),
        ("mscoco_val2014_annotations", {"annotations": [*given, {}, []]}),
    ):
        (tmp_path / "vqa" / f"v2_{name}.json").write_text(json.dumps(content))
    source = open_source("vqa")
    assert source.size > 20 and source.excluded["questions without question_id or image_id"] == 2
    assert source.excluded["annotations without question_id"] == 2
    assert source.excluded["an image_id that is no number"] == 1


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("damage", ["data", "header", "noise"])
def test_a_tar_that_is_cut_short_gives_its_whole_members(form, damage, tmp_path):
    long = "deep/" * 25  # beyond what a plain header holds, in the forms that can
    prefix = "" if form == tarfile.USTAR_FORMAT else long
    members = captioned(prefix)
    path = shard(tmp_path / "x.tar", members, form)
    with tarfile.open(path) as archive:
        last = archive.getmember(f"{prefix}020.jpg")
    data = path.read_bytes()
    cut = {"data": data[: last.offset_data + 100], "header": data[: last.offset + 200]}
    path.write_bytes(cut.get(damage) or data[: last.offset] + b"x" * 4096 + data[last.offset :])
    source = open_source(f"webdataset:{path}")
    search(source, tmp_path)
    page = source.table(0)
    assert len(page) + source.excluded["not in the train split"] == 20 and not source.excluded.damaged
    assert sum("a shard that can't be read to its end (x.tar" in reason for reason in source.excluded) == 1
    with pytest.raises(ImageError, match="the tar file is cut short or damaged before this member"):
        open_image(f"tar:{path}!{prefix}025.jpg")


def test_what_webdataset_makes_of_names(tmp_path):
    def why(members: list[str]) -> str:
        made = [
            (name, encoded(name) if name.endswith(("jpg", "png")) else caption(7).encode())
            for name in members
        ]
        with pytest.raises(SourceError) as told:
            open_source(f"webdataset:{shard(tmp_path / 'x.tar', made)}")
        return str(told.value)

    dots = why([f"22.{i:02d}.{end}" for i in range(12) for end in ("jpg", "txt")])
    assert (
        "11 further pictures of one sample (a sample's name ends at its first dot: 22.00.jpg has the key '22')"
        in dots
    )
    apart = why([f"{i:05d}.{end}" for end in ("jpg", "txt") for i in range(12)])
    assert "12 parts of a sample that are not neighbours (make the shard with tar --sort=name)" in apart
    ends = why([f"{i:05d}.{end}" for i in range(12) for end in ("input.jpg", "outputs.txt")])
    assert (
        "12 a sample without a part that is read, .txt" in ends
        and "(found .input.jpg and .outputs.txt;" in ends
    )
    pages = why([f"{i}.{end}" for i in range(4) for end in ("left.jpg", "right.png")])
    assert "further pictures of one sample;" in pages


def test_a_table_names_no_file_outside_its_folder(tmp_path):
    root = photos(tmp_path / "data" / "pictures", texts=False).parent
    save(tmp_path / "secret.jpg", "secret")
    outside = [os.path.abspath("secret.jpg"), "../secret.jpg", "tar:/x.tar!secret.jpg"]
    inside = [os.path.abspath(root / "pictures" / "0.jpg"), "pictures/1.jpg"]
    held = [{"bytes": encoded(i), "path": f"{i}.jpg"} for i in range(20)]
    rows = held + [{"bytes": None, "path": path} for path in outside + inside]
    table = pyarrow.table({"image": rows, "caption": [caption(i) for i in range(len(rows))]})
    pyarrow.parquet.write_table(table, root / "data.parquet")
    source = open_source("parquet:data")
    search(source, tmp_path, n=150)
    page, bad = source.table(0), source.excluded.damaged
    found = {int(page.names[at]): bad.get((0, at), "") for at in range(len(page))}
    wanted = {20: OUTSIDE, 21: OUTSIDE, 22: "no such file", 23: "", 24: ""}
    assert {row: why for row, why in found.items() if row >= 20} == {
        row: wanted[row] for row in found if row >= 20
    }
    stored = {path.read_bytes() for path in (tmp_path / "store").rglob("*.jpg")}
    assert Path("secret.jpg").read_bytes() not in stored and len(stored) > 10


@pytest.mark.parametrize("name", ["tar:x", "data:image", "http:", "captions:photos"])
def test_names_on_the_disk_are_never_references(light, name, tmp_path):
    root = tmp_path / name
    for i in range(20):
        save(root / f"p{i}!q.png", i).with_suffix(".txt").write_text(caption(i))
        os.rename(root / f"p{i}!q.txt", root / f"tar:{i}!q.txt")
        os.rename(root / f"p{i}!q.png", root / f"tar:{i}!q.png")
    for pair in search(open_source(name), tmp_path):
        assert all(picture_folders.is_text(image) and os.path.isabs(image) for image in pair["images"])
    if name == "tar:x":
        light.told("s2h-gen", "search", "--source", name, "-n", "6", "-o", "out.jsonl", cwd=tmp_path)
        light.told("s2h-view", "out.jsonl", "-o", "g.html", cwd=tmp_path)
        assert (tmp_path / "g.html").read_text().count("<article") == 6


def idx(path: Path, labels: list[int]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    pixels = bytes((i * 37 + k) % 256 for i in range(len(labels)) for k in range(16))
    (path / "train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", PICTURES, len(labels), 4, 4) + pixels)
    (path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">II", LABELS, len(labels)) + bytes(labels))


def test_which_idx_files_are_digits(tmp_path):
    even = [i % 10 for i in range(200)]
    mnist, fashion = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5, *even], [9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9, *even]
    for path, labels, digits in (
        ("fashion/MNIST/raw", even, True),
        ("fashion/data", mnist, True),
        ("mnist/FashionMNIST/raw", even, False),
        ("mnist/data", fashion, False),
        ("scans", even, True),
    ):
        idx(tmp_path / path, labels)
        assert (open_source(path).digits is not None) is digits, path
    for path in ("KMNIST/raw", "data/kuzushiji", "notMNIST"):
        idx(tmp_path / path, even)
        for spec in (path, f"digits:{path}"):
            with pytest.raises(
                SourceError, match=r"its pictures show (Japanese characters|letters).* and no digits"
            ):
                open_source(spec)


def test_folders_beside_a_leftover_tar(tmp_path):
    for at, wnid in enumerate(("n01440764", "n01443537", "n01484850")):
        photos(tmp_path / "imagenet" / "train" / wnid, 8, texts=False)
        with open(tmp_path / "imagenet" / "synset_words.txt", "a") as file:
            file.write(f"{wnid} {THINGS[at]}\n")
    members = [("n01440764_1.JPEG", encoded(1))]
    shard(tmp_path / "imagenet" / "ILSVRC2012_img_train.tar", members)
    shard(tmp_path / "imagenet" / "train" / "n01440764.tar", members)
    source = open_source("imagenet")
    assert source.excluded["a tar file beside the folders"] == 2
    assert all("/train/n0" in image for pair in search(source, tmp_path) for image in pair["images"])
    photos(tmp_path / "album")
    shard(tmp_path / "album" / "album.tar", members)
    assert open_source("album").size > 20


def test_pictures_that_do_not_decode_are_found_before_they_are_shown(tmp_path):
    """Their headers and ends are there: a JPEG without its tables, and one without pixels."""
    root = photos(tmp_path / "photos")
    whole = encoded("x")
    no_tables = whole.replace(b"\xff\xdb", b"\xff\xfe")  # quantization tables become comments
    emptied = whole[: whole.index(b"\xff\xda")] + b"\xff\xd9"
    for name, data in (("tables.jpg", no_tables), ("emptied.jpg", emptied)):
        (root / name).write_bytes(data)
        (root / name).with_suffix(".txt").write_text("A curious frog.")
    source = open_source("photos")
    search(source, tmp_path, n=80)
    assert {name for name in ("tables.jpg", "emptied.jpg") if _bad(source, name)} == {
        "tables.jpg",
        "emptied.jpg",
    }


def _bad(source, name: str) -> bool:
    page = source.table(0)
    at = next((at for at in range(len(page)) if page.names[at] == name), None)
    return at is None or (0, at) in source.excluded.damaged
