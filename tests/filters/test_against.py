"""Leakage from benchmarks: exact copies, altered copies, names."""

from __future__ import annotations

import json
from functools import partial

import pytest

from s2h.filters import against, benchmark_images, judge
from s2h.filters.engine import Engine
from s2h.images.decoding import open_image
from s2h.images.perceptual import perceptual_hash
from s2h.images.store import digest
from s2h.models import clip as models
from s2h.models.cache import Folder
from s2h.record import Record, RecordError
from tests.support import clips
from tests.support.photos import encoded, photo
from tests.support.records import pair


@pytest.fixture()
def bench(tmp_path):
    folder = tmp_path / "bench"
    folder.mkdir()
    for i in range(20):
        photo(i, (200, 160)).save(folder / f"{i}.png")
    (folder / "no.png").write_bytes(b"no image")
    (folder / "gone.png").symlink_to("nowhere.png")
    return folder


def shown(tmp_path, picture, name: str):
    path = tmp_path / name
    picture.save(path)
    return pair(images=[str(path)], target=[0])


def test_copies_are_found_however_they_were_saved(bench, tmp_path):
    known = benchmark_images.read((str(bench),))
    assert len(known.exact) == 21 and known.unread == 2
    copy = photo(3, (200, 160))
    records = [
        shown(tmp_path, copy, "same.png"),
        shown(tmp_path, copy, "again.jpg"),
        shown(tmp_path, copy.resize((300, 240)), "larger.png"),
        shown(tmp_path, photo("new", (200, 160)), "new.png"),
    ]
    rejected = [str(tmp_path / "same.png")]
    records.append(Record({**records[3], "rejected_images": rejected}))
    reasons = [why for _, why in judge(records, [against.build(known)])]
    assert reasons == [*[["shows an image of bench"]] * 3, [], ["shows an image of bench"]]
    assert records[4]["scores"]["against"]["image"] == 1, "the first after the pair's only image"
    assert records[0]["scores"]["against"] == {"distance": 0, "bench": "bench", "image": 0}
    assert records[3]["scores"]["against"]["distance"] > against.NEAR


def test_lists_of_hashes_and_of_names(bench, tmp_path):
    data = (bench / "5.png").read_bytes()
    listed = tmp_path / "list.txt"
    near = perceptual_hash(photo(6, (200, 160)))
    listed.write_text(f"\ufeff{digest(data)} fünf\n{near:016x}\nCOCO_val2014_000000000042.jpg\n\n", "utf-8")
    known = benchmark_images.read((str(listed),))
    assert (len(known.exact), len(known.near), len(known.names)) == (1, 1, 1)
    (tmp_path / "COCO_val2014_000000000042.jpg").write_bytes(encoded("anything"))
    records = [
        pair(images=[str(bench / "5.png")], target=[0]),
        shown(tmp_path, photo(6, (200, 160)), "six.jpg"),
        pair(images=[str(tmp_path / "COCO_val2014_000000000042.jpg")], target=[0]),
        pair(images=[str(bench / "7.png")], target=[0]),
    ]
    assert [bool(why) for _, why in judge(records, [against.build(known)])] == [True, True, True, False]


def test_parquet_of_the_hub(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = [
        {"image_1": {"bytes": encoded(i, "PNG"), "path": None}, "more": [{"bytes": encoded(-i - 1, "PNG")}]}
        for i in range(5)
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "val.parquet")
    known = benchmark_images.read((str(tmp_path / "val.parquet"),))
    assert len(known.exact) == 10
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for bad, said in (("bad.parquet", "can't be read"), ("nowhere", "no such folder")):
        with pytest.raises(RecordError, match=said):
            benchmark_images.read((str(tmp_path / bad),))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.load(str(clips.build(tmp_path_factory.mktemp("clip"))))


def embedding_by(model, looked: list, **how):
    """The tiny model behind an engine; `looked` gets the number of images in each of its calls."""

    class Counting(models.Clip):
        def images(self, pictures):
            looked.append(len(pictures))
            return super().images(pictures)

    counting = Counting(model.name, model.model, model.transform, model.tokenizer, model.files)
    return partial(Engine({"clip": lambda name: counting}, **how).images, model.name)


def test_embeddings_find_what_hashes_miss(bench, tmp_path, model):
    embed = embedding_by(model, [])
    known = benchmark_images.read((str(bench),), embed)
    assert len(known.embedded) == 20
    turned = shown(tmp_path, photo(8, (200, 160)).resize((160, 200)), "turned.png")
    judging = against.build(known, embed=embed, alike=0.99, near=-1)
    ((record, why),) = judge([turned], [judging])
    assert why == ["shows an image of bench"] and record["scores"]["against"]["cosine"] > 0.99


def test_cosines_are_those_of_the_model_used_plainly(bench, tmp_path, model):
    embed = embedding_by(model, [])
    known = benchmark_images.read((str(bench),), embed)
    records = [shown(tmp_path, photo(f"new {i}", (200, 160)), f"{i}.png") for i in range(5)]
    for record, _ in judge(records, [against.build(known, embed=embed, alike=2, near=-1)], batch_size=3):
        (row,) = model.images([open_image(record["images"][0])])
        table = model.images([open_image(str(bench / f"{i}.png")) for i in range(20)])
        assert record["scores"]["against"]["cosine"] == pytest.approx(float((table @ row).max()), abs=2e-4)


def test_images_are_embedded_in_batches_and_each_content_once(bench, tmp_path, model):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = [{"image": {"bytes": (bench / f"{i}.png").read_bytes(), "path": None}} for i in range(10)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "val.parquet")
    looked: list[int] = []
    embed = embedding_by(model, looked)
    known = benchmark_images.read((str(bench), str(tmp_path / "val.parquet")), embed)
    assert (len(known.embedded), sum(looked), len(looked)) == (30, 20, 1)
    new = [shown(tmp_path, photo(f"new {i}", (200, 160)), f"{i}.png") for i in range(5)]
    old = [pair(images=[str(bench / f"{i}.png")], target=[0]) for i in range(5)]
    records = [record.copy() for record in (*new, *old, *new)]
    assert len(list(judge(records, [against.build(known, embed=embed)]))) == 15
    assert looked == [20, 5]


def test_a_second_run_with_the_cache_loads_no_model(bench, tmp_path, model):
    asked = []

    def run() -> list:
        def load(name: str):
            asked.append(name)
            return model

        with Engine({"clip": load}, cache=Folder(str(tmp_path / "kept"))) as engine:
            embed = partial(engine.images, model.name)
            judging = against.build(benchmark_images.read((str(bench),), embed), embed=embed)
            record = shown(tmp_path, photo("new", (200, 160)), "new.png")
            return [scored["scores"] for scored, _ in judge([record], [judging])]

    assert run() == run() and asked == [model.name]


def test_the_bundled_clip_finds_what_hashes_miss(heavy, tmp_path):
    """A benchmark's image that was cut and scaled."""
    from PIL import Image

    heavy.told("s2h-gen", "search", "-n", "12", "--size", "64", "-o", "l3.jsonl", cwd=tmp_path)
    pairs = [json.loads(line) for line in (tmp_path / "l3.jsonl").read_text().splitlines()]
    (tmp_path / "bench").mkdir()
    with Image.open(tmp_path / pairs[2]["images"][0]) as image:
        image.crop((5, 5, 59, 59)).resize((90, 90)).save(tmp_path / "bench" / "cut.png")
    options = ("l3", "--against", "bench", "--against-clip", "0.9", "--clip-model", "mini-clip")
    done = heavy.told("s2h-filter", *options, "--rejects", "leaked.jsonl", cwd=tmp_path)
    assert "images of benchmarks are also compared by mini-clip" in done.stderr
    leaked = [json.loads(line) for line in (tmp_path / "leaked.jsonl").read_text().splitlines()]
    assert pairs[2]["id"] in [pair["id"] for pair in leaked] and len(leaked) < 12
    assert all(pair["scores"]["against"]["cosine"] >= 0.9 for pair in leaked)


def test_what_an_earlier_stage_measured_is_not_rewritten(bench, tmp_path):
    record = shown(tmp_path, photo("new", (200, 160)), "new.png")
    judging = against.build(benchmark_images.read((str(bench),)))
    assert [why for _, why in judge([record], [judging])] == [[]]
    assert [why for _, why in judge([record], [judging])] == [[]], "the same images give the same score"
    other = tmp_path / "other"
    other.mkdir()
    photo("elsewhere", (200, 160)).save(other / "0.png")
    with pytest.raises(RecordError, match=r"scores\.against: was measured against other images"):
        list(judge([record], [against.build(benchmark_images.read((str(other),)))]))
