"""A folder of captioned pictures, with the dirt of real ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from s2h import record, seeds, tasks
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.language.concepts import find
from s2h.language.nouns import head_of, indefinite, plural
from s2h.language.one_word_names import general_of
from s2h.sources import SourceError, open_source
from tests.support.photos import save

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
        ("A man riding a wave on a surfboard", "man"),
        ("It's a cep.", "cep"),
        ("You have to stop here.", ""),
        ("Sad", ""),
        ("The tender carries water.", "tender"),
        ("a photo of a living room with a sofa", "living room"),
        ("There is a red double-decker bus parked outside", "red double-decker bus"),
        ("one two three four five six", ""),
        ("Excited!", ""),
        ("Sharp.", ""),
        ("Pluto—until recently, it was a planet.", ""),
        ("Hibiscus", "Hibiscus"),
        ("A flower covered in dew drops.", "flower"),
        ("A bag of seed", "bag"),
        ("Weed in a garden", "Weed"),
        ("Dead end ahead!", ""),
        ("Greater than.", ""),
        ("Gimel stands for gants.", ""),
        ("An old Chinese sailing ship.", "old Chinese sailing ship"),
        ("A ripe, red tomato!", ""),
        ("“Yield” means you have to let other people go first.", ""),
        ("A “Stop” sign.", "“Stop” sign"),
        ("A ginger 'root'.", ""),
        ("The baby of a gnu.", "gnu"),
        ("A head of lettuce.", "lettuce"),
        ("An important part of the feast", ""),
    ],
)
def test_the_concept_is_the_first_noun_phrase(caption, concept):
    assert find(caption).concept == concept


def test_names_with_articles_and_plurals():
    said = {
        "Indian blackbuck": "an Indian blackbuck",
        "Race car": "a race car",
        "owl": "an owl",
        "Euro sign": "a euro sign",
        "unicorn": "a unicorn",
        "hourglass": "an hourglass",
        "dogs": "dogs",
        "iPod": "an iPod",
        "glass": "a glass",
        "Silver Gull": "a Silver Gull",
        "letter S": "a letter S",
        "lens": "a lens",
        "People": "people",
    }
    assert {name: indefinite(name) for name in said} == said
    many = {
        "dog": "dogs",
        "wine glass": "wine glasses",
        "person": "people",
        "butterfly": "butterflies",
        "toy": "toys",
    }
    assert {name: plural(name) for name in many} == many
    general = {"race car": "car", "sea lion": "", "toy tow truck": "", "letter J": "", "Teddy bear": ""}
    assert {name: general_of(name) for name in general} == general
    assert [head_of(name) for name in ("wine glasses", "men", "race cars")] == ["glass", "man", "car"]


def test_a_source_says_what_it_could_not_use(folder):
    source = open_source(str(folder))
    assert source.excluded["no caption beside it"] == 1 and source.excluded["no caption"] == 1
    assert 60 < source.size <= 88


def test_search_and_vqa_over_photographs(folder, tmp_path):
    for task in ("search", "vqa"):
        tally: Counter = Counter()
        made = list(
            tasks.generate(
                task,
                n=60,
                source=open_source(f"captions:{folder}"),
                images=Store(tmp_path / "s"),
                tally=tally,
                **({"forms": {"caption": 1.0}} if task == "search" else {}),
            )
        )
        assert len(made) == 60, tally
        for pair in made:
            record.check(pair)
            assert len(set(pair["images"])) == len(pair["images"]), "no picture is its own distractor"
            assert len(open_images(pair)) == len(pair["images"])
            (at,) = pair["target"]
            head = find(pair["facts"]["labels"][at]["captions"][0]).concept.split()[-1].lower()
            for i, labels in enumerate(pair["facts"]["labels"]):
                assert (head in labels["captions"][0].lower().split(".")[0].split(",")[0]) == (i == at)
            assert record.text_of(pair["chosen"]) != record.text_of(pair["rejected"])
            if pair["facts"].get("working"):
                told, said = record.text_of(pair["chosen"]).split("\n")
                assert said == pair["facts"]["labels"][at]["captions"][0].rstrip("!.") + "."
                # Captions don't prove that the other images don't show it.
                assert told == f"Image {at + 1} shows {pair['facts']['concept']}."
        assert "attribute-swap" not in {pair["negative"] for pair in made}


def test_what_a_caption_mentions_is_never_a_wrong_answer(tmp_path):
    """Two captions a picture; the second names the first one's thing in other words, and one thing more."""
    root, rng = tmp_path / "photos", seeds.rng("mentioned")
    things = {
        "man": "guy",
        "dog": "puppy",
        "boat": "ship",
        "pizza": "meal",
        "sofa": "couch",
        "bird": "animal",
    }
    rows, told = [], {}
    for number in range(120):
        one, other = rng.sample(sorted(things), 2)
        name = save(root / f"{number}.jpg", number).name
        told[name] = {one, other, things[one]}
        rows.append(
            {"file_name": name, "captions": [f"A {one} near a {other}.", f"A {things[one]} in the sun."]}
        )
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = list(
        tasks.generate("vqa", n=200, source=open_source(f"captions:{root}"), images=Store(tmp_path / "s"))
    )
    kinds = {**{other: one for one, other in things.items()}, "animal": "bird"}
    for pair in pairs:
        (at,) = pair["target"]
        mentioned = told[Path(pair["images"][at]).name]
        chosen, wrong = (
            record.text_of(pair[side]).lower().strip(".").split()[-1] for side in ("chosen", "rejected")
        )
        assert set(map(indefinite, mentioned)) <= {pair["facts"]["answer"], *pair["facts"]["answers"]}
        assert chosen in mentioned and wrong not in mentioned and kinds.get(wrong) not in mentioned
    sides = [[record.text_of(pair[side]) for pair in pairs] for side in ("chosen", "rejected")]
    for answer in set(sides[0] + sides[1]):
        chosen, rejected = (side.count(answer) for side in sides)
        assert abs(chosen - rejected) < 4 * (chosen + rejected) ** 0.5 + 2, answer


def test_held_out_pictures_are_others(folder):
    train, held = (open_source(str(folder), split=split).table(0).names for split in ("train", "heldout"))
    train, held = ({names[at] for at in range(len(names))} for names in (train, held))
    assert held and not train & held


def test_attributes_in_captions_are_swapped_as_often_as_they_stand_there(tmp_path):
    root = tmp_path / "cars"
    root.mkdir()
    rows, colours = [], ("red", "red", "red", "red", "red", "red", "blue", "blue", "green")
    for i in range(180):
        save(root / f"{i}.png", i)
        rows.append(
            {"file_name": f"{i}.png", "text": f"A car in {colours[i % 9]} paint, number {i}, on a road."}
        )
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = open_source(str(root))
    assert source.attribute_swaps == "caption" and source.captions_say_more
    sides = [Counter(), Counter()]
    made = tasks.generate(
        "search", n=900, source=source, per_prompt=(1, 1), images=Store(tmp_path),
        negatives={"attribute-swap": 1.0}, forms={"caption": 1.0},
    )  # fmt: skip
    for pair in made:
        for side, which in zip(sides, ("chosen", "rejected"), strict=True):
            side[record.text_of(pair[which]).split()[3]] += 1
    assert sides[0]["red"] > sides[0]["blue"] > sides[0]["green"] > 30
    from scipy.stats import chi2_contingency

    assert chi2_contingency([[side[c] for c in ("red", "blue", "green")] for side in sides]).pvalue > 1e-3


def test_metadata_files(folder, tmp_path):
    root = tmp_path / "hub"
    root.mkdir()
    rows = []
    for i in range(40):
        Image.new("RGB", (20, 20), (i * 6, 0, 0)).save(root / f"{i}.png")
        rows.append({"file_name": f"{i}.png", "text": f"A {THINGS[i % len(THINGS)]}."})
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert open_source(str(root)).size > 25
    import pyarrow as pa
    import pyarrow.parquet as parquet

    for broken in (
        {"file_name": "nowhere.png", "text": "A frog."},
        rows[0],
        {"file_name": "1.png", "text": " "},
    ):
        rows.append(broken)
    (root / "metadata.jsonl").unlink()
    parquet.write_table(pa.Table.from_pylist(rows), root / "metadata.parquet")
    source = open_source(str(root))
    assert source.excluded["file missing"] == source.excluded["listed twice"] == 1
    (root / "metadata.parquet").unlink()
    (root / "metadata.jsonl").write_text('{"file_name": "../0.png", "text": "A frog."}\n')
    with pytest.raises(SourceError, match=r"can be used .1 names a file outside the folder"):
        open_source(str(root))


@pytest.mark.parametrize("caption", [b"", "A caf\u00e9 in a street.".encode("latin-1"), b"42"])
def test_captions_that_can_not_be_used_get_a_remedy(caption, tmp_path):
    for number in range(6):
        save(tmp_path / f"{number}.jpg", number).with_suffix(".txt").write_bytes(caption)
    with pytest.raises(SourceError, match=r"caption.*write a caption in UTF-8 into a.txt beside a.jpg"):
        open_source(f"captions:{tmp_path}")


def test_sources_that_can_not_serve_say_so(folder, tmp_path):
    with pytest.raises(SourceError, match=r"no people whose kinship is known; kinship needs .*fiw:PATH"):
        next(tasks.generate("kinship", n=1, source=open_source(str(folder)), images=Store(tmp_path)))
    with pytest.raises(SourceError, match="no such folder"):
        open_source("nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SourceError, match="fewer than two"):
        open_source(str(tmp_path / "bare"))
