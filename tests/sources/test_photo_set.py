"""Readers of pictures with captions, classes and objects, each on a small tree of its layout with the dirt of real ones."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from s2h import record, seeds, tasks
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.sources import NoPair, SourceError, open_source
from s2h.sources.photo_table import MANY
from tests.support.photos import encoded, photo, save

SYNSETS = {
    "n02012849": "crane",
    "n03126707": "crane",
    "n01440764": "tench, Tinca tinca",
    "n01484850": "great white shark, white shark, man-eater",
    "n02504013": "Indian elephant, Elephas maximus",
    "n02504458": "African elephant, Loxodonta africana",
    "n02123045": "tabby, tabby cat",
    "n02124075": "Egyptian cat",
    "n02666196": "abacus",
    "n03445777": "golf ball",
}


def make(task: str, source, tmp_path, n: int = 60, **more) -> list[record.Record]:
    made = list(tasks.generate(task, n=n, source=source, images=Store(tmp_path / "store"), **more))
    assert len(made) == n * (2 if more.get("twins") else 1)
    for pair in made:
        record.check(pair)
        assert len(set(pair["images"])) == len(pair["images"]), "no picture is its own distractor"
        assert len(open_images(pair)) == len(pair["images"])
        assert record.text_of(pair["chosen"]) != record.text_of(pair["rejected"])
    return made


@pytest.fixture()
def classes(tmp_path) -> Path:
    root = tmp_path / "birds"
    for name in ("001.Black_footed_Albatross", "owl", "Race-Car", "garden spider", "tulip", "castle"):
        for i in range(8):
            save(root / name / f"{i}.{'JPG' if i % 2 else 'png'}", (name, i))
    (root / "owl" / "note.md").write_text("not a picture")
    (root / "owl" / "broken.jpg").write_bytes(encoded("broken")[:300])
    (root / "owl" / "empty.jpg").write_bytes(b"")
    os.symlink(root / "castle", root / "zz castle again")
    return root


def test_class_folders(classes, tmp_path):
    source = open_source(str(classes))
    assert source.excluded["not a picture"] == 1
    forms = Counter()
    for pair in make("search", source, tmp_path):
        facts = pair["facts"]
        forms[facts["form"]] += 1
        for i, label in enumerate(facts["labels"]):
            head = facts["concept"].split()[-1].lower()
            assert (head in label["concepts"][0].lower()) == (i in facts["shown_by"])
    assert set(forms) == {"locate", "count"}, "a class's name is all that its captions would say"
    make("vqa", source, tmp_path, negatives={"wrong-attribute": 1.0})
    for pair in make("compare", source, tmp_path):
        assert pair["facts"]["trait"] == "kind of object"
        told = [label["concepts"][0] for label in pair["facts"]["labels"]]
        assert told == pair["facts"]["values"]
    assert source.excluded["damaged or truncated image"] == 1 and source.excluded["is an empty file"] == 1


def test_a_name_that_classes_share_is_not_asked_about(tmp_path):
    root = tmp_path / "imagenet"
    for wnid in SYNSETS:
        for i in range(5):
            save(root / "train" / wnid / f"{wnid}_{i}.JPEG", (wnid, i))
            save(root / "val" / wnid / f"ILSVRC2012_val_{i:08d}.JPEG", (wnid, i, "val"))
    with pytest.raises(SourceError, match=r"put synset_words\.txt there"):
        open_source(str(root))
    (root / "synset_words.txt").write_text("".join(f"{w} {words}\n" for w, words in SYNSETS.items()))
    source = open_source(f"imagenet:{root}")
    assert source.excluded["name shared with another class"] == 2 and source.size == 40
    held = open_source(str(root), split="heldout")
    assert held.size == 40 and "val" in held.root
    concepts = set()
    for pair in make("search", source, tmp_path, n=150):
        concept, labels = pair["facts"]["concept"], pair["facts"]["labels"]
        concepts.add(concept)
        others = [
            label["concepts"][0] for i, label in enumerate(labels) if i not in pair["facts"]["shown_by"]
        ]
        if (
            "elephant" in concept
        ):  # an Indian elephant is an elephant; nobody can tell it from an African one by its name
            assert not any("elephant" in other for other in others)
        if "cat" in concept:
            assert "tabby" not in others, "a tabby is called a cat as well"
    assert "an Indian elephant" in concepts and not any("crane" in concept for concept in concepts)


def test_imagenets_flat_validation_folder(tmp_path):
    root = tmp_path / "val"
    rows = []
    for i, wnid in enumerate([w for w in SYNSETS for _ in range(4)]):
        save(root / f"ILSVRC2012_val_{i:08d}.JPEG", i)
        rows.append({"ImageId": f"ILSVRC2012_val_{i:08d}", "PredictionString": f"{wnid} 1 2 3 4 "})
    with open(root / "LOC_val_solution.csv", "w", newline="") as file:
        out = csv.DictWriter(file, ["ImageId", "PredictionString"])
        out.writeheader()
        out.writerows(rows)
    (root / "LOC_synset_mapping.txt").write_text("".join(f"{w} {words}\n" for w, words in SYNSETS.items()))
    source = open_source(f"imagenet:{root}")
    assert 20 < source.size <= 32
    make("search", source, tmp_path, n=20)


def test_a_hierarchy_keeps_a_class_apart_from_those_that_contain_it(tmp_path):
    root = tmp_path / "wordnet"
    for wnid in ("n00000001", "n00000002", "n00000003"):
        for i in range(6):
            save(root / wnid / f"{i}.png", (wnid, i))
    (root / "words.txt").write_text("n00000001\tbird\nn00000002\towl\nn00000003\ttruck\n")
    (root / "wordnet.is_a.txt").write_text("n00000001 n00000002\n")
    source = open_source(str(root))
    for pair in make("search", source, tmp_path, n=60, per_prompt=(2, 3)):
        shown = {label["concepts"][0] for label in pair["facts"]["labels"]}
        assert "truck" in pair["facts"]["concept"] or not {"bird", "owl"} <= shown


@pytest.fixture()
def coco(tmp_path) -> Path:
    root = tmp_path / "coco"
    things = ("dog", "person", "wine glass", "bus", "knife")
    for split in ("train2017", "val2017"):
        images, captions, instances = [], [], []
        for i in range(60):
            rng = seeds.rng(split, i)
            name = f"{i:012d}.jpg"
            images.append({"id": i, "file_name": name})
            if i != 7:
                save(root / split / name, (split, i))
            shown = {thing: rng.randint(1, 6) for thing in rng.sample(range(5), rng.randint(1, 2))}
            for thing, count in shown.items():
                instances += [{"image_id": i, "category_id": thing, "iscrowd": 0}] * count
            if i % 9 == 0:
                instances.append({"image_id": i, "category_id": 1, "iscrowd": 1})
            for k in range(5):
                said = " and ".join(f"{count} {things[thing]}s" for thing, count in shown.items())
                captions.append({"image_id": i, "caption": f"{said} on a red\n carpet in room {k} 🙂"})
        categories = [{"id": k, "name": thing} for k, thing in enumerate(things)]
        (root / "annotations").mkdir(exist_ok=True)
        for kind, rows in (("captions", captions), ("instances", instances)):
            more = {"categories": categories} if kind == "instances" else {}
            path = root / "annotations" / f"{kind}_{split}.json"
            path.write_text(json.dumps({"images": images, "annotations": rows, **more}))
    return root


def test_coco(coco, tmp_path):
    source = open_source(str(coco))
    assert source.excluded["file missing"] == 1 and source.size == 59
    assert "val2017" in open_source(str(coco), split="heldout").root
    assert open_source(f"coco:{coco}/annotations/instances_val2017.json").size > 40
    for pair in make("search", source, tmp_path, n=80):
        concept = pair["facts"]["concept"].split(" ", 1)[1]
        for i, label in enumerate(pair["facts"]["labels"]):
            assert (concept in label["concepts"]) == (i in pair["facts"]["shown_by"])
            assert all("\n" not in caption for caption in label["captions"])
    for pair in make("compare", source, tmp_path, n=60):
        facts = pair["facts"]
        singular = {
            "people": "person",
            "dogs": "dog",
            "wine glasses": "wine glass",
            "buses": "bus",
            "knives": "knife",
        }
        thing = singular[facts["trait"].removeprefix("number of ")]
        assert [label["counts"][thing] for label in facts["labels"]] == facts["values"]
        assert all(0 < value < MANY for value in facts["values"])
    (coco / "annotations" / "captions_train2017.json").write_text('{"images": [')
    damaged = open_source(str(coco))
    assert any("captions_train2017.json: not JSON" in reason for reason in damaged.excluded)
    assert damaged.exhaustive and damaged.size > 2, "the instances are used"
    with pytest.raises(SourceError, match=r"captions_train2017\.json: not JSON"):
        (coco / "annotations" / "instances_train2017.json").write_text("[")
        open_source(str(coco))


def test_webdataset_shards_are_read_in_place(tmp_path):
    root = tmp_path / "shards"
    root.mkdir()
    for shard in range(3):
        with tarfile.open(root / f"x-{shard:03d}.tar", "w") as archive:
            for i in range(30):
                key = f"{shard}{i:05d}"
                thing = ("owl", "truck", "apple", "castle")[i % 4]
                parts = {
                    "jpg": encoded((shard, i)),
                    "txt": f"A {thing} beside a wooden gate number {i}.".encode(),
                }
                if i == 5:
                    del parts["jpg"]
                if i == 6:
                    parts["jpg"] = parts["jpg"][:200]
                for ending, data in parts.items():
                    info = tarfile.TarInfo(f"part/{key}.{ending}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    source = open_source(str(root))
    assert not source.size_is_final, "nothing is read before it is wanted"
    for pair in make("search", source, tmp_path, n=60):
        assert all(reference.startswith(f"tar:{root.resolve()}/x-00") for reference in pair["images"])
    assert source.size_is_final and source.excluded["a sample without a picture"] == 3
    assert 60 < source.size < 90
    with pytest.raises(SourceError, match="no such file"):
        open_source(f"webdataset:{root}/x-{{000..004}}.tar")
    assert open_source(f"webdataset:{root}/x-000.tar").size > 20
    one = root / "x-001.tar"
    one.write_bytes(one.read_bytes()[: one.stat().st_size // 2 + 100])
    cut = open_source(f"webdataset:{one}")
    assert any("to its end (x-001.tar" in reason for reason in cut.excluded) and cut.size > 3


def test_what_datasets_reads(tmp_path, monkeypatch):
    import datasets

    rows = {
        "image": [photo(i) for i in range(60)],
        "label": [i % 3 for i in range(60)],
    }
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["red_fox", "owl", "truck"])}
    )
    table = datasets.Dataset.from_dict(rows, features=features)
    table.save_to_disk(tmp_path / "saved")
    table.to_parquet(tmp_path / "parquet" / "train-00000-of-00001.parquet")
    # `hub:` takes what load_dataset takes, so a folder goes the same way as a name.
    named = (f"hub:{tmp_path}/parquet", f"hub:{tmp_path}/parquet:train")
    for spec in (
        str(tmp_path / "saved"),
        f"parquet:{tmp_path}/parquet/train-00000-of-00001.parquet",
        *named,
    ):
        source = open_source(spec)
        for pair in make("search", source, tmp_path, n=20):
            assert all(Path(reference).is_file() for reference in pair["images"])
        make("compare", source, tmp_path, n=20)
    asked = table.remove_columns("label").add_column("question", ["What is it?"] * 60)
    asked = asked.add_column("answer", [("fox", "owl", "truck")[i % 3] for i in range(60)])
    asked.to_parquet(tmp_path / "quiz.parquet")
    make("vqa", open_source(str(tmp_path / "quiz.parquet")), tmp_path, n=20)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match=r"source 'hub:no/such-set': can't be read: .*no/such-set") as error:
        open_source("hub:no/such-set")
    assert "\n" not in str(error.value)
    with pytest.raises(SourceError, match="no image column"):
        bare = tmp_path / "bare.parquet"
        table.remove_columns("image").to_parquet(bare)
        open_source(str(bare))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(SourceError, match="can't be read"):
        open_source(str(tmp_path / "bad.parquet"))


def test_fashion_mnist(tmp_path):
    import gzip
    import struct

    import numpy as np

    root = tmp_path / "fashion-mnist"
    root.mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("train", 100), ("t10k", 40)):
        pixels = rng.integers(0, 255, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        with gzip.open(root / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4I", 2051, count, 28, 28) + pixels.tobytes())
        with gzip.open(root / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">2I", 2049, count) + labels.tobytes())
    source = open_source(str(root))
    assert source.size == 100 and open_source(str(root), split="heldout").size == 40
    make("compare", source, tmp_path, n=20)
    with pytest.raises(SourceError, match="no pictures of the digits 0 to 9; arithmetic needs"):
        next(tasks.generate("arithmetic", n=1, source=source, images=Store(tmp_path)))


def test_a_source_with_too_little_says_why(tmp_path):
    for i in range(3):
        save(tmp_path / "lone" / f"{i}.png", i)
    with pytest.raises(SourceError, match="no caption beside it"):
        open_source(str(tmp_path / "lone"))


def test_shards_and_order_of_draws_change_nothing(classes, tmp_path):
    """What a source has read so far never tells on what it gives next."""
    store = Store(tmp_path / "store")

    def made(**more):
        return list(tasks.generate("search", n=40, source=open_source(str(classes)), images=store, **more))

    assert made() == [pair for i in (1, 2, 3) for pair in made(shard=(i, 3))]


def test_a_picture_that_vanishes_is_counted(classes, tmp_path):
    source = open_source(str(classes))
    for path in (classes / "owl").glob("*.png"):
        path.unlink()
    make("search", source, tmp_path, n=60)
    assert source.excluded["no such file"] >= 3
    with pytest.raises(NoPair):
        for at in range(source.size):
            source._item(0, at)


def test_a_copy_under_another_name_is_no_distractor(tmp_path):
    root = tmp_path / "copies"
    for i in range(6):
        for k, thing in enumerate(("owl", "truck")):
            path = save(root / f"{thing}{i}.png", (thing, i))
            path.with_suffix(".txt").write_text(f"A {thing} on a lawn, seen by {i} people.")
            # The same picture again, and its caption names something else.
            copy = root / f"again-{k}-{i}.png"
            copy.write_bytes(path.read_bytes())
            copy.with_suffix(".txt").write_text(f"A bird in the morning light number {i}.")
    for pair in make("search", open_source(str(root)), tmp_path, n=80):
        files = [Path(reference).read_bytes() for reference in pair["images"]]
        assert len(set(files)) == len(files)
