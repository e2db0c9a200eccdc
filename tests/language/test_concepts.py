"""The thing that a caption is about, in the styles of captioning data, alt texts and captioning models."""

from __future__ import annotations

import subprocess
import sys

import pytest

from s2h.language import concepts
from s2h.language.caption_fit import things_in
from s2h.language.concepts import find

CAPTIONS = {
    # present tense, where the verb could be a noun
    "A man rides a wave on a surfboard.": "man",
    "Two cats lie on a bed beside each other.": "cats",
    "Two buses wait at a stop light in traffic.": "buses",
    "A train stops at a station while people board it.": "train",
    "A stop sign stands at the corner of two streets.": "stop sign",
    "A family poses on skis at the top of the mountain.": "family",
    "A child flies a kite on the beach.": "child",
    "Four sheep stand in a grassy field.": "sheep",
    "A bird perches on a branch of a tree.": "bird",
    "A bird feeds its chicks.": "bird",
    "People gather at a party in a kitchen.": "People",
    "The catcher waits for the ball while the umpire watches.": "catcher",
    "Two remotes lie on the arm of a couch.": "remotes",
    "Police on horseback patrol a city street.": "Police",
    "A police car blocks the road.": "police car",
    "A girl takes a picture with her cell phone.": "girl",
    "Dog sleeps on a couch": "Dog",
    "Gardener waters flowers": "Gardener",
    "The dog barks": "dog",
    "Train tracks run through the countryside.": "Train tracks",
    "Man hands over a key": "Man",
    "the sun sets over the mountains": "sun",
    "Leaves cover the ground": "Leaves",
    # participles
    "Surfer riding a large wave in the ocean.": "Surfer",
    "Boats lined up along the shore.": "Boats",
    "Orange handled scissors on top of a desk.": "Orange handled scissors",
    "Two potted plants stand beside a chair on the porch.": "potted plants",
    "Sign hanging above a shop": "Sign",
    "Woman texting on her phone": "Woman",
    "Black and white cat sitting on a chair": "Black and white cat",
    # nouns behind a noun and a participle
    "Street lights glow at dusk.": "Street lights",
    "A deer crossing sign near a forest": "deer crossing sign",
    "Hand drawn flowers on paper": "Hand drawn flowers",
    "Horse drawn carriage in front of a hotel": "Horse drawn carriage",
    "Home made pizza on a stone": "Home made pizza",
    "Candle lit dinner table": "Candle lit dinner table",
    "Two girls braid each other's hair.": "girls",
    "Boy eating pizza": "Boy",
    "Train crossing a bridge": "Train",
    "A teenager texts during class.": "teenager",
    "A lady near the window": "lady",
    "White van near tree": "White van",
    "Man made lake in a city park": "Man made lake",
    "Clothes dry on a line.": "Clothes",
    "Farmers market stall with pumpkins": "Farmers market stall",
    "The head of a horse": "head",
    "Door of a truck": "Door",
    "Best burger ever!": "burger",
    "Grandma's famous apple pie on a sill": "apple pie",
    "Panorama of a canyon": "canyon",
    "Stroller parked near a bench": "Stroller",
    "Two firemen hose down a burning car.": "firemen",
    "Train crossing sign beside the rails": "Train crossing sign",
    "Ferry crossing to the island": "Ferry",
    "Autumn leaves floating on a pond": "Autumn leaves",
    "A wooden rocking chair on a veranda": "wooden rocking chair",
    "Hiking trail through a forest": "Hiking trail",
    "Salmon fillet with dill": "Salmon fillet",
    "A half eaten donut on a napkin": "half eaten donut",
    "Uncle Bob's boat": "boat",
    "Emma's birthday cake": "birthday cake",
    "woman's black boots": "woman's black boots",
    "shelf full of books": "shelf",
    "front wheel of a bike": "front wheel",
    "Green tractor harvesting wheat": "Green tractor",
    # names behind a noun, capitals, days
    "Our new puppy Biscuit asleep on my slippers": "new puppy",
    "the goalkeeper Neuer catches a ball": "goalkeeper",
    "A HORSE JUMPING OVER A FENCE": "horse",
    "MY NEW CAR!!!": "new car",
    "TV": "TV",
    "New Year's Eve fireworks 2020": "fireworks",
    "Horseback riding along the shore": "",
    # groups, quantities, containers
    "A slice of lemon in a glass": "slice of lemon",
    "A sheet of paper on a desk": "paper",
    "A herd of sheep on a road": "herd of sheep",
    "A rack of clothes stands outside a shop.": "clothes",
    "A pride of lions rests under a tree.": "lions",
    "A few oranges sitting next to a knife.": "oranges",
    "A couple of ducks floating on top of a lake.": "ducks",
    "A pair of scissors lies on a piece of paper.": "scissors",
    "A bottle of wine and two wine glasses.": "bottle",
    "A couple walks their dog on the beach.": "couple",
    # openings
    "In this image, a man is standing near a car.": "man",
    "In the image there is a brown horse in front of a barn.": "brown horse",
    "The image shows a group of people sitting around a table.": "people",
    "An aerial view of a city at night": "city",
    "a black and white photo of an old train": "old train",
    "actor attends the premiere": "actor",
    "Sitting on a bench, a man reads a newspaper.": "man",
    "At the bottom of the picture there is grass.": "grass",
    "In the center of the image, there's a table.": "table",
    "The main subject of the image is a tall lighthouse.": "tall lighthouse",
    "The image is a black and white photograph of a train station.": "train station",
    "interior of a modern living room": "modern living room",
    "Golden Retriever on a lawn": "Golden Retriever",
    "Brown Dog On A Red Couch": "Brown Dog",
    # openings of captioning models and alt texts, and acts that look like them
    "3d render of a golden trophy": "golden trophy",
    "Selective focus of a syringe on a tray": "syringe",
    "A digital artwork depicting a dragon perched on a cliff.": "dragon",
    "The main object in the image is a silver teapot.": "silver teapot",
    "At the center of the composition is a marble statue of a lion.": "marble statue",
    "A glimpse of a deer between the trees": "deer",
    "Look at this cute puppy!": "cute puppy",
    "An artist sketches a portrait of a tourist.": "artist",
    "Tourist taking photo of a castle": "Tourist",
    # a plural behind "a", or of animals, that goes on; a verb behind a plural
    "A sales clerk folds sweaters on a shelf.": "sales clerk",
    "Deer feeder in the woods": "Deer feeder",
    "Water buffalo plow a rice paddy.": "Water buffalo",
    "Neon signs light a wet alley.": "Neon signs",
    "Car lights streak past a bus stop.": "Car lights",
    "Crane lifts a bridge section into place": "Crane",
    "Two women in saris carry pots.": "women",
    "Two of the puppies are sleeping in a crate.": "puppies",
    # visible nouns of other kinds than things: places, injuries, substances
    "A rash on the forearm of a child": "rash",
    "Rooftops of an old town from a church tower": "Rooftops",
    "A tapestry shows a unicorn in a garden.": "tapestry",
    "A scoop of vanilla ice cream melts in a cone.": "vanilla ice cream",
    "Light wooden table in a hall": "Light wooden table",
    # nothing that can be seen comes first
    "Wait for the green light": "",
    "A renewable": "",
    "A cry": "",
    "Nature": "",
    "Happy birthday to you": "",
    "Riding a wave": "",
    "No dogs on the beach": "",
    "a photo of charminar": "",
    "Lovely!": "",
    "Baseball game at night": "",
}


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_concept_is_a_noun_phrase_whose_head_can_be_seen(caption):
    assert find(caption).concept == CAPTIONS[caption]


@pytest.mark.parametrize(
    ("reason", "captions"),
    [
        (
            concepts.UNSURE,
            [
                "Fire breathing dragon statue",
                "Wood burning stove in a cabin",
                "Bird watching tower over a lake",
                "Whale watching in Iceland",
                "Ice skating under the lights",
                "Dog sledding team crossing a frozen lake",
                "Motorcycle racing team in the pits",
                "Water skiing champion performing a trick",
                "Three legged dog running on a beach",
                "Five star hotel by the sea",
                "Streams of headlights curve along a highway at night.",
            ],
        ),
        (
            concepts.UNSURE,
            [
                "Bed of a truck with hay",
                "The hands of a clock",
                "The bridge of a ship",
                "Leg of lamb on a platter",
                "Blanket of snow on a roof",
                "Cattle auction in a barn",
            ],
        ),
        (
            concepts.NAME,
            [
                "Dad asleep in his chair",
                "Golden Gate Bridge in fog",
                "Mount Fuji behind a pagoda",
                "Eiffel Tower at night",
                "Daisy chasing a ball",
                "Rose smelling a flower in the yard",
                "Statue of Liberty behind fog",
                "The Thinker in the garden of a museum",
            ],
        ),
        (
            concepts.NOT_ENGLISH,
            [
                "两个孩子在公园里玩",
                "Собака сидит на диване",
                "Ein Hund schläft auf dem Sofa",
                "Un perro duerme en el sofá",
                "Un chien dort sur le canapé",
                "Um homem andando de bicicleta",
                "Ein roter Bus",
            ],
        ),
        (
            concepts.FILE_NAME,
            [
                "IMG_2034.jpg",
                "DSC00123",
                "img 2034",
                "P1010023",
                "0042",
                "thumbnail_large (2)",
                "Screenshot 2023-01-05 at 10.22.11",
            ],
        ),
        (
            concepts.NO_PHRASE,
            [
                "!!!",
                "🙂🙂",
                "Riding a wave",
                "We went to the beach",
                "",
                "No parking",
                "HAPPY BIRTHDAY GRANDMA",
                "Merry Christmas kids",
            ],
        ),
        (
            concepts.NOT_SEEN,
            [
                *(
                    "Wait for the green light",
                    "Nature",
                    "Renewable energy",
                    "Home sweet home",
                    "Family dinner",
                ),
                *("First steps", "Throwback to Bali", "Still life with pears and a jug"),
            ],
        ),
    ],
)
def test_a_caption_without_a_concept_says_why(reason, captions):
    assert {caption: find(caption).reason for caption in captions} == dict.fromkeys(captions, reason)
    assert not any(find(caption).concept for caption in captions)


def test_all_things_of_a_caption():
    assert things_in("A zebra and two giraffes share an enclosure at the zoo.") == {
        "zebra",
        "giraffe",
        "enclosure",
        "zoo",
    }
    assert things_in("A giraffe eats leaves from a tree.") == {"giraffe", "leaf", "tree"}
    assert things_in("A desk has two monitors, a keyboard and a mouse.") == {
        "desk",
        "monitor",
        "keyboard",
        "mouse",
    }
    assert things_in("A toy truck and a teddy bear, without a dog") == {"toy truck", "teddy bear"}
    assert things_in("A man flies a kite.") == {"man", "kite"}
    assert things_in("A couple of ducks beside a pair of shoes") == {"duck", "shoe"}


def test_inflect_and_the_tables_are_read_only_where_captions_are():
    code = """if True:
        import sys, s2h.cli.gen, s2h.sources.captions
        from s2h.language import word_tables
        read = word_tables.things.cache_info().currsize + word_tables.words.cache_info().currsize
        print('inflect' in sys.modules, read)"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "0"]


def test_captions_without_a_concept_are_counted_by_reason():
    from collections import Counter

    from s2h.sources.captions import add_captioned
    from s2h.sources.photo_table import PhotoTable

    page, excluded = PhotoTable(), Counter()
    said = {
        "Two cats lie on a bed.": "",
        "Ein Hund schläft auf dem Sofa": concepts.NOT_ENGLISH,
        "IMG_2034.jpg": concepts.FILE_NAME,
        "Riding a wave": concepts.NO_PHRASE,
        "A cry": concepts.NOT_SEEN,
        "A renewable": concepts.NO_PHRASE,
    }
    for number, caption in enumerate(said):
        add_captioned(page, f"{number}.jpg", [caption], excluded)
    add_captioned(page, "several.jpg", ["Riding a wave", "A surfer rides a wave"], excluded)
    assert page.concepts == ["cats", "surfer"]
    assert excluded == Counter(filter(None, said.values()))


COMMON = """bicycle motorcycle airplane bus train truck boat bench bird cat horse sheep cow elephant bear zebra giraffe
    backpack umbrella handbag tie suitcase frisbee kite skateboard surfboard bottle fork knife bowl banana apple sandwich
    orange broccoli carrot pizza donut cake chair couch bed toilet laptop mouse remote keyboard microwave oven toaster sink
    refrigerator book clock vase toothbrush table stamp coin chain swing log branch board racket tattoo harbor pillar"""


def test_common_things_can_be_seen():
    assert [word for word in COMMON.split() if find(f"A {word} stands alone.").concept != word] == []


def test_a_name_that_goes_on_after_a_verb_and_one_that_has_a_bearer():
    assert find("A dry erase marker.").concept == "" and find("The remains of a sandwich").concept == ""
    assert (
        find("Tux the penguin riding a bike").concept == "penguin"
        and find("Dogs the size of horses").concept == "Dogs"
    )
    assert (
        find("A child cut a cake.").concept == "child"
        and find("A group of children play soccer.").concept == "children"
    )


@pytest.mark.parametrize(
    "caption",
    [
        "Jack holds a ball.",
        "Tux—the Linux mascot.",
        "Mark and Sue eat lunch",
        "Buddy sleeps",
        "Sydney Opera House at dusk",
    ],
)
def test_a_noun_that_is_a_name_gives_no_concept_without_an_article(caption):
    assert concepts.find(caption) == concepts.Found("", concepts.NAME)


@pytest.mark.parametrize("caption", ["Bear walking in snow", "A tux on a hanger", "Robin on a branch"])
def test_animals_and_nouns_with_an_article_are_no_names(caption):
    assert concepts.find(caption).concept
