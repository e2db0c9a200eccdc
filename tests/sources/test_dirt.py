"""The dirt of real folders: whatever can't be used is counted under its reason, and what can be used still gives pairs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2h import tasks
from s2h.images.decoding import ImageError, glance, open_images
from s2h.images.store import Store
from s2h.sources import SourceError, open_source
from tests.support.photos import encoded, photo, save

THINGS = ("owl", "truck", "tulip", "castle", "spoon", "whale", "violin", "ladder", "kettle", "canoe")


def caption(i: int) -> str:
    return f"A {('red', 'blue', 'green')[i % 3]} {THINGS[i % 10]} on a lawn, seen by {i} people."


def broken() -> dict[str, bytes]:
    """Files that are no pictures or not whole ones."""
    found = {"empty.jpg": b"", "page.jpg": b"<html>not found</html>", "zeros.png": bytes(3000)}
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        buffer = io.BytesIO()
        photo("large", (300, 200)).save(buffer, kind)
        found[f"cut.{kind.lower()}"] = buffer.getvalue()[: len(buffer.getvalue()) * 2 // 3]
    holed = bytearray(encoded("holed", "PNG"))
    holed[len(holed) // 2] ^= 255
    return {**found, "holed.png": bytes(holed)}


@pytest.mark.parametrize("name", broken())
def test_a_broken_picture_is_seen_at_a_glance(name):
    with pytest.raises(ImageError):
        glance(broken()[name])


def unusual(folder: Path) -> None:
    """Pictures that can be used, though they are not JPEGs of three colours."""
    one = photo("one", (60, 50))
    one.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray((np.arange(3000).reshape(50, 60) * 20).astype(np.uint16)).save(folder / "deep.png")
    one.convert("P").save(folder / "palette.png", transparency=3)
    Image.fromarray(np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40)).save(folder / "float.tif")
    photo("upper").save(folder / "UPPER.JPEG")
    (folder / "a jpeg.png").write_bytes(encoded("wrong"))


def links(folder: Path, target: Path) -> None:
    os.symlink("nowhere.jpg", folder / "gone.jpg")
    os.symlink("loop.jpg", folder / "loop.jpg")
    os.symlink(folder, folder / "round")
    os.symlink(target, folder / "again.jpg")


def pairs(task: str, source, tmp_path, n: int = 60, **more) -> list:
    made = list(tasks.generate(task, n=n, source=source, images=Store(tmp_path / "store"), **more))
    assert len(made) == n
    for pair in made:
        open_images(pair)
    return made


def test_captions_beside_pictures(light, tmp_path):
    root = tmp_path / "photos" / "photos"
    for i in range(60):
        save(root / f"{i}.JPG", i).with_suffix(".TXT" if i % 2 else ".txt").write_text(caption(i))
    unusual(root)
    for name, data in broken().items():
        (root / name).write_bytes(data)
    for at, path in enumerate(sorted(root.iterdir())):
        if not path.with_suffix(".txt").exists() and not path.with_suffix(".TXT").exists():
            path.with_suffix(".txt").write_text(f"A curious {THINGS[at % 10]}.")
    links(root, root / "0.JPG")
    texts = {
        "blank": b" \n\n",
        "later": b"\n\nA frog in a pond.",
        "lines": "A frog\u2028in\x00 a \x1b[31m pond 🐸.\nMore".encode(),
        "latin": "A café in a street.".encode("latin-1"),
        "smile": "🙂🙂".encode(),
        "long": b"A frog" + b" very" * 2000,
    }
    for name, data in texts.items():
        save(root / f"{name}.png", name).with_suffix(".txt").write_bytes(data)
    (save(root / "folder.png").with_suffix(".txt")).mkdir()
    done = light.told(
        "s2h-gen", "search", "--source", "photos", "-n", "120", "--images-per-prompt", "5", cwd=tmp_path
    )
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(made) == 120
    for pair in made:
        open_images(pair)
        assert not any(sign in json.dumps(pair) for sign in ("\\u0000", "\\u001b", "\\u2028", "\\ufffd"))
    for reason in ("a caption that is not UTF-8", "no caption", "a caption that begins with no noun phrase",
                   "caption file unreadable", "a caption of more than 4,000 characters", "damaged or truncated image",
                   "not an image"):  # fmt: skip
        assert f" {reason}" in done.stderr
    source = open_source(str(tmp_path / "photos"))
    page = source.table(0)
    told = {page.names[at]: page.captions[at] for at in range(len(page))}
    assert told.get("lines.png") in (None, "A frog in a [31m pond 🐸.")
    assert told.get("later.png") in (None, "A frog in a pond.")


def rows() -> list[dict]:
    made = [{"file_name": f"{i}.jpg", "text": caption(i)} for i in range(60)]
    made[3]["text"], made[4]["text"], made[5]["text"] = None, 17, float("nan")
    made[6]["file_name"], made[7]["text"] = None, "A frog\nin a\r\npond 🙂"
    return [*made, made[1], {"file_name": "gone.jpg", "text": "A frog."}]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_rows_of_a_metadata_file(kind, tmp_path):
    import pandas

    for i in range(60):
        save(tmp_path / "train" / f"{i}.jpg", i)
        save(tmp_path / "test" / f"{i}.jpg", i)
    path = tmp_path / "train" / f"metadata.{kind}"
    if kind == "jsonl":
        path.write_text("\n\n".join(json.dumps(row) for row in rows()))
    else:
        table = pandas.DataFrame(rows())
        table["text"] = table["text"].astype(object).where(table["text"].notna(), None)
        table.loc[4, "text"] = "nan"
        if kind == "csv":
            path.write_bytes(b"\xef\xbb\xbf" + table.to_csv(index=False, lineterminator="\r\n").encode())
        else:
            table.to_parquet(path)
    shutil.copy(path, tmp_path / "test")
    for split in ("train", "heldout"):
        source = open_source(str(tmp_path), split=split)
        assert source.size == 56, dict(source.excluded)
        wanted = {"no file_name": 1, "listed twice": 1, "file missing": 1}
        wanted |= {"no caption": 2, "a line that is not JSON": 1} if kind == "jsonl" else {"no caption": 3}
        assert dict(source.excluded) == wanted
        pairs("search", source, tmp_path, n=20)


@pytest.mark.parametrize("limit", [1 << 17, 1 << 30])
def test_a_metadata_file_that_is_none(limit, tmp_path):
    csv.field_size_limit(limit)  # of the process: s2h-eval's tables of images need more
    save(tmp_path / "a.png")
    for content, said in (
        (b"file,text\na.png,A frog\n", r"metadata.csv: file_name: no such column \(there are file, text\)"),
        (b"file_name;text\na.png;A frog\n", r"no such column \(there are file_name;text\)"),
        (b"file_name,colour\na.png,red\n", r"no column of captions: there are file_name, colour"),
        (b"file_name,text\na.png,A caf\xe9\n", r"1 a caption that is not UTF-8"),
        (
            b'file_name,text\na.png,"A frog\n' + b"x" * 200_000,
            r"metadata.csv: has no rows .*\d a row that is not CSV",
        ),
    ):
        (tmp_path / "metadata.csv").write_bytes(content)
        with pytest.raises(SourceError, match=said):
            open_source(str(tmp_path))


def test_class_folders_in_a_folder_of_the_same_name(tmp_path):
    root = tmp_path / "things" / "things"
    for thing in THINGS[:5]:
        for i in range(8):
            save(root / thing / f"{i}.JPG", (thing, i))
    unusual(root / "owl")
    links(root / "truck", root / "truck" / "0.JPG")
    for name, data in broken().items():
        (root / "owl" / name).write_bytes(data)
    os.symlink(root / "nowhere", root / "gone")
    os.symlink("loop", root / "loop")
    (root / "bare").mkdir()
    (tmp_path / "things" / "__MACOSX").mkdir()
    source = open_source(str(tmp_path / "things"))
    pairs("search", source, tmp_path, n=80)
    pairs("compare", source, tmp_path)
    assert source.excluded["damaged or truncated image"] >= 5


def test_annotations_of_coco(tmp_path):
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(40)]
    for i in range(40):
        save(tmp_path / "val2017" / f"{i}.jpg", i)
    told = [{"image_id": i, "caption": caption(i)} for i in range(40)]
    told += [{"image_id": 999, "caption": "Nothing."}, {"image_id": 3, "caption": None}]
    told += [{"image_id": 4, "caption": float("nan")}]
    there = [{"image_id": i, "category_id": i % 4} for i in range(40)]
    there += [{"image_id": 999, "category_id": 1}, {"image_id": 2, "category_id": 77}]
    names = [{"id": k, "name": THINGS[k]} for k in range(4)]
    images += [{"id": 5, "file_name": "5.jpg"}, {"id": 99, "file_name": "8.jpg"}]
    folder = tmp_path / "annotations"
    folder.mkdir()
    for kind, listed in (("captions", told), ("instances", there)):
        content = {"images": images, "annotations": listed, "categories": names}
        (folder / f"{kind}_val2017.json").write_text(json.dumps(content))
    source = open_source(str(tmp_path))
    excluded = dict(source.excluded)
    excluded.pop("not in the train split")
    assert excluded == {
        "annotations of no image": 2,
        "annotations of no category": 1,
        "an image's id given twice": 2,
        "listed twice": 1,
    }
    pairs("search", source, tmp_path)


def test_large_metadata_files_are_read_in_blocks(tmp_path, monkeypatch):
    """Rows that lie in several blocks give the same pictures as in one, and nothing is read before it is wanted."""
    from s2h.sources import captions

    for i in range(60):
        save(tmp_path / f"{i}.jpg", i)
    lines = [json.dumps(row) for row in rows()]
    lines[30:30] = ["", "{"]

    def told() -> tuple[dict, dict]:
        source, found = open_source(str(tmp_path)), {}
        for number in range(len(source._weights)):
            page = source.table(number)
            found |= {page.names[at]: page.captions[at] for at in range(len(page))}
        assert source.size == len(found) or source.excluded["listed twice"] == 0
        return found, dict(source.excluded)

    (tmp_path / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    whole = told()
    monkeypatch.setattr(captions, "AT_ONCE", 7)
    source = open_source(str(tmp_path))
    assert not source._tables and len(source._weights) == 10
    parts = told()
    assert parts[0] == whole[0]
    assert {**parts[1], "listed twice": 1} == whole[1]
    pairs("search", source, tmp_path, n=20)
    with open(tmp_path / "metadata.jsonl", "a") as file:
        file.write("\n" * 6 + '{"file_name": "/etc/x.jpg", "text": "An owl."}\n')
    outside = "names a file outside the folder"
    assert told() == (parts[0], {**parts[1], outside: 1})


def test_members_of_shards(light, tmp_path):
    def shard(name: str, members: list[tuple[str, bytes]], mode: str = "w") -> None:
        with tarfile.open(tmp_path / name, mode) as archive:
            for member, data in members:
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    members = []
    for i in range(40):
        ends = ("JPG", "TXT") if i % 3 == 0 else ("jpg", "txt")
        members += [(f"./{i:03d}.{ends[0]}", encoded(i)), (f"./{i:03d}.{ends[1]}", caption(i).encode())]
    for key, told in (("number", b'{"caption": 5}'), ("null", b'{"caption": null}'), ("cut", b'{"caption":')):
        members += [(f"{key}.jpg", encoded(key)), (f"{key}.json", told)]
    members += [("seven.jpg", encoded("seven")), ("seven.cls", b"7")]
    members += [("../evil.jpg", encoded("evil")), ("../evil.txt", b"An evil eye.")]
    shard("X.TAR", members)
    (tmp_path / "y.tar").write_bytes(b"no tar" * 500)
    (tmp_path / "A.tar").write_bytes(b"")
    source = open_source(str(tmp_path))
    assert source.size > 30 and not source.size_is_final, "an empty shard is no sign that all are"
    pairs("search", source, tmp_path, n=80)
    assert (
        source.excluded["no caption"] == 3 and source.excluded["a class that has a number and no name"] == 1
    )
    assert any("can't be read to its end (y.tar" in reason for reason in source.excluded)
    shard("z.tar.gz", members, "w:gz")
    assert open_source(str(tmp_path)).excluded[
        "a compressed shard, which can't be read in place (unpack it to a .tar)"
    ]
    with pytest.raises(SourceError, match=r"z\.tar\.gz: a compressed shard can't be read in place"):
        open_source("webdataset:z.tar.gz")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.tar").write_bytes(b"no tar" * 500)
    (tmp_path / "bad" / "b.tar").write_bytes(b"")
    done = light.told("s2h-gen", "search", "--source", "bad", "-n", "3", cwd=tmp_path, status=1)
    assert "no pair could be made" in done.stderr and not done.stdout
