"""Search over captions: no distractor shows what is searched for under another name, and absence is only asserted where it
is known."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from s2h import record, tasks
from s2h.images.store import Store
from s2h.sources import open_source
from s2h.tasks import search, search_words
from tests.support.photos import save

# Captions, and the names under which somebody may look for what the picture shows, noted by hand.
PICTURES = {
    "A guy in a red shirt plays pool.": "person man guy people",
    "A man waits for a bus at the stop.": "person man guy people",
    "A woman sits on a sofa with her laptop.": "person woman lady people sofa couch",
    "A lady with a purse is walking down a street.": "person woman lady people",
    "Two people share a bench near the lake.": "person people man woman lady guy",
    "A collie runs across a lawn.": "dog collie animal",
    "A small white dog sleeps on a couch.": "dog animal sofa couch collie",
    "A black dog looks out of a car window.": "dog animal car collie",
    "A duck swims in a pond.": "bird duck animal",
    "A bird perches on a branch.": "bird animal duck",
    "A cat lies on top of a laptop keyboard.": "cat animal",
    "A restroom has a toilet and a sink.": "restroom bathroom toilet",
    "A clean bathroom with a white tub.": "bathroom restroom",
    "A police officer rides a horse.": "person people man woman lady guy horse animal",
    "A boy flies a kite on the beach.": "person people boy kite",
    "A girl holds the string of a kite.": "person people girl kite",
    "Three giraffes walk across the savanna.": "giraffe giraffes animal",
    "Several giraffes stand in tall grass.": "giraffe giraffes animal",
    "A yellow truck is parked on a dirt lot.": "truck",
    "A red truck carries logs.": "truck",
    "A pizza with mushrooms is on a wooden table.": "pizza table",
    "A whole pizza topped with cheese.": "pizza",
    "Two surfers carry boards down the beach.": "person people man woman guy lady surfer surfers",
    "A teddy bear sits on a bed.": "bed",
}
NAMES = set(" ".join(PICTURES.values()).split())
SINGULAR = {"people": "person", "giraffes": "giraffe", "surfers": "surfer"}


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("absence") / "album"
    for i, caption in enumerate(PICTURES):
        picture = save(root / f"{i}.jpg", ("absence", i))
        picture.with_suffix(".txt").write_text(caption + "\n")
    return root


def made(source, n: int, store, **more) -> list[dict]:
    tally: Counter = Counter()
    pairs = list(tasks.generate("search", n=n, source=source, images=Store(store), tally=tally, **more))
    assert len(pairs) > 0.9 * n, tally
    return pairs


FORMS = {"caption": 1, "locate": 1, "count": 1, "absent": 1}


def test_no_other_image_shows_the_concept_under_any_name(album, tmp_path):
    source, known = open_source(f"captions:{album}"), 0
    for pair in made(source, 300, tmp_path, forms=FORMS):
        facts = pair["facts"]
        name = facts["concept"].split()[-1]
        assert facts.get("absence") == ("assumed" if facts["form"] != "caption" else None)
        if name not in NAMES:
            continue
        known += 1
        for i, labels in enumerate(facts["labels"]):
            names = set(PICTURES[labels["captions"][0]].split())
            shows = name in names or SINGULAR.get(name, name) in names
            assert not shows or i in facts["shown_by"], (facts["concept"], labels["captions"])
    assert known > 150


def test_captions_alone_assert_no_absence(album, tmp_path):
    source = open_source(f"captions:{album}")
    assert not source.exhaustive
    for pair in made(source, 80, tmp_path):
        assert pair["facts"]["form"] == "caption" and "absence" not in pair["facts"]
        for side in ("chosen", "rejected"):
            assert " shows no " not in record.text_of(pair[side])
            assert record.text_of(pair[side]).count("Image ") <= 1
        if pair["facts"]["working"]:
            (at,) = pair["target"]
            assert record.text_of(pair["chosen"]).startswith(f"Image {at + 1} shows ")
            assert record.text_of(pair["prompt"]).endswith(search_words.NAME)


def test_classes_assert_absence(tmp_path):
    for thing in ("owl", "truck", "tulip"):
        for i in range(5):
            save(tmp_path / "classes" / thing / f"{i}.png", (thing, i))
    source = open_source(f"classes:{tmp_path / 'classes'}")
    assert source.exhaustive
    pairs = made(source, 30, tmp_path)
    assert {pair["facts"]["absence"] for pair in pairs} == {"annotated"}
    assert {pair["facts"]["form"] for pair in pairs} == {"locate", "count"}


def test_no_rejected_caption_is_true_in_other_words(tmp_path):
    same = (
        ("A guy aims at a ball on a green pool table.", "A man aims at a ball on a green pool table."),
        ("A grey cat sleeps on a couch.", "A gray cat sleeps on a sofa."),
        ("An elderly woman waves.", "An old woman waves."),
    )
    others = (
        ("A man reads a newspaper on a train.", "A guy repairs a bicycle in a yard."),
        ("A cat drinks milk from a bowl.", "A gray cat looks into an aquarium."),
        ("A woman carries a red umbrella.", "A woman slices bread in a kitchen."),
    )
    for i, captions in enumerate((*same, *others)):
        for k, caption in enumerate(captions):
            picture = save(tmp_path / "same" / f"{i}-{k}.png", (i, k))
            picture.with_suffix(".txt").write_text(caption)
    groups = {caption: i for i, captions in enumerate(same) for caption in captions}
    for pair in made(open_source(str(tmp_path / "same")), 60, tmp_path, negatives={"same-concept": 1}):
        one, other = (record.text_of(pair[side]).split("\n")[-1] for side in ("chosen", "rejected"))
        assert groups.get(one, one) != groups.get(other, other)


@pytest.mark.parametrize(
    "concept", ["trousers", "children", "remote controls", "scissors", "glasses", "people"]
)
def test_prompts_agree_with_a_plural(concept):
    import random

    asked = {
        search_words.ask(random.Random(i), form, concept, True) for form in search.FORMS for i in range(200)
    }
    asked = " ".join(asked)
    assert f"Where are {concept}?" in asked and f"There are {concept} in one" in asked
    for wrong in ("is " + concept, "has " + concept, concept + " in them", "shows it", "show it", "in it"):
        assert wrong not in asked, wrong
    for right in ("Where is a dog?", "There is a dog in one"):
        assert right in " ".join(
            search_words.ask(random.Random(i), form, "a dog", False)
            for form in search.FORMS
            for i in range(200)
        )


def test_captions_are_written_in_one_form():
    written = {
        "a dog on a lawn": "A dog on a lawn.",
        "A dog on a lawn!": "A dog on a lawn.",
        "A dog  on a lawn . ": "A dog on a lawn.",
        "A DOG ON A LAWN": "A dog on a lawn.",
        "eBay's office in the UK": "EBay's office in the UK.",
    }
    assert {caption: search_words.one_form(caption) for caption in written} == written
    one, other = "In this image, a dog sits on a lawn.", "A dog sits on a lawn."
    assert search_words.form_of(one) != search_words.form_of(other)
    assert (
        search_words.form_of(one)
        == search_words.form_of("The picture shows a cat.")
        == search_words.form_of("This is an image of a cat.")
    )
    assert search_words.form_of("Dog Sits Near The Old Tree.") != search_words.form_of(other)


def test_what_applies_is_said(album, tmp_path):
    def said(source, *forms):
        return " ".join(search.notes(source, {"forms": dict.fromkeys(forms, 1.0)}))

    captions = open_source(f"captions:{album}")
    assert "captions don't prove what a picture does not show: caption questions only" in said(captions)
    assert 'facts.absence is "assumed"): locate, count' in said(captions, "count", "locate")
    assert said(captions, "caption") == ""
    for thing in ("owl", "truck"):
        for i in range(5):
            save(tmp_path / "classes" / thing / f"{i}.png", (thing, i))
    classes = open_source(f"classes:{tmp_path / 'classes'}")
    assert "--captioner MODEL" in said(classes, "caption") and "so that wrong ones can be told from" in said(
        classes, "caption"
    )
    assert "locate and count questions instead of captions" in said(classes) and said(classes, "locate") == ""
    assert said(open_source()) == ""


def test_similar_distractors_never_seem_to_show_the_concept(album, tmp_path):
    """A stand-in for CLIP that sees the concept in every third picture and tells pictures apart by their number."""
    import numpy as np

    from s2h.tasks.similar import Similar

    def embed(picture):
        number = next(i for i in range(len(PICTURES)) if looks[i] == picture.tobytes())
        return np.array([1.0, 0.0]) if number % 3 == 0 else np.array([0.8, 0.6])

    from s2h.images.decoding import open_image

    looks = [open_image(str(album / f"{i}.jpg")).tobytes() for i in range(len(PICTURES))]
    source = open_source(f"captions:{album}")
    pick = Similar(embed, 64, None, lambda text: np.array([0.6, 0.8]))
    pairs = made(source, 30, tmp_path, similar=pick, negatives={"generic": 1})
    for pair in pairs:
        (at,) = pair["target"]
        numbers = [int(Path(reference).stem) for reference in pair["images"]]
        assert numbers[at] % 3 and all(n % 3 == 0 for i, n in enumerate(numbers) if i != at)
    assert json.dumps(pairs)


def test_where_few_pictures_share_a_concept_they_do_not_come_again_and_again(tmp_path):
    shown = "truck tulip castle spoon whale violin ladder kettle canoe barrel owl owl owl owl owl"
    beside = "piano bucket fence river candle tent bench lamp basket bridge tower drum vase sofa clock"
    for i, (thing, other) in enumerate(zip(shown.split(), beside.split(), strict=True)):
        save(tmp_path / f"{i}.png", i)
        (tmp_path / f"{i}.txt").write_text(f"A {thing} beside a {other}.\n")
    source = open_source(f"captions:{tmp_path}")
    assert 0 < source.same_concept_share < 0.5
    made = list(tasks.generate("search", n=40, source=source, images=Store(tmp_path / "i")))
    kinds = Counter(pair["negative"] for pair in made)
    assert len(made) == 40 and 0 < kinds["same-concept"] <= 20 and kinds["other-image"] > 15
    only = tasks.generate(
        "search", n=4, source=source, negatives={"same-concept": 1}, images=Store(tmp_path / "i")
    )
    assert {pair["negative"] for pair in only} == {"same-concept"}


def test_a_person_is_no_it():
    import random

    for concept, word in (
        ("a woman", "such a person"),
        ("a whale", "it"),
        ("a kid", "such a person"),
        ("a fan", "it"),
    ):
        asked = {search_words.ask(random.Random(i), "locate", concept, False) for i in range(100)}
        assert f"Look for {concept}. Which image shows {word}?" in asked
