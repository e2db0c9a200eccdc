"""A folder of captioned pictures, with the dirt of real ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from s2h import levels, record, seeds
from s2h.images import Store, open_images
from s2h.sources import SourceError, open_source
from s2h.sources.captions import concept_of

THINGS = (
    "peacock",
    "truck",
    "apple",
    "castle",
    "frog",
    "Indian blackbuck",
    "race car",
    "tulip",
    "spoon",
    "owl",
    "whale",
)


@pytest.fixture()
def folder(tmp_path) -> Path:
    root = tmp_path / "photos"
    (root / "deep").mkdir(parents=True)
    for i, thing in enumerate(THINGS * 8):
        picture = (
            root
            / ("deep" if i % 3 else ".")
            / f"{thing.replace(' ', '_')}-{i}{'.PNG' if i % 5 == 0 else '.jpg'}"
        )
        Image.new("RGB", (40 + i, 60), seeds.rng(i).choice(("red", "blue", "green"))).save(picture)
        article = "An" if thing[0] in "aoI" else "A"
        ending = (".", " on a lawn.", "!\nUne ligne française", ", seen from afar 🙂.")[i // len(THINGS) % 4]
        picture.with_suffix(".txt").write_text(f"{article} {thing}{ending}\n", encoding="utf-8")
    Image.new("RGB", (9, 9)).save(root / "lonely.png")
    (root / "empty.txt").write_text("")
    Image.new("RGB", (9, 9)).save(root / "empty.png")
    return root


@pytest.mark.parametrize(
    ("caption", "concept"),
    [
        ("A peacock on a lawn.", "peacock"),
        ("An Indian blackbuck.", "Indian blackbuck"),
        ("A dumper. It carries its load in the front.", "dumper"),
        ("The letter X in American Sign Language.", "letter X"),
        ("", ""),
        ("!!!", ""),
        ("one two three four five six", ""),
    ],
)
def test_the_concept_is_the_first_noun_phrase(caption, concept):
    assert concept_of(caption) == concept


def test_a_source_says_what_it_could_not_use(folder):
    source = open_source(str(folder))
    assert source.unused["no caption beside it"] == 1 and source.unused["no caption"] == 1
    assert 60 < len(source) <= 88


def test_search_and_vqa_over_photographs(folder, tmp_path):
    for task in ("search", "vqa"):
        tally: Counter = Counter()
        made = list(
            levels.generate(
                task,
                n=60,
                source=open_source(f"captions:{folder}"),
                images=Store(tmp_path / "s"),
                tally=tally,
            )
        )
        assert len(made) == 60
        for pair in made:
            record.check(pair)
            assert len(set(pair["images"])) == len(pair["images"]), "no picture is its own distractor"
            assert len(open_images(pair)) == len(pair["images"])
            (at,) = pair["target"]
            head = concept_of(pair["facts"]["labels"][at]["caption"]).split()[-1].lower()
            for i, labels in enumerate(pair["facts"]["labels"]):
                assert (head in labels["caption"].lower().split(".")[0].split(",")[0]) == (i == at)
            assert record.text_of(pair["chosen"]) != record.text_of(pair["rejected"])
            if pair["facts"].get("working"):
                told, said = record.text_of(pair["chosen"]).split("\n")
                assert said == pair["facts"]["labels"][at]["caption"]
                assert (
                    told.endswith(f"Image {at + 1} shows {pair['facts']['concept']}.")
                    and told.count(" shows no ") == at
                )
        assert "attribute-swap" not in {pair["negative"] for pair in made}


def test_held_out_pictures_are_others(folder):
    train, held = (
        {entry.name for entry in open_source(str(folder), split=split).entries}
        for split in ("train", "heldout")
    )
    assert held and not train & held


def test_metadata_files(folder, tmp_path):
    root = tmp_path / "hub"
    root.mkdir()
    rows = []
    for i in range(40):
        Image.new("RGB", (20, 20), (i * 6, 0, 0)).save(root / f"{i}.png")
        rows.append({"file_name": f"{i}.png", "text": f"A {THINGS[i % len(THINGS)]}."})
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(open_source(str(root))) > 25
    (root / "metadata.jsonl").write_text('{"file_name": "../0.png", "text": "A frog."}\n')
    with pytest.raises(SourceError, match=r"metadata\.jsonl:1: file_name: '\.\./0\.png' leaves the folder"):
        open_source(str(root))


def test_sources_that_can_not_serve_say_so(folder, tmp_path):
    with pytest.raises(SourceError, match="no family"):
        next(levels.generate("kinship", n=1, source=open_source(str(folder)), images=Store(tmp_path)))
    with pytest.raises(SourceError, match="no such folder"):
        open_source("nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SourceError, match="fewer than two"):
        open_source(str(tmp_path / "bare"))
